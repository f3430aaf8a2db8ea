// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "hccl/settings.hpp"

namespace cann4j::hccl {

// The variable that replaces all times to wait by a finer one.
inline constexpr char kOwnTimeout[] = "CANN4J_CPU_HCCL_TIMEOUT_MS";

bool isSet(const char* variable);

// Whether the levels of a choice of algorithms have their form; which algorithms there are depends
// on the product.
bool isAlgorithm(std::string_view text);
inline constexpr char kAlgorithms[] =
    "algorithms like level0:NA;level1:ring, or by operator like "
    "allreduce=level0:NA;level1:ring/others=level0:NA;level1:NHR";

// Settings from HCCL's environment variables. Those that only choose among networks and algorithms
// of a real system have no effect, but a value that it would refuse is refused.
HcclResult readEnvironment(const char* function, Settings* settings);

}  // namespace cann4j::hccl
