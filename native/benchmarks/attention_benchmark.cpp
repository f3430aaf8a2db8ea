// SPDX-License-Identifier: Apache-2.0
// Flash attention beside the multiply-add peak that the same threads reach in the same run.
//
//   attention_benchmark [--seq-length S] [--heads N] [--kv-heads N] [--head-dim D] [--value-dim D] [--documents M]
//                       [--threads T] [--repeat R] [--isa LEVEL] [--window W] [--mask 1] [--bias KIND] [--drop PERCENT]
//
// A window leaves each row W keys up to its own. The mask is a tensor that hides what the other bounds hide too, the
// bias kinds 1 and 2 are tensors, 3 and 4 slopes (see BiasKind). FLOPs are counted over allowed (query, key) pairs
// only: 2 (D + Dv) each forward, and as much again 2.5 times backward.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "attention/attention.hpp"
#include "runtime/error.hpp"
#include "runtime/memory.hpp"
#include "runtime/thread_pool.hpp"

using namespace cann4j::attention;

namespace {

struct Options {
  int64_t length = 8192, heads = 8, kvHeads = 0, dim = 128, valueDim = 0, documents = 1;
  int64_t window = 0, mask = 0, bias = 0, drop = 0;
  int threads = 0;
  int repeat = 3;
  std::string isa;
};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Workers poolWorkers(int threads) {
  return {threads, [](int64_t count, const std::function<void(int64_t)>& body) {
            cann4j::ThreadPool::instance().parallelFor(count, body);
          }};
}

double peakGflops(const Kernels& kernels, const Workers& workers) {
  constexpr int64_t kIterations = 20'000'000;
  std::vector<double> flops(workers.threads);
  const double start = seconds();
  workers.parallelFor(workers.threads, [&](int64_t i) { flops[i] = kernels.multiplyAddPeak(kIterations); });
  double total = 0;
  for (double f : flops) total += f;
  return total / (seconds() - start) / 1e9;
}

// Device memory, as the operators get it: huge pages matter to rows that lie pages apart.
class Memory {
 public:
  explicit Memory(size_t bytes) : bytes_(bytes) {
    if (bytes > 0 && cann4j::allocateDevice(0, bytes, 0, &device_) != ACL_SUCCESS) {
      std::fprintf(stderr, "attention_benchmark: %zu bytes: %s\n", bytes, cann4j::takeFailures().c_str());
      std::exit(1);
    }
    zero();
  }
  Memory(Memory&& other) noexcept : device_(std::exchange(other.device_, nullptr)), bytes_(other.bytes_) {}
  ~Memory() {
    if (device_) cann4j::freeDevice(device_);
  }
  void* host() const { return device_ ? cann4j::toHost(device_) : nullptr; }
  void zero() {
    if (device_) std::memset(host(), 0, bytes_);
  }

