// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace cann4j {

// For how long a device had kernels under way, whatever their number.
class Activity {
 public:
  void begin();
  void end();

  // In percent of the time since the last question (or the first kernel).
  int utilization();

 private:
  using Clock = std::chrono::steady_clock;

  std::mutex mutex_;
  int64_t running_ = 0;
  Clock::time_point since_;  // kernels have been running, if any are
  Clock::duration busy_{0};
  Clock::time_point asked_ = Clock::now();
};

Activity& activityOf(int device);

}  // namespace cann4j
