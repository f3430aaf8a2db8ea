// SPDX-License-Identifier: Apache-2.0
#include "active_wait.hpp"

#include <sched.h>

#include <algorithm>
#include <thread>

#include "thread_pool.hpp"

namespace cann4j {
namespace {

constexpr std::chrono::microseconds kLongest{40};
constexpr unsigned kLooksPerTurn = 32;
constexpr unsigned kMostSkipped = 64;

// Waits of this thread that were too long lately cost as much as they can; so it skips some.
thread_local unsigned toSkip = 0;
thread_local unsigned skipped = 0;

std::atomic<unsigned> waiting{0};

unsigned cores() {
  static const unsigned count = [] {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set))
                                                        : std::thread::hardware_concurrency();
  }();
  return count;
}

bool begin() {
  if (cores() < 2 || skipped < toSkip) {
    ++skipped;
    return false;
  }
  if (waiting.fetch_add(1) >= cores()) {
    --waiting;
    return false;
  }
  skipped = 0;
  return true;
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

std::atomic<const ActiveWait::Source*> ActiveWait::source_{nullptr};

ActiveWait::ActiveWait() : isWorthIt_(begin()) {
  if (isWorthIt_) {
    end_ = Clock::now() + kLongest;
    ThreadPool::instance().startHelping();
    used_ = source_.load(std::memory_order_acquire);
    if (used_ != nullptr) {
      used_->begin();
    }
  }
}

ActiveWait::~ActiveWait() {
  if (!isWorthIt_) {
    return;
  }
  --waiting;
  if (used_ != nullptr) {
    used_->end();
  }
  ThreadPool::instance().stopHelping();
}

bool ActiveWait::goesOn() {
  if (!isWorthIt_) {
    return false;
  }
  if (ThreadPool::instance().hasOpenJobs() ? help() : used_ != nullptr && used_->look()) {
    end_ = Clock::now() + kLongest;
    return true;
  }
  if (++looks_ % kLooksPerTurn != 0) {
    relax();
    return true;
  }
  if (Clock::now() < end_) {
    sched_yield();
    return true;
  }
  toSkip = std::min(2 * toSkip + 1, kMostSkipped);
  return false;
}

// A job may take long, so others are to look for messages.
bool ActiveWait::help() {
  if (used_ != nullptr) {
    used_->end();
  }
  const bool hasHelped = ThreadPool::instance().help();
  if (used_ != nullptr) {
    used_->begin();
  }
  return hasHelped;
}

bool ActiveWait::success() {
  toSkip = 0;
  return true;
}

}  // namespace cann4j
