// SPDX-License-Identifier: Apache-2.0
//
// What differs between events, by the function that made them:
//                                  CreateEvent   CreateEventWithFlag   CreateEventExWithFlag
//   flags                          all           as given              as given
//   record again                   replaces      after a reset         replaces
//   reset                          yes           with SYNC             refused
//   QueryEvent, QueryWaitStatus    yes           yes                   refused
//   wait before any record         107000        waits for a record    no wait
//   QueryEventStatus before it     not ready     not ready             complete
#include <memory>

#include "acl/acl_rt.h"
#include "api.hpp"
#include "context.hpp"
#include "event.hpp"

using namespace cann4j;

namespace {

constexpr uint32_t kAllFlags =
    ACL_EVENT_SYNC | ACL_EVENT_CAPTURE_STREAM_PROGRESS | ACL_EVENT_TIME_LINE;
constexpr uint32_t kKnownFlags = kAllFlags | ACL_EVENT_EXTERNAL;
constexpr uint32_t kUnsupportedFlags = ACL_EVENT_DEVICE_USE_ONLY | ACL_EVENT_IPC;

const Capture::Clock::time_point deviceStart = Capture::Clock::now();

aclError createEvent(const char* function, aclrtEvent* event, EventKind kind, uint32_t flags) {
  if (const aclError error = checkResult(function, "event", event); error != ACL_SUCCESS) {
    return error;
  }
  if ((flags & kUnsupportedFlags) != 0) {
    return fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "%s: flag 0x%x: events for the device alone or for other processes are not "
                "supported",
                function, flags);
  }
  if (flags == 0 || (flags & ~kKnownFlags) != 0) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: flag 0x%x is not made of the bits 0x%x", function,
                flags, kKnownFlags);
  }
  const auto context = currentContext(function);
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  *event =
      events().insert(events().reserve(),
                      std::make_shared<Event>(kind, flags, context->device, context->handle));
  return ACL_SUCCESS;
}

std::shared_ptr<Capture> captureOf(Event& event) {
  std::lock_guard lock(event.mutex);
  return event.capture;
}

aclError synchronizeEvent(const char* function, aclrtEvent handle, int32_t timeout) {
  std::shared_ptr<Event> event;
  if (const aclError error = resolveEvent(function, handle, &event); error != ACL_SUCCESS) {
    return error;
  }
  const auto capture = captureOf(*event);
  if (capture == nullptr) {
    return ACL_SUCCESS;
  }
  if (!capture->wait(timeout)) {
    return fail(ACL_ERROR_RT_EVENT_SYNC_TIMEOUT, "%s: not complete after %d ms", function, timeout);
  }
  return capture->code() == ACL_SUCCESS
             ? ACL_SUCCESS
             : fail(capture->code(), "%s: the work that the event captured was given up", function);
}

aclError timeOf(const char* function, aclrtEvent handle, Capture::Clock::time_point* time) {
  std::shared_ptr<Event> event;
  if (const aclError error = resolveEvent(function, handle, &event); error != ACL_SUCCESS) {
    return error;
  }
  if ((event->flags & ACL_EVENT_TIME_LINE) == 0) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: the event was made without ACL_EVENT_TIME_LINE",
                function);
  }
  const auto capture = captureOf(*event);
  if (capture == nullptr) {
    return fail(ACL_ERROR_RT_INTERNAL_ERROR, "%s: the event was not recorded", function);
  }
  if (!capture->isComplete()) {
    return fail(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, "%s: the event is not complete", function);
  }
  *time = capture->time();
  return ACL_SUCCESS;
}

}  // namespace

