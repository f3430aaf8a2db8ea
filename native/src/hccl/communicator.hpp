// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hccl/group.hpp"

namespace cann4j::hccl {

enum class Origin { kWorld, kSub };

// One rank's end of a group, behind an HcclComm. Operations get their place in the order (the
// number of a collective, the ticket of a transfer) when they are called, not when a stream reaches
// them; so ranks agree on it whatever streams they use.
class Communicator {
 public:
  Communicator(std::shared_ptr<Group> group, uint32_t rank, Origin origin);

  const std::shared_ptr<Group>& group() const { return group_; }
  const std::string& name() const { return group_->name(); }
  uint32_t rank() const { return rank_; }
  uint32_t size() const { return group_->size(); }
  int device() const { return group_->device(rank_); }
  Origin origin() const { return origin_; }

  // Enqueue; the waiters and tickets are filled in here.
  HcclResult submit(const char* function, std::vector<Posted> posts, Stream& stream);
  HcclResult submit(const char* function, Arrival arrival, Stream& stream);

  // HCCL_E_AGAIN while operations are under way.
  HcclResult close(const char* function);

 private:
  HcclResult checkUsable(const char* function) const;

  const std::shared_ptr<Group> group_;
  const uint32_t rank_;
  const Origin origin_;
  std::mutex mutex_;  // the order of numbers is the order in the streams
  bool closed_ = false;
  uint64_t nextCollective_ = 0;
  std::vector<uint64_t> nextSend_;     // by destination
  std::vector<uint64_t> nextReceive_;  // by source
};

// The handles that programs hold. A handle is never used again for another communicator, so one
// that was destroyed is always recognised.
HcclComm publish(std::shared_ptr<Communicator> communicator);
// Null, with words, if there is no such communicator.
std::shared_ptr<Communicator> findCommunicator(const char* function, HcclComm handle);
HcclResult destroyCommunicator(const char* function, HcclComm handle);
bool isNameTaken(int device, const std::string& name);

}  // namespace cann4j::hccl
