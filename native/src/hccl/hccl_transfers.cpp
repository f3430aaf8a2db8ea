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
  Request request(function);
  HcclResult result = request.open(comm, stream);
  if (result == HCCL_SUCCESS) {
    result = request.checkRank(end.rankArgument, peer);
  }
  if (result == HCCL_SUCCESS) {
    result = request.checkMovable("dataType", type);
  }
  if (result == HCCL_SUCCESS) {
    result = request.checkCount("count", count);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  Communicator& communicator = request.communicator();
  if (peer == communicator.rank()) {
    return fail(HCCL_E_NOT_SUPPORT,
                "%s: %s is %u, the caller itself; use HcclBatchSendRecv or a copy on the device",
                function, end.rankArgument, peer);
  }
  if (count == 0) {
    return HCCL_SUCCESS;
  }
  size_t bytes = count * elementSize(type);
  result = request.checkBuffer(end.bufferArgument, buffer, bytes, type);
  if (result != HCCL_SUCCESS) {
    return result;
  }
  std::vector<Posted> posts(1);
  posts[0].call = {.op = end.op, .peer = peer, .count = count, .type = type};
  posts[0].buffer = {buffer, bytes};
  return communicator.submit(function, std::move(posts), request.stream());
}

class Batch {
 public:
  explicit Batch(const Request& request) : request_(request) {}

  HcclResult add(uint32_t index, const HcclSendRecvItem& item);
  HcclResult checkSelf() const;
  HcclResult checkReceives() const;
  std::vector<Posted> takePosts() { return std::move(posts_); }

 private:
  HcclResult checkItem(uint32_t index, const HcclSendRecvItem& item) const;

  const Request& request_;
  std::vector<Posted> posts_;
};

HcclResult Batch::checkItem(uint32_t index, const HcclSendRecvItem& item) const {
  const char* function = request_.function();
  if (item.sendRecvType != HCCL_SEND && item.sendRecvType != HCCL_RECV) {
    return fail(HCCL_E_PARA, "%s: sendRecvType of item %u is %d; use HCCL_SEND or HCCL_RECV",
                function, index, static_cast<int>(item.sendRecvType));
  }
  HcclResult result = request_.checkRank("remoteRank", item.remoteRank);
  if (result == HCCL_SUCCESS) {
    result = request_.checkMovable("dataType", item.dataType);
  }
  if (result == HCCL_SUCCESS) {
    result = request_.checkCount("count", item.count);
  }
  if (result == HCCL_SUCCESS && item.count > 0) {
    result = request_.checkBuffer("buf", item.buf, item.count * elementSize(item.dataType),
                                  item.dataType);
  }
  return result == HCCL_SUCCESS
             ? result
             : fail(result, "%s: item %u (%s, remoteRank %u) is not valid", function, index,
                    item.sendRecvType == HCCL_SEND ? "HCCL_SEND" : "HCCL_RECV", item.remoteRank);
}

HcclResult Batch::add(uint32_t index, const HcclSendRecvItem& item) {
  HcclResult result = checkItem(index, item);
  if (result != HCCL_SUCCESS || item.count == 0) {
    return result;
  }
  Op op = item.sendRecvType == HCCL_SEND ? Op::kBatchSend : Op::kBatchRecv;
  for (const Posted& posted : posts_) {
    if (posted.call.op == op && posted.call.peer == item.remoteRank) {
      return fail(HCCL_E_PARA,
                  "%s: item %u is the second %s rank %u; one call carries at most one block per "
                  "direction and peer, so pack them into one buffer",
                  request_.function(), index, op == Op::kBatchSend ? "send to" : "receive from",
                  item.remoteRank);
    }
  }
  Posted posted{};
  posted.call = {.op = op, .peer = item.remoteRank, .count = item.count, .type = item.dataType};
  posted.buffer = {item.buf, item.count * elementSize(item.dataType)};
  posts_.push_back(std::move(posted));
  return HCCL_SUCCESS;
}

HcclResult Batch::checkSelf() const {
  const Posted* send = nullptr;
  const Posted* receive = nullptr;
  for (const Posted& posted : posts_) {
    if (posted.call.peer == request_.communicator().rank()) {
      (isSend(posted.call) ? send : receive) = &posted;
    }
  }
  if (send == nullptr && receive == nullptr) {
    return HCCL_SUCCESS;
  }
  if (send == nullptr || receive == nullptr || !agree(send->call, receive->call)) {
    return fail(
        HCCL_E_PARA,
        "%s: the caller's items for itself (rank %u) do not match: it sends %s and receives "
        "%s",
        request_.function(), request_.communicator().rank(),
        send == nullptr ? "nothing" : describe(send->call).c_str(),
        receive == nullptr ? "nothing" : describe(receive->call).c_str());
  }
  return HCCL_SUCCESS;
}

// Items do not wait for each other, so what one writes must not be what another reads or writes.
HcclResult Batch::checkReceives() const {
  for (const Posted& receive : posts_) {
    if (isSend(receive.call)) {
      continue;
    }
    for (const Posted& other : posts_) {
      if (&other == &receive) {
        continue;
      }
      HcclResult result =
          request_.checkDisjoint("a received buf", receive.buffer, "another buf", other.buffer);
      if (result != HCCL_SUCCESS) {
        return result;
      }
    }
  }
  return HCCL_SUCCESS;
}

HcclResult batchSendRecv(const HcclSendRecvItem* items, uint32_t itemNum, HcclComm comm,
                         aclrtStream stream) {
  const char* function = "HcclBatchSendRecv";
  Request request(function);
  HcclResult result = request.open(comm, stream);
  if (result != HCCL_SUCCESS || itemNum == 0) {
    return result;
  }
  result = request.checkPointer("sendRecvInfo", items);
  Batch batch(request);
  for (uint32_t i = 0; i < itemNum && result == HCCL_SUCCESS; ++i) {
    result = batch.add(i, items[i]);
  }
  if (result == HCCL_SUCCESS) {
    result = batch.checkSelf();
  }
  if (result == HCCL_SUCCESS) {
    result = batch.checkReceives();
  }
  std::vector<Posted> posts = batch.takePosts();
  if (result != HCCL_SUCCESS || posts.empty()) {
    return result;
  }
  return request.communicator().submit(function, std::move(posts), request.stream());
}

}  // namespace
}  // namespace cann4j::hccl

using namespace cann4j::hccl;

extern "C" {

HcclResult HcclSend(void* sendBuf, uint64_t count, HcclDataType dataType, uint32_t destRank,
                    HcclComm comm, aclrtStream stream) {
  return transfer("HcclSend", {Op::kSend, "sendBuf", "destRank"}, sendBuf, count, dataType,
                  destRank, comm, stream);
}

HcclResult HcclRecv(void* recvBuf, uint64_t count, HcclDataType dataType, uint32_t srcRank,
                    HcclComm comm, aclrtStream stream) {
  return transfer("HcclRecv", {Op::kRecv, "recvBuf", "srcRank"}, recvBuf, count, dataType, srcRank,
                  comm, stream);
}

HcclResult HcclBatchSendRecv(HcclSendRecvItem* sendRecvInfo, uint32_t itemNum, HcclComm comm,
                             aclrtStream stream) {
  return batchSendRecv(sendRecvInfo, itemNum, comm, stream);
}

}  // extern "C"