extern "C" {

aclError aclrtCreateEvent(aclrtEvent* event) {
  return api("aclrtCreateEvent", [&](const char* function) {
    return createEvent(function, event, EventKind::kDefault, kAllFlags);
  });
}

aclError aclrtCreateEventWithFlag(aclrtEvent* event, uint32_t flag) {
  return api("aclrtCreateEventWithFlag", [&](const char* function) {
    return createEvent(function, event, EventKind::kWithFlag, flag);
  });
}

aclError aclrtCreateEventExWithFlag(aclrtEvent* event, uint32_t flag) {
  return api("aclrtCreateEventExWithFlag", [&](const char* function) {
    return createEvent(function, event, EventKind::kExWithFlag, flag);
  });
}

aclError aclrtDestroyEvent(aclrtEvent event) {
  return api("aclrtDestroyEvent", [&](const char* function) -> aclError {
    if (event == nullptr) {
      return nullArgument(function, "event");
    }
    return events().remove(event) != nullptr
               ? ACL_SUCCESS
               : fail(ACL_ERROR_RT_INVALID_HANDLE, "%s: %p is not a live event", function, event);
  });
}

aclError aclrtQueryEvent(aclrtEvent handle, aclrtEventStatus* status) {
  return api("aclrtQueryEvent", [&](const char* function) -> aclError {
    std::shared_ptr<Event> event;
    if (const aclError error = checkResult(function, "status", status); error != ACL_SUCCESS) {
      return error;
    }
    aclError error = resolveEvent(function, handle, &event);
    if (error == ACL_SUCCESS) {
      error = refuseEx(function, *event);
    }
    if (error != ACL_SUCCESS) {
      return error;
    }
    const auto capture = captureOf(*event);
    *status = capture != nullptr && capture->isComplete() ? ACL_EVENT_STATUS_COMPLETE
                                                          : ACL_EVENT_STATUS_NOT_READY;
    return ACL_SUCCESS;
  });
}

aclError aclrtQueryEventStatus(aclrtEvent handle, aclrtEventRecordedStatus* status) {
  return api("aclrtQueryEventStatus", [&](const char* function) -> aclError {
    std::shared_ptr<Event> event;
    if (const aclError error = checkResult(function, "status", status); error != ACL_SUCCESS) {
      return error;
    }
    if (const aclError error = resolveEvent(function, handle, &event); error != ACL_SUCCESS) {
      return error;
    }
    const auto capture = captureOf(*event);
    const bool complete =
        capture == nullptr ? event->kind == EventKind::kExWithFlag : capture->isComplete();
    *status = complete ? ACL_EVENT_RECORDED_STATUS_COMPLETE : ACL_EVENT_RECORDED_STATUS_NOT_READY;
    return ACL_SUCCESS;
  });
}

aclError aclrtQueryEventWaitStatus(aclrtEvent handle, aclrtEventWaitStatus* status) {
  return api("aclrtQueryEventWaitStatus", [&](const char* function) -> aclError {
    std::shared_ptr<Event> event;
    if (const aclError error = checkResult(function, "status", status); error != ACL_SUCCESS) {
      return error;
    }
    aclError error = resolveEvent(function, handle, &event);
    if (error == ACL_SUCCESS) {
      error = refuseEx(function, *event);
    }
    if (error != ACL_SUCCESS) {
      return error;
    }
    std::lock_guard lock(event->mutex);
    *status = event->pendingWaits == 0 ? ACL_EVENT_WAIT_STATUS_COMPLETE
                                       : ACL_EVENT_WAIT_STATUS_NOT_READY;
    return ACL_SUCCESS;
  });
}

aclError aclrtSynchronizeEvent(aclrtEvent event) {
  return api("aclrtSynchronizeEvent",
             [&](const char* function) { return synchronizeEvent(function, event, -1); });
}

aclError aclrtSynchronizeEventWithTimeout(aclrtEvent event, int32_t timeout) {
  return api("aclrtSynchronizeEventWithTimeout", [&](const char* function) -> aclError {
    const aclError error = checkTimeout(function, timeout);
    return error != ACL_SUCCESS ? error : synchronizeEvent(function, event, timeout);
  });
}

aclError aclrtEventElapsedTime(float* ms, aclrtEvent startEvent, aclrtEvent endEvent) {
  return api("aclrtEventElapsedTime", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "ms", ms); error != ACL_SUCCESS) {
      return error;
    }
    Capture::Clock::time_point start;
    Capture::Clock::time_point end;
    if (const aclError error = timeOf(function, startEvent, &start); error != ACL_SUCCESS) {
      return error;
    }
    if (const aclError error = timeOf(function, endEvent, &end); error != ACL_SUCCESS) {
      return error;
    }
    if (end < start) {
      return fail(ACL_ERROR_RT_EVENT_TIMESTAMP_REVERSAL, "%s: the end lies before the start",
                  function);
    }
    *ms = std::chrono::duration<float, std::milli>(end - start).count();
    return ACL_SUCCESS;
  });
}

aclError aclrtEventGetTimestamp(aclrtEvent event, uint64_t* timestamp) {
  return api("aclrtEventGetTimestamp", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "timestamp", timestamp);
        error != ACL_SUCCESS) {
      return error;
    }
    Capture::Clock::time_point time;
    if (const aclError error = timeOf(function, event, &time); error != ACL_SUCCESS) {
      return error;
    }
    *timestamp = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(time - deviceStart).count());
    return ACL_SUCCESS;
  });
}

}  // extern "C"