 private:
  void* device_ = nullptr;
  size_t bytes_;
};

class Case {
 public:
  Case(const Options& o, ElementType type, bool causal)
      : type_(type),
        causal_(causal),
        statistics_(2 * o.length * o.heads * 8 * sizeof(float)),
        sums_(type == ElementType::Float32 ? 0 : o.length * o.heads * o.dim * sizeof(float)) {
    const int64_t itemSize = type == ElementType::Float32 ? 4 : 2;
    const int64_t sizes[] = {o.heads * o.dim,      o.kvHeads * o.dim, o.kvHeads * o.valueDim, o.heads * o.valueDim,
                             o.heads * o.valueDim, o.heads * o.dim,   o.kvHeads * o.dim,      o.kvHeads * o.valueDim};
    uint32_t state = 1;
    for (int64_t size : sizes) {
      tensors_.emplace_back(size * o.length * itemSize);
      for (int64_t i = 0; i < size * o.length; ++i) {
        state = state * 1664525u + 1013904223u;
        const float value = static_cast<float>(static_cast<int32_t>(state) >> 8) / (1 << 23);
        if (type == ElementType::Float32) {
          static_cast<float*>(tensors_.back().host())[i] = value;
        } else {
          uint32_t bits;
          std::memcpy(&bits, &value, 4);
          static_cast<uint16_t*>(tensors_.back().host())[i] = static_cast<uint16_t>(bits >> 16);
        }
      }
    }
    int64_t longest = 0, dropped = 0;
    for (int64_t d = 0; d < o.documents; ++d) {
      const int64_t begin = d * o.length / o.documents, length = (d + 1) * o.length / o.documents - begin;
      sequences_.push_back({0, begin, begin, length, length, begin * o.heads, causal ? 0 : length});
      Sequence& s = sequences_.back();
      if (o.window > 0) s.lowest = 1 - o.window;
      s.mask = {0, 0, length, 1};
      s.bias = {0, 1, 0, 0};
      if (o.bias < 3) s.bias = {0, length * length, length, 1};
      s.dropoutBit = dropped;
      dropped += o.heads * length * length;
      longest = std::max(longest, length);
      for (int64_t i = 0; i < length; ++i) {
        const int64_t last = causal ? i : length - 1;
        pairs_ += o.heads * (last - std::max<int64_t>(0, i + s.lowest) + 1);
      }
    }
    auto view = [&](int tensor, int64_t heads, int64_t dim) {
      return TensorView{tensors_[tensor].host(), 0, heads * dim, dim, 1};
    };
    problem_.type = type;
    problem_.heads = o.heads;
    problem_.kvHeads = o.kvHeads;
    problem_.headDim = o.dim;
    problem_.valueDim = o.valueDim;
    problem_.scale = 1 / std::sqrt(static_cast<float>(o.dim));
    problem_.sequences = sequences_.data();
    problem_.query = view(0, o.heads, o.dim);
    problem_.key = view(1, o.kvHeads, o.dim);
    problem_.value = view(2, o.kvHeads, o.valueDim);
    problem_.outputGradient = view(3, o.heads, o.valueDim);
    problem_.output = view(4, o.heads, o.valueDim);
    problem_.queryGradient = view(5, o.heads, o.dim);
    problem_.keyGradient = view(6, o.kvHeads, o.dim);
    problem_.valueGradient = view(7, o.kvHeads, o.valueDim);
    problem_.softmaxMax = {static_cast<float*>(statistics_.host()), true, {1, 1, 1}, {0, 0, 8, 1}};
    problem_.softmaxSum = {problem_.softmaxMax.data + o.length * o.heads * 8, true, {1, 1, 1}, {0, 0, 8, 1}};
    problem_.querySum = problem_.queryGradient;
    if (sums_.host()) {
      problem_.querySum = {sums_.host(), 0, o.heads * o.dim, o.dim, 1};
      problem_.convertQuerySum = true;
    }
    addExtras(o, longest, dropped);
    flops_ = pairs_ * 2 * (o.dim + o.valueDim);
  }

  void addExtras(const Options& o, int64_t longest, int64_t dropped) {
    if (o.mask) {
      mask_.resize(longest * longest);
      const Sequence& s = sequences_.back();
      for (int64_t i = 0; i < longest; ++i) {
        for (int64_t j = 0; j < longest; ++j) mask_[i * longest + j] = j < i + s.lowest || j > i + s.diagonal;
      }
      for (Sequence& each : sequences_) {
        each.mask.rowStride = longest;
        each.diagonal = each.kvLength;
        each.lowest = -kNoBound;
      }
      problem_.mask = mask_.data();
    }
    if (o.bias) {
      problem_.biasKind = static_cast<BiasKind>(o.bias);
      bias_.assign(o.bias < 3 ? o.heads * longest * longest : o.heads, 0.0f);
      problem_.bias = bias_.data();
    }
    if (o.drop) {
      problem_.keepProb = 1 - 0.01f * static_cast<float>(o.drop);
      drop_.assign(dropped / 8 + 1, 0x5b);
      problem_.dropMask = drop_.data();
    }
  }

  void measure(const Kernels& kernels, const Workers& workers) {
    double start = seconds();
    runForward(kernels, workers, problem_, sequences_);
    forward_.push_back(seconds() - start);
    start = seconds();
    for (int tensor : {5, 6, 7}) tensors_[tensor].zero();
    sums_.zero();
    runBackward(kernels, workers, problem_, sequences_);
    backward_.push_back(seconds() - start);
  }

