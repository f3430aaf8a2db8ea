// SPDX-License-Identifier: Apache-2.0
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>

#include "attention/attention.hpp"

namespace cann4j::attention {

namespace {

struct FreeMemory {
  void operator()(void* p) const { std::free(p); }
};

// Tiles of the calling thread, kept between calls so that a steady state allocates nothing.
void* threadScratch(size_t bytes) {
  thread_local std::unique_ptr<void, FreeMemory> memory;
  thread_local size_t capacity = 0;
  if (bytes > capacity) {
    memory.reset();
    capacity = 0;
    constexpr size_t kHugePage = size_t{2} << 20;
    const size_t rounded = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    memory.reset(std::aligned_alloc(kHugePage, rounded));
    if (!memory) throw std::bad_alloc();
    madvise(memory.get(), rounded, MADV_HUGEPAGE);  // only a hint: the tiles are walked in strides
    capacity = rounded;
  }
  return memory.get();
}

// Blocks found by measuring. What the innermost loops come back to fits a 512 KiB second-level cache; the query rows
// of the forward and the key side of the backward, which pass by in order, need not.
struct Blocks {
  int64_t largestDim;
  int64_t rows;
  int64_t keys;
};
constexpr Blocks kForwardBlocks[] = {{128, 768, 128}, {256, 768, 96}, {INT64_MAX, 96, 64}};
constexpr Blocks kBackwardBlocks[] = {{256, 48, 288}, {INT64_MAX, 48, 48}};
constexpr int64_t kFewestRows = 96;
constexpr int64_t kFewestKeys = 144;
constexpr int64_t kShares = 2;  // of what is left, each thread's: an item is one, so that all threads end together

constexpr bool fillTiles(const Blocks& b, bool keys) {
  return b.rows % kBlockMultiple == 0 && (!keys || b.keys % kBlockMultiple == 0);
}
static_assert(std::all_of(std::begin(kForwardBlocks), std::end(kForwardBlocks),
                          [](const Blocks& b) { return fillTiles(b, false); }));
static_assert(std::all_of(std::begin(kBackwardBlocks), std::end(kBackwardBlocks),
                          [](const Blocks& b) { return fillTiles(b, true); }));

template <size_t N>
void chooseBlocks(Problem& p, const Blocks (&table)[N]) {
  const int64_t dim = std::max(p.headDim + p.ropeDim, p.valueDim);
  const Blocks* row = table;
  while (row->largestDim < dim) ++row;
  p.blockRows = row->rows;
  p.blockKeys = row->keys;
}

// Pairs of rows [first, first + rows) and keys that they see, for dividing the work: as if all saw what the middle one
// does, so that the parts of a sequence add up to about the same however it is divided.
int64_t estimatedPairs(const Sequence& s, int64_t first, int64_t rows) {
  const int64_t middle = first + rows / 2;
  const int64_t low = std::max<int64_t>(0, middle + s.lowest);
  const int64_t high = std::min(s.kvLength, middle + 1 + s.diagonal);
  return rows * std::max({int64_t{1}, high - low, std::min(s.prefix, s.kvLength)});
}

int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

void yieldProcessor() { sched_yield(); }

// Claims indexes in ascending order, which parallelFor itself does not promise.
template <class Body>
void inOrder(const Workers& workers, int64_t count, size_t scratchBytes, const Body& body) {
  std::atomic<int64_t> next{0};
  workers.parallelFor(std::min<int64_t>(workers.threads, count), [&](int64_t) {
    void* scratch = threadScratch(scratchBytes);  // may throw: before an item is claimed that others wait for
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) body(i, scratch);
  });
}

}  // namespace

namespace {

struct HeadOfSequence {
  int64_t sequence;
  int64_t head;
  int64_t pairs;
};

// Largest first, so that the small ones fill what is left to do at the end.
std::vector<HeadOfSequence> headsOf(const Problem& p, const std::vector<Sequence>& sequences) {
  std::vector<HeadOfSequence> units;
  for (size_t n = 0; n < sequences.size(); ++n) {
    const Sequence& s = sequences[n];
    int64_t pairs = 0;
    for (int64_t first = 0; first < s.qLength; first += kFewestRows) {
      pairs += estimatedPairs(s, first, std::min(kFewestRows, s.qLength - first));
    }
    for (int64_t head = 0; head < p.heads && pairs > 0; ++head) {
      units.push_back({static_cast<int64_t>(n), head, pairs});
    }
  }
  std::stable_sort(units.begin(), units.end(),
                   [](const HeadOfSequence& a, const HeadOfSequence& b) { return a.pairs > b.pairs; });
  return units;
}

// Rows from the end of each head's sequence, where a causal row sees most: as many as keys are worth packing for, but
// fewer and fewer when little is left, so that all threads end together. Where each thread has other work to go on
// with, they need not.
class ForwardDivision {
 public:
  ForwardDivision(const Problem& p, const Workers& workers, const std::vector<Sequence>& sequences)
      : sequences_(sequences), workers_(workers), mostRows_(p.blockRows), fewestRows_(std::min(kFewestRows, mostRows_)),
        units_(headsOf(p, sequences)) {
    for (const HeadOfSequence& unit : units_) left_ += unit.pairs;
    begin();
  }

  // About their number; 0 for none.
  int64_t items() const {
    int64_t count = 0;
    for (const HeadOfSequence& unit : units_) count += divideUp(sequences_[unit.sequence].qLength, fewestRows_);
    return count;
  }

