// SPDX-License-Identifier: Apache-2.0
#include "activity.hpp"

#include <array>

#include "options.hpp"

namespace cann4j {

void Activity::begin() {
  std::lock_guard lock(mutex_);
  if (running_++ == 0) {
    since_ = Clock::now();
  }
}

void Activity::end() {
  std::lock_guard lock(mutex_);
  if (--running_ == 0) {
    busy_ += Clock::now() - since_;
  }
}

int Activity::utilization() {
  std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (running_ > 0) {
    busy_ += now - since_;
    since_ = now;
  }
  const auto passed = now - asked_;
  const auto percent = passed.count() <= 0 ? 0 : 100 * busy_.count() / passed.count();
  busy_ = Clock::duration(0);
  asked_ = now;
  return static_cast<int>(percent > 100 ? 100 : percent);
}

Activity& activityOf(int device) {
  static auto& activities = *new std::array<Activity, kMaxDevices>;
  return activities[static_cast<size_t>(device)];
}

}  // namespace cann4j
