// SPDX-License-Identifier: Apache-2.0
#include "hccl/request.hpp"

#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

constexpr uint64_t kMaxCount = 0x7FFFFFFFF;

}  // namespace

bool overlap(const Buffer& a, const Buffer& b) {
  auto beginA = reinterpret_cast<uintptr_t>(a.device);
  auto beginB = reinterpret_cast<uintptr_t>(b.device);
  return a.bytes > 0 && b.bytes > 0 && beginA < beginB + b.bytes && beginB < beginA + a.bytes;
}

HcclResult Request::checkPointer(const char* argument, const void* pointer) const {
  return pointer != nullptr ? HCCL_SUCCESS
                            : fail(HCCL_E_PTR, "%s: %s is NULL", function_, argument);
}

HcclResult Request::open(HcclComm comm, aclrtStream stream) {
  HcclResult result = checkPointer("comm", comm);
  if (result == HCCL_SUCCESS) {
    result = checkPointer("stream", stream);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  communicator_ = findCommunicator(function_, comm);
  if (communicator_ == nullptr) {
    return HCCL_E_PARA;
  }
  aclError error = resolveStream(stream, &stream_);
  if (error != ACL_SUCCESS) {
    return fail(HCCL_E_RUNTIME, "%s: stream %p cannot be used by this thread (acl error %d)",
                function_, stream, error);
  }
  if (stream_->device() != communicator_->device()) {
    return fail(HCCL_E_PARA,
                "%s: stream %p is of device %d, but rank %u of communicator %s is on "
                "device %d",
                function_, stream, stream_->device(), communicator_->rank(),
                communicator_->name().c_str(), communicator_->device());
  }
  return HCCL_SUCCESS;
}

HcclResult Request::checkRank(const char* argument, uint32_t rank) const {
  return rank < communicator_->size()
             ? HCCL_SUCCESS
             : fail(HCCL_E_PARA, "%s: %s is %u; communicator %s has %u ranks", function_, argument,
                    rank, communicator_->name().c_str(), communicator_->size());
}

HcclResult Request::checkCount(const char* argument, uint64_t count) const {
  return count <= kMaxCount ? HCCL_SUCCESS
                            : fail(HCCL_E_PARA, "%s: %s is %llu; at most %llu elements", function_,
                                   argument, static_cast<unsigned long long>(count),
                                   static_cast<unsigned long long>(kMaxCount));
}

HcclResult Request::checkMovable(const char* argument, HcclDataType type) const {
  return canMove(type) ? HCCL_SUCCESS
                       : fail(HCCL_E_NOT_SUPPORT, "%s: %s is %d (%s), which cannot be transferred",
                              function_, argument, static_cast<int>(type), nameOf(type));
}

HcclResult Request::checkReducible(HcclDataType type, HcclReduceOp op) const {
  return canReduce(type, op)
             ? HCCL_SUCCESS
             : fail(HCCL_E_NOT_SUPPORT,
                    "%s: reduction %d (%s) of dataType %d (%s) is not supported; SUM, MAX and MIN "
                    "take INT8, INT16, INT32, INT64, FP16, FP32 and BFP16, PROD all of these but "
                    "INT16 and BFP16",
                    function_, static_cast<int>(op), nameOf(op), static_cast<int>(type),
                    nameOf(type));
}

HcclResult Request::checkBuffer(const char* argument, const void* buffer, uint64_t bytes,
                                HcclDataType type) const {
  HcclResult result = checkPointer(argument, buffer);
  if (result != HCCL_SUCCESS) {
    return result;
  }
  int device = deviceOf(buffer);
  if (device < 0) {
    return fail(HCCL_E_PARA, "%s: %s %p is not device memory; allocate it with aclrtMalloc",
                function_, argument, buffer);
  }
  if (device != communicator_->device()) {
    return fail(HCCL_E_PARA,
                "%s: %s %p is memory of device %d, but rank %u of communicator %s is on device %d",
                function_, argument, buffer, device, communicator_->rank(),
                communicator_->name().c_str(), communicator_->device());
  }
  if (bytes > 0 && !isDeviceRange(buffer, bytes)) {
    return fail(HCCL_E_PARA,
                "%s: the %llu bytes of %s from %p on do not lie in one live allocation", function_,
                static_cast<unsigned long long>(bytes), argument, buffer);
  }
  if (reinterpret_cast<uintptr_t>(buffer) % elementSize(type) != 0) {
    return fail(HCCL_E_PARA, "%s: %s %p is not aligned to the %zu bytes of a %s", function_,
                argument, buffer, elementSize(type), nameOf(type));
  }
  return HCCL_SUCCESS;
}

HcclResult Request::checkSameType(HcclDataType sendType, HcclDataType recvType) const {
  return sendType == recvType
             ? HCCL_SUCCESS
             : fail(HCCL_E_PARA,
                    "%s: sendType is %d (%s) but recvType is %d (%s); they must be equal",
                    function_, static_cast<int>(sendType), nameOf(sendType),
                    static_cast<int>(recvType), nameOf(recvType));
}

HcclResult Request::checkDisjoint(const char* firstArgument, const Buffer& first,
                                  const char* secondArgument, const Buffer& second) const {
  return !overlap(first, second)
             ? HCCL_SUCCESS
             : fail(HCCL_E_PARA, "%s: %s %p (%zu bytes) and %s %p (%zu bytes) overlap", function_,
                    firstArgument, first.device, first.bytes, secondArgument, second.device,
                    second.bytes);
}

}  // namespace cann4j::hccl
