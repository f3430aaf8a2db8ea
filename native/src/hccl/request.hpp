// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "hccl/call_group.hpp"
#include "hccl/communicator.hpp"
#include "hccl/issuing.hpp"

namespace cann4j::hccl {

// One call of an operation: resolves what all of them take, checks arguments one by one, and issues
// the operation. The first check that fails records words and decides the result; the rest then do
// nothing.
class Request {
 public:
  Request(const char* function, HcclComm comm, aclrtStream stream);
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request();

  bool ok() const { return result_ == HCCL_SUCCESS; }
  HcclResult result() const { return result_; }
  const char* function() const { return function_; }
  // The rest only while ok().
  uint32_t rank() const { return communicator_->rank(); }
  uint32_t size() const { return communicator_->size(); }

  HcclResult refuse(HcclResult result) { return result_ = ok() ? result : result_; }
  void checkPointer(const char* argument, const void* pointer);
  // An array of the host's.
  void checkArray(const char* argument, const void* array);
  void checkRank(const char* argument, uint32_t rank);
  void checkCount(const char* argument, uint64_t count);
  void checkMovable(const char* argument, HcclDataType type);
  void checkReducible(HcclDataType type, HcclReduceOp op);
  void checkSameType(HcclDataType sendType, HcclDataType recvType);
  // Memory of the communicator's device.
  void checkBuffer(const char* argument, const Buffer& buffer);
  // Additionally aligned to the elements, as reductions want it.
  void checkOperand(const char* argument, const Buffer& buffer, HcclDataType type);
  void checkDisjoint(const char* firstArgument, const Buffer& first, const char* secondArgument,
                     const Buffer& second);
  // Whether the thread's group of calls, if one is open, takes this kind.
  void admit(CallGroup::Kind kind);
  // Queues the operation, or keeps it for the end of the thread's group of calls.
  HcclResult issue(Arrival arrival);
  // `batch`: of HcclBatchSendRecv, which does not belong into a group.
  HcclResult issue(std::vector<Posted> posts, bool batch);

 private:
  void open(HcclComm comm, aclrtStream stream);
  HcclResult issue(Work work, CallGroup::Kind kind);

  const char* const function_;
  HcclResult result_ = HCCL_SUCCESS;
  std::shared_ptr<Communicator> communicator_;
  std::shared_ptr<Stream> stream_;
  Issuing issuing_;
  bool entered_ = false;
};

HcclResult checkDisjoint(const char* function, const char* firstArgument, const Buffer& first,
                         const char* secondArgument, const Buffer& second);
// Of items that do not wait for each other: what one writes must not be what another reads or
// writes.
HcclResult checkItems(const char* function, const std::vector<Posted>& posts);
// A buffer of `count` elements.
inline Buffer elementsAt(const void* buffer, uint64_t count, HcclDataType type) {
  return {buffer, count * elementSize(type)};
}

}  // namespace cann4j::hccl
