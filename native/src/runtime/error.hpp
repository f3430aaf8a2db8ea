// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdarg>
#include <exception>
#include <string>
#include <vector>

#include "acl/acl_base.h"
#include "forked.hpp"

namespace cann4j {

// Never throws: without memory for the words there are none.
void recordFailure(long code, const char* format, va_list arguments) noexcept;

// Records words for aclGetRecentErrMsg of this thread (newest first) and returns the code unchanged.
template <class Code>
[[gnu::format(printf, 2, 3)]] Code fail(Code code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  recordFailure(static_cast<long>(code), format, arguments);
  va_end(arguments);
  return code;
}

// For functions that C programs call: an exception, which must not reach them, becomes a code, and
// so does a call in a child of fork, which would wait for ever.
template <class Code, class Body>
Code guarded(Code code, const char* function, const Body& body) {
  if (isForked()) {
    return fail(code, "%s: %s", function, kForked);
  }
  try {
    return body();
  } catch (const std::exception& e) {
    return fail(code, "%s: %s", function, e.what());
  }
}

// All recorded words of this thread, newest first, one per line; clears them.
std::string takeFailures();

// While one lives, the thread's words and last error are kept apart from those that it had before
// and has after.
class SeparateFailures {
 public:
  SeparateFailures();
  SeparateFailures(const SeparateFailures&) = delete;
  ~SeparateFailures();

 private:
  std::vector<std::string> before_;
  aclError lastBefore_;
};

// From now on aclGetRecentErrMsg gives the words of all threads, or again those of its own.
void shareFailures(bool byAllThreads);

}  // namespace cann4j
