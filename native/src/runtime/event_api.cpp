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
#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "acl/acl_rt.h"
#include "api.hpp"
#include "context.hpp"
#include "event.hpp"
#include "thread_pool.hpp"
#include "timeouts.hpp"

using namespace cann4j;

namespace {

constexpr uint32_t kAllFlags =
    ACL_EVENT_SYNC | ACL_EVENT_CAPTURE_STREAM_PROGRESS | ACL_EVENT_TIME_LINE;
constexpr uint32_t kKnownFlags = kAllFlags | ACL_EVENT_EXTERNAL;
constexpr uint32_t kUnsupportedFlags = ACL_EVENT_DEVICE_USE_ONLY | ACL_EVENT_IPC;

const Capture::Clock::time_point deviceStart = Capture::Clock::now();

aclError createEvent(const char* function, aclrtEvent* event, EventKind kind, uint32_t flags) {
  if (event == nullptr) {
    return nullArgument(function, "event");
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

aclError resolveEvent(const char* function, aclrtEvent handle, std::shared_ptr<Event>* event) {
  if (handle == nullptr) {
    return nullArgument(function, "event");
  }
  *event = events().find(handle);
  if (*event == nullptr) {
    return fail(ACL_ERROR_RT_INVALID_HANDLE, "%s: %p is not a live event", function, handle);
  }
  return contexts().find((*event)->context) != nullptr
             ? ACL_SUCCESS
             : fail(ACL_ERROR_RT_INVALID_HANDLE,
                    "%s: the context of event %p, on device %d, was destroyed", function, handle,
                    (*event)->device);
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

aclError needSync(const char* function, const Event& event) {
  return (event.flags & ACL_EVENT_SYNC) == 0
             ? fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                    "%s: the event was made without ACL_EVENT_SYNC", function)
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

aclError record(const char* function, aclrtEvent eventHandle, aclrtStream streamHandle) {
  std::shared_ptr<Event> event;
  std::shared_ptr<Stream> stream;
  if (const aclError error = resolveBoth(function, eventHandle, streamHandle, &event, &stream);
      error != ACL_SUCCESS) {
    return error;
  }
  std::shared_ptr<Capture> capture;
  {
    std::lock_guard lock(event->mutex);
    if (event->capture != nullptr && event->kind == EventKind::kWithFlag &&
        (event->flags & ACL_EVENT_SYNC) != 0) {
      return fail(ACL_ERROR_RT_PARAM_INVALID,
                  "%s: the event was recorded already; one of aclrtCreateEventWithFlag with "
                  "ACL_EVENT_SYNC needs aclrtResetEvent first, one of aclrtCreateEventExWithFlag "
                  "does not",
                  function);
    }
    capture = event->awaited != nullptr ? std::move(event->awaited) : std::make_shared<Capture>();
    event->awaited = nullptr;
    event->capture = capture;
  }
  try {
    stream->submit(
        [capture](Stream::Done done) {
          capture->complete(ACL_SUCCESS);
          done(ACL_SUCCESS);
        },
        [capture](aclError code) { capture->complete(code); });
  } catch (...) {
    capture->complete(ACL_ERROR_FAILURE);  // nobody shall wait for it
    throw;
  }
  return ACL_SUCCESS;
}

// A wait ends once: by the capture, by the time, or with its stream.
struct Wait {
  explicit Wait(std::shared_ptr<Event> awaited) : event(std::move(awaited)) {}

  void end(aclError code) {
    if (isOver.exchange(true)) {
      return;
    }
    {
      std::lock_guard lock(event->mutex);
      --event->pendingWaits;
    }
    if (timer) {
      ThreadPool::instance().cancel(*timer);
    }
    if (done) {
      std::exchange(done, nullptr)(code);
    }
  }

  const std::shared_ptr<Event> event;
  std::atomic<bool> isOver{false};
  Stream::Done done;  // once the stream has come to it
  std::optional<ThreadPool::Timer> timer;
};

void start(const std::shared_ptr<Wait>& wait, Capture& capture, std::chrono::milliseconds limit) {
  if (limit.count() > 0 && !capture.isComplete()) {
    wait->timer = ThreadPool::instance().postAfter(limit, [wait, limit] {
      wait->end(fail(ACL_ERROR_RT_TASK_TIMEOUT, "an event was not complete within %lld ms",
                     static_cast<long long>(limit.count())));
    });
  }
  capture.whenComplete([wait](aclError code) {
    wait->end(code == ACL_SUCCESS
                  ? code
                  : fail(code, "the work that an awaited event captured was given up"));
  });
}

aclError submitWait(const char* function, aclrtStream streamHandle, aclrtEvent eventHandle,
                    std::chrono::milliseconds limit) {
  std::shared_ptr<Event> event;
  std::shared_ptr<Stream> stream;
  aclError error = resolveBoth(function, eventHandle, streamHandle, &event, &stream);
  if (error == ACL_SUCCESS) {
    error = needSync(function, *event);
  }
  if (error != ACL_SUCCESS) {
    return error;
  }
  auto wait = std::make_shared<Wait>(event);
  std::shared_ptr<Capture> capture;
  {
    std::lock_guard lock(event->mutex);
    capture = event->capture;
    if (capture == nullptr) {
      if (event->kind == EventKind::kExWithFlag) {
        return ACL_SUCCESS;
      }
      if (event->kind == EventKind::kDefault) {
        return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: the event was not recorded", function);
      }
      if (event->awaited == nullptr) {
        event->awaited = std::make_shared<Capture>();
      }
      capture = event->awaited;
    }
    ++event->pendingWaits;
  }
  try {
    stream->submit(
        [capture, limit, wait](Stream::Done done) {
          wait->done = std::move(done);
          start(wait, *capture, limit);
        },
        [wait](aclError code) { wait->end(code); });
  } catch (...) {
    wait->end(ACL_ERROR_FAILURE);
    throw;
  }
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

aclError aclrtRecordEvent(aclrtEvent event, aclrtStream stream) {
  return api("aclrtRecordEvent",
             [&](const char* function) { return record(function, event, stream); });
}

aclError aclrtStreamWaitEvent(aclrtStream stream, aclrtEvent event) {
  return api("aclrtStreamWaitEvent", [&](const char* function) {
    return submitWait(function, stream, event, timeouts().wait);
  });
}

aclError aclrtStreamWaitEventWithTimeout(aclrtStream stream, aclrtEvent event, int32_t timeout) {
  return api("aclrtStreamWaitEventWithTimeout", [&](const char* function) -> aclError {
    if (timeout < -1) {
      return fail(ACL_ERROR_RT_PARAM_INVALID,
                  "%s: timeout %d; -1 and 0 wait for ever, otherwise seconds", function, timeout);
    }
    return submitWait(function, stream, event, std::chrono::seconds(timeout < 0 ? 0 : timeout));
  });
}

aclError aclrtResetEvent(aclrtEvent eventHandle, aclrtStream streamHandle) {
  return api("aclrtResetEvent", [&](const char* function) -> aclError {
    std::shared_ptr<Event> event;
    std::shared_ptr<Stream> stream;
    aclError error = resolveBoth(function, eventHandle, streamHandle, &event, &stream);
    if (error == ACL_SUCCESS) {
      error = refuseEx(function, *event);
    }
    if (error == ACL_SUCCESS) {
      error = needSync(function, *event);
    }
    if (error != ACL_SUCCESS) {
      return error;
    }
    // Waits submitted before keep their capture, so nothing has to be queued.
    std::lock_guard lock(event->mutex);
    event->capture = nullptr;
    return ACL_SUCCESS;
  });
}

aclError aclrtQueryEvent(aclrtEvent handle, aclrtEventStatus* status) {
  return api("aclrtQueryEvent", [&](const char* function) -> aclError {
    std::shared_ptr<Event> event;
    if (status == nullptr) {
      return nullArgument(function, "status");
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
    if (status == nullptr) {
      return nullArgument(function, "status");
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
    if (status == nullptr) {
      return nullArgument(function, "status");
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
    if (ms == nullptr) {
      return nullArgument(function, "ms");
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
    if (timestamp == nullptr) {
      return nullArgument(function, "timestamp");
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

aclError aclrtSetOpWaitTimeout(uint32_t timeout) {
  return api("aclrtSetOpWaitTimeout", [&](const char*) -> aclError {
    timeouts().wait = std::chrono::seconds(timeout);
    return ACL_SUCCESS;
  });
}

aclError aclrtSetOpExecuteTimeOut(uint32_t timeout) {
  return api("aclrtSetOpExecuteTimeOut", [&](const char*) -> aclError {
    timeouts().execute = std::chrono::seconds(timeout);
    return ACL_SUCCESS;
  });
}

aclError aclrtSetOpExecuteTimeOutWithMs(uint32_t timeout) {
  return api("aclrtSetOpExecuteTimeOutWithMs", [&](const char*) -> aclError {
    timeouts().execute = std::chrono::milliseconds(timeout);
    return ACL_SUCCESS;
  });
}

}  // extern "C"
