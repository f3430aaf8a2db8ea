// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hccl/line.hpp"
#include "hccl/messages.hpp"

namespace cann4j::hccl {

// A communicator whose operations meet in another process, as one rank sees it.
class RemoteGroup : public Group, public std::enable_shared_from_this<RemoteGroup> {
 public:
  RemoteGroup(const Welcome& welcome, const Candidate& candidate, std::shared_ptr<Line> line);

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

  // What the coordinator says.
  void linked(uint64_t number, HcclResult result, std::string words);
  void done(uint64_t number);
  void returned(uint64_t number, const Call& call, uint64_t ticket);
  void end(std::string words);
  // The process at the other end has ended.
  void lose(const Line& line);

  uint32_t rank() const { return rank_; }
  bool hasLeft();

  // To another coordinator, which knows of nothing yet.
  void move(std::shared_ptr<Line> line);
  std::shared_ptr<Line> line();
  // Whether the operations meet elsewhere now, or will in a moment.
  bool hasMovedFrom(const Line& line);

 private:
  // A call that waits for the first calls of its peers.
  struct Await {
    Call call;
    std::vector<uint32_t> peers;
    bool isOver = false;
    HcclResult result = HCCL_SUCCESS;
    std::string words;
  };
  // A task that the coordinator has been told of: posts or an arrival.
  struct Pending {
    std::vector<std::shared_ptr<Waiter>> waiters;
    std::vector<Posted> posts;
    std::vector<Posted> returned;  // if any: only these of the posts are still to be carried out
    Arrival arrival;
    uint64_t sequence = 0;
    Clock::time_point deadline;

    const Call& call() const { return posts.empty() ? arrival.call : posts.front().call; }
  };

  void keep(Pending pending);
  // With mutex_ held.
  void say(uint64_t number, const Pending& pending);
  void say(uint64_t number, const Await& await);
  std::string silence(const Call& call) const;

  const uint32_t rank_;
  const std::vector<int> processes_;

  std::mutex mutex_;
  std::shared_ptr<Line> line_;
  bool hasLeft_ = false;
  std::condition_variable changed_;
  uint64_t lastNumber_ = 0;
  std::map<uint32_t, Call> offers_;  // by peer
  std::map<uint64_t, Await> awaits_;
  std::map<uint64_t, Pending> pending_;
};

}  // namespace cann4j::hccl
