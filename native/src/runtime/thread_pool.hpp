// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
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
  // The same for a job that a thread which waits for a stream may carry out as well, see help().
  void postOpen(std::function<void()> job);

  // Posts the job when the time has come, unless cancelled before.
  using Clock = std::chrono::steady_clock;
  using Timer = std::pair<Clock::time_point, uint64_t>;
  Timer postAfter(std::chrono::microseconds delay, std::function<void()> job);
  void cancel(const Timer& timer);

  // Blocks the caller, which takes part; idle workers join. body(index) is called once for each
  // index in dynamic order. The words of a body's first exception are thrown as runtime_error.
  void parallelFor(int64_t count, const std::function<void(int64_t)>& body);
  // The same with threads that wait for a stream; the body knows of no thread.
  void parallelForOpen(int64_t count, const std::function<void(int64_t)>& body);

  // Carries out an open job, if there is any. For a thread that calls this again and again between
  // startHelping and stopHelping; no worker is woken for jobs that such threads will take.
  bool help();
  bool hasOpenJobs() const { return openJobs_.load(std::memory_order_relaxed) > 0; }
  void startHelping();
  void stopHelping();
  // Beside this thread.
  bool hasHelpers() const;
  // Whether a job waits for a worker: then nobody joins a loop before its end.
  bool hasWaitingJobs() const { return waitingJobs_.load(std::memory_order_relaxed) > 0; }
  // Whether this thread is a worker.
  static bool isHere();

 private:
  explicit ThreadPool(int threads);
  struct Share {
    std::function<void()> run;
    const void* loop;  // of which it is a share; null of an open job that must be carried out
  };
  void postShares(int copies, const Share& share);
  static void withdraw(std::deque<Share>& shares, const void* loop);
  void wakeForOpen(std::unique_lock<std::mutex> lock);
  void work();
  void keepTime();

  int threads_ = 0;
  std::mutex mutex_;
  std::condition_variable available_;
  std::deque<std::function<void()>> jobs_;
  std::deque<Share> shares_;
  std::deque<Share> open_;
  std::atomic<size_t> waitingJobs_{0};  // the number of jobs_
  std::atomic<size_t> openJobs_{0};     // of open_
  std::atomic<size_t> helpers_{0};      // threads that call help()

  std::mutex timerMutex_;
  std::condition_variable timerChanged_;
  std::map<Timer, std::function<void()>> delayed_;
  uint64_t nextTimer_ = 0;
  bool timerStarted_ = false;
};

}  // namespace cann4j
