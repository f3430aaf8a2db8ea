// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "hccl/data_type.hpp"

namespace cann4j::hccl {

enum class Op : uint8_t {
  kSend,
  kRecv,
  kBatchSend,
  kBatchRecv,
  kBatch,  // all items of one call; the items themselves are of the two kinds above
  kGroup,  // all sends and receives between HcclGroupStart and HcclGroupEnd, likewise
  kAllToAll,
  kAllToAllV,
  kAllToAllVC,
  kAllGather,
  kAllGatherV,
  kAllReduce,
  kReduce,
  kReduceScatter,
  kReduceScatterV,
  kBroadcast,
  kScatter,
  kBarrier
};

// What one rank asked for, as far as its peers have to agree with it and messages have to name it.
struct Call {
  Op op = Op::kBarrier;
  uint32_t rank = 0;
  uint32_t peer = 0;   // of Send, Recv and batch items
  uint64_t count = 0;  // not of operations with a count for every rank; of a batch or group: its items
  HcclDataType type = HCCL_DATA_TYPE_RESERVED;
  HcclReduceOp reduce = HCCL_REDUCE_RESERVED;
  uint32_t root = 0;  // of Broadcast, Reduce and Scatter
};

// "rank 3"
std::string rankWord(uint32_t rank);
const char* functionOf(Op op);
// Of the two ends of a transfer, whether this is the source.
bool isSend(const Call& call);
// "HcclSend(count 4, HCCL_DATA_TYPE_FP32) to rank 1"
std::string describe(const Call& call);
// Whether all ranks of a collective, or both ends of a pair, agree.
bool agree(const Call& a, const Call& b);

}  // namespace cann4j::hccl
