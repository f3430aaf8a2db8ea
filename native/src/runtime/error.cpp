// SPDX-License-Identifier: Apache-2.0
#include "error.hpp"

#include <cxxabi.h>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <utility>

#include "acl/acl.h"

extern "C" void* __dso_handle;

namespace cann4j {
namespace {

constexpr size_t kKept = 32;

using Messages = std::vector<std::string>;  // newest first

struct Failures {
  Messages messages;
  std::string returned;  // what aclGetRecentErrMsg gave last
};

// Plain values, because destructors of thread_local and static objects may still call: what was
// destroyed before them is made anew.
constinit thread_local Failures* own = nullptr;
constinit thread_local aclError lastError = ACL_SUCCESS;

void end(void*) { delete std::exchange(own, nullptr); }

Failures& failures() {
  if (own == nullptr) {
    own = new Failures;
    // Unlike a destructor it can be registered again, for what late destructors make.
    abi::__cxa_thread_atexit(end, nullptr, &__dso_handle);
  }
  return *own;
}

struct Shared {
  std::atomic<bool> isUsed{false};
  std::mutex mutex;
  Messages messages;
};

Shared& shared() {
  static Shared& instance = *new Shared;
  return instance;
}

// The codes of aclnn lie in 161xxx, 361xxx and 561xxx, those of HCCL below.
bool isAclCode(long code) {
  const long family = code / 1000;
  return (family >= 100 && family < 160) || (family >= 200 && family < 310) ||
         (family >= 500 && family < 510);
}

void keep(Messages& messages, std::string message) {
  messages.insert(messages.begin(), std::move(message));
  if (messages.size() > kKept) {
    messages.pop_back();
  }
}

std::string take(Messages& messages) {
  std::string text;
  for (const auto& message : messages) {
    if (!text.empty()) {
      text += '\n';
    }
    text += message;
  }
  messages.clear();
  return text;
}

std::string describe(long code, const char* format, va_list arguments) {
  va_list copy;
  va_copy(copy, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, copy);
  va_end(copy);
  std::string text = "E";
  text += std::to_string(code);
  text += ": ";
  const size_t start = text.size();
  text.resize(start + (length > 0 ? static_cast<size_t>(length) : 0));
  std::vsnprintf(text.data() + start, text.size() - start + 1, format, arguments);
  return text;
}

}  // namespace

void recordFailure(long code, const char* format, va_list arguments) noexcept {
  if (isAclCode(code)) {
    lastError = static_cast<aclError>(code);
  }
  try {
    std::string message = describe(code, format, arguments);
    if (shared().isUsed) {
      std::lock_guard lock(shared().mutex);
      keep(shared().messages, message);
    }
    keep(failures().messages, std::move(message));
  } catch (const std::exception&) {
  }
}

std::string takeFailures() { return take(failures().messages); }

SeparateFailures::SeparateFailures() : lastBefore_(lastError) {
  before_.swap(failures().messages);
}

SeparateFailures::~SeparateFailures() {
  before_.swap(failures().messages);
  lastError = lastBefore_;
}

void shareFailures(bool byAllThreads) {
  std::lock_guard lock(shared().mutex);
  shared().isUsed = byAllThreads;
  shared().messages.clear();
}

}  // namespace cann4j

using namespace cann4j;

extern "C" {

const char* aclGetRecentErrMsg(void) {
  try {
    Failures& mine = failures();
    mine.returned = takeFailures();
    if (shared().isUsed) {
      std::lock_guard lock(shared().mutex);
      mine.returned = take(shared().messages);
    }
    return mine.returned.empty() ? nullptr : mine.returned.c_str();
  } catch (const std::exception&) {
    return nullptr;
  }
}

static aclError checkLevel(const char* function, aclrtLastErrLevel level) {
  return level == ACL_RT_THREAD_LEVEL
             ? ACL_SUCCESS
             : fail(ACL_ERROR_INVALID_PARAM, "%s: level %d; there is only ACL_RT_THREAD_LEVEL",
                    function, static_cast<int>(level));
}

aclError aclrtPeekAtLastError(aclrtLastErrLevel level) {
  const aclError error = checkLevel("aclrtPeekAtLastError", level);
  return error != ACL_SUCCESS ? error : lastError;
}

aclError aclrtGetLastError(aclrtLastErrLevel level) {
  const aclError error = checkLevel("aclrtGetLastError", level);
  return error != ACL_SUCCESS ? error : std::exchange(lastError, ACL_SUCCESS);
}

}  // extern "C"
