// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hccl/line.hpp"
#include "hccl/messages.hpp"

namespace cann4j::hccl {

// A communicator whose operations meet in another process, as one rank sees it.
class RemoteGroup : public Group {
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
  void end(std::string words);
  // The process of the coordinator has ended.
  void lose();

 private:
  struct Part {
    Call call;
    Buffer buffer;
  };
  // A task that the coordinator has been told of.
  struct Pending {
    std::vector<std::shared_ptr<Waiter>> waiters;
    std::vector<Part> parts;
    Clock::time_point deadline;
  };

  // The end of a wait for the first calls of peers.
  struct Links {
    HcclResult result = HCCL_SUCCESS;
    std::string words;
  };

  // False if the communicator has failed.
  bool keep(Pending pending, uint64_t* number);
  std::string silence(const Call& call) const;

  const uint32_t rank_;
  const std::vector<int> processes_;
  const std::shared_ptr<Line> line_;

  std::mutex mutex_;
  uint64_t lastNumber_ = 0;
  std::map<uint64_t, std::optional<Links>> awaits_;
  std::condition_variable linked_;
  std::map<uint64_t, Pending> pending_;
};

}  // namespace cann4j::hccl
