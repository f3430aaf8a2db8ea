// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attention/arguments.hpp"

namespace cann4j::attention {

// Phase 1 of the flash attention operators.
aclnnStatus prepare(const Arguments& arguments, uint64_t* workspaceSize, aclOpExecutor** executor);

}  // namespace cann4j::attention
