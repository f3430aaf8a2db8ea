// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace cann4j {

enum class Access { kRead, kWrite };

// Whether the process may read or write all of these bytes, as far as the system tells without
// trying; a mistaken address must become an error code and not end the process.
bool isAccessible(const void* p, size_t bytes, Access access);

}  // namespace cann4j
