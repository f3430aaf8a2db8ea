// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "acl/acl_rt.h"
#include "stream.hpp"

namespace cann4j {

// While one lives, its thread runs a callback, and acl functions refuse to be called from it.
class InsideCallback {
 public:
  InsideCallback();
  InsideCallback(const InsideCallback&) = delete;
  ~InsideCallback();
};

// Calls a function of the program, which must not throw.
void callBack(aclrtCallback callback, void* userData);

// Runs on one of the threads that host functions have for themselves: they may block each other,
// and the pool's threads must never be blocked.
void runHostFunction(std::function<void()> function);

// The thread `threadId` gets the callbacks of this stream.
aclError subscribe(const char* function, uint64_t threadId, const Stream& stream);
aclError unsubscribe(const char* function, uint64_t threadId, const Stream& stream);
bool isSubscribed(const Stream& stream);
void forgetCallbacksOf(const Stream& stream);

// Leaves a callback to the thread of the stream with this id; `done`, if any, is called when it has
// run.
void deliverCallback(int32_t stream, aclrtCallback callback, void* userData,
                     Stream::Done done);

// Runs the next callback that was left to the calling thread. timeout: milliseconds, -1 for ever.
aclError processCallback(const char* function, int32_t timeout);

}  // namespace cann4j
