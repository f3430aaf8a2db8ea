// SPDX-License-Identifier: Apache-2.0
#include "hccl/watchdog.hpp"

#include <algorithm>
#include <thread>

#include "hccl/group.hpp"

namespace cann4j::hccl {
namespace {

constexpr Clock::time_point kNever = Clock::time_point::max();

int64_t ticks(Clock::time_point time) { return time.time_since_epoch().count(); }

}  // namespace

Watchdog& Watchdog::instance() {
  // Never destroyed: its thread outlives static destruction.
  static Watchdog& watchdog = *new Watchdog();
  return watchdog;
}

void Watchdog::watch(const std::shared_ptr<Group>& group) {
  std::lock_guard lock(mutex_);
  std::erase_if(groups_, [](const std::weak_ptr<Group>& known) { return known.expired(); });
  groups_.push_back(group);
}

void Watchdog::lookBy(Clock::time_point deadline) {
  if (ticks(deadline) >= nextLook_.load()) {
    return;
  }
  std::lock_guard lock(mutex_);
  requested_ = std::min(requested_, deadline);
  if (!started_) {
    started_ = true;
    std::thread([this] { run(); }).detach();
  }
  changed_.notify_one();
}

void Watchdog::run() {
  for (;;) {
    // While groups are looked through, every new wait must ask for its own look.
    nextLook_.store(ticks(kNever));
    Clock::time_point next = expireAll();
    std::unique_lock lock(mutex_);
    next = std::min(next, requested_);
    requested_ = kNever;
    nextLook_.store(ticks(next));
    while (requested_ >= next && Clock::now() < next) {
      if (next == kNever) {
        changed_.wait(lock);
      } else {
        changed_.wait_until(lock, next);
      }
    }
  }
}

std::vector<std::shared_ptr<Group>> Watchdog::groups() {
  std::vector<std::shared_ptr<Group>> live;
  std::lock_guard lock(mutex_);
  for (const std::weak_ptr<Group>& known : groups_) {
    if (std::shared_ptr<Group> group = known.lock()) {
      live.push_back(std::move(group));
    }
  }
  return live;
}

Clock::time_point Watchdog::expireAll() {
  Clock::time_point next = kNever;
  for (const std::shared_ptr<Group>& group : groups()) {
    next = std::min(next, group->expire(Clock::now()));
  }
  return next;
}

}  // namespace cann4j::hccl
