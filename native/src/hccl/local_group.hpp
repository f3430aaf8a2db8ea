// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>

#include "hccl/group.hpp"
#include "hccl/links.hpp"

namespace cann4j::hccl {

class RemoteMember;

// By rank; null for those of this process.
using RemoteMembers = std::vector<std::shared_ptr<RemoteMember>>;

// The meeting place of a communicator's operations. They wait here without a thread; whoever comes
// last carries the data of all.
class LocalGroup : public Group, public std::enable_shared_from_this<LocalGroup> {
 public:
  LocalGroup(std::string name, std::vector<int> devices, std::vector<int> processes,
             Settings settings, RemoteMembers remotes);

  void offer(const Call& call, const std::vector<uint32_t>& peers) override;
  HcclResult await(const char* function, const Call& call,
                   const std::vector<uint32_t>& peers) override;
  void await(const Call& call, const std::vector<uint32_t>& peers, Links::Decided decided);
  // The call has waited for as long as it may.
  void giveUpAwaiting(const Call& call);
  void fail(std::string words) override;
  void post(std::vector<Posted> posts) override;
  void arrive(uint64_t sequence, Arrival arrival) override;
  void leave(uint32_t rank) override;
  std::shared_ptr<Formation> subFormation(const char* function, uint64_t subCommId,
                                          const std::vector<uint32_t>& ranks,
                                          HcclResult* result) override;
  Clock::time_point expire(Clock::time_point now) override;

  // The process of each rank.
  const std::vector<int>& processes() const { return processes_; }
  // The process of a rank has ended, perhaps after the rank had left.
  void lose(uint32_t rank);

  // What is left of a meeting place that its own process has no more use for.
  struct Remainder {
    RemoteMembers members;          // by rank; null for those that have left
    std::vector<Posted> unmatched;  // to be posted again elsewhere
  };
  // Ends the meetings here if only ranks of other processes need them; what arrives from now on is
  // ignored, because it will arrive again elsewhere.
  std::optional<Remainder> stop(Clock::time_point deadline);
  bool isStopped();
  // The connection with a rank of a meeting place that was elsewhere before.
  void take(uint32_t rank, std::shared_ptr<RemoteMember> member);

 private:
  struct Member {
    bool left = false;
    std::shared_ptr<RemoteMember> remote;  // until it has left
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
  // Return why the data could not be moved, nothing if they were.
  static std::string move(const std::vector<Pair>& pairs);
  static std::string move(const std::vector<Arrival>& arrivals);
  void conclude(const Waiters& waiters, const std::function<std::string()>& move);

  // With mutex_ held. What they return is to be finished with failure() after unlocking.
  Waiters failLocked(std::string words);
  std::string disagreement(uint64_t sequence, const Meeting& meeting, const Arrival& late) const;
  std::string missedRanks(const Meeting& meeting) const;
  std::string missedPeer(const Call& call) const;
  std::string whereabouts(uint32_t rank) const;
  std::string timeoutAdvice() const;
  const Call* waitingCall(uint32_t rank, uint32_t* waiting) const;

  std::string processOf(uint32_t rank) const;
  void finishAll(const Waiters& waiters);
  void failIfLeft(const Call& call, const std::vector<uint32_t>& peers);
  bool hasLeft(uint32_t rank);

  const std::vector<int> processes_;
  Links links_;
  std::mutex mutex_;
  std::vector<Member> members_;
  bool isStopped_ = false;
  int carries_ = 0;  // under way
  std::condition_variable settled_;
  std::map<PairKey, WaitingEnd> waitingEnds_;
  std::map<uint64_t, Meeting> meetings_;
};

}  // namespace cann4j::hccl
