// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "hccl/group.hpp"
#include "hccl/memory_ranges.hpp"
#include "hccl/operation.hpp"

namespace cann4j::hccl {

enum class Origin { kWorld, kRankTable, kSub };

// An operation that a call asks for: a part in a collective one, or sends and receives.
struct Work {
  Call call;  // names it as a whole
  std::optional<Arrival> arrival;
  std::vector<Posted> posts;
};

// One rank's end of a group, behind an HcclComm. Operations get their place in the order (the
// number of a collective, the ticket of a transfer) when they are called, not when a stream reaches
// them; so ranks agree on it whatever streams they use.
class Communicator {
 public:
  Communicator(std::shared_ptr<Group> group, uint32_t rank, Origin origin, std::thread::id driver);

  const std::shared_ptr<Group>& group() const { return group_; }
  const std::string& name() const { return group_->name(); }
  uint32_t rank() const { return rank_; }
  uint32_t size() const { return group_->size(); }
  int device() const { return group_->device(rank_); }
  Origin origin() const { return origin_; }
  // The thread that made it, or made the last call with it.
  std::thread::id driver() const { return driver_.load(); }
  MemoryRanges& memory() { return memory_; }

  HcclResult checkUsable(const char* function) const;

  // The three steps of a call: the peers learn of it; they have made theirs; it is queued.
  void offerLinks(const Work& work);
  HcclResult awaitLinks(const char* function, const Work& work);
  // `callNumber` from nextCall(); the streams of one call may be several.
  HcclResult enqueue(const char* function, Work work, uint64_t callNumber, Stream& stream);
  uint64_t nextCall() { return ++lastCall_; }

  void suspend() { suspended_ = true; }
  void resume() { suspended_ = false; }

  // HCCL_E_AGAIN while operations, or calls of other threads, are under way.
  HcclResult close(const char* function);

  // A thread is inside a call that uses the communicator, until leaveCall.
  HcclResult enterCall(const char* function);
  void leaveCall();

 private:
  std::vector<uint32_t> unlinkedPeers(const Work& work) const;
  void explainTimeout(const char* function) const;
  std::function<void(Stream::Done)> taskOf(Work work, std::shared_ptr<Operation> operation);

  const std::shared_ptr<Group> group_;
  const uint32_t rank_;
  const Origin origin_;
  const std::shared_ptr<Order> order_;
  std::atomic<std::thread::id> driver_;
  std::atomic<bool> suspended_{false};
  MemoryRanges memory_;
  std::mutex mutex_;
  bool closed_ = false;
  int uses_ = 0;
  // For the one thread that is in a call.
  std::vector<bool> linked_;
  uint64_t lastCall_ = 0;
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
std::vector<std::pair<HcclComm, std::shared_ptr<Communicator>>> liveCommunicators();
// Null if the device has no communicator of that name.
HcclComm findByName(int device, const std::string& name);

}  // namespace cann4j::hccl
