// SPDX-License-Identifier: Apache-2.0
#include "runtime/thread_pool.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <thread>

#include "check.hpp"

using cann4j::ThreadPool;

TEST(everyIndexOnce) {
  for (const int64_t count : {0, 1, 2, 3, 100, 10000}) {
    std::vector<std::atomic<int>> hits(static_cast<size_t>(count));
    ThreadPool::instance().parallelFor(count, [&](int64_t i) { ++hits[static_cast<size_t>(i)]; });
    for (const auto& hit : hits) {
      CHECK_EQ(hit.load(), 1);
    }
  }
}

TEST(nestedLoopsEnd) {
  std::atomic<int> sum{0};
  ThreadPool::instance().parallelFor(20, [&](int64_t) {
    ThreadPool::instance().parallelFor(20, [&](int64_t) {
      ThreadPool::instance().parallelFor(5, [&](int64_t) { ++sum; });
    });
  });
  CHECK_EQ(sum.load(), 2000);
}

TEST(exceptionsReachTheCaller) {
  std::atomic<int> ran{0};
  bool caught = false;
  try {
    ThreadPool::instance().parallelFor(50, [&](int64_t i) {
      ++ran;
      if (i == 17) {
        throw std::runtime_error("seventeen");
      }
    });
  } catch (const std::runtime_error& e) {
    caught = std::string(e.what()) == "seventeen";
  }
  CHECK(caught);
  CHECK(ran.load() >= 18);
}

TEST(delayedJobsComeInTimeOrder) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> order;
  const auto start = std::chrono::steady_clock::now();
  const int delays[] = {60, 20, 40};
  for (const int delay : delays) {
    ThreadPool::instance().postAfter(std::chrono::milliseconds(delay), [&, delay] {
      std::lock_guard lock(mutex);
      order.push_back(delay);
      changed.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  CHECK(changed.wait_for(lock, std::chrono::seconds(60), [&] { return order.size() == 3; }));
  CHECK(order == (std::vector<int>{20, 40, 60}));
  CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(60));
}

TEST(loopsFromManyThreads) {
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        ThreadPool::instance().parallelFor(30, [&](int64_t i) { sum += i; });
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK_EQ(sum.load(), int64_t{6} * 50 * (29 * 30 / 2));
}

// The loop waits for the job: the one worker that is free must not join it.
TEST(waitingJobsGoBeforeSharesOfLoops) {
  ThreadPool& pool = ThreadPool::instance();
  static std::mutex mutex;  // static, as the last workers may let go of these after the test
  static std::condition_variable changed;
  static int held = 0;
  static int released = 0;
  static bool isDone = false;
  static const auto await = [&](const auto& reached) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(60), reached);
  };
  static const auto set = [&](const auto& change) {
    std::lock_guard lock(mutex);
    change();
    changed.notify_all();
  };
  for (int i = 0; i < pool.threads(); ++i) {
    pool.post([&] {
      set([&] { ++held; });
      await([&] { return released > 0; });
      set([&] { --released; });
    });
  }
  CHECK(await([&] { return held == pool.threads(); }));
  std::atomic<int> begun{0};
  std::atomic<int> late{0};
  std::thread caller([&] {
    pool.parallelFor(64, [&](int64_t) {
      ++begun;
      late += await([&] { return isDone; }) ? 0 : 1;
    });
  });
  while (begun == 0) {
    std::this_thread::yield();
  }
  pool.post([&] { set([&] { isDone = true; }); });
  CHECK(pool.hasWaitingJobs());
  set([&] { released = 1; });
  CHECK(await([&] { return isDone; }));
  set([&] { released = pool.threads() - 1; });
  caller.join();
  CHECK_EQ(late.load(), 0);
}
