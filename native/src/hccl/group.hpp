// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "hccl/call.hpp"
#include "hccl/collective.hpp"
#include "hccl/settings.hpp"
#include "hccl/waiter.hpp"
#include "hccl/watchdog.hpp"

namespace cann4j::hccl {

// One end of a transfer between two ranks: the k-th (ticket) from its source to its destination.
struct Posted {
  Call call;
  uint64_t ticket;
  Buffer buffer;
  std::shared_ptr<Waiter> waiter;
};

// What the ranks of one communicator share: the meeting place of their operations. Operations wait
// here without a thread; whoever comes last carries the data of all. The first failure ends all
// that wait and all that come later, because the ranks do not agree any more on what comes next.
class Group : public std::enable_shared_from_this<Group> {
 public:
  // devices[r] is the device of rank r.
  Group(std::string name, std::vector<int> devices, Settings settings);

  const std::string& name() const { return name_; }
  uint32_t size() const { return static_cast<uint32_t>(devices_.size()); }
  int device(uint32_t rank) const { return devices_[rank]; }
  const Settings& settings() const { return settings_; }

  // Sends and receives of one task that its stream has reached.
  void post(std::vector<Posted> posts);
  // A rank's part in the collective operation number `sequence`, which its stream has reached.
  void arrive(uint64_t sequence, Arrival arrival);
  // The rank has destroyed its communicator: who waits for it waits in vain.
  void leave(uint32_t rank);

  // Why the communicator is of no use any more; null while it is.
  const std::string* failure() const { return failed_.load(); }

  void addInFlight(uint32_t rank) { ++members_[rank].inFlight; }
  void removeInFlight(uint32_t rank) { --members_[rank].inFlight; }
  bool isBusy(uint32_t rank) const { return members_[rank].inFlight.load() != 0; }

  // Ends what has waited for too long; returns when to look again.
  Clock::time_point expire(Clock::time_point now);

 private:
  struct Member {
    std::atomic<uint32_t> inFlight{0};
    bool left = false;
  };
  struct WaitingEnd {
    Posted posted;
    Clock::time_point deadline;
  };
  struct Meeting {
    std::vector<Arrival> arrivals;  // indexed by rank; those without a waiter are still missing
    uint32_t missing;
    Clock::time_point deadline;
  };
  using PairKey = std::tuple<uint32_t, uint32_t, uint64_t>;  // source, destination, ticket
  struct Pair {
    Posted send;
    Posted receive;
  };
  using Waiters = std::vector<std::shared_ptr<Waiter>>;

  Clock::time_point deadline() const;
  void carry(std::vector<Pair> pairs);
  void carry(std::vector<Arrival> arrivals);
  std::string freedBuffer(const Call& call, const Buffer& buffer) const;

  // With mutex_ held. What they return is to be finished with failure() after unlocking.
  Waiters failLocked(std::string words);
  std::string disagreement(uint64_t sequence, const Meeting& meeting, const Arrival& late) const;
  std::string missedRanks(const Meeting& meeting) const;
  std::string missedPeer(const Call& call) const;
  std::string whereabouts(uint32_t rank) const;
  std::string timeoutAdvice() const;
  const Call* waitingCall(uint32_t rank, uint32_t* waiting) const;

  void failNow(std::string words);
  void finishAll(const Waiters& waiters) const;

  const std::string name_;
  const std::vector<int> devices_;
  const Settings settings_;
  std::vector<Member> members_;

  std::mutex mutex_;
  std::map<PairKey, WaitingEnd> waitingEnds_;
  std::map<uint64_t, Meeting> meetings_;
  std::string failure_;  // never changes once failed_ points to it
  std::atomic<const std::string*> failed_{nullptr};
};

}  // namespace cann4j::hccl
