// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "acl/acl_rt.h"
#include "handles.hpp"

namespace cann4j {

// One capture of a stream's work. Waits keep the capture they saw, whatever is recorded later.
class Capture {
 public:
  using Clock = std::chrono::steady_clock;

  // Once; later calls do nothing. An error if the work that was captured will never be done.
  void complete(aclError code);
  bool isComplete();
  aclError code();           // only when complete
  Clock::time_point time();  // only when complete
  // Runs `action`, with the code, when complete, at once if it is.
  void whenComplete(std::function<void(aclError)> action);
  bool wait(int32_t timeout);  // milliseconds, negative: for ever

 private:
  std::mutex mutex_;
  std::condition_variable completed_;
  bool complete_ = false;
  aclError code_ = ACL_SUCCESS;
  Clock::time_point time_;
  std::vector<std::function<void(aclError)>> actions_;
};

enum class EventKind { kDefault, kWithFlag, kExWithFlag };

// The three creating functions make events of different behaviour; see the table in event_api.cpp.
struct Event {
  Event(EventKind eventKind, uint32_t eventFlags, int deviceId, uint64_t contextHandle)
      : kind(eventKind), flags(eventFlags), device(deviceId), context(contextHandle) {}

  const EventKind kind;
  const uint32_t flags;
  const int device;
  const uint64_t context;
  std::mutex mutex;
  std::shared_ptr<Capture> capture;  // nullptr: never recorded, or reset
  std::shared_ptr<Capture> awaited;  // waits queued ahead of the record, kWithFlag only
  int pendingWaits = 0;
};

Handles<Event>& events();

// The live event behind a handle, whose context must live too.
aclError resolveEvent(const char* function, aclrtEvent handle, std::shared_ptr<Event>* event);

// For calls that are not for events of aclrtCreateEventExWithFlag.
aclError refuseEx(const char* function, const Event& event);

}  // namespace cann4j
