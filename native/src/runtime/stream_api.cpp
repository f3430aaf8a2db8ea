// SPDX-License-Identifier: Apache-2.0
#include "acl/acl_rt.h"
#include "context.hpp"
#include "error.hpp"
#include "stream.hpp"

using namespace cann4j;

namespace {

constexpr uint32_t kStreamFlags = ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC;

aclError createStreamHandle(const char* function, aclrtStream* stream) {
  if (stream == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: stream is NULL", function);
  }
  const auto context = currentContext(function);
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  *stream = streams().insert(streams().reserve(), createStream(*context));
  return ACL_SUCCESS;
}

aclError synchronizeStream(const char* function, aclrtStream handle, int32_t timeout) {
  std::shared_ptr<Stream> stream;
  if (const aclError error = resolveStream(handle, &stream); error != ACL_SUCCESS) {
    return error;
  }
  bool completed = true;
  const aclError error = stream->synchronize(timeout, &completed);
  return completed ? error
                   : fail(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT,
                          "%s: stream %d on device %d is not done after %d ms", function,
                          stream->id(), stream->device(), timeout);
}

aclError destroyStream(const char* function, aclrtStream handle, bool wait) {
  if (handle == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: stream is NULL", function);
  }
  std::shared_ptr<Stream> stream;
  if (const aclError error = resolveStream(handle, &stream); error != ACL_SUCCESS) {
    return error;
  }
  if (!wait) {
    streams().remove(handle);
    stream->abandon();
    return ACL_SUCCESS;
  }
  bool completed = true;
  const aclError error = stream->synchronize(-1, &completed);
  streams().remove(handle);
  return error;
}

}  // namespace

extern "C" {

aclError aclrtCreateStream(aclrtStream* stream) {
  return createStreamHandle("aclrtCreateStream", stream);
}

aclError aclrtCreateStreamWithConfig(aclrtStream* stream, uint32_t priority, uint32_t flag) {
  (void)priority;  // documented as reserved
  if ((flag & ~kStreamFlags) != 0) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtCreateStreamWithConfig: unknown flags 0x%x", flag);
  }
  return createStreamHandle("aclrtCreateStreamWithConfig", stream);
}

aclError aclrtDestroyStream(aclrtStream stream) {
  return destroyStream("aclrtDestroyStream", stream, true);
}

aclError aclrtDestroyStreamForce(aclrtStream stream) {
  return destroyStream("aclrtDestroyStreamForce", stream, false);
}

aclError aclrtSynchronizeStream(aclrtStream stream) {
  return synchronizeStream("aclrtSynchronizeStream", stream, -1);
}

aclError aclrtSynchronizeStreamWithTimeout(aclrtStream stream, int32_t timeout) {
  if (timeout == 0 || timeout < -1) {
    return fail(ACL_ERROR_RT_PARAM_INVALID,
                "aclrtSynchronizeStreamWithTimeout: timeout %d; -1 waits for ever, otherwise at "
                "least 1 ms",
                timeout);
  }
  return synchronizeStream("aclrtSynchronizeStreamWithTimeout", stream, timeout);
}

aclError aclrtStreamQuery(aclrtStream handle, aclrtStreamStatus* status) {
  if (status == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtStreamQuery: status is NULL");
  }
  std::shared_ptr<Stream> stream;
  if (const aclError error = resolveStream(handle, &stream); error != ACL_SUCCESS) {
    return error;
  }
  *status = stream->idle() ? ACL_STREAM_STATUS_COMPLETE : ACL_STREAM_STATUS_NOT_READY;
  return ACL_SUCCESS;
}

aclError aclrtStreamGetId(aclrtStream handle, int32_t* streamId) {
  if (streamId == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtStreamGetId: streamId is NULL");
  }
  std::shared_ptr<Stream> stream;
  if (const aclError error = resolveStream(handle, &stream); error != ACL_SUCCESS) {
    return error;
  }
  *streamId = stream->id();
  return ACL_SUCCESS;
}

}  // extern "C"
