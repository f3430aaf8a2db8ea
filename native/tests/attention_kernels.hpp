// SPDX-License-Identifier: Apache-2.0
// What tests of the attention kernels share: host tensors with gaps, threads and instruction-set levels.
#pragma once

#include <thread>

#include "attention/attention.hpp"
#include "attention_reference.hpp"
#include "runtime/instruction_set.hpp"

namespace kernels {

using namespace cann4j::attention;
using reference::Type;

inline ElementType elementType(Type type) {
  return type == Type::Float32    ? ElementType::Float32
         : type == Type::BFloat16 ? ElementType::BFloat16
                                  : ElementType::Float16;
}

inline Workers threads(int count) {
  return {count, [](int64_t n, const std::function<void(int64_t)>& body) {
            std::vector<std::thread> others;
            for (int64_t i = 1; i < n; ++i) others.emplace_back(body, i);
            if (n > 0) body(0);
            for (std::thread& t : others) t.join();
          }};
}

// A [rows][heads][dim] tensor in memory whose rows and heads have gaps of NaN bytes between them.
struct Stored {
  Type type;
  int64_t rows, heads, dim, element, headStride, rowStride;
  std::vector<unsigned char> bytes;

  Stored(Type t, int64_t r, int64_t h, int64_t d, int64_t gap, int64_t elementStride = 1)
      : type(t), rows(r), heads(h), dim(d), element(elementStride), headStride(d * elementStride + gap),
        rowStride(h * headStride + gap), bytes((r * rowStride + 1) * reference::bytesOf(t), 0xff) {}

  int64_t index(int64_t i) const {
    return i / (heads * dim) * rowStride + i / dim % heads * headStride + i % dim * element;
  }
  void set(const std::vector<double>& values) {
    for (size_t i = 0; i < values.size(); ++i) reference::put(type, bytes.data(), index(i), values[i]);
  }
  void zero() { set(std::vector<double>(rows * heads * dim, 0)); }
  std::vector<double> values() const {
    std::vector<double> v(rows * heads * dim);
    for (size_t i = 0; i < v.size(); ++i) v[i] = reference::get(type, bytes.data(), index(i));
    return v;
  }
  // Whether nothing outside the tensor's elements was written.
  bool gapsIntact() const {
    std::vector<bool> used(bytes.size());
    for (int64_t i = 0; i < rows * heads * dim; ++i) {
      for (size_t b = 0; b < reference::bytesOf(type); ++b) used[index(i) * reference::bytesOf(type) + b] = true;
    }
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (!used[i] && bytes[i] != 0xff) return false;
    }
    return true;
  }
  TensorView view() { return {bytes.data(), 0, rowStride, headStride, element}; }
};

inline std::vector<double> everyEighth(const std::vector<float>& rows) {
  std::vector<double> first;
  for (size_t i = 0; i < rows.size(); i += 8) {
    for (size_t k = 1; k < 8; ++k) CHECK_EQ(rows[i], rows[i + k]);
    first.push_back(rows[i]);
  }
  return first;
}

inline std::vector<const Kernels*> levels() {
  std::vector<const Kernels*> all;
  for (const std::string& level : cann4j::instructionSets()) {
    all.push_back(kernelsOf(level));
    CHECK(all.back() != nullptr);
  }
  return all;
}

}  // namespace kernels
