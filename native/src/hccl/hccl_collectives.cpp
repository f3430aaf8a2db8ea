// SPDX-License-Identifier: Apache-2.0
// The C functions in which all ranks of a communicator take part.
#include <algorithm>

#include "hccl/request.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

HcclResult barrier(HcclComm comm, aclrtStream stream) {
  Request request("HcclBarrier");
  HcclResult result = request.open(comm, stream);
  if (result != HCCL_SUCCESS) {
    return result;
  }
  Arrival arrival;
  arrival.call.op = Op::kBarrier;
  return request.communicator().submit(request.function(), std::move(arrival), request.stream());
}

HcclResult allReduce(const void* sendBuf, void* recvBuf, uint64_t count, HcclDataType type,
                     HcclReduceOp op, HcclComm comm, aclrtStream stream) {
  Request request("HcclAllReduce");
  HcclResult result = request.open(comm, stream);
  if (result == HCCL_SUCCESS) {
    result = request.checkReducible(type, op);
  }
  if (result == HCCL_SUCCESS) {
    result = request.checkCount("count", count);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  size_t bytes = count * elementSize(type);
  Arrival arrival;
  arrival.call = {.op = Op::kAllReduce, .count = count, .type = type, .reduce = op};
  arrival.send = {sendBuf, bytes};
  arrival.receive = {recvBuf, bytes};
  result = request.checkBuffer("sendBuf", sendBuf, bytes, type);
  if (result == HCCL_SUCCESS) {
    result = request.checkBuffer("recvBuf", recvBuf, bytes, type);
  }
  if (result == HCCL_SUCCESS && sendBuf != recvBuf) {
    result = request.checkDisjoint("sendBuf", arrival.send, "recvBuf", arrival.receive);
  }
  return result != HCCL_SUCCESS ? result
                                : request.communicator().submit(
                                      request.function(), std::move(arrival), request.stream());
}

HcclResult allGather(const void* sendBuf, void* recvBuf, uint64_t sendCount, HcclDataType type,
                     HcclComm comm, aclrtStream stream) {
  Request request("HcclAllGather");
  HcclResult result = request.open(comm, stream);
  if (result == HCCL_SUCCESS) {
    result = request.checkMovable("dataType", type);
  }
  if (result == HCCL_SUCCESS) {
    result = request.checkCount("sendCount", sendCount);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  const Communicator& communicator = request.communicator();
  size_t bytes = sendCount * elementSize(type);
  Arrival arrival;
  arrival.call = {.op = Op::kAllGather, .count = sendCount, .type = type};
  arrival.send = {sendBuf, bytes};
  arrival.receive = {recvBuf, bytes * communicator.size()};
  result = request.checkBuffer("sendBuf", sendBuf, bytes, type);
  if (result == HCCL_SUCCESS) {
    result = request.checkBuffer("recvBuf", recvBuf, arrival.receive.bytes, type);
  }
  if (result == HCCL_SUCCESS &&
      sendBuf != static_cast<const char*>(recvBuf) + communicator.rank() * bytes) {
    result = request.checkDisjoint("sendBuf", arrival.send, "recvBuf", arrival.receive);
  }
  return result != HCCL_SUCCESS ? result
                                : request.communicator().submit(
                                      request.function(), std::move(arrival), request.stream());
}

HcclResult checkNotSame(const Request& request, const void* sendBuf, const void* recvBuf) {
  return sendBuf != recvBuf
             ? HCCL_SUCCESS
             : fail(HCCL_E_PARA,
                    "%s: sendBuf and recvBuf are both %p; an in-place exchange is not "
                    "possible",
                    request.function(), sendBuf);
}

HcclResult allToAll(const void* sendBuf, uint64_t sendCount, HcclDataType sendType,
                    const void* recvBuf, uint64_t recvCount, HcclDataType recvType, HcclComm comm,
                    aclrtStream stream) {
  Request request("HcclAlltoAll");
  HcclResult result = request.open(comm, stream);
  if (result == HCCL_SUCCESS) {
    result = request.checkMovable("sendType", sendType);
  }
  if (result == HCCL_SUCCESS) {
    result = request.checkMovable("recvType", recvType);
  }
  if (result == HCCL_SUCCESS) {
    result = request.checkSameType(sendType, recvType);
  }
  if (result == HCCL_SUCCESS) {
    result = request.checkCount("sendCount", sendCount);
  }
  if (result == HCCL_SUCCESS && sendCount != recvCount) {
    result = fail(HCCL_E_PARA, "%s: sendCount is %llu but recvCount is %llu; they must be equal",
                  request.function(), static_cast<unsigned long long>(sendCount),
                  static_cast<unsigned long long>(recvCount));
  }
  if (result != HCCL_SUCCESS || sendCount == 0) {
    return result;
  }
  size_t bytes = sendCount * elementSize(sendType) * request.communicator().size();
  Arrival arrival;
  arrival.call = {.op = Op::kAllToAll, .count = sendCount, .type = sendType};
  arrival.send = {sendBuf, bytes};
  arrival.receive = {recvBuf, bytes};
  result = request.checkBuffer("sendBuf", sendBuf, bytes, sendType);
  if (result == HCCL_SUCCESS) {
    result = request.checkBuffer("recvBuf", recvBuf, bytes, recvType);
  }
  if (result == HCCL_SUCCESS) {
    result = checkNotSame(request, sendBuf, recvBuf);
  }
  if (result == HCCL_SUCCESS) {
    result = request.checkDisjoint("sendBuf", arrival.send, "recvBuf", arrival.receive);
  }
  return result != HCCL_SUCCESS ? result
                                : request.communicator().submit(
                                      request.function(), std::move(arrival), request.stream());
}

// One side of an AlltoAllV, with the names of its arguments.
struct Side {
  const char* bufferName;
  const char* countsName;
  const char* displacementsName;
  const void* buffer;
  const void* counts;
  const void* displacements;
};

HcclResult readSide(const Request& request, const Side& side, HcclDataType type, Layout* layout,
                    Buffer* buffer) {
  HcclResult result = request.checkPointer(side.countsName, side.counts);
  if (result == HCCL_SUCCESS) {
    result = request.checkPointer(side.displacementsName, side.displacements);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  const uint32_t size = request.communicator().size();
  const auto* counts = static_cast<const uint64_t*>(side.counts);
  const auto* displacements = static_cast<const uint64_t*>(side.displacements);
  layout->counts.assign(counts, counts + size);
  layout->displacements.assign(displacements, displacements + size);
  uint64_t end = 0;
  for (uint32_t rank = 0; rank < size; ++rank) {
    result = request.checkCount(side.countsName, counts[rank]);
    if (result == HCCL_SUCCESS && counts[rank] > 0) {
      result = request.checkCount(side.displacementsName, displacements[rank]);
      end = std::max(end, displacements[rank] + counts[rank]);
    }
    if (result != HCCL_SUCCESS) {
      return result;
    }
  }
  *buffer = {side.buffer, end * elementSize(type)};
  return end == 0 ? HCCL_SUCCESS
                  : request.checkBuffer(side.bufferName, side.buffer, buffer->bytes, type);
}

// Blocks that are written by different ranks at the same time must not overlap.
HcclResult checkReceivedBlocks(const Request& request, const Layout& layout) {
  std::vector<uint32_t> order;
  for (uint32_t rank = 0; rank < layout.counts.size(); ++rank) {
    if (layout.counts[rank] > 0) {
      order.push_back(rank);
    }
  }
  const auto& at = layout.displacements;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return at[a] < at[b]; });
  for (size_t i = 1; i < order.size(); ++i) {
    uint32_t first = order[i - 1];
    uint32_t second = order[i];
    if (at[first] + layout.counts[first] > at[second]) {
      return fail(HCCL_E_PARA,
                  "%s: the received blocks of rank %u (displacement %llu, count %llu) and rank %u "
                  "(displacement %llu) overlap",
                  request.function(), first, static_cast<unsigned long long>(at[first]),
                  static_cast<unsigned long long>(layout.counts[first]), second,
                  static_cast<unsigned long long>(at[second]));
    }
  }
  return HCCL_SUCCESS;
}

HcclResult checkOwnBlock(const Request& request, const Arrival& arrival) {
  uint32_t self = request.communicator().rank();
  uint64_t sent = arrival.sendLayout.counts[self];
  uint64_t received = arrival.receiveLayout.counts[self];
  return sent == received ? HCCL_SUCCESS
                          : fail(HCCL_E_PARA,
                                 "%s: the caller, rank %u, sends itself %llu elements but expects "
                                 "%llu",
                                 request.function(), self, static_cast<unsigned long long>(sent),
                                 static_cast<unsigned long long>(received));
}

HcclResult allToAllV(const Side& send, HcclDataType sendType, const Side& receive,
                     HcclDataType recvType, HcclComm comm, aclrtStream stream) {
  Request request("HcclAlltoAllV");
  HcclResult result = request.open(comm, stream);
  if (result == HCCL_SUCCESS) {
    result = request.checkMovable("sendType", sendType);
  }
  if (result == HCCL_SUCCESS) {
    result = request.checkMovable("recvType", recvType);
  }
  if (result == HCCL_SUCCESS) {
    result = request.checkSameType(sendType, recvType);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  Arrival arrival;
  arrival.call = {.op = Op::kAllToAllV, .type = sendType};
  result = readSide(request, send, sendType, &arrival.sendLayout, &arrival.send);
  if (result == HCCL_SUCCESS) {
    result = readSide(request, receive, recvType, &arrival.receiveLayout, &arrival.receive);
  }
  if (result == HCCL_SUCCESS && send.buffer != nullptr) {
    result = checkNotSame(request, send.buffer, receive.buffer);
  }
  if (result == HCCL_SUCCESS) {
    result = request.checkDisjoint("sendBuf", arrival.send, "recvBuf", arrival.receive);
  }
  if (result == HCCL_SUCCESS) {
    result = checkReceivedBlocks(request, arrival.receiveLayout);
  }
  if (result == HCCL_SUCCESS) {
    result = checkOwnBlock(request, arrival);
  }
  return result != HCCL_SUCCESS ? result
                                : request.communicator().submit(
                                      request.function(), std::move(arrival), request.stream());
}

}  // namespace
}  // namespace cann4j::hccl

