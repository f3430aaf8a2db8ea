// SPDX-License-Identifier: Apache-2.0
#include "hccl/call.hpp"

namespace cann4j::hccl {
namespace {

bool isPaired(Op op) {
  return op == Op::kSend || op == Op::kRecv || op == Op::kBatchSend || op == Op::kBatchRecv;
}

bool hasCountPerRank(Op op) {
  return op == Op::kAllToAllV || op == Op::kAllToAllVC || op == Op::kAllGatherV ||
         op == Op::kReduceScatterV;
}

}  // namespace

bool isSend(const Call& call) { return call.op == Op::kSend || call.op == Op::kBatchSend; }

std::string rankWord(uint32_t rank) { return "rank " + std::to_string(rank); }

const char* functionOf(Op op) {
  switch (op) {
    case Op::kSend:
      return "HcclSend";
    case Op::kRecv:
      return "HcclRecv";
    case Op::kBatchSend:
    case Op::kBatchRecv:
    case Op::kBatch:
      return "HcclBatchSendRecv";
    case Op::kGroup:
      return "HcclGroupEnd";
    case Op::kAllToAll:
      return "HcclAlltoAll";
    case Op::kAllToAllV:
      return "HcclAlltoAllV";
    case Op::kAllToAllVC:
      return "HcclAlltoAllVC";
    case Op::kAllGather:
      return "HcclAllGather";
    case Op::kAllGatherV:
      return "HcclAllGatherV";
    case Op::kAllReduce:
      return "HcclAllReduce";
    case Op::kReduce:
      return "HcclReduce";
    case Op::kReduceScatter:
      return "HcclReduceScatter";
    case Op::kReduceScatterV:
      return "HcclReduceScatterV";
    case Op::kBroadcast:
      return "HcclBroadcast";
    case Op::kScatter:
      return "HcclScatter";
    case Op::kBarrier:
      return "HcclBarrier";
  }
  return "unknown operation";
}

std::string describe(const Call& call) {
  std::string text;
  const auto add = [&text](const std::string& argument) {
    text += (text.empty() ? "" : ", ") + argument;
  };
  if (call.op == Op::kBatchSend || call.op == Op::kBatchRecv) {
    add(call.op == Op::kBatchSend ? "HCCL_SEND" : "HCCL_RECV");
  }
  if (call.op == Op::kBatch || call.op == Op::kGroup) {
    add(std::to_string(call.count) + (call.count == 1 ? " item" : " items"));
  } else if (call.op != Op::kBarrier && !hasCountPerRank(call.op)) {
    add("count " + std::to_string(call.count));
  }
  if (call.type != HCCL_DATA_TYPE_RESERVED) {
    add(nameOf(call.type));
  }
  if (call.reduce != HCCL_REDUCE_RESERVED) {
    add(nameOf(call.reduce));
  }
  if (call.op == Op::kBroadcast || call.op == Op::kReduce || call.op == Op::kScatter) {
    add("root " + std::to_string(call.root));
  }
  text = functionOf(call.op) + ('(' + text) + ')';
  if (isPaired(call.op)) {
    text += (isSend(call) ? " to rank " : " from rank ") + std::to_string(call.peer);
  }
  return text;
}

bool agree(const Call& a, const Call& b) {
  if (isPaired(a.op) != isPaired(b.op) || (!isPaired(a.op) && a.op != b.op)) {
    return false;
  }
  return a.count == b.count && a.type == b.type && a.reduce == b.reduce && a.root == b.root;
}

}  // namespace cann4j::hccl
