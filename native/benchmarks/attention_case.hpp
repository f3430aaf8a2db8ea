// SPDX-License-Identifier: Apache-2.0
#pragma once

// One shape of attention in device memory, and the times that its passes take.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "attention/attention.hpp"
#include "runtime/error.hpp"
#include "runtime/half.hpp"
#include "runtime/memory.hpp"

namespace cann4j::attention {

struct Shape {
  ElementType type = ElementType::Float32;
  bool causal = true;
  int64_t length = 8192, heads = 8, kvHeads = 8, dim = 128, valueDim = 128, documents = 1;
  int64_t window = 0, mask = 0, bias = 0, drop = 0;
  bool backward = true;
};

inline const char* nameOf(ElementType type) {
  return type == ElementType::Float32 ? "fp32" : type == ElementType::BFloat16 ? "bf16" : "fp16";
}

inline double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Device memory, as the operators get it: huge pages matter to rows that lie pages apart.
class Memory {
 public:
  explicit Memory(size_t bytes) : bytes_(bytes) {
    if (bytes > 0 && cann4j::allocateDevice(0, bytes, 0, &device_) != ACL_SUCCESS) {
      std::fprintf(stderr, "attention_benchmark: %zu bytes: %s\n", bytes, cann4j::takeFailures().c_str());
      std::exit(1);
    }
    if (device_) cann4j::useHugePages(host(), bytes);
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
  explicit Case(const Shape& shape)
      : shape_(shape),
        statistics_(2 * shape.length * shape.heads * 8 * sizeof(float)),
        sums_(shape.type == ElementType::Float32 ? 0 : shape.length * shape.heads * shape.dim * sizeof(float)) {
    fillTensors();
    addSequences();
    bindTensors();
    addExtras();
  }

  const Shape& shape() const { return shape_; }
  const std::vector<double>& forward() const { return forward_; }
  const std::vector<double>& backward() const { return backward_; }

  // FLOPs are counted over allowed (query, key) pairs only, and as much again 2.5 times backward.
  double forwardFlops() const { return pairs_ * 2 * static_cast<double>(shape_.dim + shape_.valueDim); }
  double backwardFlops() const { return 2.5 * forwardFlops(); }

  // Runs each pass as often as makes the clock and the start of the threads not matter.
  void measure(const Kernels& kernels, const Workers& workers) {
    const int times = static_cast<int>(std::max(1.0, 1e9 * workers.threads / forwardFlops()));
    double start = seconds();
    for (int i = 0; i < times; ++i) runForward(kernels, workers, problem_, sequences_);
    forward_.push_back((seconds() - start) / times);
    if (!shape_.backward) return;
    start = seconds();
    for (int i = 0; i < times; ++i) {
      for (int tensor : {5, 6, 7}) tensors_[tensor].zero();
      sums_.zero();
      runBackward(kernels, workers, problem_, sequences_);
    }
    backward_.push_back((seconds() - start) / times);
  }

 private:
  void fillTensors() {
    const Shape& o = shape_;
    const int64_t sizes[] = {o.heads * o.dim,      o.kvHeads * o.dim, o.kvHeads * o.valueDim, o.heads * o.valueDim,
                             o.heads * o.valueDim, o.heads * o.dim,   o.kvHeads * o.dim,      o.kvHeads * o.valueDim};
    uint32_t state = 1;
    for (int64_t size : sizes) {
      tensors_.emplace_back(size * o.length * (o.type == ElementType::Float32 ? 4 : 2));
      void* host = tensors_.back().host();
      for (int64_t i = 0; i < size * o.length; ++i) {
        state = state * 1664525u + 1013904223u;
        const float value = static_cast<float>(static_cast<int32_t>(state) >> 8) / (1 << 23);
        switch (o.type) {
          case ElementType::Float32: static_cast<float*>(host)[i] = value; break;
          case ElementType::BFloat16: static_cast<uint16_t*>(host)[i] = cann4j::floatToBf16(value); break;
          case ElementType::Float16: static_cast<uint16_t*>(host)[i] = cann4j::floatToHalf(value); break;
        }
      }
    }
  }

  void addSequences() {
    const Shape& o = shape_;
    for (int64_t d = 0; d < o.documents; ++d) {
      const int64_t begin = d * o.length / o.documents, length = (d + 1) * o.length / o.documents - begin;
      sequences_.push_back({0, begin, begin, length, length, begin * o.heads, o.causal ? 0 : length});
      Sequence& s = sequences_.back();
      if (o.window > 0) s.lowest = 1 - o.window;
      s.mask = {0, 0, length, 1};
      s.bias = {0, 1, 0, 0};
      if (o.bias < 3) s.bias = {0, length * length, length, 1};
      s.dropoutBit = dropped_;
      dropped_ += o.heads * length * length;
      longest_ = std::max(longest_, length);
      for (int64_t i = 0; i < length; ++i) {
        const int64_t last = o.causal ? i : length - 1;
        pairs_ += static_cast<double>(o.heads * (last - std::max<int64_t>(0, i + s.lowest) + 1));
      }
    }
  }

  void bindTensors() {
    const Shape& o = shape_;
    auto view = [&](int tensor, int64_t heads, int64_t dim) {
      return TensorView{tensors_[tensor].host(), 0, heads * dim, dim, 1};
    };
    problem_.type = o.type;
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
  }

  void addExtras() {
    const Shape& o = shape_;
    if (o.mask) {
      mask_.resize(longest_ * longest_);
      const Sequence& s = sequences_.back();
      for (int64_t i = 0; i < longest_; ++i) {
        for (int64_t j = 0; j < longest_; ++j) mask_[i * longest_ + j] = j < i + s.lowest || j > i + s.diagonal;
      }
      for (Sequence& each : sequences_) {
        each.mask.rowStride = longest_;
        each.diagonal = each.kvLength;
        each.lowest = -kNoBound;
      }
      problem_.mask = mask_.data();
    }
    if (o.bias) {
      problem_.biasKind = static_cast<BiasKind>(o.bias);
      bias_.assign(o.bias < 3 ? o.heads * longest_ * longest_ : o.heads, 0.0f);
      problem_.bias = bias_.data();
    }
    if (o.drop) {
      problem_.keepProb = 1 - 0.01f * static_cast<float>(o.drop);
      drop_.assign(dropped_ / 8 + 1, 0x5b);
      problem_.dropMask = drop_.data();
    }
  }

  Shape shape_;
  std::vector<Memory> tensors_;
  Memory statistics_, sums_;
  std::vector<Sequence> sequences_;
  Problem problem_{};
  int64_t longest_ = 0, dropped_ = 0;
  double pairs_ = 0;
  std::vector<uint8_t> mask_, drop_;
  std::vector<float> bias_;
  std::vector<double> forward_, backward_;
};

}  // namespace cann4j::attention
