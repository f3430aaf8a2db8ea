// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "acl/acl_rt.h"

namespace cann4j {

inline constexpr int kLeastPriority = 7;  // 0 is the greatest

// What the streams of a context share about failures: with ACL_STOP_ON_FAILURE the first failure of
// any of them ends the work of all.
class FailureMode {
 public:
  void stopOnFailure() { stops_ = true; }
  // Whether this is the failure that ends the work.
  bool report(aclError code, const std::string& words);

  // ACL_SUCCESS while work goes on. Costs nothing then.
  aclError failure() const { return failure_.load(std::memory_order_acquire); }
  std::string words() const;

 private:
  std::atomic<bool> stops_{false};
  std::atomic<aclError> failure_{ACL_SUCCESS};
  mutable std::mutex mutex_;
  std::string words_;
};

// A queue of tasks that run one after the other on the pool. A task that waits (for an event, for a
// peer) keeps its `done` and returns: it holds up its stream but no thread.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  using Done = std::function<void(aclError)>;  // call exactly once, now or later, from any thread
  using Task = std::function<void(Done)>;
  using Dropped = std::function<void(aclError)>;

  struct Settings {
    uint32_t priority = 0;
    uint32_t flags = 0;
  };

  Stream(int device, uint64_t context, int32_t id, std::shared_ptr<FailureMode> failureMode,
         Settings settings);

  int device() const { return device_; }
  uint64_t context() const { return context_; }
  int32_t id() const { return id_; }
  const Settings& settings() const { return settings_; }
  FailureMode& failureMode() { return *failureMode_; }

  // In order; runs on a pool thread when all earlier tasks of the stream are done. Never blocks.
  // A task that the stream drops instead of starting it is destroyed, after `dropped` got the code
  // of the reason. One that waits when the stream gives it up is forgotten, after the same call; its
  // own `done` has no effect any more.
  // `start`: on this thread, before this returns, if the stream has nothing else to do; of a task
  // that is short and holds no lock.
  enum class Start { kOnPool, kHere };
  void submit(Task task, Dropped dropped = nullptr, Start start = Start::kOnPool);

  // Runs to completion on a pool thread; may use parallelFor. An exception becomes
  // ACL_ERROR_RT_AICORE_EXCEPTION, and more time than aclrtSetOpExecuteTimeOut allows an error too.
  void submitKernel(std::function<aclError()> kernel);

  // Waits for all tasks submitted so far and returns the first error since the last such call.
  // timeout in milliseconds, negative: for ever. False in *completed on expiry.
  aclError synchronize(int32_t timeout, bool* completed);

  bool idle();

  // For good: drops the tasks that have not started, and ends one that has but only waits, or comes
  // to that, with this code.
  void end(aclError code, const char* words);

  // The same, and waits for a kernel under way; what is submitted meanwhile is dropped. If there
  // was something to end, the next synchronisation fails with ACL_ERROR_RT_STREAM_ABORT.
  void abort();

  std::atomic<bool> overflowSwitch{false};
  std::atomic<bool> isFailureModeSet{false};
  std::atomic<bool> hasHostFunctions{false};

 private:
  struct Step;
  struct Entry {
    Task task;
    Dropped dropped;
  };
  using Entries = std::list<Entry>;  // takes no memory to be made or moved

  void wake();
  void run(Start start);
  void complete(Step& step, aclError code, std::string words);
  Entries takeAll();
  static void drop(Entries entries, aclError code);
  bool cancelWaiting(aclError code, const char* words);

  const int device_;
  const uint64_t context_;
  const int32_t id_;
  const std::shared_ptr<FailureMode> failureMode_;
  const Settings settings_;
  std::mutex mutex_;
  std::condition_variable progress_;
  Entries tasks_;
  std::shared_ptr<Step> current_;  // the task under way
  bool running_ = false;
  bool aborting_ = false;
  std::optional<std::pair<aclError, const char*>> ending_;  // what end() was called with
  uint64_t submitted_ = 0;
  std::atomic<uint64_t> completed_{0};
  aclError error_ = ACL_SUCCESS;
  std::string errorText_;
  std::mt19937_64 delays_;
};

enum class StreamUse { kSubmit, kObserve };

// nullptr: the default stream of the current context. Checks liveness (107017), the current context
// (107002), that the stream belongs to it (107003) and, before work is submitted, that failures have
// not stopped it (their code). The caller's reference keeps it alive.
aclError resolveStream(aclrtStream handle, std::shared_ptr<Stream>* stream,
                       StreamUse use = StreamUse::kSubmit);

int currentDevice();  // -1 without a context

}  // namespace cann4j