using namespace cann4j::hccl;

extern "C" {

HcclResult HcclBarrier(HcclComm comm, aclrtStream stream) { return barrier(comm, stream); }

HcclResult HcclAllReduce(void* sendBuf, void* recvBuf, uint64_t count, HcclDataType dataType,
                         HcclReduceOp op, HcclComm comm, aclrtStream stream) {
  return allReduce(sendBuf, recvBuf, count, dataType, op, comm, stream);
}

HcclResult HcclAllGather(void* sendBuf, void* recvBuf, uint64_t sendCount, HcclDataType dataType,
                         HcclComm comm, aclrtStream stream) {
  return allGather(sendBuf, recvBuf, sendCount, dataType, comm, stream);
}

HcclResult HcclAlltoAll(const void* sendBuf, uint64_t sendCount, HcclDataType sendType,
                        const void* recvBuf, uint64_t recvCount, HcclDataType recvType,
                        HcclComm comm, aclrtStream stream) {
  return allToAll(sendBuf, sendCount, sendType, recvBuf, recvCount, recvType, comm, stream);
}

HcclResult HcclAlltoAllV(const void* sendBuf, const void* sendCounts, const void* sdispls,
                         HcclDataType sendType, const void* recvBuf, const void* recvCounts,
                         const void* rdispls, HcclDataType recvType, HcclComm comm,
                         aclrtStream stream) {
  return allToAllV({"sendBuf", "sendCounts", "sdispls", sendBuf, sendCounts, sdispls}, sendType,
                   {"recvBuf", "recvCounts", "rdispls", recvBuf, recvCounts, rdispls}, recvType,
                   comm, stream);
}

}  // extern "C"
