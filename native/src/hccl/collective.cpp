// SPDX-License-Identifier: Apache-2.0
#include "hccl/collective.hpp"

#include <utility>

#include "hccl/copy.hpp"
#include "hccl/reduce.hpp"

namespace cann4j::hccl {
namespace {

std::string rankCalled(const Call& call) {
  return "rank " + std::to_string(call.rank) + " called " + describe(call);
}

// Empty if what `sender` sends to `receiver` is what that one expects.
std::string compareBlock(const Arrival& sender, const Arrival& receiver) {
  uint64_t sent = sender.sendLayout.counts[receiver.call.rank];
  uint64_t expected = receiver.receiveLayout.counts[sender.call.rank];
  if (sent == expected) {
    return {};
  }
  return "HcclAlltoAllV: rank " + std::to_string(sender.call.rank) + " sends " +
         std::to_string(sent) + " elements to rank " + std::to_string(receiver.call.rank) +
         " (sendCounts), which expects " + std::to_string(expected) + " (recvCounts)";
}

// Of an argument that all ranks have to pass equally.
std::string compareArrays(const Arrival& a, const Arrival& b, const char* name,
                          const std::vector<uint64_t>& ofA, const std::vector<uint64_t>& ofB) {
  for (size_t i = 0; i < ofA.size(); ++i) {
    if (ofA[i] != ofB[i]) {
      const std::string element = std::string(name) + "[" + std::to_string(i) + "] ";
      return std::string(functionOf(a.call.op)) + ": " + element + "is " +
             std::to_string(ofA[i]) + " on rank " + std::to_string(a.call.rank) + ", but " +
             std::to_string(ofB[i]) + " on rank " + std::to_string(b.call.rank);
    }
  }
  return {};
}

std::string compareLayouts(const Arrival& a, const Arrival& b, const char* countsName,
                           const char* displacementsName, Layout Arrival::* layout) {
  const Layout& ofA = a.*layout;
  const Layout& ofB = b.*layout;
  std::string words = compareArrays(a, b, countsName, ofA.counts, ofB.counts);
  return !words.empty() ? words
                        : compareArrays(a, b, displacementsName, ofA.displacements,
                                        ofB.displacements);
}

// One block from every source to every target; `from` and `to` tell where it lies on each side.
template <class From, class To, class Bytes>
void exchange(const std::vector<Arrival>& arrivals, const From& from, const To& to,
              const Bytes& bytes) {
  std::vector<Block> blocks;
  for (const Arrival& target : arrivals) {
    for (const Arrival& source : arrivals) {
      if (const size_t size = bytes(source, target); size > 0) {
        blocks.push_back({source.send.host() + from(source, target),
                          target.receive.host() + to(source, target), size});
      }
    }
  }
  copyBlocks(blocks);
}

// The same number of elements between all, by rank.
void allToAll(const std::vector<Arrival>& arrivals) {
  const Call& call = arrivals.front().call;
  const size_t bytes = call.count * elementSize(call.type);
  exchange(
      arrivals, [&](const Arrival&, const Arrival& target) { return target.call.rank * bytes; },
      [&](const Arrival& source, const Arrival&) { return source.call.rank * bytes; },
      [&](const Arrival&, const Arrival&) { return bytes; });
}

void allToAllV(const std::vector<Arrival>& arrivals) {
  const size_t width = elementSize(arrivals.front().call.type);
  exchange(
      arrivals,
      [&](const Arrival& source, const Arrival& target) {
        return source.sendLayout.displacements[target.call.rank] * width;
      },
      [&](const Arrival& source, const Arrival& target) {
        return target.receiveLayout.displacements[source.call.rank] * width;
      },
      [&](const Arrival& source, const Arrival& target) {
        return source.sendLayout.counts[target.call.rank] * width;
      });
}

void allGather(const std::vector<Arrival>& arrivals) {
  exchange(
      arrivals, [](const Arrival&, const Arrival&) { return size_t{0}; },
      [](const Arrival& source, const Arrival&) { return source.call.rank * source.send.bytes; },
      [](const Arrival& source, const Arrival&) { return source.send.bytes; });
}

void allGatherV(const std::vector<Arrival>& arrivals) {
  const size_t width = elementSize(arrivals.front().call.type);
  exchange(
      arrivals, [](const Arrival&, const Arrival&) { return size_t{0}; },
      [&](const Arrival& source, const Arrival& target) {
        return target.receiveLayout.displacements[source.call.rank] * width;
      },
      [](const Arrival& source, const Arrival&) { return source.send.bytes; });
}

void broadcast(const std::vector<Arrival>& arrivals) {
  const Arrival& root = arrivals[arrivals.front().call.root];
  std::vector<Block> blocks;
  for (const Arrival& target : arrivals) {
    if (&target != &root) {
      blocks.push_back({root.send.host(), target.receive.host(), root.send.bytes});
    }
  }
  copyBlocks(blocks);
}

void scatter(const std::vector<Arrival>& arrivals) {
  const Arrival& root = arrivals[arrivals.front().call.root];
  std::vector<Block> blocks;
  for (const Arrival& target : arrivals) {
    const size_t bytes = target.receive.bytes;
    blocks.push_back({root.send.host() + target.call.rank * bytes, target.receive.host(), bytes});
  }
  copyBlocks(blocks);
}

// Of `count` elements that lie at the same offset of all send buffers.
Reduction reductionOf(const std::vector<Arrival>& arrivals, size_t offset, uint64_t count,
                      std::vector<void*> targets) {
  std::vector<const void*> sources;
  for (const Arrival& arrival : arrivals) {
    sources.push_back(arrival.send.host() + offset);
  }
  return {std::move(sources), std::move(targets), count};
}

void reduce(const std::vector<Arrival>& arrivals, const std::vector<Reduction>& reductions) {
  const Call& call = arrivals.front().call;
  reduceAll(reductions, call.type, call.reduce);
}

void allReduce(const std::vector<Arrival>& arrivals) {
  std::vector<void*> targets;
  for (const Arrival& arrival : arrivals) {
    targets.push_back(arrival.receive.host());
  }
  reduce(arrivals, {reductionOf(arrivals, 0, arrivals.front().call.count, std::move(targets))});
}

void reduceScatter(const std::vector<Arrival>& arrivals) {
  std::vector<Reduction> reductions;
  for (const Arrival& target : arrivals) {
    reductions.push_back(reductionOf(arrivals, target.call.rank * target.receive.bytes,
                                     target.call.count, {target.receive.host()}));
  }
  reduce(arrivals, reductions);
}

void reduceScatterV(const std::vector<Arrival>& arrivals) {
  const size_t width = elementSize(arrivals.front().call.type);
  std::vector<Reduction> reductions;
  for (const Arrival& target : arrivals) {
    const uint32_t rank = target.call.rank;
    if (const uint64_t count = target.sendLayout.counts[rank]; count > 0) {
      reductions.push_back(reductionOf(arrivals, target.sendLayout.displacements[rank] * width,
                                       count, {target.receive.host()}));
    }
  }
  reduce(arrivals, reductions);
}

}  // namespace

std::string compare(const Arrival& a, const Arrival& b) {
  if (!agree(a.call, b.call)) {
    return rankCalled(a.call) + ", but " + rankCalled(b.call);
  }
  switch (a.call.op) {
    case Op::kAllToAllV: {
      std::string words = compareBlock(a, b);
      return words.empty() ? compareBlock(b, a) : words;
    }
    case Op::kAllToAllVC:
      return compareArrays(a, b, "sendCountMatrix", a.matrix, b.matrix);
    case Op::kAllGatherV:
      return compareLayouts(a, b, "recvCounts", "recvDispls", &Arrival::receiveLayout);
    case Op::kReduceScatterV:
      return compareLayouts(a, b, "sendCounts", "sendDispls", &Arrival::sendLayout);
    default:
      return {};
  }
}

void runCollective(const std::vector<Arrival>& arrivals) {
  switch (arrivals.front().call.op) {
    case Op::kAllGather:
      allGather(arrivals);
      break;
    case Op::kAllGatherV:
      allGatherV(arrivals);
      break;
    case Op::kAllToAll:
      allToAll(arrivals);
      break;
    case Op::kAllToAllV:
    case Op::kAllToAllVC:
      allToAllV(arrivals);
      break;
    case Op::kBroadcast:
      broadcast(arrivals);
      break;
    case Op::kScatter:
      scatter(arrivals);
      break;
    case Op::kAllReduce:
      allReduce(arrivals);
      break;
    case Op::kReduce: {
      const Call& call = arrivals.front().call;
      reduce(arrivals,
             {reductionOf(arrivals, 0, call.count, {arrivals[call.root].receive.host()})});
      break;
    }
    case Op::kReduceScatter:
      reduceScatter(arrivals);
      break;
    case Op::kReduceScatterV:
      reduceScatterV(arrivals);
      break;
    default:  // a barrier moves nothing
      break;
  }
}

}  // namespace cann4j::hccl
