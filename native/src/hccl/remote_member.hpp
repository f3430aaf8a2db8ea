// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "hccl/messages.hpp"
#include "ipc/connection.hpp"
#include "runtime/remote_memory.hpp"

namespace cann4j::hccl {

// The coordinator's end of the connection with a rank of another process.
class RemoteMember : public ipc::Connection {
 public:
  // A rank that is still to say who it is.
  RemoteMember(ipc::File socket, std::shared_ptr<LocalFormation> formation, std::string key);
  // A rank of whose process the device is known already.
  RemoteMember(ipc::File socket, std::shared_ptr<RemoteMemory> memory);
  // A rank of a communicator that was elsewhere until now.
  RemoteMember(ipc::File socket, std::shared_ptr<LocalGroup> group, uint32_t rank);

  void tellFailure(const std::string& words);

  // For the end of this process; false if it did not come to that in time.
  bool awaitRejoined(Clock::time_point deadline);
  bool awaitHosting(Clock::time_point deadline);

 private:
  void received(ipc::Reader& message, ipc::File file) override;
  void closed() override;

  void join(ipc::Reader& message, const ipc::File& file);
  void joinSub(ipc::Reader& message, ipc::File file);
  void enter(const std::shared_ptr<LocalFormation>& formation, Candidate candidate);
  void decided(const Outcome& outcome);
  void refuse(HcclResult result, const std::string& words);
  void rejoin(ipc::Reader& message, const ipc::File& file);
  void serve(Kind kind, ipc::Reader& message);
  std::shared_ptr<RemoteMember> self();

  const std::string key_;
  std::shared_ptr<RemoteMemory> memory_;
  Candidate candidate_{};

  std::mutex state_;
  std::condition_variable changed_;
  std::shared_ptr<LocalFormation> formation_;  // until it is decided
  std::shared_ptr<LocalGroup> group_;
  bool isExpected_ = false;  // to rejoin
  bool isHosting_ = false;
  bool isOver_ = false;
};

// Sends word when the last part has ended. Of failures the group tells.
class RemoteWaiter : public Waiter {
 public:
  RemoteWaiter(std::shared_ptr<RemoteMember> member, uint64_t number, size_t parts)
      : member_(std::move(member)), number_(number), parts_(parts) {}

  bool isRemote() const override { return true; }
  void finish(const std::string* failure) override;
  // This part will not be carried out here.
  void giveBack(const Posted& part) const;

 private:
  const std::shared_ptr<RemoteMember> member_;  // and with it the memory of the buffers
  const uint64_t number_;
  std::atomic<size_t> parts_;
  std::atomic<bool> hasFailed_{false};
};

// Lets ranks of other processes, if they know the key, into a formation. Throws std::system_error.
std::shared_ptr<ipc::Listener> openDoor(const std::string& name, const std::string& key,
                                        std::shared_ptr<LocalFormation> formation);

}  // namespace cann4j::hccl
