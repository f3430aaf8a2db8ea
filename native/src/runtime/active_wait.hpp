// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>

namespace cann4j {

// To be blocked and woken takes a thread longer than most of what it waits for. So it looks again
// and again for some microseconds before, unless others want its core, and helps meanwhile: with
// open jobs of the pool, and by looking for messages of other processes.
class ActiveWait {
 public:
  // Whether it came to that in time.
  template <class Reached>
  static bool until(const Reached& reached) {
    if (reached()) {
      return true;
    }
    ActiveWait wait;
    while (wait.goesOn()) {
      if (reached()) {
        return wait.success();
      }
    }
    return reached();
  }

  // What looks for messages, and what it has to know of when somebody begins and ends to look.
  struct Source {
    bool (*look)();
    void (*begin)();
    void (*end)();
  };
  static void setSource(const Source* source) { source_ = source; }

 private:
  using Clock = std::chrono::steady_clock;

  ActiveWait();
  ActiveWait(const ActiveWait&) = delete;
  ~ActiveWait();
  bool goesOn();
  bool help();
  bool success();

  static std::atomic<const Source*> source_;

  const bool isWorthIt_;
  const Source* used_ = nullptr;
  unsigned looks_ = 0;
  Clock::time_point end_;
};

}  // namespace cann4j
