// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "error.hpp"
#include "memory.hpp"

namespace cann4j {

enum class Access { kRead, kWrite };

// Whether the process may read or write all of these bytes, as far as the system tells without
// trying; a mistaken address must become an error code and not end the process.
bool isAccessible(const void* p, size_t bytes, Access access);

// For what a caller passes in memory of the host, or not at all.
template <class Code>
Code checkOnHost(Code code, const char* function, const char* name, const void* p) {
  return deviceOf(p) < 0 ? Code{}
                         : fail(code, "%s: %s %p is device memory, which the host cannot use",
                                function, name, p);
}

}  // namespace cann4j
