// SPDX-License-Identifier: Apache-2.0
// The C functions in which every rank sends to every rank: HcclAlltoAll, HcclAlltoAllV,
// HcclAlltoAllVC.
#include "hccl/layout.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

struct Types {
  HcclDataType send;
  HcclDataType receive;
};

void checkTypes(Request& request, const Types& types) {
  request.checkMovable("sendType", types.send);
  request.checkMovable("recvType", types.receive);
  request.checkSameType(types.send, types.receive);
}

HcclResult allToAll(const void* sendBuf, uint64_t sendCount, const void* recvBuf,
                    uint64_t recvCount, const Types& types, HcclComm comm, aclrtStream stream) {
  Request request("HcclAlltoAll", comm, stream);
  checkTypes(request, types);
  request.checkCount("sendCount", sendCount);
  if (request.ok() && sendCount != recvCount) {
    request.refuse(fail(HCCL_E_PARA, "%s: sendCount is %llu but recvCount is %llu; they must be equal",
                        request.function(), static_cast<unsigned long long>(sendCount),
                        static_cast<unsigned long long>(recvCount)));
  }
  if (!request.ok() || sendCount == 0) {
    return request.result();
  }
  Arrival arrival;
  arrival.call = {.op = Op::kAllToAll, .count = sendCount, .type = types.send};
  arrival.send = elementsAt(sendBuf, sendCount * request.size(), types.send);
  arrival.receive = elementsAt(recvBuf, sendCount * request.size(), types.send);
  request.checkBuffer("sendBuf", arrival.send);
  request.checkBuffer("recvBuf", arrival.receive);
  checkNotSame(request, sendBuf, recvBuf);
  request.checkDisjoint("sendBuf", arrival.send, "recvBuf", arrival.receive);
  return request.issue(std::move(arrival));
}

void checkOwnBlock(Request& request, const Arrival& arrival) {
  if (!request.ok()) {
    return;
  }
  const uint32_t self = request.rank();
  const uint64_t sent = arrival.sendLayout.counts[self];
  const uint64_t received = arrival.receiveLayout.counts[self];
  if (sent != received) {
    request.refuse(fail(HCCL_E_PARA,
                        "%s: the caller, rank %u, sends itself %llu elements but expects %llu",
                        request.function(), self, static_cast<unsigned long long>(sent),
                        static_cast<unsigned long long>(received)));
  }
}

HcclResult allToAllV(const Side& send, const Side& receive, const Types& types, HcclComm comm,
                     aclrtStream stream) {
  Request request("HcclAlltoAllV", comm, stream);
  checkTypes(request, types);
  Arrival arrival;
  arrival.call = {.op = Op::kAllToAllV, .type = types.send};
  arrival.send = readLayout(request, send, types.send, &arrival.sendLayout);
  arrival.receive = readLayout(request, receive, types.receive, &arrival.receiveLayout);
  checkNotSame(request, send.buffer, receive.buffer);
  request.checkDisjoint("sendBuf", arrival.send, "recvBuf", arrival.receive);
  checkBlocksApart(request, receive.displacementsName, arrival.receiveLayout);
  checkOwnBlock(request, arrival);
  return request.issue(std::move(arrival));
}

// The counts that `at` picks from the matrix, one block behind the other.
template <class At>
Layout packed(uint32_t size, const At& at) {
  Layout layout;
  uint64_t end = 0;
  for (uint32_t rank = 0; rank < size; ++rank) {
    layout.counts.push_back(at(rank));
    layout.displacements.push_back(end);
    end += at(rank);
  }
  return layout;
}

Buffer wholeOf(const void* buffer, const Layout& layout, HcclDataType type) {
  return elementsAt(buffer, layout.displacements.back() + layout.counts.back(), type);
}

HcclResult allToAllVC(const void* sendBuf, const void* sendCountMatrix, const void* recvBuf,
                      const Types& types, HcclComm comm, aclrtStream stream) {
  Request request("HcclAlltoAllVC", comm, stream);
  checkTypes(request, types);
  request.checkArray("sendCountMatrix", sendCountMatrix);
  if (!request.ok()) {
    return request.result();
  }
  const uint32_t size = request.size();
  const uint32_t self = request.rank();
  const auto* counts = static_cast<const uint64_t*>(sendCountMatrix);
  Arrival arrival;
  arrival.call = {.op = Op::kAllToAllVC, .type = types.send};
  arrival.matrix.assign(counts, counts + size_t{size} * size);
  for (const uint64_t count : arrival.matrix) {
    request.checkCount("sendCountMatrix", count);
  }
  if (!request.ok()) {
    return request.result();
  }
  const auto& matrix = arrival.matrix;
  arrival.sendLayout = packed(size, [&](uint32_t rank) { return matrix[self * size + rank]; });
  arrival.receiveLayout = packed(size, [&](uint32_t rank) { return matrix[rank * size + self]; });
  arrival.send = wholeOf(sendBuf, arrival.sendLayout, types.send);
  arrival.receive = wholeOf(recvBuf, arrival.receiveLayout, types.receive);
  if (arrival.send.bytes > 0) {
    request.checkBuffer("sendBuf", arrival.send);
  }
  if (arrival.receive.bytes > 0) {
    request.checkBuffer("recvBuf", arrival.receive);
  }
  checkNotSame(request, sendBuf, recvBuf);
  request.checkDisjoint("sendBuf", arrival.send, "recvBuf", arrival.receive);
  return request.issue(std::move(arrival));
}

}  // namespace
}  // namespace cann4j::hccl

using namespace cann4j;
using namespace cann4j::hccl;

extern "C" {

HcclResult HcclAlltoAll(const void* sendBuf, uint64_t sendCount, HcclDataType sendType,
                        const void* recvBuf, uint64_t recvCount, HcclDataType recvType,
                        HcclComm comm, aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclAlltoAll", [&] {
    return allToAll(sendBuf, sendCount, recvBuf, recvCount, {sendType, recvType}, comm, stream);
  });
}

HcclResult HcclAlltoAllV(const void* sendBuf, const void* sendCounts, const void* sdispls,
                         HcclDataType sendType, const void* recvBuf, const void* recvCounts,
                         const void* rdispls, HcclDataType recvType, HcclComm comm,
                         aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclAlltoAllV", [&] {
    return allToAllV({"sendBuf", "sendCounts", "sdispls", sendBuf, sendCounts, sdispls},
                     {"recvBuf", "recvCounts", "rdispls", recvBuf, recvCounts, rdispls},
                     {sendType, recvType}, comm, stream);
  });
}

HcclResult HcclAlltoAllVC(const void* sendBuf, const void* sendCountMatrix, HcclDataType sendType,
                          const void* recvBuf, HcclDataType recvType, HcclComm comm,
                          aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclAlltoAllVC", [&] {
    return allToAllVC(sendBuf, sendCountMatrix, recvBuf, {sendType, recvType}, comm, stream);
  });
}

}  // extern "C"
