// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <tuple>

#include "hccl/group.hpp"
#include "hccl/links.hpp"

namespace cann4j::hccl {

// The meeting place of a communicator's operations. They wait here without a thread; whoever comes
// last carries the data of all.
class LocalGroup : public Group {
 public:
  LocalGroup(std::string name, std::vector<int> devices, Settings settings);

  void offer(const Call& call, const std::vector<uint32_t>& peers) override;
  HcclResult await(const char* function, const Call& call,
                   const std::vector<uint32_t>& peers) override;
  void fail(std::string words) override;
  void post(std::vector<Posted> posts) override;
  void arrive(uint64_t sequence, Arrival arrival) override;
  void leave(uint32_t rank) override;
  std::shared_ptr<Formation> subFormation(const char* function, uint64_t subCommId,
                                          const std::vector<uint32_t>& ranks,
                                          HcclResult* result) override;
  Clock::time_point expire(Clock::time_point now) override;

 private:
  struct Member {
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

  void finishAll(const Waiters& waiters);
  void failIfLeft(const Call& call, const std::vector<uint32_t>& peers);
  void giveUpAwaiting(const Call& call);
  bool hasLeft(uint32_t rank);

  Links links_;
  std::mutex mutex_;
  std::vector<Member> members_;
  std::map<PairKey, WaitingEnd> waitingEnds_;
  std::map<uint64_t, Meeting> meetings_;
};

}  // namespace cann4j::hccl
