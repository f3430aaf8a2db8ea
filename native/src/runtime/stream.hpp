// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include "acl/acl_base.h"

namespace cann4j {

// A queue of tasks that run one after the other on the pool. A task that waits (for an event, for a
// peer) keeps its `done` and returns: it holds up its stream but no thread.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  using Done = std::function<void(aclError)>;  // call exactly once, now or later, from any thread
  using Task = std::function<void(Done)>;

  Stream(int device, uint64_t context, int32_t id);

  int device() const { return device_; }
  uint64_t context() const { return context_; }
  int32_t id() const { return id_; }

  // In order; runs on a pool thread when all earlier tasks of the stream are done. Never blocks.
  void submit(Task task);

  // Runs to completion on a pool thread; may use parallelFor. An exception becomes
  // ACL_ERROR_RT_AICORE_EXCEPTION.
  void submitKernel(std::function<aclError()> kernel);

  // Waits for all tasks submitted so far and returns the first error since the last such call.
  // timeout in milliseconds, negative: for ever. False in *completed on expiry.
  aclError synchronize(int32_t timeout, bool* completed);

  bool idle();

  // Drops the tasks that have not started.
  void abandon();

 private:
  struct Step;

  void wake();
  void run();
  void complete(aclError code);

  const int device_;
  const uint64_t context_;
  const int32_t id_;
  std::mutex mutex_;
  std::condition_variable progress_;
  std::deque<Task> tasks_;
  bool running_ = false;
  uint64_t submitted_ = 0;
  uint64_t completed_ = 0;
  aclError error_ = ACL_SUCCESS;
  std::string errorText_;
  std::mt19937_64 delays_;
};

// nullptr: the default stream of the current context. Checks liveness (107017), the current context
// (107002) and that the stream belongs to it (107003). The caller's reference keeps it alive.
aclError resolveStream(aclrtStream handle, std::shared_ptr<Stream>* stream);

int currentDevice();  // -1 without a context

}  // namespace cann4j
