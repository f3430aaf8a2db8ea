// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "hccl/data_type.hpp"

namespace cann4j::hccl {

// Host addresses.
struct Reduction {
  std::vector<const void*> sources;
  std::vector<void*> targets;
  uint64_t count;
};

// Combines `count` elements of all sources, in the order of the list whatever the number of
// threads, and writes the result to every target. fp16 and bf16 are accumulated in fp32 and rounded
// once, to nearest even; integers wrap. Maximum and minimum of floating point propagate NaN. A
// target may be one of the sources of its reduction, but must not otherwise overlap any.
void reduceAll(const std::vector<Reduction>& reductions, HcclDataType type, HcclReduceOp op);

}  // namespace cann4j::hccl
