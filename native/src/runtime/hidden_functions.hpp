// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

namespace cann4j {

// Takes functions out of this library's table of symbols, for the dynamic linker to find nothing:
// dlsym fails, and so does the call of a program that was linked with them, with the linker's own
// words. Where a function was bound already, a weak reference becomes null, and another one ends
// the program as the linker would have done.
void hideFunctions(std::span<const char* const> names);

}  // namespace cann4j
