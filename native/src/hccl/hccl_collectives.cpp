// SPDX-License-Identifier: Apache-2.0
// The C functions of all ranks that distribute data: HcclBarrier, HcclBroadcast, HcclScatter,
// HcclAllGather, HcclAllGatherV.
#include "hccl/layout.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

// The checks that every operation with one count makes. A count of zero, which the documentation
// does not speak of, is success without communication, as it is for sends.
bool needsNothing(Request& request, const char* countName, uint64_t count, HcclDataType type) {
  request.checkMovable("dataType", type);
  request.checkCount(countName, count);
  return count == 0;
}

HcclResult barrier(HcclComm comm, aclrtStream stream) {
  Request request("HcclBarrier", comm, stream);
  Arrival arrival;
  arrival.call.op = Op::kBarrier;
  return request.issue(std::move(arrival));
}

HcclResult broadcast(const void* buf, uint64_t count, HcclDataType type, uint32_t root,
                     HcclComm comm, aclrtStream stream) {
  Request request("HcclBroadcast", comm, stream);
  request.checkRank("root", root);
  if (needsNothing(request, "count", count, type) || !request.ok()) {
    return request.result();
  }
  Arrival arrival;
  arrival.call = {.op = Op::kBroadcast, .count = count, .type = type, .root = root};
  Buffer& buffer = request.rank() == root ? arrival.send : arrival.receive;
  buffer = elementsAt(buf, count, type);
  request.checkBuffer("buf", buffer);
  return request.issue(std::move(arrival));
}

HcclResult scatter(const void* sendBuf, const void* recvBuf, uint64_t recvCount, HcclDataType type,
                   uint32_t root, HcclComm comm, aclrtStream stream) {
  Request request("HcclScatter", comm, stream);
  request.checkRank("root", root);
  if (needsNothing(request, "recvCount", recvCount, type) || !request.ok()) {
    return request.result();
  }
  Arrival arrival;
  arrival.call = {.op = Op::kScatter, .count = recvCount, .type = type, .root = root};
  arrival.receive = elementsAt(recvBuf, recvCount, type);
  request.checkBuffer("recvBuf", arrival.receive);
  if (request.rank() == root) {
    const auto* start = static_cast<const char*>(sendBuf);
    arrival.send = {sendBuf, arrival.receive.bytes * request.size()};
    request.checkBuffer("sendBuf", arrival.send);
    checkInPlaceOrDisjoint(request, "recvBuf", arrival.receive, "sendBuf", arrival.send,
                           {start + root * arrival.receive.bytes, arrival.receive.bytes});
  }
  return request.issue(std::move(arrival));
}

HcclResult allGather(const void* sendBuf, const void* recvBuf, uint64_t sendCount,
                     HcclDataType type, HcclComm comm, aclrtStream stream) {
  Request request("HcclAllGather", comm, stream);
  if (needsNothing(request, "sendCount", sendCount, type) || !request.ok()) {
    return request.result();
  }
  Arrival arrival;
  arrival.call = {.op = Op::kAllGather, .count = sendCount, .type = type};
  arrival.send = elementsAt(sendBuf, sendCount, type);
  arrival.receive = {recvBuf, arrival.send.bytes * request.size()};
  request.checkBuffer("sendBuf", arrival.send);
  request.checkBuffer("recvBuf", arrival.receive);
  const auto* start = static_cast<const char*>(recvBuf);
  checkInPlaceOrDisjoint(request, "sendBuf", arrival.send, "recvBuf", arrival.receive,
                         {start + request.rank() * arrival.send.bytes, arrival.send.bytes});
  return request.issue(std::move(arrival));
}

HcclResult allGatherV(const void* sendBuf, uint64_t sendCount, const Side& receive,
                      HcclDataType type, HcclComm comm, aclrtStream stream) {
  Request request("HcclAllGatherV", comm, stream);
  request.checkMovable("dataType", type);
  request.checkCount("sendCount", sendCount);
  Arrival arrival;
  arrival.call = {.op = Op::kAllGatherV, .type = type};
  arrival.receive = readLayout(request, receive, type, &arrival.receiveLayout);
  arrival.send = elementsAt(sendBuf, sendCount, type);
  if (sendCount > 0) {
    request.checkBuffer("sendBuf", arrival.send);
  }
  checkNotSame(request, sendBuf, receive.buffer);
  checkBlocksApart(request, "recvDispls", arrival.receiveLayout);
  if (!request.ok()) {
    return request.result();
  }
  const uint32_t self = request.rank();
  if (arrival.receiveLayout.counts[self] != sendCount) {
    return request.refuse(
        fail(HCCL_E_PARA, "%s: sendCount is %llu, but recvCounts[%u], of the caller, is %llu",
             request.function(), static_cast<unsigned long long>(sendCount), self,
             static_cast<unsigned long long>(arrival.receiveLayout.counts[self])));
  }
  checkInPlaceOrDisjoint(request, "sendBuf", arrival.send, "recvBuf", arrival.receive,
                         blockOf(arrival.receive, arrival.receiveLayout, self, type));
  return request.issue(std::move(arrival));
}

}  // namespace
}  // namespace cann4j::hccl

using namespace cann4j;
using namespace cann4j::hccl;

extern "C" {

HcclResult HcclBarrier(HcclComm comm, aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclBarrier", [&] { return barrier(comm, stream); });
}

HcclResult HcclBroadcast(void* buf, uint64_t count, HcclDataType dataType, uint32_t root,
                         HcclComm comm, aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclBroadcast",
                 [&] { return broadcast(buf, count, dataType, root, comm, stream); });
}

HcclResult HcclScatter(void* sendBuf, void* recvBuf, uint64_t recvCount, HcclDataType dataType,
                       uint32_t root, HcclComm comm, aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclScatter", [&] {
    return scatter(sendBuf, recvBuf, recvCount, dataType, root, comm, stream);
  });
}

HcclResult HcclAllGather(void* sendBuf, void* recvBuf, uint64_t sendCount, HcclDataType dataType,
                         HcclComm comm, aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclAllGather", [&] {
    return allGather(sendBuf, recvBuf, sendCount, dataType, comm, stream);
  });
}

HcclResult HcclAllGatherV(void* sendBuf, uint64_t sendCount, void* recvBuf, const void* recvCounts,
                          const void* recvDispls, HcclDataType dataType, HcclComm comm,
                          aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclAllGatherV", [&] {
    return allGatherV(sendBuf, sendCount,
                      {"recvBuf", "recvCounts", "recvDispls", recvBuf, recvCounts, recvDispls},
                      dataType, comm, stream);
  });
}

}  // extern "C"
