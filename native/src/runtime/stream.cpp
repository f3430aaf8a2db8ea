// SPDX-License-Identifier: Apache-2.0
#include "stream.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "error.hpp"
#include "options.hpp"
#include "thread_pool.hpp"

namespace cann4j {
namespace {

using Clock = std::chrono::steady_clock;

// After this long a stream lets the other streams have the thread.
constexpr std::chrono::microseconds kTurn{200};
constexpr int kLongestDelay = 1500;  // microseconds, random schedule

}  // namespace

// One task under way. Whoever comes second of "the task function returned" and "done was called"
// carries the stream on; so a stream of quick tasks loops on one thread instead of hopping.
struct Stream::Step {
  enum Phase { kInside, kParked, kDone };
  std::atomic<int> phase{kInside};
};

Stream::Stream(int device, uint64_t context, int32_t id)
    : device_(device), context_(context), id_(id),
      delays_(options().scheduleSeed * 1000003 + static_cast<uint64_t>(id)) {}

void Stream::submit(Task task) {
  std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  ++submitted_;
  if (!running_) {
    running_ = true;
    wake();
  }
}

void Stream::submitKernel(std::function<aclError()> kernel) {
  submit([kernel = std::move(kernel)](Done done) { done(kernel()); });
}

void Stream::wake() {
  auto job = [self = shared_from_this()] { self->run(); };
  if (options().randomSchedule) {
    const int delay = static_cast<int>(delays_() % (2 * kLongestDelay));
    if (delay < kLongestDelay) {
      ThreadPool::instance().postAfter(std::chrono::microseconds(delay), std::move(job));
      return;
    }
  }
  ThreadPool::instance().post(std::move(job));
}

void Stream::run() {
  const auto start = Clock::now();
  for (;;) {
    Task task;
    {
      std::lock_guard lock(mutex_);
      if (tasks_.empty()) {
        running_ = false;
        return;
      }
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    takeFailures();
    auto step = std::make_shared<Step>();
    auto done = [self = shared_from_this(), step](aclError code) {
      self->complete(code);  // before the next task can start, so that completions come in order
      const int phase = step->phase.exchange(Step::kDone);
      if (phase == Step::kDone) {
        std::fprintf(stderr, "cann4j: a task of stream %d completed twice\n", self->id_);
        std::abort();
      }
      if (phase == Step::kParked) {
        std::lock_guard lock(self->mutex_);
        self->wake();
      }
    };
    try {
      task(done);
    } catch (const std::exception& e) {
      done(fail(ACL_ERROR_RT_AICORE_EXCEPTION, "the kernel failed: %s", e.what()));
    }
    task = nullptr;
    int inside = Step::kInside;
    if (step->phase.compare_exchange_strong(inside, Step::kParked)) {
      return;
    }
    if (options().randomSchedule || Clock::now() - start > kTurn) {
      std::lock_guard lock(mutex_);
      if (tasks_.empty()) {
        running_ = false;
      } else {
        wake();
      }
      return;
    }
  }
}

void Stream::complete(aclError code) {
  std::string words = code == ACL_SUCCESS ? std::string() : takeFailures();
  std::lock_guard lock(mutex_);
  if (code != ACL_SUCCESS && error_ == ACL_SUCCESS) {
    error_ = code;
    errorText_ = std::move(words);
  }
  ++completed_;
  progress_.notify_all();
}

aclError Stream::synchronize(int32_t timeout, bool* completed) {
  std::unique_lock lock(mutex_);
  const uint64_t target = submitted_;
  const auto reached = [&] { return completed_ >= target; };
  *completed = true;
  if (timeout < 0) {
    progress_.wait(lock, reached);
  } else if (!progress_.wait_for(lock, std::chrono::milliseconds(timeout), reached)) {
    *completed = false;
    return ACL_SUCCESS;
  }
  const aclError error = std::exchange(error_, ACL_SUCCESS);
  const std::string words = std::exchange(errorText_, std::string());
  lock.unlock();
  return error == ACL_SUCCESS
             ? ACL_SUCCESS
             : fail(error, "a task of stream %d on device %d failed: %s", id_, device_,
                    words.empty() ? "no words were recorded" : words.c_str());
}

bool Stream::idle() {
  std::lock_guard lock(mutex_);
  return completed_ == submitted_;
}

void Stream::abandon() {
  std::deque<Task> dropped;
  std::lock_guard lock(mutex_);
  completed_ += tasks_.size();
  dropped.swap(tasks_);
  progress_.notify_all();
}

}  // namespace cann4j
