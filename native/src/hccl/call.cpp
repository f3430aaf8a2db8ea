// SPDX-License-Identifier: Apache-2.0
#include "hccl/call.hpp"

namespace cann4j::hccl {
namespace {

bool isPaired(Op op) {
  return op == Op::kSend || op == Op::kRecv || op == Op::kBatchSend || op == Op::kBatchRecv;
}

}  // namespace

bool isSend(const Call& call) { return call.op == Op::kSend || call.op == Op::kBatchSend; }

const char* functionOf(Op op) {
  switch (op) {
    case Op::kSend:
      return "HcclSend";
    case Op::kRecv:
      return "HcclRecv";
    case Op::kBatchSend:
    case Op::kBatchRecv:
      return "HcclBatchSendRecv";
    case Op::kAllToAll:
      return "HcclAlltoAll";
    case Op::kAllToAllV:
      return "HcclAlltoAllV";
    case Op::kAllGather:
      return "HcclAllGather";
    case Op::kAllReduce:
      return "HcclAllReduce";
    case Op::kBarrier:
      return "HcclBarrier";
  }
  return "unknown operation";
}

std::string describe(const Call& call) {
  std::string text = functionOf(call.op);
  text += '(';
  if (call.op == Op::kBatchSend) {
    text += "HCCL_SEND, ";
  } else if (call.op == Op::kBatchRecv) {
    text += "HCCL_RECV, ";
  }
  if (call.op == Op::kAllToAllV) {
    text += nameOf(call.type);
  } else if (call.op != Op::kBarrier) {
    text += "count " + std::to_string(call.count) + ", " + nameOf(call.type);
  }
  if (call.op == Op::kAllReduce) {
    text += std::string(", ") + nameOf(call.reduce);
  }
  text += ')';
  if (isPaired(call.op)) {
    text += (isSend(call) ? " to rank " : " from rank ") + std::to_string(call.peer);
  }
  return text;
}

bool agree(const Call& a, const Call& b) {
  if (isPaired(a.op) != isPaired(b.op) || (!isPaired(a.op) && a.op != b.op)) {
    return false;
  }
  return a.count == b.count && a.type == b.type && a.reduce == b.reduce;
}

}  // namespace cann4j::hccl
