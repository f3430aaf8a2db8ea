// SPDX-License-Identifier: Apache-2.0
#include "thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "active_wait.hpp"
#include "forked.hpp"
#include "options.hpp"

namespace cann4j {
namespace {

thread_local bool isWorker = false;
thread_local bool isHelper = false;

struct Loop {
  explicit Loop(int64_t indices) : count(indices) {}

  // Helpers that come late find no index left and never touch the body.
  void run(const std::function<void(int64_t)>& body) {
    int64_t done = 0;
    for (int64_t index = next.fetch_add(1); index < count; index = next.fetch_add(1)) {
      try {
        body(index);
      } catch (const std::exception& e) {
        std::lock_guard lock(mutex);
        if (!failure) {
          failure = e.what();
        }
      }
      ++done;
    }
    if (done == 0) {
      return;
    }
    std::lock_guard lock(mutex);
    completed += done;
    if (completed == count) {
      finished.notify_all();
    }
  }

  bool isComplete() const { return completed == count; }

  void wait() {
    std::unique_lock lock(mutex);
    finished.wait(lock, [this] { return completed == count; });
    if (failure) {
      throw std::runtime_error(*failure);
    }
  }

  const int64_t count;
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::condition_variable finished;
  std::atomic<int64_t> completed{0};
  std::optional<std::string> failure;  // words only: thread sanitizers misread exception_ptr
};

}  // namespace

ThreadPool& ThreadPool::instance() {
  static ThreadPool& pool = *new ThreadPool(options().threads);
  return pool;
}

// With fewer threads than wished, down to one, it works as well.
ThreadPool::ThreadPool(int threads) {
  expectForks();
  for (; threads_ < threads; ++threads_) {
    try {
      std::thread([this] { work(); }).detach();
    } catch (const std::exception&) {
      if (threads_ == 0) {
        throw;
      }
      return;
    }
  }
}

void ThreadPool::post(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    waitingJobs_ = jobs_.size();
  }
  available_.notify_one();
}

// Behind all jobs: while there are any, each thread is better off with one of its own, for which it
// needs to wait for nobody in the end.
void ThreadPool::postShares(int copies, const Share& share) {
  {
    std::lock_guard lock(mutex_);
    shares_.insert(shares_.begin(), static_cast<size_t>(copies), share);
  }
  if (copies == 1) {
    available_.notify_one();
  } else {
    available_.notify_all();
  }
}

void ThreadPool::work() {
  isWorker = true;
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      available_.wait(
          lock, [this] { return !open_.empty() || !jobs_.empty() || !shares_.empty(); });
      if (!open_.empty()) {
        job = std::move(open_.front().run);
        open_.pop_front();
        openJobs_ = open_.size();
      } else if (!jobs_.empty()) {
        job = std::move(jobs_.front());
        jobs_.pop_front();
        waitingJobs_ = jobs_.size();
      } else {
        job = std::move(shares_.front().run);
        shares_.pop_front();
      }
    }
    job();
  }
}

bool ThreadPool::isHere() { return isWorker; }

void ThreadPool::postOpen(std::function<void()> job) {
  std::unique_lock lock(mutex_);
  open_.push_back({std::move(job), nullptr});
  wakeForOpen(std::move(lock));
}

void ThreadPool::wakeForOpen(std::unique_lock<std::mutex> lock) {
  openJobs_ = open_.size();
  const size_t lacking = open_.size() - std::min<size_t>(open_.size(), helpers_);
  lock.unlock();
  if (lacking == 1) {
    available_.notify_one();
  } else if (lacking > 1) {
    available_.notify_all();
  }
}

bool ThreadPool::help() {
  std::function<void()> job;
  {
    std::lock_guard lock(mutex_);
    if (open_.empty()) {
      return false;
    }
    job = std::move(open_.front().run);
    open_.pop_front();
    openJobs_ = open_.size();
    --helpers_;
  }
  isHelper = false;
  job();
  job = nullptr;
  startHelping();
  return true;
}

bool ThreadPool::hasHelpers() const {
  return helpers_.load(std::memory_order_relaxed) > (isHelper ? 1U : 0U);
}

void ThreadPool::startHelping() {
  isHelper = true;
  ++helpers_;
}

void ThreadPool::stopHelping() {
  isHelper = false;
  --helpers_;
  if (openJobs_ == 0) {
    return;
  }
  std::unique_lock lock(mutex_);
  wakeForOpen(std::move(lock));
}

// Nothing is left for who has not begun.
void ThreadPool::withdraw(std::deque<Share>& shares, const void* loop) {
  std::erase_if(shares, [loop](const Share& share) { return share.loop == loop; });
}

void ThreadPool::parallelFor(int64_t count, const std::function<void(int64_t)>& body) {
  if (count <= 0) {
    return;
  }
  if (count == 1 || threads_ == 1) {
    for (int64_t index = 0; index < count; ++index) {
      body(index);
    }
    return;
  }
  auto loop = std::make_shared<Loop>(count);
  const int helpers = static_cast<int>(std::min<int64_t>(count, threads_) - 1);
  postShares(helpers, {[loop, &body] { loop->run(body); }, loop.get()});
  loop->run(body);
  {
    std::lock_guard lock(mutex_);
    withdraw(shares_, loop.get());
  }
  loop->wait();
}

void ThreadPool::parallelForOpen(int64_t count, const std::function<void(int64_t)>& body) {
  if (count <= 1 || (threads_ == 1 && !hasHelpers())) {
    parallelFor(count, body);
    return;
  }
  auto loop = std::make_shared<Loop>(count);
  {
    const int64_t helpers = std::min<int64_t>(count, threads_) - 1;
    std::unique_lock lock(mutex_);
    open_.insert(open_.begin(), static_cast<size_t>(std::max<int64_t>(1, helpers)),
                 {[loop, &body] { loop->run(body); }, loop.get()});
    wakeForOpen(std::move(lock));
  }
  loop->run(body);
  {
    std::lock_guard lock(mutex_);
    withdraw(open_, loop.get());
    openJobs_ = open_.size();
  }
  ActiveWait::until([&loop] { return loop->isComplete(); });
  loop->wait();
}

ThreadPool::Timer ThreadPool::postAfter(std::chrono::microseconds delay,
                                        std::function<void()> job) {
  std::lock_guard lock(timerMutex_);
  if (!timerStarted_) {
    std::thread([this] { keepTime(); }).detach();
    timerStarted_ = true;
  }
  const Timer timer{Clock::now() + delay, nextTimer_++};
  delayed_.emplace(timer, std::move(job));
  timerChanged_.notify_one();
  return timer;
}

void ThreadPool::cancel(const Timer& timer) {
  std::function<void()> dropped;  // its destructor may need the lock
  std::lock_guard lock(timerMutex_);
  if (const auto found = delayed_.find(timer); found != delayed_.end()) {
    dropped = std::move(found->second);
    delayed_.erase(found);
  }
}

void ThreadPool::keepTime() {
  std::unique_lock lock(timerMutex_);
  for (;;) {
    if (delayed_.empty()) {
      timerChanged_.wait(lock);
      continue;
    }
    const auto next = delayed_.begin();
    const auto due = next->first.first;
    if (due > Clock::now()) {
      timerChanged_.wait_until(lock, due);
      continue;
    }
    auto job = std::move(next->second);
    delayed_.erase(next);
    lock.unlock();
    post(std::move(job));
    lock.lock();
  }
}

}  // namespace cann4j
