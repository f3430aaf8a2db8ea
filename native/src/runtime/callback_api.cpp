// SPDX-License-Identifier: Apache-2.0
#include "acl/acl_rt.h"
#include "api.hpp"
#include "callbacks.hpp"
#include "context.hpp"

using namespace cann4j;

extern "C" {

aclError aclrtSubscribeReport(uint64_t threadId, aclrtStream handle) {
  return api("aclrtSubscribeReport", [&](const char* function) -> aclError {
    std::shared_ptr<Stream> stream;
    if (const aclError error = resolveStream(handle, &stream); error != ACL_SUCCESS) {
      return error;
    }
    return stream->hasHostFunctions
               ? fail(ACL_ERROR_RT_STREAM_SUBSCRIBE,
                      "%s: stream %d has host functions, which callbacks must not be mixed with",
                      function, stream->id())
               : subscribe(function, threadId, *stream);
  });
}

aclError aclrtUnSubscribeReport(uint64_t threadId, aclrtStream handle) {
  return api("aclrtUnSubscribeReport", [&](const char* function) -> aclError {
    std::shared_ptr<Stream> stream;
    const aclError error = resolveStream(handle, &stream, StreamUse::kObserve);
    return error != ACL_SUCCESS ? error : unsubscribe(function, threadId, *stream);
  });
}

aclError aclrtProcessReport(int32_t timeout) {
  return api("aclrtProcessReport", [&](const char* function) -> aclError {
    const aclError error = checkTimeout(function, timeout);
    return error != ACL_SUCCESS ? error : processCallback(function, timeout);
  });
}

aclError aclrtLaunchCallback(aclrtCallback fn, void* userData, aclrtCallbackBlockType blockType,
                             aclrtStream handle) {
  return api("aclrtLaunchCallback", [&](const char* function) -> aclError {
    if (fn == nullptr) {
      return nullArgument(function, "fn");
    }
    if (blockType != ACL_CALLBACK_NO_BLOCK && blockType != ACL_CALLBACK_BLOCK) {
      return fail(ACL_ERROR_INVALID_PARAM, "%s: blockType %d is none", function,
                  static_cast<int>(blockType));
    }
    std::shared_ptr<Stream> stream;
    if (const aclError error = resolveStream(handle, &stream); error != ACL_SUCCESS) {
      return error;
    }
    if (!isSubscribed(*stream)) {
      return fail(ACL_ERROR_STREAM_NOT_SUBSCRIBE,
                  "%s: no thread was subscribed to stream %d; call aclrtSubscribeReport", function,
                  stream->id());
    }
    // Tasks hold no reference to their own stream, or it would never end.
    stream->submit([id = stream->id(), fn, userData, blockType](Stream::Done done) {
      if (blockType == ACL_CALLBACK_BLOCK) {
        deliverCallback(id, fn, userData, std::move(done));
      } else {
        deliverCallback(id, fn, userData, nullptr);
        done(ACL_SUCCESS);
      }
    });
    return ACL_SUCCESS;
  });
}

aclError aclrtLaunchHostFunc(aclrtStream handle, aclrtHostFunc fn, void* args) {
  return api("aclrtLaunchHostFunc", [&](const char* function) -> aclError {
    if (fn == nullptr) {
      return nullArgument(function, "fn");
    }
    std::shared_ptr<Stream> stream;
    if (const aclError error = resolveStream(handle, &stream); error != ACL_SUCCESS) {
      return error;
    }
    if (isSubscribed(*stream)) {
      return fail(ACL_ERROR_RT_STREAM_SUBSCRIBE,
                  "%s: a thread is subscribed to stream %d, which host functions must not be mixed "
                  "with",
                  function, stream->id());
    }
    stream->hasHostFunctions = true;
    stream->submit([fn, args](Stream::Done done) {
      runHostFunction([fn, args, done = std::move(done)] {
        {
          const InsideCallback inside;
          callBack(fn, args);
        }
        done(ACL_SUCCESS);
      });
    });
    return ACL_SUCCESS;
  });
}

}  // extern "C"
