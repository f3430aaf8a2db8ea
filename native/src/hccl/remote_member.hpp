// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "hccl/formation.hpp"
#include "ipc/connection.hpp"
#include "runtime/remote_memory.hpp"

namespace cann4j::hccl {

// The coordinator's end of the connection with a rank of another process.
class RemoteMember : public ipc::Connection, public RemotePeer {
 public:
  // A rank that is still to say who it is.
  RemoteMember(ipc::File socket, std::shared_ptr<LocalFormation> formation, std::string key);
  // A rank of whose process the device is known already.
  RemoteMember(ipc::File socket, std::shared_ptr<RemoteMemory> memory);

  int processId() const override { return peer(); }
  void tellFailure(const std::string& words) override;

 private:
  void received(ipc::Reader& message, ipc::File file) override;
  void closed() override;

  void join(ipc::Reader& message, const ipc::File& file);
  void joinSub(ipc::Reader& message, ipc::File file);
  void enter(const std::shared_ptr<LocalFormation>& formation, Candidate candidate);
  void decided(const Outcome& outcome);
  void refuse(HcclResult result, const std::string& words);
  void serve(uint8_t kind, ipc::Reader& message);
  std::shared_ptr<RemoteMember> self();

  const std::string key_;
  std::shared_ptr<RemoteMemory> memory_;
  Candidate candidate_{};

  std::mutex state_;
  std::shared_ptr<LocalFormation> formation_;  // until it is decided
  std::shared_ptr<LocalGroup> group_;
  bool isOver_ = false;
};

// Lets ranks of other processes, if they know the key, into a formation. Throws std::system_error.
std::shared_ptr<ipc::Listener> openDoor(const std::string& name, const std::string& key,
                                        std::shared_ptr<LocalFormation> formation);

}  // namespace cann4j::hccl
