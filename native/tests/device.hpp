// SPDX-License-Identifier: Apache-2.0
// What tests of the C interface share: owners of handles, and a gate that holds up a stream.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "acl/acl.h"
#include "aclnn/aclnn_base.h"
#include "check.hpp"

#define CHECK_OK(call) \
  do { \
    const int code_ = (call); \
    if (code_ != 0) check::failed(__FILE__, __LINE__, device::failure(#call, code_)); \
  } while (false)

// The call fails with this code and leaves words that contain `words`.
#define CHECK_FAILS(call, code, words) \
  do { \
    aclGetRecentErrMsg(); \
    const int code_ = (call); \
    CHECK_EQ(code_, (code)); \
    device::expectWords(__FILE__, __LINE__, (words)); \
  } while (false)

namespace device {

inline std::string failure(const char* call, int code) {
  const char* words = aclGetRecentErrMsg();
  return std::string(call) + " returned " + std::to_string(code) + ": " +
         (words == nullptr ? "" : words);
}

inline void expectWords(const char* file, int line, const char* expected) {
  const char* words = aclGetRecentErrMsg();
  const std::string text = words == nullptr ? "(none)" : words;
  if (text.find(expected) == std::string::npos) {
    check::failed(file, line, "the words \"" + text + "\" lack \"" + expected + "\"");
  }
}

inline void use(int id = 0) { CHECK_OK(aclrtSetDevice(id)); }

// Runs the body in a thread of its own, which has no context yet; what it throws comes out here.
inline void inThread(const std::function<void()>& body) {
  std::string problem;
  std::thread([&] {
    try {
      body();
    } catch (const std::exception& e) {
      problem = e.what();
    }
  }).join();
  if (!problem.empty()) {
    throw check::Failure(problem);
  }
}

// Device memory for values of a type.
template <class T>
class Buffer {
 public:
  explicit Buffer(size_t count) : count_(count) {
    CHECK_OK(aclrtMalloc(&address_, count * sizeof(T) + 1, ACL_MEM_MALLOC_HUGE_FIRST));
  }
  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) { write(values); }
  Buffer(const Buffer&) = delete;
  ~Buffer() { aclrtFree(address_); }

  void write(const std::vector<T>& values) {
    CHECK_OK(aclrtMemcpy(address_, count_ * sizeof(T), values.data(), values.size() * sizeof(T),
                         ACL_MEMCPY_HOST_TO_DEVICE));
  }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    CHECK_OK(aclrtMemcpy(values.data(), count_ * sizeof(T), address_, count_ * sizeof(T),
                         ACL_MEMCPY_DEVICE_TO_HOST));
    return values;
  }
  void* address() const { return address_; }
  size_t count() const { return count_; }

 private:
  void* address_ = nullptr;
  size_t count_;
};

class Tensor {
 public:
  Tensor(void* address, aclDataType type, const std::vector<int64_t>& dims)
      : Tensor(address, type, dims, {}, 0) {}
  Tensor(void* address, aclDataType type, const std::vector<int64_t>& dims,
         const std::vector<int64_t>& strides, int64_t offset)
      : handle_(aclCreateTensor(dims.data(), dims.size(), type,
                                strides.empty() ? nullptr : strides.data(), offset, ACL_FORMAT_ND,
                                dims.data(), dims.size(), address)) {
    CHECK(handle_ != nullptr);
  }
  Tensor(const Tensor&) = delete;
  ~Tensor() { aclDestroyTensor(handle_); }
  operator aclTensor*() const { return handle_; }

 private:
  aclTensor* handle_;
};

class Scalar {
 public:
  explicit Scalar(double value) : handle_(aclCreateScalar(&value, ACL_DOUBLE)) {}
  explicit Scalar(int64_t value) : handle_(aclCreateScalar(&value, ACL_INT64)) {}
  Scalar(const Scalar&) = delete;
  ~Scalar() { aclDestroyScalar(handle_); }
  operator aclScalar*() const { return handle_; }

 private:
  aclScalar* handle_;
};

// Waits with patience, but not for ever: what is broken shall fail and not hang.
inline const int32_t kPatience = 60000 * check::slowness();  // milliseconds

class Stream {
 public:
  Stream() { CHECK_OK(aclrtCreateStream(&handle_)); }
  Stream(const Stream&) = delete;
  ~Stream() {
    if (aclrtSynchronizeStreamWithTimeout(handle_, kPatience) == ACL_ERROR_RT_STREAM_SYNC_TIMEOUT) {
      aclrtDestroyStreamForce(handle_);
    } else {
      aclrtDestroyStream(handle_);
    }
  }
  operator aclrtStream() const { return handle_; }
  void synchronize() const { CHECK_OK(aclrtSynchronizeStreamWithTimeout(handle_, kPatience)); }

 private:
  aclrtStream handle_ = nullptr;
};

// Holds up streams until it is opened: they wait for a record that comes late.
class Gate {
 public:
  Gate() { CHECK_OK(aclrtCreateEventWithFlag(&event_, ACL_EVENT_SYNC)); }
  Gate(const Gate&) = delete;
  ~Gate() {
    if (!open_) {
      aclrtRecordEvent(event_, opener_);
    }
    aclrtDestroyEvent(event_);
  }
  void hold(aclrtStream stream) { CHECK_OK(aclrtStreamWaitEvent(stream, event_)); }
  void open() {
    open_ = true;
    CHECK_OK(aclrtRecordEvent(event_, opener_));
  }

 private:
  Stream opener_;
  aclrtEvent event_ = nullptr;
  bool open_ = false;
};

using Launch = aclnnStatus (*)(void*, uint64_t, aclOpExecutor*, aclrtStream);

// Both phases on the default stream, then waits. Operators here need no workspace.
inline void run(const std::function<aclnnStatus(uint64_t*, aclOpExecutor**)>& prepare,
                Launch launch) {
  uint64_t size = 1;
  aclOpExecutor* executor = nullptr;
  CHECK_OK(prepare(&size, &executor));
  CHECK_EQ(size, uint64_t{0});
  CHECK_OK(launch(nullptr, 0, executor, nullptr));
  CHECK_OK(aclrtSynchronizeStream(nullptr));
}

}  // namespace device
