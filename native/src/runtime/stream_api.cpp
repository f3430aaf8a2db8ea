// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "acl/acl_rt.h"
#include "api.hpp"
#include "context.hpp"
#include "stream_config.hpp"

using namespace cann4j;

namespace {

// What these would make of a stream cannot be had here. Other flags are hints, and CANN takes bits
// without a meaning for none.
constexpr uint32_t kUnsupportedFlags =
    ACL_STREAM_PERSISTENT | ACL_STREAM_CPU_SCHEDULE | ACL_STREAM_DEVICE_USE_ONLY;
constexpr uint32_t kHints = ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC | ACL_STREAM_HUGE;

aclError createStream(const char* function, aclrtStream* stream, uint32_t priority,
                      uint32_t flags) {
  if (const aclError error = checkResult(function, "stream", stream); error != ACL_SUCCESS) {
    return error;
  }
  const auto context = currentContext(function);
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  if ((flags & kUnsupportedFlags) != 0) {
    return fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "%s: flag 0x%x: persistent streams, CPU scheduling and streams for the device alone "
                "are not supported",
                function, flags);
  }
  const uint32_t nearest = std::min(priority, static_cast<uint32_t>(kLeastPriority));
  return createStream(function, *context, {nearest, flags & kHints}, stream);
}

aclError synchronizeStream(const char* function, aclrtStream handle, int32_t timeout) {
  std::shared_ptr<Stream> stream;
  if (const aclError error = resolveStream(handle, &stream, StreamUse::kObserve);
      error != ACL_SUCCESS) {
    return error;
  }
  bool completed = true;
  const aclError error = stream->synchronize(timeout, &completed);
  return completed ? error
                   : fail(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT,
                          "%s: stream %d on device %d is not done after %d ms", function,
                          stream->id(), stream->device(), timeout);
}

// A stream that was created, not a default one.
aclError resolveOwn(const char* function, aclrtStream handle, std::shared_ptr<Stream>* stream) {
  if (handle == nullptr) {
    return nullArgument(function, "stream");
  }
  if (const aclError error = resolveStream(handle, stream, StreamUse::kObserve);
      error != ACL_SUCCESS) {
    return error;
  }
  const auto context = currentContext(function);
  return context == nullptr || context->defaultStream != handle
             ? ACL_SUCCESS
             : fail(ACL_ERROR_RT_PARAM_INVALID, "%s: not for the default stream of a context",
                    function);
}

aclError destroyStream(const char* function, aclrtStream handle, bool wait) {
  std::shared_ptr<Stream> stream;
  aclError error = resolveOwn(function, handle, &stream);
  if (error != ACL_SUCCESS) {
    return error;
  }
  bool completed = true;
  if (wait) {
    error = stream->synchronize(-1, &completed);
  }
  if (removeStream(handle) == nullptr) {
    return fail(ACL_ERROR_RT_INVALID_HANDLE, "%s: another thread destroyed %p", function, handle);
  }
  if (!wait) {
    stream->end(ACL_SUCCESS, "");
  }
  return error;
}

template <class Value, class Read>
aclError readStream(const char* name, aclrtStream handle, Value* value, const char* valueName,
                    const Read& read) {
  return api(name, [&](const char* function) -> aclError {
    if (value == nullptr) {
      return nullArgument(function, valueName);
    }
    std::shared_ptr<Stream> stream;
    const aclError error = resolveStream(handle, &stream, StreamUse::kObserve);
    if (error == ACL_SUCCESS) {
      *value = read(*stream);
    }
    return error;
  });
}

}  // namespace

