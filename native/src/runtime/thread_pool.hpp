// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

namespace cann4j {

// The one pool of worker threads, shared by all devices. Never destroyed: its threads end with the
// process, after static destructors of the host program may have run.
class ThreadPool {
 public:
  static ThreadPool& instance();

  int threads() const { return threads_; }

  // Runs soon on a worker. A job never blocks on another job, and throws nothing.
  void post(std::function<void()> job);

  // Posts the job when the time has come, unless cancelled before.
  using Clock = std::chrono::steady_clock;
  using Timer = std::pair<Clock::time_point, uint64_t>;
  Timer postAfter(std::chrono::microseconds delay, std::function<void()> job);
  void cancel(const Timer& timer);

  // Blocks the caller, which takes part; idle workers join. body(index) is called once for each
  // index in dynamic order. The words of a body's first exception are thrown as runtime_error.
  void parallelFor(int64_t count, const std::function<void(int64_t)>& body);

 private:
  explicit ThreadPool(int threads);
  void postFirst(int copies, const std::function<void()>& job);
  void work();
  void keepTime();

  int threads_ = 0;
  std::mutex mutex_;
  std::condition_variable available_;
  std::deque<std::function<void()>> jobs_;

  std::mutex timerMutex_;
  std::condition_variable timerChanged_;
  std::map<Timer, std::function<void()>> delayed_;
  uint64_t nextTimer_ = 0;
  bool timerStarted_ = false;
};

}  // namespace cann4j
