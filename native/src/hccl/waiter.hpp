// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "runtime/stream.hpp"

namespace cann4j::hccl {

class Group;

// Who has to learn that a part of a task has ended.
class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  virtual ~Waiter() = default;

  // One part has ended; `failure`, owned by the group, says why it could not be carried out, null
  // if it was. Not to be called with the group locked.
  virtual void finish(const std::string* failure) = 0;

  // Of another process. To be finished before those of this one, which may end then.
  virtual bool isRemote() const { return false; }
};

// One stream task that communicates: it ends when its last part did, and counts as in flight from
// its submission on, also if its stream never gets to it.
class TaskWaiter : public Waiter {
 public:
  TaskWaiter(std::shared_ptr<Group> group, uint32_t rank, uint32_t parts);
  ~TaskWaiter() override;

  // The stream has reached the task.
  void start(Stream::Done done);
  void finish(const std::string* failure) override;

 private:
  std::shared_ptr<Group> group_;  // until the task ended
  uint32_t rank_;
  std::atomic<uint32_t> parts_;
  std::atomic<const std::string*> failure_{nullptr};
  Stream::Done done_;
};

}  // namespace cann4j::hccl
