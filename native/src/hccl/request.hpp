// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "hccl/communicator.hpp"

namespace cann4j::hccl {

// The arguments that all operations share, and the checks of the others. Every check records words
// and returns a code when it fails.
class Request {
 public:
  explicit Request(const char* function) : function_(function) {}

  HcclResult open(HcclComm comm, aclrtStream stream);

  const char* function() const { return function_; }
  Communicator& communicator() const { return *communicator_; }
  Stream& stream() const { return *stream_; }

  HcclResult checkRank(const char* argument, uint32_t rank) const;
  HcclResult checkCount(const char* argument, uint64_t count) const;
  HcclResult checkMovable(const char* argument, HcclDataType type) const;
  HcclResult checkReducible(HcclDataType type, HcclReduceOp op) const;
  // `bytes` of memory of the communicator's device, aligned to the elements.
  HcclResult checkBuffer(const char* argument, const void* buffer, uint64_t bytes,
                         HcclDataType type) const;
  HcclResult checkSameType(HcclDataType sendType, HcclDataType recvType) const;
  HcclResult checkDisjoint(const char* firstArgument, const Buffer& first,
                           const char* secondArgument, const Buffer& second) const;
  HcclResult checkPointer(const char* argument, const void* pointer) const;

 private:
  const char* function_;
  std::shared_ptr<Communicator> communicator_;
  std::shared_ptr<Stream> stream_;
};

bool overlap(const Buffer& a, const Buffer& b);

}  // namespace cann4j::hccl
