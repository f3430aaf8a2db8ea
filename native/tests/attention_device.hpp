// SPDX-License-Identifier: Apache-2.0
// Device tensors of the attention tests, filled from and read into fp64, through CANN's functions only.
#pragma once

#include <memory>

#include "acl/acl.h"
#include "aclnn/aclnn_base.h"
#include "attention_reference.hpp"

namespace device {

inline aclDataType dataType(reference::Type type) {
  return type == reference::Type::Float32 ? ACL_FLOAT : type == reference::Type::BFloat16 ? ACL_BF16 : ACL_FLOAT16;
}

// aclInit, device 0 and its stream, once per process.
inline aclrtStream stream() {
  static const aclrtStream made = [] {
    CHECK_EQ(aclInit(nullptr), ACL_SUCCESS);
    CHECK_EQ(aclrtSetDevice(0), ACL_SUCCESS);
    aclrtStream s = nullptr;
    CHECK_EQ(aclrtCreateStream(&s), ACL_SUCCESS);
    return s;
  }();
  return made;
}

inline std::vector<int64_t> contiguousStrides(const std::vector<int64_t>& dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t d = dims.size(); d-- > 1;) strides[d - 1] = strides[d] * dims[d];
  return strides;
}

// A tensor in its own allocation, `offset` elements from its start, all bytes 0xff at first.
class Tensor {
 public:
  Tensor(reference::Type type, std::vector<int64_t> dims, std::vector<int64_t> strides = {}, int64_t offset = 0)
      : type_(type), dims_(std::move(dims)), strides_(std::move(strides)), offset_(offset) {
    stream();
    if (strides_.empty()) strides_ = contiguousStrides(dims_);
    int64_t last = 0;
    for (size_t d = 0; d < dims_.size(); ++d) {
      elements_ *= dims_[d];
      last += (dims_[d] - 1) * strides_[d];
    }
    storage_ = elements_ == 0 ? 1 : offset_ + last + 1;
    host_.assign(storage_ * reference::bytesOf(type), 0xff);
    CHECK_EQ(aclrtMalloc(&data_, host_.size(), ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
    upload();
    handle_ = aclCreateTensor(dims_.data(), dims_.size(), dataType(type), strides_.data(), offset_, ACL_FORMAT_ND,
                              &storage_, 1, data_);
    CHECK(handle_ != nullptr);
  }
  Tensor(const Tensor&) = delete;
  ~Tensor() {
    aclDestroyTensor(handle_);
    aclrtFree(data_);
  }

  const aclTensor* get() const { return handle_; }
  const std::vector<int64_t>& dims() const { return dims_; }
  int64_t size() const { return elements_; }

  void write(const std::vector<double>& values) {
    CHECK_EQ(static_cast<int64_t>(values.size()), elements_);
    for (int64_t i = 0; i < elements_; ++i) reference::put(type_, host_.data(), index(i), values[i]);
    upload();
  }
  std::vector<double> read() {
    CHECK_EQ(aclrtMemcpy(host_.data(), host_.size(), data_, host_.size(), ACL_MEMCPY_DEVICE_TO_HOST), ACL_SUCCESS);
    std::vector<double> values(elements_);
    for (int64_t i = 0; i < elements_; ++i) values[i] = reference::get(type_, host_.data(), index(i));
    return values;
  }
  const std::vector<unsigned char>& bytes() {
    read();
    return host_;
  }

 private:
  void upload() {
    CHECK_EQ(aclrtMemcpy(data_, host_.size(), host_.data(), host_.size(), ACL_MEMCPY_HOST_TO_DEVICE), ACL_SUCCESS);
  }
  int64_t index(int64_t i) const {
    int64_t at = offset_;
    for (size_t d = dims_.size(); d-- > 0; i /= dims_[d]) at += i % dims_[d] * strides_[d];
    return at;
  }

  reference::Type type_;
  std::vector<int64_t> dims_, strides_;
  int64_t offset_;
  int64_t elements_ = 1, storage_ = 0;
  std::vector<unsigned char> host_;
  void* data_ = nullptr;
  aclTensor* handle_ = nullptr;
};

// The [2048, 2048] compressed causal mask, or another shape to be refused.
class CausalMask {
 public:
  explicit CausalMask(int64_t rows = 2048, int64_t columns = 2048, aclDataType type = ACL_UINT8) {
    stream();
    std::vector<uint8_t> bits(rows * columns * 4);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) bits[r * columns + c] = c > r;
    }
    CHECK_EQ(aclrtMalloc(&data_, bits.size(), ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
    CHECK_EQ(aclrtMemcpy(data_, bits.size(), bits.data(), bits.size(), ACL_MEMCPY_HOST_TO_DEVICE), ACL_SUCCESS);
    const int64_t dims[] = {rows, columns};
    handle_ = aclCreateTensor(dims, 2, type, nullptr, 0, ACL_FORMAT_ND, dims, 2, data_);
  }
  CausalMask(const CausalMask&) = delete;
  ~CausalMask() {
    aclDestroyTensor(handle_);
    aclrtFree(data_);
  }
  const aclTensor* get() const { return handle_; }

 private:
  void* data_ = nullptr;
  aclTensor* handle_ = nullptr;
};

class IntArray {
 public:
  explicit IntArray(const std::vector<int64_t>& values) : handle_(aclCreateIntArray(values.data(), values.size())) {}
  IntArray(const IntArray&) = delete;
  ~IntArray() { aclDestroyIntArray(handle_); }
  const aclIntArray* get() const { return handle_; }

 private:
  aclIntArray* handle_;
};

// Phase 2 with the workspace that phase 1 asked for, and the wait for it.
inline void execute(aclnnStatus (*phase2)(void*, uint64_t, aclOpExecutor*, aclrtStream), uint64_t workspaceSize,
                    aclOpExecutor* executor) {
  void* workspace = nullptr;
  if (workspaceSize > 0) {
    CHECK_EQ(aclrtMalloc(&workspace, workspaceSize, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
    CHECK_EQ(aclrtMemset(workspace, workspaceSize, 0xff, workspaceSize), ACL_SUCCESS);
  }
  const aclnnStatus status = phase2(workspace, workspaceSize, executor, stream());
  if (status != 0) throw check::Failure("phase 2: " + std::to_string(status) + " " + aclGetRecentErrMsg());
  CHECK_EQ(aclrtSynchronizeStream(stream()), ACL_SUCCESS);
  if (workspace) CHECK_EQ(aclrtFree(workspace), ACL_SUCCESS);
}

}  // namespace device
