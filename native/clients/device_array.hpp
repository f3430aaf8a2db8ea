// SPDX-License-Identifier: Apache-2.0
// Device memory with its tensor, for the clients in C++.
#pragma once

#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "attention_host.h"
#include "client.h"

class DeviceArray {
 public:
  // Values to start from, or none for memory that an operator writes.
  DeviceArray(aclDataType type, std::vector<int64_t> dims, const std::vector<float>* values = nullptr)
      : type_(type), count_(1) {
    for (int64_t dim : dims) count_ *= static_cast<size_t>(dim);
    memory_ = values ? device_floats(values->data(), count_, type)
                     : device_memory(count_ * float_bytes(type));
    tensor_ = contiguous(memory_, type, dims.data(), dims.size());
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() {
    TRY(aclDestroyTensor(tensor_));
    TRY(aclrtFree(memory_));
  }

  operator aclTensor*() const { return tensor_; }
  void* memory() const { return memory_; }
  size_t bytes() const { return count_ * float_bytes(type_); }

  std::vector<float> read() const {
    std::vector<float> values(count_);
    read_floats(values.data(), memory_, count_, type_);
    return values;
  }

  double check(const std::string& name, const std::vector<double>& expected) const {
    const std::vector<float> values = read();
    REQUIRE(values.size() == expected.size(), name.c_str());
    return compare(name.c_str(), values.data(), expected.data(), count_, attention_bound(type_));
  }

 private:
  aclDataType type_;
  size_t count_;
  void* memory_ = nullptr;
  aclTensor* tensor_ = nullptr;
};

inline std::vector<float> random_values(size_t count, aclDataType type, uint64_t seed) {
  float* raw = numbers(count, type, seed);
  std::vector<float> values(raw, raw + count);
  free(raw);
  return values;
}

// Packed sequences: cumulative ends as attention wants them, without a leading 0.
struct Packing {
  std::vector<int64_t> lengths;

  std::vector<int64_t> ends() const {
    std::vector<int64_t> ends(lengths.size());
    std::partial_sum(lengths.begin(), lengths.end(), ends.begin());
    return ends;
  }
  int64_t total() const { return std::accumulate(lengths.begin(), lengths.end(), int64_t{0}); }
};

class IntArray {
 public:
  explicit IntArray(const std::vector<int64_t>& values)
      : handle_(aclCreateIntArray(values.data(), values.size())) {
    REQUIRE(handle_ != nullptr, aclGetRecentErrMsg());
  }
  IntArray(const IntArray&) = delete;
  ~IntArray() { TRY(aclDestroyIntArray(handle_)); }
  operator aclIntArray*() const { return handle_; }

 private:
  aclIntArray* handle_;
};

// Attention of packed sequences on the host, in the order of memory that the device uses:
// statistics are blocks of [heads][rows of the sequence], each number eight times.
struct HostAttention {
  std::vector<double> out, max, sum, dq, dk, dv;

  HostAttention(const attention_shape& shape, int64_t mode, const Packing& q_rows,
                const Packing& kv_rows, const std::vector<float>& q, const std::vector<float>& k,
                const std::vector<float>& v, const std::vector<float>& dy)
      : out(q.size()), dq(q.size()), dk(k.size()), dv(v.size()) {
    std::vector<double> row_max(q.size() / shape.dim), row_sum(q.size() / shape.dim);
    int64_t row = 0;
    int64_t column = 0;
    for (size_t b = 0; b < q_rows.lengths.size(); ++b) {
      const int64_t at = row * shape.heads * shape.dim;
      const int64_t kv_at = column * shape.kv_heads * shape.dim;
      if (kv_rows.lengths[b] > 0) {
        attention_on_host(&shape, mode, q_rows.lengths[b], kv_rows.lengths[b], &q[at], &k[kv_at],
                          &v[kv_at], &dy[at], &out[at], &row_max[row * shape.heads],
                          &row_sum[row * shape.heads], &dq[at], &dk[kv_at], &dv[kv_at]);
      }
      row += q_rows.lengths[b];
      column += kv_rows.lengths[b];
    }
    for (size_t i = 0; i < row_max.size() * 8; ++i) {
      max.push_back(row_max[i / 8]);
      sum.push_back(row_sum[i / 8]);
    }
  }
};
