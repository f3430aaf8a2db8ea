// SPDX-License-Identifier: Apache-2.0
//
// What differs between events, by the function that made them:
//                                  CreateEvent   CreateEventWithFlag   CreateEventExWithFlag
//   flags                          all           as given              as given
//   reset                          yes           with SYNC             refused
//   QueryEvent, QueryWaitStatus    yes           yes                   refused
//   wait before any record         107000        waits for a record    no wait
//   QueryEventStatus before it     not ready     not ready             complete
#include <memory>
#include <utility>

#include "acl/acl_rt.h"
#include "context.hpp"
#include "error.hpp"
#include "event.hpp"

using namespace cann4j;

namespace {

constexpr uint32_t kAllFlags =
    ACL_EVENT_SYNC | ACL_EVENT_CAPTURE_STREAM_PROGRESS | ACL_EVENT_TIME_LINE;

const Capture::Clock::time_point deviceStart = Capture::Clock::now();

aclError createEvent(const char* function, aclrtEvent* event, EventKind kind, uint32_t flags) {
  if (event == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: event is NULL", function);
  }
  if (flags == 0 || (flags & ~kAllFlags) != 0) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: flag 0x%x is not made of the bits 0x%x", function,
                flags, kAllFlags);
  }
  const auto context = currentContext(function);
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  *event = events().insert(events().reserve(),
                           std::make_shared<Event>(kind, flags, context->device));
  return ACL_SUCCESS;
}

aclError resolveEvent(const char* function, aclrtEvent handle, std::shared_ptr<Event>* event) {
  if (handle == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: event is NULL", function);
  }
  *event = events().find(handle);
  return *event != nullptr ? ACL_SUCCESS
                           : fail(ACL_ERROR_RT_INVALID_HANDLE, "%s: %p is not a live event",
                                  function, handle);
}

aclError resolveBoth(const char* function, aclrtEvent eventHandle, aclrtStream streamHandle,
                     std::shared_ptr<Event>* event, std::shared_ptr<Stream>* stream) {
  if (const aclError error = resolveEvent(function, eventHandle, event); error != ACL_SUCCESS) {
    return error;
  }
  if (const aclError error = resolveStream(streamHandle, stream); error != ACL_SUCCESS) {
    return error;
  }
  return (*event)->device == (*stream)->device()
             ? ACL_SUCCESS
             : fail(ACL_ERROR_RT_STREAM_CONTEXT,
                    "%s: the event is of device %d, the stream of device %d", function,
                    (*event)->device, (*stream)->device());
}

aclError refuseEx(const char* function, const Event& event) {
  return event.kind == EventKind::kExWithFlag
             ? fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                    "%s: not for events made by aclrtCreateEventExWithFlag", function)
             : ACL_SUCCESS;
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
  return capture == nullptr || capture->wait(timeout)
             ? ACL_SUCCESS
             : fail(ACL_ERROR_RT_EVENT_SYNC_TIMEOUT, "%s: not complete after %d ms", function,
                    timeout);
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
  return createEvent("aclrtCreateEvent", event, EventKind::kDefault, kAllFlags);
}

aclError aclrtCreateEventWithFlag(aclrtEvent* event, uint32_t flag) {
  return createEvent("aclrtCreateEventWithFlag", event, EventKind::kWithFlag, flag);
}

aclError aclrtCreateEventExWithFlag(aclrtEvent* event, uint32_t flag) {
  return createEvent("aclrtCreateEventExWithFlag", event, EventKind::kExWithFlag, flag);
}

aclError aclrtDestroyEvent(aclrtEvent event) {
  if (event == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtDestroyEvent: event is NULL");
  }
  return events().remove(event) != nullptr
             ? ACL_SUCCESS
             : fail(ACL_ERROR_RT_INVALID_HANDLE, "aclrtDestroyEvent: %p is not a live event",
                    event);
}

aclError aclrtRecordEvent(aclrtEvent eventHandle, aclrtStream streamHandle) {
  std::shared_ptr<Event> event;
  std::shared_ptr<Stream> stream;
  if (const aclError error =
          resolveBoth("aclrtRecordEvent", eventHandle, streamHandle, &event, &stream);
      error != ACL_SUCCESS) {
    return error;
  }
  std::shared_ptr<Capture> capture;
  {
    std::lock_guard lock(event->mutex);
    capture = event->awaited != nullptr ? std::move(event->awaited) : std::make_shared<Capture>();
    event->awaited = nullptr;
    event->capture = capture;
  }
  // A stream that is destroyed by force drops the task: then nobody shall wait for it for ever.
  std::shared_ptr<void> dropped(nullptr, [capture](void*) { capture->complete(); });
  stream->submit([capture, dropped = std::move(dropped)](Stream::Done done) {
    capture->complete();
    done(ACL_SUCCESS);
  });
  return ACL_SUCCESS;
}

