// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "acl/acl_rt.h"

namespace cann4j {

// A copy of what the handle says, if it is a live one and its memory is good.
aclError readStreamConfig(const char* function, const aclrtStreamConfigHandle* handle,
                          aclrtStreamConfigHandle* config);

}  // namespace cann4j
