// SPDX-License-Identifier: Apache-2.0
// What events do in streams: record, wait, reset. The table of differences is in event_api.cpp.
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

aclError needSync(const char* function, const Event& event) {
  return (event.flags & ACL_EVENT_SYNC) == 0
             ? fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                    "%s: the event was made without ACL_EVENT_SYNC", function)
             : ACL_SUCCESS;
}

aclError record(const char* function, aclrtEvent eventHandle, aclrtStream streamHandle) {
  std::shared_ptr<Event> event;
  std::shared_ptr<Stream> stream;
  if (const aclError error = resolveBoth(function, eventHandle, streamHandle, &event, &stream);
      error != ACL_SUCCESS) {
    return error;
  }
  std::shared_ptr<Capture> capture;
  std::shared_ptr<Capture> before;
  bool wasAwaited = false;
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
    wasAwaited = event->awaited != nullptr;
    capture = wasAwaited ? std::move(event->awaited) : std::make_shared<Capture>();
    event->awaited = nullptr;
    before = std::exchange(event->capture, capture);
  }
  try {
    stream->submit(
        [capture](Stream::Done done) {
          capture->complete(ACL_SUCCESS);
          done(ACL_SUCCESS);
        },
        [capture](aclError code) { capture->complete(code); });
  } catch (...) {
    {
      std::lock_guard lock(event->mutex);
      event->capture = before;
      event->awaited = wasAwaited ? capture : nullptr;
    }
    if (!wasAwaited) {
      capture->complete(ACL_ERROR_FAILURE);  // for who has come to wait for it meanwhile
    }
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
      // It holds this one as long as it is not recorded.
      const std::shared_ptr<Event> awaited = std::move(event);
      std::lock_guard lock(awaited->mutex);
      --awaited->pendingWaits;
    }
    if (timer) {
      ThreadPool::instance().cancel(*timer);
    }
    if (done) {
      std::exchange(done, nullptr)(code);
    }
  }

  std::shared_ptr<Event> event;  // until then
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

}  // extern "C"
