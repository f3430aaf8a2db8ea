// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "walk.hpp"

namespace cann4j {

// Operand 0 of the bound walk becomes operand 1, converted if its type differs.
aclError moveElements(const Walk& walk);

Kernel moveKernel(Walk walk);

}  // namespace cann4j
