// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "acl/acl_base.h"

namespace cann4j {

// A configuration file must be there and be a JSON object. Its keys concern dumps and profiling of
// a real device; the CPU toolkit has no use for any of them.
aclError checkConfigFile(const char* function, const char* path);

}  // namespace cann4j