extern "C" {

aclError aclrtCreateStream(aclrtStream* stream) {
  return api("aclrtCreateStream",
             [&](const char* function) { return createStream(function, stream, 0, 0); });
}

aclError aclrtCreateStreamWithConfig(aclrtStream* stream, uint32_t priority, uint32_t flag) {
  return api("aclrtCreateStreamWithConfig",
             [&](const char* function) { return createStream(function, stream, priority, flag); });
}

aclError aclrtCreateStreamV2(aclrtStream* stream, const aclrtStreamConfigHandle* handle) {
  return api("aclrtCreateStreamV2", [&](const char* function) -> aclError {
    aclrtStreamConfigHandle config{};
    const aclError error = readStreamConfig(function, handle, &config);
    return error != ACL_SUCCESS
               ? error
               : createStream(function, stream, config.priority,
                              static_cast<uint32_t>(std::min<size_t>(config.flag, UINT32_MAX)));
  });
}

aclError aclrtDestroyStream(aclrtStream stream) {
  return api("aclrtDestroyStream",
             [&](const char* function) { return destroyStream(function, stream, true); });
}

aclError aclrtDestroyStreamForce(aclrtStream stream) {
  return api("aclrtDestroyStreamForce",
             [&](const char* function) { return destroyStream(function, stream, false); });
}

aclError aclrtSynchronizeStream(aclrtStream stream) {
  return api("aclrtSynchronizeStream",
             [&](const char* function) { return synchronizeStream(function, stream, -1); });
}

aclError aclrtSynchronizeStreamWithTimeout(aclrtStream stream, int32_t timeout) {
  return api("aclrtSynchronizeStreamWithTimeout", [&](const char* function) -> aclError {
    const aclError error = checkTimeout(function, timeout);
    return error != ACL_SUCCESS ? error : synchronizeStream(function, stream, timeout);
  });
}

aclError aclrtStreamQuery(aclrtStream stream, aclrtStreamStatus* status) {
  return readStream("aclrtStreamQuery", stream, status, "status", [](Stream& found) {
    return found.idle() ? ACL_STREAM_STATUS_COMPLETE : ACL_STREAM_STATUS_NOT_READY;
  });
}

aclError aclrtStreamGetId(aclrtStream stream, int32_t* streamId) {
  return readStream("aclrtStreamGetId", stream, streamId, "streamId",
                    [](const Stream& found) { return found.id(); });
}

aclError aclrtStreamGetPriority(aclrtStream stream, uint32_t* priority) {
  return readStream("aclrtStreamGetPriority", stream, priority, "priority",
                    [](const Stream& found) { return found.settings().priority; });
}

aclError aclrtStreamGetFlags(aclrtStream stream, uint32_t* flags) {
  return readStream("aclrtStreamGetFlags", stream, flags, "flags",
                    [](const Stream& found) { return found.settings().flags; });
}

aclError aclrtGetStreamOverflowSwitch(aclrtStream stream, uint32_t* flag) {
  return readStream("aclrtGetStreamOverflowSwitch", stream, flag, "flag",
                    [](const Stream& found) { return found.overflowSwitch ? 1U : 0U; });
}

// Remembered only: the switch is of use in saturation mode, which there is not.
aclError aclrtSetStreamOverflowSwitch(aclrtStream handle, uint32_t flag) {
  return api("aclrtSetStreamOverflowSwitch", [&](const char* function) -> aclError {
    if (flag > 1) {
      return fail(ACL_ERROR_INVALID_PARAM, "%s: flag %u; 0 is off and 1 is on", function, flag);
    }
    std::shared_ptr<Stream> stream;
    const aclError error = resolveStream(handle, &stream, StreamUse::kObserve);
    if (error == ACL_SUCCESS) {
      stream->overflowSwitch = flag == 1;
    }
    return error;
  });
}

aclError aclrtSetStreamFailureMode(aclrtStream handle, uint64_t mode) {
  return api("aclrtSetStreamFailureMode", [&](const char* function) -> aclError {
    if (mode != ACL_CONTINUE_ON_FAILURE && mode != ACL_STOP_ON_FAILURE) {
      return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: mode %llu is none", function,
                  static_cast<unsigned long long>(mode));
    }
    std::shared_ptr<Stream> stream;
    if (const aclError error = resolveOwn(function, handle, &stream); error != ACL_SUCCESS) {
      return error;
    }
    if (stream->isFailureModeSet.exchange(true)) {
      return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: the mode of stream %d was set already; once is "
                  "all one can", function, stream->id());
    }
    if (mode == ACL_STOP_ON_FAILURE) {
      stream->failureMode().stopOnFailure();
    }
    return ACL_SUCCESS;
  });
}

aclError aclrtStreamAbort(aclrtStream handle) {
  return api("aclrtStreamAbort", [&](const char* function) -> aclError {
    std::shared_ptr<Stream> stream;
    const aclError error = resolveOwn(function, handle, &stream);
    if (error == ACL_SUCCESS) {
      stream->abort();
    }
    return error;
  });
}

aclError aclrtGetStreamAvailableNum(uint32_t* streamCount) {
  return api("aclrtGetStreamAvailableNum", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "streamCount", streamCount);
        error != ACL_SUCCESS) {
      return error;
    }
    const auto context = currentContext(function);
    if (context == nullptr) {
      return ACL_ERROR_RT_CONTEXT_NULL;
    }
    *streamCount = static_cast<uint32_t>(freeStreams(context->device));
    return ACL_SUCCESS;
  });
}

}  // extern "C"
