// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "hccl/hccl.h"

namespace cann4j::hccl {

// Bytes of one element; 0 for a number that is no HcclDataType.
size_t elementSize(HcclDataType type);
// The name in the header, for messages.
const char* nameOf(HcclDataType type);
const char* nameOf(HcclReduceOp op);

// As on Atlas A2/A3: neither 128-bit integers nor 8-bit floating point.
bool canMove(HcclDataType type);
// As on Atlas A2/A3: no unsigned integers and no fp64; no product of int16 and bf16.
bool canReduce(HcclDataType type, HcclReduceOp op);

}  // namespace cann4j::hccl