  void print(double peak) const {
    const double forward = median(forward_), backward = median(backward_);
    auto line = [&](const char* what, double flops, double time) {
      std::printf("%-5s %-7s %-17s %9.1f ms %8.1f GFLOP/s %6.1f %% of peak\n",
                  type_ == ElementType::Float32 ? "fp32" : "bf16", causal_ ? "causal" : "full", what, time * 1e3,
                  flops / time / 1e9, flops / time / 1e9 / peak * 100);
    };
    line("forward", flops_, forward);
    line("backward", 2.5 * flops_, backward);
    line("forward+backward", 3.5 * flops_, forward + backward);
  }

 private:
  ElementType type_;
  bool causal_;
  std::vector<Memory> tensors_;
  Memory statistics_, sums_;
  std::vector<Sequence> sequences_;
  Problem problem_{};
  double pairs_ = 0, flops_ = 0;
  std::vector<uint8_t> mask_, drop_;
  std::vector<float> bias_;
  std::vector<double> forward_, backward_;
};

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    int64_t* number = name == "--seq-length"  ? &o.length
                      : name == "--heads"     ? &o.heads
                      : name == "--kv-heads"  ? &o.kvHeads
                      : name == "--head-dim"  ? &o.dim
                      : name == "--value-dim" ? &o.valueDim
                      : name == "--documents" ? &o.documents
                      : name == "--window"    ? &o.window
                      : name == "--mask"      ? &o.mask
                      : name == "--bias"      ? &o.bias
                      : name == "--drop"      ? &o.drop
                                              : nullptr;
    const int64_t value = i + 1 < argc ? std::atoll(argv[i + 1]) : 0;
    if (name == "--isa" && i + 1 < argc) {
      o.isa = argv[i + 1];
    } else if (value > 0 && number) {
      *number = value;
    } else if (value > 0 && name == "--threads") {
      o.threads = static_cast<int>(value);
    } else if (value > 0 && name == "--repeat") {
      o.repeat = static_cast<int>(value);
    } else {
      std::fprintf(stderr, "attention_benchmark: %s is unknown or lacks a positive value\n", argv[i]);
      std::exit(2);
    }
  }
  if (o.kvHeads == 0) o.kvHeads = o.heads;
  if (o.valueDim == 0) o.valueDim = o.dim;
  if (o.heads % o.kvHeads != 0 || o.valueDim > o.dim || o.documents > o.length || o.bias > 4 || o.drop > 99) {
    std::fprintf(stderr, "attention_benchmark: heads must be a multiple of kv heads, value dim at most head dim, "
                         "documents at most the length, the bias kind at most 4, less than all dropped\n");
    std::exit(2);
  }
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::string why = options.isa + " is no instruction-set level of this machine";
  const Kernels* kernels = options.isa.empty() ? selectKernels(&why) : kernelsOf(options.isa);
  if (!kernels) {
    std::fprintf(stderr, "attention_benchmark: %s\n", why.c_str());
    return 2;
  }
  const int all = cann4j::ThreadPool::instance().threads();
  std::vector<int> threadCounts = {1};
  if (all > 1) threadCounts.push_back(all);
  if (options.threads > 0) threadCounts = {std::min(options.threads, all)};
  std::printf("%s, S %lld in %lld documents, N %lld/%lld, D %lld/%lld, median of %d\n", kernels->name,
              static_cast<long long>(options.length), static_cast<long long>(options.documents),
              static_cast<long long>(options.heads), static_cast<long long>(options.kvHeads),
              static_cast<long long>(options.dim), static_cast<long long>(options.valueDim), options.repeat);
  for (int threads : threadCounts) {
    const Workers workers = poolWorkers(threads);
    std::vector<Case> cases;
    cases.reserve(4);
    for (ElementType type : {ElementType::Float32, ElementType::BFloat16}) {
      for (bool causal : {false, true}) cases.emplace_back(options, type, causal);
    }
    std::vector<double> peaks;
    for (int round = 0; round < options.repeat; ++round) {
      peaks.push_back(peakGflops(*kernels, workers));
      for (Case& c : cases) c.measure(*kernels, workers);
    }
    const double peak = *std::max_element(peaks.begin(), peaks.end());
    std::printf("%d thread%s: fp32 multiply-add peak %.1f GFLOP/s\n", threads, threads == 1 ? "" : "s", peak);
    for (const Case& c : cases) c.print(peak);
  }
}
