// SPDX-License-Identifier: Apache-2.0
// The C functions of all ranks that combine data: HcclAllReduce, HcclReduce, HcclReduceScatter,
// HcclReduceScatterV.
#include "hccl/layout.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

struct Reduction {
  HcclDataType type;
  HcclReduceOp op;
};

// As for the operations that only move data, a count of zero is success without communication.
bool needsNothing(Request& request, const char* countName, uint64_t count,
                  const Reduction& reduction) {
  request.checkReducible(reduction.type, reduction.op);
  request.checkCount(countName, count);
  return count == 0;
}

// AllReduce, or Reduce with its root.
HcclResult reduce(Request& request, Op op, const void* sendBuf, const void* recvBuf, uint64_t count,
                  const Reduction& reduction, uint32_t root) {
  if (needsNothing(request, "count", count, reduction) || !request.ok()) {
    return request.result();
  }
  Arrival arrival;
  arrival.call = {.op = op,
                  .count = count,
                  .type = reduction.type,
                  .reduce = reduction.op,
                  .root = root};
  arrival.send = elementsAt(sendBuf, count, reduction.type);
  arrival.receive = elementsAt(recvBuf, count, reduction.type);
  request.checkOperand("sendBuf", arrival.send, reduction.type);
  request.checkOperand("recvBuf", arrival.receive, reduction.type);
  checkInPlaceOrDisjoint(request, "sendBuf", arrival.send, "recvBuf", arrival.receive,
                         arrival.receive);
  if (op == Op::kReduce && request.ok() && request.rank() != root) {
    arrival.receive = {};  // written on the root only
  }
  return request.issue(std::move(arrival));
}

HcclResult reduceScatter(const void* sendBuf, const void* recvBuf, uint64_t recvCount,
                         const Reduction& reduction, HcclComm comm, aclrtStream stream) {
  Request request("HcclReduceScatter", comm, stream);
  if (needsNothing(request, "recvCount", recvCount, reduction) || !request.ok()) {
    return request.result();
  }
  Arrival arrival;
  arrival.call = {.op = Op::kReduceScatter,
                  .count = recvCount,
                  .type = reduction.type,
                  .reduce = reduction.op};
  arrival.receive = elementsAt(recvBuf, recvCount, reduction.type);
  arrival.send = {sendBuf, arrival.receive.bytes * request.size()};
  request.checkOperand("sendBuf", arrival.send, reduction.type);
  request.checkOperand("recvBuf", arrival.receive, reduction.type);
  const auto* start = static_cast<const char*>(sendBuf);
  checkInPlaceOrDisjoint(request, "recvBuf", arrival.receive, "sendBuf", arrival.send,
                         {start + request.rank() * arrival.receive.bytes, arrival.receive.bytes});
  return request.issue(std::move(arrival));
}

HcclResult reduceScatterV(const Side& send, const void* recvBuf, uint64_t recvCount,
                          const Reduction& reduction, HcclComm comm, aclrtStream stream) {
  Request request("HcclReduceScatterV", comm, stream);
  request.checkReducible(reduction.type, reduction.op);
  if (request.ok() && reduction.op == HCCL_REDUCE_PROD) {
    return request.refuse(fail(HCCL_E_NOT_SUPPORT,
                               "%s: op is HCCL_REDUCE_PROD; use HCCL_REDUCE_SUM, HCCL_REDUCE_MAX "
                               "or HCCL_REDUCE_MIN",
                               request.function()));
  }
  request.checkCount("recvCount", recvCount);
  Arrival arrival;
  arrival.call = {.op = Op::kReduceScatterV, .type = reduction.type, .reduce = reduction.op};
  arrival.send = readLayout(request, send, reduction.type, &arrival.sendLayout);
  arrival.receive = elementsAt(recvBuf, recvCount, reduction.type);
  if (arrival.send.bytes > 0) {
    request.checkOperand("sendBuf", arrival.send, reduction.type);
  }
  if (recvCount > 0) {
    request.checkOperand("recvBuf", arrival.receive, reduction.type);
  }
  checkNotSame(request, send.buffer, recvBuf);
  if (!request.ok()) {
    return request.result();
  }
  const uint32_t self = request.rank();
  if (arrival.sendLayout.counts[self] != recvCount) {
    return request.refuse(
        fail(HCCL_E_PARA, "%s: recvCount is %llu, but sendCounts[%u], of the caller, is %llu",
             request.function(), static_cast<unsigned long long>(recvCount), self,
             static_cast<unsigned long long>(arrival.sendLayout.counts[self])));
  }
  checkInPlaceOrDisjoint(request, "recvBuf", arrival.receive, "sendBuf", arrival.send,
                         blockOf(arrival.send, arrival.sendLayout, self, reduction.type));
  // In place, what is written must not be what other ranks still read.
  for (uint32_t rank = 0; rank < request.size(); ++rank) {
    if (rank != self) {
      request.checkDisjoint("recvBuf", arrival.receive, "another rank's block of sendBuf",
                            blockOf(arrival.send, arrival.sendLayout, rank, reduction.type));
    }
  }
  return request.issue(std::move(arrival));
}

}  // namespace
}  // namespace cann4j::hccl

using namespace cann4j;
using namespace cann4j::hccl;

extern "C" {

HcclResult HcclAllReduce(void* sendBuf, void* recvBuf, uint64_t count, HcclDataType dataType,
                         HcclReduceOp op, HcclComm comm, aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclAllReduce", [&] {
    Request request("HcclAllReduce", comm, stream);
    return reduce(request, Op::kAllReduce, sendBuf, recvBuf, count, {dataType, op}, 0);
  });
}

HcclResult HcclReduce(void* sendBuf, void* recvBuf, uint64_t count, HcclDataType dataType,
                      HcclReduceOp op, uint32_t root, HcclComm comm, aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclReduce", [&] {
    Request request("HcclReduce", comm, stream);
    request.checkRank("root", root);
    return reduce(request, Op::kReduce, sendBuf, recvBuf, count, {dataType, op}, root);
  });
}

HcclResult HcclReduceScatter(void* sendBuf, void* recvBuf, uint64_t recvCount,
                             HcclDataType dataType, HcclReduceOp op, HcclComm comm,
                             aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclReduceScatter", [&] {
    return reduceScatter(sendBuf, recvBuf, recvCount, {dataType, op}, comm, stream);
  });
}

HcclResult HcclReduceScatterV(void* sendBuf, const void* sendCounts, const void* sendDispls,
                              void* recvBuf, uint64_t recvCount, HcclDataType dataType,
                              HcclReduceOp op, HcclComm comm, aclrtStream stream) {
  return guarded(HCCL_E_INTERNAL, "HcclReduceScatterV", [&] {
    return reduceScatterV({"sendBuf", "sendCounts", "sendDispls", sendBuf, sendCounts, sendDispls},
                          recvBuf, recvCount, {dataType, op}, comm, stream);
  });
}

}  // extern "C"
