// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdarg>
#include <string>

#include "acl/acl_base.h"

namespace cann4j {

void recordFailure(long code, const char* format, va_list arguments);

// Records words for aclGetRecentErrMsg of this thread (newest first) and returns the code unchanged.
template <class Code>
[[gnu::format(printf, 2, 3)]] Code fail(Code code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  recordFailure(static_cast<long>(code), format, arguments);
  va_end(arguments);
  return code;
}

// All recorded words of this thread, newest first, one per line; clears them.
std::string takeFailures();

}  // namespace cann4j
