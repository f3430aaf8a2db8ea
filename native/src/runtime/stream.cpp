// SPDX-License-Identifier: Apache-2.0
#include "stream.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "active_wait.hpp"
#include "activity.hpp"
#include "context.hpp"
#include "error.hpp"
#include "options.hpp"
#include "thread_pool.hpp"
#include "timeouts.hpp"

namespace cann4j {
namespace {

using Clock = std::chrono::steady_clock;

// After this long a stream lets the other streams have the thread.
constexpr std::chrono::microseconds kTurn{200};
constexpr int kLongestDelay = 1500;  // microseconds, random schedule

aclError runTimed(int device, const std::function<aclError()>& kernel) {
  struct Active {
    explicit Active(Activity& ofDevice) : activity(ofDevice) { activity.begin(); }
    Active(const Active&) = delete;
    ~Active() { activity.end(); }
    Activity& activity;
  };
  const auto limit = timeouts().execute.load();
  const auto start = Clock::now();
  aclError code;
  {
    const Active active(activityOf(device));
    code = kernel();
  }
  const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
  return code != ACL_SUCCESS || limit.count() == 0 || taken <= limit
             ? code
             : fail(ACL_ERROR_RT_AICORE_TIMEOUT,
                    "a kernel took %lld ms; aclrtSetOpExecuteTimeOut allows %lld ms",
                    static_cast<long long>(taken.count()), static_cast<long long>(limit.count()));
}

}  // namespace

bool FailureMode::report(aclError code, const std::string& words) {
  std::lock_guard lock(mutex_);
  if (!stops_ || failure_ != ACL_SUCCESS) {
    return false;
  }
  words_ = words;
  failure_.store(code, std::memory_order_release);
  return true;
}

std::string FailureMode::words() const {
  std::lock_guard lock(mutex_);
  return words_;
}

// One task under way. Whoever comes second of "the task function returned" and "done was called"
// carries the stream on; so a stream of quick tasks loops on one thread instead of hopping.
struct Stream::Step {
  enum Phase { kInside, kParked, kDone };
  enum End { kOpen, kEnded, kCancelled };
  std::atomic<int> phase{kInside};
  std::atomic<int> end{kOpen};  // by its own done, or by who did not want to wait for that
  Dropped dropped;
};

Stream::Stream(int device, uint64_t context, int32_t id, std::shared_ptr<FailureMode> failureMode,
               Settings settings)
    : device_(device),
      context_(context),
      id_(id),
      failureMode_(std::move(failureMode)),
      settings_(settings),
      delays_(options().scheduleSeed * 1000003 + static_cast<uint64_t>(id)) {}

void Stream::submit(Task task, Dropped dropped, Start start) {
  Entries entries;
  entries.push_back({std::move(task), std::move(dropped)});
  aclError reason = failureMode_->failure();
  {
    std::unique_lock lock(mutex_);
    if (reason == ACL_SUCCESS && aborting_) {
      reason = ACL_ERROR_RT_STREAM_ABORT;
    }
    if (reason == ACL_SUCCESS) {
      const bool isIdle = !running_;
      const bool startsHere = isIdle && start == Start::kHere && !options().randomSchedule;
      if (isIdle && !startsHere) {
        wake();
      }
      running_ = true;
      tasks_.splice(tasks_.end(), entries);
      ++submitted_;
      lock.unlock();
      if (startsHere) {
        const SeparateFailures separate;
        run(Start::kHere);
      }
      return;
    }
  }
  drop(std::move(entries), reason);
}

void Stream::submitKernel(std::function<aclError()> kernel) {
  submit([device = device_, kernel = std::move(kernel)](Done done) {
    done(runTimed(device, kernel));
  });
}

void Stream::wake() {
  auto job = [self = shared_from_this()] { self->run(Start::kOnPool); };
  if (options().randomSchedule) {
    const int delay = static_cast<int>(delays_() % (2 * kLongestDelay));
    if (delay < kLongestDelay) {
      ThreadPool::instance().postAfter(std::chrono::microseconds(delay), std::move(job));
      return;
    }
  }
  ThreadPool::instance().post(std::move(job));
}

void Stream::run(Start place) {
  const auto start = Clock::now();
  for (;;) {
    if (const aclError failure = failureMode_->failure(); failure != ACL_SUCCESS) {
      std::unique_lock lock(mutex_);
      auto entries = takeAll();
      running_ = false;
      current_ = nullptr;
      lock.unlock();
      drop(std::move(entries), failure);
      return;
    }
    auto step = std::make_shared<Step>();
    Task task;
    {
      std::lock_guard lock(mutex_);
      current_ = nullptr;
      if (tasks_.empty()) {
        running_ = false;
        return;
      }
      task = std::move(tasks_.front().task);
      step->dropped = std::move(tasks_.front().dropped);
      tasks_.pop_front();
      current_ = step;
    }
    takeFailures();
    auto done = [self = shared_from_this(), step](aclError code) {
      int end = Step::kOpen;
      if (!step->end.compare_exchange_strong(end, Step::kEnded)) {
        if (end == Step::kCancelled) {
          return;
        }
        std::fprintf(stderr, "cann4j: a task of stream %d completed twice\n", self->id_);
        std::abort();
      }
      self->complete(*step, code, code == ACL_SUCCESS ? std::string() : takeFailures());
    };
    try {
      task(done);
    } catch (const std::exception& e) {
      done(fail(ACL_ERROR_RT_AICORE_EXCEPTION, "the kernel failed: %s", e.what()));
    }
    task = nullptr;
    {
      std::unique_lock lock(mutex_);
      int inside = Step::kInside;
      if (step->phase.compare_exchange_strong(inside, Step::kParked)) {
        progress_.notify_all();
        const auto ending = ending_;
        lock.unlock();
        if (ending) {  // it came while the task was about to wait
          cancelWaiting(ending->first, ending->second);
        }
        return;
      }
    }
    if (place == Start::kHere || options().randomSchedule || Clock::now() - start > kTurn) {
      std::lock_guard lock(mutex_);
      current_ = nullptr;
      if (tasks_.empty()) {
        running_ = false;
      } else {
        wake();
      }
      return;
    }
  }
}

void Stream::complete(Step& step, aclError code, std::string words) {
  const bool stopsAll =
      code != ACL_SUCCESS &&
      failureMode_->report(code, "a task of stream " + std::to_string(id_) + " failed: " + words);
  {
    std::lock_guard lock(mutex_);
    if (code != ACL_SUCCESS && error_ == ACL_SUCCESS) {
      error_ = code;
      errorText_ = std::move(words);
    }
    // Before the next task can start, so that completions come in order.
    ++completed_;
    if (step.phase.exchange(Step::kDone) == Step::kParked) {
      if (tasks_.empty()) {
        current_ = nullptr;
        running_ = false;
      } else {
        wake();
      }
    }
    progress_.notify_all();
  }
  if (stopsAll) {
    stopStreams(context_, code);
  }
}

aclError Stream::synchronize(int32_t timeout, bool* completed) {
  std::unique_lock lock(mutex_);
  const uint64_t target = submitted_;
  const auto reached = [&] { return completed_ >= target; };
  if (!reached()) {
    lock.unlock();
    ActiveWait::until(reached);
    lock.lock();
  }
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
  if (const aclError stopped = failureMode_->failure(); stopped != ACL_SUCCESS) {
    return fail(stopped, "stream %d on device %d was stopped by a failure of its context: %s", id_,
                device_, failureMode_->words().c_str());
  }
  return error == ACL_SUCCESS
             ? ACL_SUCCESS
             : fail(error, "a task of stream %d on device %d failed: %s", id_, device_,
                    words.empty() ? "no words were recorded" : words.c_str());
}

bool Stream::idle() {
  std::lock_guard lock(mutex_);
  return completed_ == submitted_;
}

// With the lock held.
Stream::Entries Stream::takeAll() {
  Entries entries;
  entries.swap(tasks_);
  completed_ += entries.size();
  progress_.notify_all();
  return entries;
}

// Without any lock: who waits for these tasks may go on.
void Stream::drop(Entries entries, aclError code) {
  const SeparateFailures separate;
  for (Entry& entry : entries) {
    if (entry.dropped) {
      entry.dropped(code);
    }
    entry = {};
  }
}

// Ends the task under way if it has returned and waits; false while it is running.
bool Stream::cancelWaiting(aclError code, const char* words) {
  std::shared_ptr<Step> step;
  {
    std::lock_guard lock(mutex_);
    step = current_;
  }
  if (step == nullptr || step->phase == Step::kDone) {
    return true;
  }
  if (step->phase == Step::kInside) {
    return false;
  }
  int end = Step::kOpen;
  if (step->end.compare_exchange_strong(end, Step::kCancelled)) {
    if (step->dropped) {
      const SeparateFailures separate;
      std::exchange(step->dropped, nullptr)(code);
    }
    complete(*step, code, words);
  }
  return true;
}

void Stream::end(aclError code, const char* words) {
  std::unique_lock lock(mutex_);
  ending_ = {code, words};
  auto entries = takeAll();
  lock.unlock();
  drop(std::move(entries), code);
  cancelWaiting(code, words);
}

void Stream::abort() {
  constexpr const char* kWords = "aclrtStreamAbort ended it";
  std::unique_lock lock(mutex_);
  const bool isBusy = completed_ != submitted_;
  if (!isBusy) {
    return;
  }
  aborting_ = true;
  error_ = ACL_ERROR_RT_STREAM_ABORT;
  errorText_ = kWords;
  auto entries = takeAll();
  lock.unlock();
  drop(std::move(entries), ACL_ERROR_RT_STREAM_ABORT);
  while (!cancelWaiting(ACL_ERROR_RT_STREAM_ABORT, kWords)) {
    lock.lock();
    progress_.wait(lock, [this] {
      return completed_ == submitted_ || current_ == nullptr || current_->phase != Step::kInside;
    });
    lock.unlock();
  }
  lock.lock();
  aborting_ = false;
}

}  // namespace cann4j