  // Whether there was one.
  bool take(QueryBlock* item) {
    std::lock_guard lock(mutex_);
    if (unit_ == units_.size()) return false;
    const HeadOfSequence& unit = units_[unit_];
    const Sequence& s = sequences_[unit.sequence];
    const int64_t rows = std::clamp(share(estimatedPairs(s, end_ - 1, 1)), fewestRows_, mostRows_);
    const int64_t first = std::max<int64_t>(0, end_ - rows + kBlockMultiple - 1) / kBlockMultiple * kBlockMultiple;
    *item = {unit.sequence, unit.head, first, end_ - first};
    left_ -= estimatedPairs(s, first, end_ - first);
    end_ = first;
    if (end_ == 0) {
      ++unit_;
      begin();
    }
    return true;
  }

 private:
  void begin() { end_ = unit_ < units_.size() ? sequences_[units_[unit_].sequence].qLength : 0; }

  int64_t share(int64_t pairsPerRow) const {
    if (workers_.threads == 1 || (workers_.areBusy && workers_.areBusy())) return mostRows_;
    return left_ / (kShares * workers_.threads) / pairsPerRow;
  }

  const std::vector<Sequence>& sequences_;
  const Workers& workers_;
  const int64_t mostRows_;
  const int64_t fewestRows_;
  const std::vector<HeadOfSequence> units_;
  std::mutex mutex_;
  int64_t left_ = 0;  // pairs
  size_t unit_ = 0;   // of which the next rows are
  int64_t end_ = 0;   // of these rows
};

}  // namespace

void runForward(const Kernels& kernels, const Workers& workers, Problem p, const std::vector<Sequence>& sequences) {
  chooseBlocks(p, kForwardBlocks);
  ForwardDivision division(p, workers, sequences);
  workers.parallelFor(std::min<int64_t>(workers.threads, division.items()), [&](int64_t) {
    void* scratch = threadScratch(kernels.forwardScratch(p));
    for (QueryBlock item; division.take(&item);) kernels.forward(p, item, scratch);
  });
}

namespace {

// Blocks of about equal size, smaller ones if there are few of them otherwise. It must not depend on the threads: dq
// is summed up by blocks.
int64_t keysOfBlocks(const Problem& p, int64_t multiple, int64_t kvLength, int64_t sequences) {
  constexpr int64_t kBlocksWanted = 32;
  const int64_t wanted = divideUp(kBlocksWanted, p.kvHeads * sequences);
  const int64_t blocks = std::max(divideUp(kvLength, p.blockKeys),
                                  std::min(divideUp(kvLength, std::min(kFewestKeys, p.blockKeys)), wanted));
  return std::min(p.blockKeys, divideUp(divideUp(kvLength, blocks), multiple) * multiple);
}

}  // namespace

void runBackward(const Kernels& kernels, const Workers& workers, Problem p, const std::vector<Sequence>& sequences) {
  chooseBlocks(p, kBackwardBlocks);
  p.yield = yieldProcessor;
  struct Unit {
    int64_t sequence;
    int64_t kvHead;
    int64_t keyBlocks;
    int64_t keys;
    int64_t cost;
    int64_t firstTurn;
  };
  const int64_t group = p.heads / p.kvHeads;
  std::vector<Unit> units;
  int64_t turnCount = 0;
  for (size_t n = 0; n < sequences.size(); ++n) {
    const Sequence& s = sequences[n];
    if (s.qLength == 0 || s.kvLength == 0) continue;
    const int64_t keys = keysOfBlocks(p, kernels.keyMultiple, s.kvLength, static_cast<int64_t>(sequences.size()));
    for (int64_t head = 0; head < p.kvHeads; ++head) {
      units.push_back({static_cast<int64_t>(n), head, divideUp(s.kvLength, keys), keys, s.qLength * s.kvLength,
                       turnCount});
      turnCount += group * divideUp(s.qLength, p.blockRows);
    }
  }
  std::stable_sort(units.begin(), units.end(), [](const Unit& a, const Unit& b) { return a.cost > b.cost; });
  std::vector<int32_t> turns(turnCount);
  // Key blocks of one unit wait for each other's dq, always for an earlier item. Interleaving as many units as there
  // are threads leaves little to wait for.
  std::vector<KeyBlock> items;
  for (size_t from = 0; from < units.size(); from += workers.threads) {
    const size_t to = std::min(units.size(), from + workers.threads);
    int64_t blocks = 0;
    for (size_t u = from; u < to; ++u) blocks = std::max(blocks, units[u].keyBlocks);
    for (int64_t block = 0; block < blocks; ++block) {
      for (size_t u = from; u < to; ++u) {
        if (block < units[u].keyBlocks) {
          items.push_back({units[u].sequence, units[u].kvHead, block, units[u].keys, turns.data() + units[u].firstTurn});
        }
      }
    }
  }
  inOrder(workers, static_cast<int64_t>(items.size()), kernels.backwardScratch(p),
          [&](int64_t i, void* scratch) { kernels.backward(p, items[i], scratch); });
  if (!p.sinkGradient) return;
  inOrder(workers, p.heads, kernels.backwardScratch(p), [&](int64_t head, void* scratch) {
    kernels.sinkBackward(p, static_cast<int64_t>(sequences.size()), head, scratch);
  });
}

}  // namespace cann4j::attention
