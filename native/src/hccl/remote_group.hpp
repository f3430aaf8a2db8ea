// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hccl/formation.hpp"
#include "hccl/group.hpp"
#include "hccl/messages.hpp"
#include "ipc/connection.hpp"

namespace cann4j::hccl {

class RemoteGroup;

// A rank's end of the connection with the coordinator of its communicator.
class Line : public ipc::Connection {
 public:
  explicit Line(ipc::File socket) : Connection(std::move(socket)), coordinator_(peer()) {}
  // Where this process made both ends.
  Line(ipc::File socket, pid_t coordinator)
      : Connection(std::move(socket)), coordinator_(coordinator) {}

  pid_t coordinator() const { return coordinator_; }

  // What asks the coordinator to let a rank in, and the connection to send it on.
  struct Request {
    ipc::Connection& on;
    ipc::Writer message;
    ipc::File file;
  };
  // Sends the request and waits for the answer.
  HcclResult join(const char* function, const Candidate& candidate, Request request,
                  std::shared_ptr<Group>* group);

 private:
  struct Answer {
    std::shared_ptr<RemoteGroup> group;
    HcclResult failure = HCCL_SUCCESS;
    std::string words;
  };

  void received(ipc::Reader& message, ipc::File file) override;
  void closed() override;
  void answer(Answer answer);
  std::shared_ptr<RemoteGroup> group();

  const pid_t coordinator_;
  Candidate candidate_{};

  std::mutex state_;
  std::condition_variable answered_;
  std::optional<Answer> answer_;
  std::shared_ptr<RemoteGroup> group_;  // until the end
  std::string earlyFailure_;            // came before the answer
};

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

// A formation in the process that listens under `name` and lets in who knows the key. `origin` is
// that process; if nobody listens and it is alive, it does not want to any more.
std::shared_ptr<Formation> remoteFormation(std::string name, std::string key, pid_t origin);
// The same as part of a longer search: `*isThere` tells whether anybody listens.
HcclResult joinThere(const char* function, const std::string& name, const std::string& key,
                     const Candidate& candidate, std::shared_ptr<Group>* group, bool* isThere);

}  // namespace cann4j::hccl
