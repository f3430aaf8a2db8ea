// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace cann4j {

// Names of the levels that this machine runs, from "portable" to the best one.
const std::vector<std::string>& instructionSets();

}  // namespace cann4j
