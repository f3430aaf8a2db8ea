// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>

namespace cann4j {

// The one pool of worker threads, shared by all devices. Never destroyed: its threads end with the
// process, after static destructors of the host program may have run.
class ThreadPool {
 public:
  static ThreadPool& instance();

  int threads() const { return threads_; }

  // Runs soon on a worker. A job never blocks on another job, and throws nothing.
  void post(std::function<void()> job);

  void postAfter(std::chrono::microseconds delay, std::function<void()> job);

  // Blocks the caller, which takes part; idle workers join. body(index) is called once for each
  // index in dynamic order. The words of a body's first exception are thrown as runtime_error.
  void parallelFor(int64_t count, const std::function<void(int64_t)>& body);

 private:
  using Clock = std::chrono::steady_clock;

  explicit ThreadPool(int threads);
  void postFirst(int copies, const std::function<void()>& job);
  void work();
  void keepTime();

  const int threads_;
  std::mutex mutex_;
  std::condition_variable available_;
  std::deque<std::function<void()>> jobs_;

  std::mutex timerMutex_;
  std::condition_variable timerChanged_;
  std::multimap<Clock::time_point, std::function<void()>> delayed_;
  bool timerStarted_ = false;
};

}  // namespace cann4j