aclError aclrtStreamWaitEvent(aclrtStream streamHandle, aclrtEvent eventHandle) {
  std::shared_ptr<Event> event;
  std::shared_ptr<Stream> stream;
  if (const aclError error =
          resolveBoth("aclrtStreamWaitEvent", eventHandle, streamHandle, &event, &stream);
      error != ACL_SUCCESS) {
    return error;
  }
  if ((event->flags & ACL_EVENT_SYNC) == 0) {
    return fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "aclrtStreamWaitEvent: the event was made without ACL_EVENT_SYNC");
  }
  std::shared_ptr<Capture> capture;
  {
    std::lock_guard lock(event->mutex);
    capture = event->capture;
    if (capture == nullptr) {
      if (event->kind == EventKind::kExWithFlag) {
        return ACL_SUCCESS;
      }
      if (event->kind == EventKind::kDefault) {
        return fail(ACL_ERROR_RT_PARAM_INVALID, "aclrtStreamWaitEvent: the event was not recorded");
      }
      if (event->awaited == nullptr) {
        event->awaited = std::make_shared<Capture>();
      }
      capture = event->awaited;
    }
    ++event->pendingWaits;
  }
  // Counts down also when the task is dropped with its stream.
  std::shared_ptr<void> pending(nullptr, [event](void*) {
    std::lock_guard lock(event->mutex);
    --event->pendingWaits;
  });
  stream->submit([capture, pending = std::move(pending)](Stream::Done done) mutable {
    capture->whenComplete([pending = std::move(pending), done = std::move(done)]() mutable {
      pending.reset();
      done(ACL_SUCCESS);
    });
  });
  return ACL_SUCCESS;
}

aclError aclrtResetEvent(aclrtEvent eventHandle, aclrtStream streamHandle) {
  std::shared_ptr<Event> event;
  std::shared_ptr<Stream> stream;
  aclError error = resolveBoth("aclrtResetEvent", eventHandle, streamHandle, &event, &stream);
  if (error == ACL_SUCCESS) {
    error = refuseEx("aclrtResetEvent", *event);
  }
  if (error != ACL_SUCCESS) {
    return error;
  }
  if ((event->flags & ACL_EVENT_SYNC) == 0) {
    return fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "aclrtResetEvent: the event was made without ACL_EVENT_SYNC");
  }
  // Waits submitted before keep their capture, so nothing has to be queued.
  std::lock_guard lock(event->mutex);
  event->capture = nullptr;
  return ACL_SUCCESS;
}

aclError aclrtQueryEvent(aclrtEvent handle, aclrtEventStatus* status) {
  std::shared_ptr<Event> event;
  if (status == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtQueryEvent: status is NULL");
  }
  aclError error = resolveEvent("aclrtQueryEvent", handle, &event);
  if (error == ACL_SUCCESS) {
    error = refuseEx("aclrtQueryEvent", *event);
  }
  if (error != ACL_SUCCESS) {
    return error;
  }
  const auto capture = captureOf(*event);
  *status = capture != nullptr && capture->isComplete() ? ACL_EVENT_STATUS_COMPLETE
                                                        : ACL_EVENT_STATUS_NOT_READY;
  return ACL_SUCCESS;
}

aclError aclrtQueryEventStatus(aclrtEvent handle, aclrtEventRecordedStatus* status) {
  std::shared_ptr<Event> event;
  if (status == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtQueryEventStatus: status is NULL");
  }
  if (const aclError error = resolveEvent("aclrtQueryEventStatus", handle, &event);
      error != ACL_SUCCESS) {
    return error;
  }
  const auto capture = captureOf(*event);
  const bool complete =
      capture == nullptr ? event->kind == EventKind::kExWithFlag : capture->isComplete();
  *status = complete ? ACL_EVENT_RECORDED_STATUS_COMPLETE : ACL_EVENT_RECORDED_STATUS_NOT_READY;
  return ACL_SUCCESS;
}

aclError aclrtQueryEventWaitStatus(aclrtEvent handle, aclrtEventWaitStatus* status) {
  std::shared_ptr<Event> event;
  if (status == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtQueryEventWaitStatus: status is NULL");
  }
  aclError error = resolveEvent("aclrtQueryEventWaitStatus", handle, &event);
  if (error == ACL_SUCCESS) {
    error = refuseEx("aclrtQueryEventWaitStatus", *event);
  }
  if (error != ACL_SUCCESS) {
    return error;
  }
  std::lock_guard lock(event->mutex);
  *status = event->pendingWaits == 0 ? ACL_EVENT_WAIT_STATUS_COMPLETE
                                     : ACL_EVENT_WAIT_STATUS_NOT_READY;
  return ACL_SUCCESS;
}

aclError aclrtSynchronizeEvent(aclrtEvent event) {
  return synchronizeEvent("aclrtSynchronizeEvent", event, -1);
}

aclError aclrtSynchronizeEventWithTimeout(aclrtEvent event, int32_t timeout) {
  if (timeout == 0 || timeout < -1) {
    return fail(ACL_ERROR_RT_PARAM_INVALID,
                "aclrtSynchronizeEventWithTimeout: timeout %d; -1 waits for ever, otherwise at "
                "least 1 ms",
                timeout);
  }
  return synchronizeEvent("aclrtSynchronizeEventWithTimeout", event, timeout);
}

aclError aclrtEventElapsedTime(float* ms, aclrtEvent startEvent, aclrtEvent endEvent) {
  const char* function = "aclrtEventElapsedTime";
  if (ms == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: ms is NULL", function);
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
}

aclError aclrtEventGetTimestamp(aclrtEvent event, uint64_t* timestamp) {
  if (timestamp == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtEventGetTimestamp: timestamp is NULL");
  }
  Capture::Clock::time_point time;
  if (const aclError error = timeOf("aclrtEventGetTimestamp", event, &time);
      error != ACL_SUCCESS) {
    return error;
  }
  *timestamp = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(time - deviceStart).count());
  return ACL_SUCCESS;
}

}  // extern "C"
