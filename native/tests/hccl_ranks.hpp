// SPDX-License-Identifier: Apache-2.0
// Ranks as threads, each with a device, a stream and device memory of its own.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "acl/acl.h"
#include "check.hpp"
#include "hccl/hccl.h"

namespace ranks {

inline std::string recentWords() {
  const char* words = aclGetRecentErrMsg();
  return words == nullptr ? std::string() : words;
}

inline void setVariable(const char* name, const char* value) {
  if (value == nullptr) {
    unsetenv(name);
  } else {
    setenv(name, value, 1);
  }
}

// Sets an environment variable for a while. Only while no other thread runs.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    const char* old = std::getenv(name);
    hadValue_ = old != nullptr;
    oldValue_ = hadValue_ ? old : "";
    setVariable(name, value);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { setVariable(name_, hadValue_ ? oldValue_.c_str() : nullptr); }

 private:
  const char* name_;
  bool hadValue_;
  std::string oldValue_;
};

#define CHECK_OK(call)                                                                         \
  do {                                                                                         \
    const int code_ = static_cast<int>(call);                                                  \
    if (code_ != 0) {                                                                          \
      check::failed(__FILE__, __LINE__,                                                        \
                    #call " returned " + std::to_string(code_) + ": " + ranks::recentWords()); \
    }                                                                                          \
  } while (false)

// The call fails with this code, and its words contain all of the given ones.
#define CHECK_FAILS(code, call, ...)                                                         \
  do {                                                                                       \
    ranks::recentWords();                                                                    \
    const int code_ = static_cast<int>(call);                                                \
    const std::string words_ = ranks::recentWords();                                         \
    if (code_ != static_cast<int>(code)) {                                                   \
      check::failed(                                                                         \
          __FILE__, __LINE__,                                                                \
          #call " returned " + std::to_string(code_) + " instead of " #code ": " + words_);  \
    }                                                                                        \
    for (const std::string& expected_ : std::vector<std::string>{__VA_ARGS__}) {             \
      if (words_.find(expected_) == std::string::npos) {                                     \
        check::failed(__FILE__, __LINE__, #call ": no \"" + expected_ + "\" in: " + words_); \
      }                                                                                      \
    }                                                                                        \
  } while (false)

class DeviceMemory {
 public:
  explicit DeviceMemory(size_t bytes) : bytes_(bytes) {
    CHECK_OK(aclrtMalloc(&address_, bytes == 0 ? 1 : bytes, ACL_MEM_MALLOC_HUGE_FIRST));
  }
  template <class T>
  explicit DeviceMemory(const std::vector<T>& values) : DeviceMemory(values.size() * sizeof(T)) {
    upload(values);
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { aclrtFree(address_); }

  void* get() const { return address_; }
  void* at(size_t offset) const { return static_cast<char*>(address_) + offset; }

  template <class T>
  void upload(const std::vector<T>& values) {
    if (!values.empty()) {
      CHECK_OK(aclrtMemcpy(address_, bytes_, values.data(), values.size() * sizeof(T),
                           ACL_MEMCPY_HOST_TO_DEVICE));
    }
  }

  template <class T>
  std::vector<T> download() const {
    std::vector<T> values(bytes_ / sizeof(T));
    if (!values.empty()) {
      CHECK_OK(aclrtMemcpy(values.data(), bytes_, address_, bytes_, ACL_MEMCPY_DEVICE_TO_HOST));
    }
    return values;
  }

 private:
  size_t bytes_;
  void* address_ = nullptr;
};

class OwnStream {
 public:
  OwnStream() { CHECK_OK(aclrtCreateStream(&stream_)); }
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;
  ~OwnStream() { aclrtDestroyStream(stream_); }
  operator aclrtStream() const { return stream_; }

 private:
  aclrtStream stream_ = nullptr;
};

// One thread per rank on the device of its number; the first failure of a rank fails the test.
inline void onThreads(uint32_t size, const std::function<void(uint32_t)>& body) {
  std::mutex mutex;
  std::string failure;
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        CHECK_OK(aclrtSetDevice(static_cast<int32_t>(rank)));
        body(rank);
      } catch (const std::exception& e) {
        std::lock_guard lock(mutex);
        if (failure.empty()) {
          failure =
              "rank " + std::to_string(rank) + " of " + std::to_string(size) + ": " + e.what();
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  if (!failure.empty()) {
    throw check::Failure(failure);
  }
}

inline HcclRootInfo newRootInfo() {
  HcclRootInfo rootInfo;
  CHECK_OK(aclrtSetDevice(0));
  CHECK_OK(HcclGetRootInfo(&rootInfo));
  return rootInfo;
}

struct Rank {
  uint32_t rank;
  uint32_t size;
  HcclComm comm;
  aclrtStream stream;

  uint32_t next() const { return (rank + 1) % size; }
  uint32_t previous() const { return (rank + size - 1) % size; }
  void synchronize() const { CHECK_OK(aclrtSynchronizeStream(stream)); }
};

// Makes the communicator of one rank, and a stream, for the time of the body.
inline void onCommunicator(uint32_t size, const HcclRootInfo& rootInfo, uint32_t rank,
                           const std::function<void(const Rank&)>& body) {
  OwnStream stream;
  HcclComm comm = nullptr;
  CHECK_OK(HcclCommInitRootInfo(size, &rootInfo, rank, &comm));
  std::exception_ptr failure;
  try {
    body({rank, size, comm, stream});
  } catch (...) {
    failure = std::current_exception();
  }
  aclrtSynchronizeStream(stream);
  const HcclResult destroyed = HcclCommDestroy(comm);
  if (failure) {
    std::rethrow_exception(failure);
  }
  CHECK_OK(destroyed);
}

// Until two ranks have made a call that concerns the other, the first one stays in its call. After
// this, calls return at once.
inline void link(HcclComm comm, aclrtStream stream) {
  CHECK_OK(HcclBarrier(comm, stream));
  CHECK_OK(aclrtSynchronizeStream(stream));
}
inline void link(const Rank& r) { link(r.comm, r.stream); }

// A communicator of `size` ranks, one stream each.
inline void run(uint32_t size, const std::function<void(const Rank&)>& body) {
  const HcclRootInfo rootInfo = newRootInfo();
  onThreads(size, [&](uint32_t rank) { onCommunicator(size, rootInfo, rank, body); });
}

// The variable that says which of a test's processes this is; unset in the one that starts them.
inline constexpr const char* kIndex = "CANN4J_TEST_PROCESS";

// How long ranks wait for one that does not come. Those that do come must all have come by then, so
// that the time is longer where a communicator takes long: under an emulator, a sanitizer, load. The
// processes of a test have the limit of the one that started them.
class TimeLimit {
 public:
  explicit TimeLimit(int64_t least)
      : milliseconds_(std::getenv(kIndex) != nullptr
                          ? std::stoll(std::getenv(kName))
                          : std::max(least * check::slowness(),
                                     50 * millisecondsOfACommunicator())),
        variable_(kName, std::to_string(milliseconds_).c_str()) {}

  // As the words of an error say it.
  std::string words() const { return std::to_string(milliseconds_) + " ms"; }
  std::chrono::milliseconds time() const { return std::chrono::milliseconds(milliseconds_); }

 private:
  static constexpr const char* kName = "CANN4J_CPU_HCCL_TIMEOUT_MS";

  static int64_t millisecondsOfACommunicator() {
    const auto start = std::chrono::steady_clock::now();
    run(4, [](const Rank& r) { link(r); });
    return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start)
        .count();
  }

  const int64_t milliseconds_;
  const Variable variable_;
};

// No test waits for a lost rank much longer than this, unless it chooses a time itself.
inline const bool limited = [] {
  if (std::getenv(kIndex) == nullptr) {
    const std::string limit = std::to_string(30000 * check::slowness());
    setenv("CANN4J_CPU_HCCL_TIMEOUT_MS", limit.c_str(), 1);
  }
  return true;
}();

inline const std::vector<uint32_t>& sizes() {
  static const std::vector<uint32_t> all{1, 2, 3, 5, 8};
  return all;
}

}  // namespace ranks
