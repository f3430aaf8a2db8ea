// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hccl/messages.hpp"
#include "ipc/connection.hpp"

namespace cann4j::hccl {

class RemoteGroup;

// For how much longer than its own limits the coordinator may remain silent.
inline constexpr std::chrono::seconds kGrace{3};

// A rank's end of the connection with the coordinator of its communicator.
class Line : public ipc::Connection {
 public:
  explicit Line(ipc::File socket) : Connection(std::move(socket)), coordinator_(peer()) {}
  // Where this process made both ends.
  Line(ipc::File socket, pid_t coordinator)
      : Connection(std::move(socket)), coordinator_(coordinator) {}
  // Of a communicator that was elsewhere until now.
  Line(ipc::File socket, pid_t coordinator, std::shared_ptr<RemoteGroup> group);

  pid_t coordinator() const { return coordinator_; }

  // What asks the coordinator to let a rank in, and the connection to send it on.
  struct Request {
    ipc::Connection& on;
    ipc::Writer message;
    ipc::File file;
  };
  struct Answer {
    HcclResult result;
    std::string words;
    bool isEnd = false;  // that of the connection
  };
  // Sends the request and waits for the answer.
  Answer join(const Candidate& candidate, Request request, std::shared_ptr<Group>* group);

 private:

  void received(ipc::Reader& message, ipc::File file) override;
  void closed() override;
  void serve(RemoteGroup& joined, Kind kind, ipc::Reader& message);
  void answer(Answer answer);
  void welcome(ipc::Reader& message);
  void move(pid_t coordinator, ipc::File socket);
  std::shared_ptr<RemoteGroup> group();

  const pid_t coordinator_;
  Candidate candidate_{};

  std::mutex state_;
  std::condition_variable answered_;
  std::optional<Answer> answer_;
  std::shared_ptr<RemoteGroup> group_;  // until the end
  bool isTaken_ = false;
  std::string earlyFailure_;            // came before the answer
  std::shared_ptr<LocalGroup> hosted_;  // being handed over to this process
};

// A formation in the process that listens under `name` and lets in who knows the key. `origin` is
// that process; if nobody listens and it is alive, it does not want to any more.
std::shared_ptr<Formation> remoteFormation(std::string name, std::string key, pid_t origin);
// The same as part of a longer search: `*isThere` tells whether anybody listens.
HcclResult joinThere(const char* function, const std::string& name, const std::string& key,
                     const Candidate& candidate, std::shared_ptr<Group>* group, bool* isThere);

// A formation where the operations of the parent meet.
std::shared_ptr<Formation> remoteSubFormation(std::shared_ptr<RemoteGroup> parent,
                                              uint64_t subCommId, std::vector<uint32_t> ranks);

}  // namespace cann4j::hccl
