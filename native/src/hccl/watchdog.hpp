// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace cann4j::hccl {

class Group;

using Clock = std::chrono::steady_clock;

// Ends the operations of all groups whose peers do not come in time. One thread, started by the
// first wait; a wait that is due no earlier than an already planned look costs one atomic load.
class Watchdog {
 public:
  static Watchdog& instance();

  void watch(const std::shared_ptr<Group>& group);
  void lookBy(Clock::time_point deadline);
  // All that are alive.
  std::vector<std::shared_ptr<Group>> groups();

 private:
  Watchdog() = default;
  void run();
  Clock::time_point expireAll();

  std::atomic<int64_t> nextLook_{Clock::time_point::max().time_since_epoch().count()};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::weak_ptr<Group>> groups_;
  Clock::time_point requested_ = Clock::time_point::max();
  bool started_ = false;
};

}  // namespace cann4j::hccl
