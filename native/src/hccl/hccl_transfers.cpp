// SPDX-License-Identifier: Apache-2.0
// The C functions between two ranks: HcclSend, HcclRecv, HcclBatchSendRecv.
#include "hccl/request.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

struct End {
  Op op;
  const char* bufferArgument;
  const char* rankArgument;
};

HcclResult transfer(const char* function, const End& end, const void* buffer, uint64_t count,
                    HcclDataType type, uint32_t peer, HcclComm comm, aclrtStream stream) {
  Request request(function, comm, stream);
  request.checkRank(end.rankArgument, peer);
  request.checkMovable("dataType", type);
  request.checkCount("count", count);
  if (request.ok() && peer == request.rank()) {
    request.refuse(
        fail(HCCL_E_NOT_SUPPORT,
             "%s: %s is %u, the caller itself; use HcclBatchSendRecv or a copy on the device",
             function, end.rankArgument, peer));
  }
  if (count == 0) {
    return request.result();
  }
  std::vector<Posted> posts(1);
  posts[0].call = {.op = end.op, .peer = peer, .count = count, .type = type};
  posts[0].buffer = elementsAt(buffer, count, type);
  request.checkBuffer(end.bufferArgument, posts[0].buffer);
  return request.issue(std::move(posts), false);
}

// The items of one HcclBatchSendRecv that move anything.
class Batch {
 public:
  explicit Batch(Request& request) : request_(request) {}

  void add(uint32_t index, const HcclSendRecvItem& item);
  void checkSelf();
  HcclResult issue();

 private:
  void checkItem(uint32_t index, const HcclSendRecvItem& item);

  Request& request_;
  std::vector<Posted> posts_;
};

void Batch::checkItem(uint32_t index, const HcclSendRecvItem& item) {
  if (item.sendRecvType != HCCL_SEND && item.sendRecvType != HCCL_RECV) {
    request_.refuse(fail(HCCL_E_PARA,
                         "%s: sendRecvType of item %u is %d; use HCCL_SEND or HCCL_RECV",
                         request_.function(), index, static_cast<int>(item.sendRecvType)));
    return;
  }
  request_.checkRank("remoteRank", item.remoteRank);
  request_.checkMovable("dataType", item.dataType);
  request_.checkCount("count", item.count);
  if (item.count > 0) {
    request_.checkBuffer("buf", elementsAt(item.buf, item.count, item.dataType));
  }
  if (!request_.ok()) {
    fail(request_.result(), "%s: item %u (%s, remoteRank %u) is not valid", request_.function(),
         index, item.sendRecvType == HCCL_SEND ? "HCCL_SEND" : "HCCL_RECV", item.remoteRank);
  }
}

void Batch::add(uint32_t index, const HcclSendRecvItem& item) {
  checkItem(index, item);
  if (!request_.ok() || item.count == 0) {
    return;
  }
  const Op op = item.sendRecvType == HCCL_SEND ? Op::kBatchSend : Op::kBatchRecv;
  for (const Posted& posted : posts_) {
    if (posted.call.op == op && posted.call.peer == item.remoteRank) {
      request_.refuse(
          fail(HCCL_E_PARA,
               "%s: item %u is the second %s rank %u; one call carries at most one block per "
               "direction and peer, so pack them into one buffer",
               request_.function(), index, op == Op::kBatchSend ? "send to" : "receive from",
               item.remoteRank));
      return;
    }
  }
  Posted posted{};
  posted.call = {.op = op, .peer = item.remoteRank, .count = item.count, .type = item.dataType};
  posted.buffer = elementsAt(item.buf, item.count, item.dataType);
  posts_.push_back(std::move(posted));
}

void Batch::checkSelf() {
  if (!request_.ok()) {
    return;
  }
  const Posted* send = nullptr;
  const Posted* receive = nullptr;
  for (const Posted& posted : posts_) {
    if (posted.call.peer == request_.rank()) {
      (isSend(posted.call) ? send : receive) = &posted;
    }
  }
  if (send == nullptr && receive == nullptr) {
    return;
  }
  if (send == nullptr || receive == nullptr || !agree(send->call, receive->call)) {
    request_.refuse(fail(HCCL_E_PARA,
                         "%s: the caller's items for itself (rank %u) do not match: it sends %s "
                         "and receives %s",
                         request_.function(), request_.rank(),
                         send == nullptr ? "nothing" : describe(send->call).c_str(),
                         receive == nullptr ? "nothing" : describe(receive->call).c_str()));
  }
}

HcclResult Batch::issue() {
  if (request_.ok()) {
    request_.refuse(checkItems(request_.function(), posts_));
  }
  return request_.ok() && !posts_.empty() ? request_.issue(std::move(posts_), true)
                                          : request_.result();
}

HcclResult batchSendRecv(const HcclSendRecvItem* items, uint32_t itemNum, HcclComm comm,
                         aclrtStream stream) {
  Request request("HcclBatchSendRecv", comm, stream);
  request.admit(CallGroup::Kind::kBatch);
  if (itemNum == 0) {
    return request.result();
  }
  request.checkArray("sendRecvInfo", items);
  Batch batch(request);
  for (uint32_t i = 0; i < itemNum && request.ok(); ++i) {
    batch.add(i, items[i]);
  }
  batch.checkSelf();
  return batch.issue();
}

}  // namespace
}  // namespace cann4j::hccl

using namespace cann4j;
using namespace cann4j::hccl;

extern "C" {

HcclResult HcclSend(void* sendBuf, uint64_t count, HcclDataType dataType, uint32_t destRank,
                    HcclComm comm, aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclSend", [&] {
    return transfer("HcclSend", {Op::kSend, "sendBuf", "destRank"}, sendBuf, count, dataType,
                    destRank, comm, stream);
  });
}

HcclResult HcclRecv(void* recvBuf, uint64_t count, HcclDataType dataType, uint32_t srcRank,
                    HcclComm comm, aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclRecv", [&] {
    return transfer("HcclRecv", {Op::kRecv, "recvBuf", "srcRank"}, recvBuf, count, dataType,
                    srcRank, comm, stream);
  });
}

HcclResult HcclBatchSendRecv(HcclSendRecvItem* sendRecvInfo, uint32_t itemNum, HcclComm comm,
                             aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclBatchSendRecv",
                 [&] { return batchSendRecv(sendRecvInfo, itemNum, comm, stream); });
}

}  // extern "C"
