// SPDX-License-Identifier: Apache-2.0
#include "hccl/request.hpp"

#include <utility>

#include "runtime/error.hpp"
#include "runtime/host_memory.hpp"

namespace cann4j::hccl {
namespace {

constexpr uint64_t kMaxCount = 0x7FFFFFFFF;

unsigned long long number(uint64_t value) { return value; }

}  // namespace

HcclResult checkDisjoint(const char* function, const char* firstArgument, const Buffer& first,
                         const char* secondArgument, const Buffer& second) {
  const auto beginFirst = reinterpret_cast<uintptr_t>(first.device);
  const auto beginSecond = reinterpret_cast<uintptr_t>(second.device);
  const bool overlap = first.bytes > 0 && second.bytes > 0 &&
                       beginFirst < beginSecond + second.bytes &&
                       beginSecond < beginFirst + first.bytes;
  return overlap ? fail(HCCL_E_PARA, "%s: %s %p (%zu bytes) and %s %p (%zu bytes) overlap",
                        function, firstArgument, first.device, first.bytes, secondArgument,
                        second.device, second.bytes)
                 : HCCL_SUCCESS;
}

HcclResult checkItems(const char* function, const std::vector<Posted>& posts) {
  for (const Posted& receive : posts) {
    for (const Posted& other : posts) {
      if (isSend(receive.call) || &other == &receive) {
        continue;
      }
      const HcclResult result = checkDisjoint(function, "a received buf", receive.buffer,
                                              "another buf", other.buffer);
      if (result != HCCL_SUCCESS) {
        return result;
      }
    }
  }
  return HCCL_SUCCESS;
}

Request::Request(const char* function, HcclComm comm, aclrtStream stream) : function_(function) {
  checkPointer("comm", comm);
  checkPointer("stream", stream);
  if (ok()) {
    open(comm, stream);
  }
}

Request::~Request() {
  if (entered_) {
    communicator_->leaveCall();
  }
  if (!ok()) {
    CallGroup::current().spoil(function_, result_);
  }
}

void Request::open(HcclComm comm, aclrtStream stream) {
  communicator_ = findCommunicator(function_, comm);
  if (communicator_ == nullptr) {
    refuse(HCCL_E_PARA);
    return;
  }
  refuse(issuing_.begin(function_, communicator_->device()));
  if (ok()) {
    refuse(communicator_->enterCall(function_));
    entered_ = ok();
  }
  if (ok()) {
    refuse(communicator_->checkUsable(function_));
  }
  if (!ok()) {
    return;
  }
  const aclError error = resolveStream(stream, &stream_);
  if (error != ACL_SUCCESS) {
    refuse(fail(HCCL_E_RUNTIME, "%s: stream %p cannot be used by this thread (acl error %d)",
                function_, stream, error));
  } else if (stream_->device() != communicator_->device()) {
    refuse(fail(HCCL_E_PARA,
                "%s: stream %p is of device %d, but rank %u of communicator %s is on device %d",
                function_, stream, stream_->device(), rank(), communicator_->name().c_str(),
                communicator_->device()));
  }
}

void Request::checkPointer(const char* argument, const void* pointer) {
  if (ok() && pointer == nullptr) {
    refuse(fail(HCCL_E_PTR, "%s: %s is NULL", function_, argument));
  }
}

void Request::checkArray(const char* argument, const void* array) {
  checkPointer(argument, array);
  if (ok()) {
    refuse(checkOnHost(HCCL_E_PARA, function_, argument, array));
  }
}

void Request::checkRank(const char* argument, uint32_t rank) {
  if (ok() && rank >= size()) {
    refuse(fail(HCCL_E_PARA, "%s: %s is %u; communicator %s has %u ranks", function_, argument,
                rank, communicator_->name().c_str(), size()));
  }
}

void Request::checkCount(const char* argument, uint64_t count) {
  if (ok() && count > kMaxCount) {
    refuse(fail(HCCL_E_PARA, "%s: %s is %llu; at most %llu elements", function_, argument,
                number(count), number(kMaxCount)));
  }
}

void Request::checkMovable(const char* argument, HcclDataType type) {
  if (ok() && !canMove(type)) {
    refuse(fail(HCCL_E_NOT_SUPPORT, "%s: %s is %d (%s), which cannot be transferred", function_,
                argument, static_cast<int>(type), nameOf(type)));
  }
}

void Request::checkReducible(HcclDataType type, HcclReduceOp op) {
  if (ok() && !canReduce(type, op)) {
    refuse(fail(HCCL_E_NOT_SUPPORT,
                "%s: reduction %d (%s) of dataType %d (%s) is not supported; SUM, MAX and MIN take "
                "INT8, INT16, INT32, INT64, FP16, FP32 and BFP16, PROD all of these but INT16 and "
                "BFP16",
                function_, static_cast<int>(op), nameOf(op), static_cast<int>(type),
                nameOf(type)));
  }
}

void Request::checkSameType(HcclDataType sendType, HcclDataType recvType) {
  if (ok() && sendType != recvType) {
    refuse(fail(HCCL_E_PARA, "%s: sendType is %d (%s) but recvType is %d (%s); they must be equal",
                function_, static_cast<int>(sendType), nameOf(sendType),
                static_cast<int>(recvType), nameOf(recvType)));
  }
}

void Request::checkBuffer(const char* argument, const Buffer& buffer) {
  checkPointer(argument, buffer.device);
  if (!ok()) {
    return;
  }
  const int device = deviceOf(buffer.device);
  if (device < 0) {
    refuse(fail(HCCL_E_PARA, "%s: %s %p is not device memory; allocate it with aclrtMalloc",
                function_, argument, buffer.device));
  } else if (device != communicator_->device()) {
    refuse(fail(HCCL_E_PARA,
                "%s: %s %p is memory of device %d, but rank %u of communicator %s is on device %d",
                function_, argument, buffer.device, device, rank(), communicator_->name().c_str(),
                communicator_->device()));
  } else if (!buffer.isLive()) {
    refuse(fail(HCCL_E_PARA,
                "%s: the %zu bytes of %s from %p on do not lie in one live allocation", function_,
                buffer.bytes, argument, buffer.device));
  }
}

void Request::checkOperand(const char* argument, const Buffer& buffer, HcclDataType type) {
  checkBuffer(argument, buffer);
  if (ok() && reinterpret_cast<uintptr_t>(buffer.device) % elementSize(type) != 0) {
    refuse(fail(HCCL_E_PARA, "%s: %s %p is not aligned to the %zu bytes of a %s", function_,
                argument, buffer.device, elementSize(type), nameOf(type)));
  }
}

void Request::checkDisjoint(const char* firstArgument, const Buffer& first,
                            const char* secondArgument, const Buffer& second) {
  if (ok()) {
    refuse(hccl::checkDisjoint(function_, firstArgument, first, secondArgument, second));
  }
}

void Request::admit(CallGroup::Kind kind) {
  if (ok()) {
    refuse(CallGroup::current().admit(function_, kind));
  }
}

HcclResult Request::issue(Arrival arrival) {
  if (!ok()) {
    return result_;
  }
  Work work;
  arrival.call.rank = rank();
  work.call = arrival.call;
  work.arrival = std::move(arrival);
  return issue(std::move(work), CallGroup::Kind::kCollective);
}

HcclResult Request::issue(std::vector<Posted> posts, bool batch) {
  if (!ok()) {
    return result_;
  }
  Work work;
  for (Posted& posted : posts) {
    posted.call.rank = rank();
  }
  work.call = batch ? Call{.op = Op::kBatch, .rank = rank(), .count = posts.size()}
                    : posts.front().call;
  work.posts = std::move(posts);
  return issue(std::move(work), batch ? CallGroup::Kind::kBatch : CallGroup::Kind::kTransfer);
}

HcclResult Request::issue(Work work, CallGroup::Kind kind) {
  admit(kind);
  if (!ok()) {
    return result_;
  }
  std::vector<CallGroup::Pending> pending;
  pending.push_back({function_, communicator_, stream_, std::move(work)});
  CallGroup& group = CallGroup::current();
  if (group.isOpen()) {
    group.add(std::move(pending.front()));
  } else {
    refuse(CallGroup::operate(std::move(pending)));
  }
  return result_;
}

}  // namespace cann4j::hccl
