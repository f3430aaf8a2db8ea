// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "acl/acl_rt.h"
#include "handles.hpp"
#include "stream.hpp"

namespace cann4j {

inline constexpr int kSysParamOpts = 4;
inline constexpr int kStreamsOfADevice = 1984;  // as on Atlas A2

struct Context {
  Context(int deviceId, uint64_t handleValue, bool isDefaultContext)
      : device(deviceId), handle(handleValue), isDefault(isDefaultContext) {}

  const int device;
  const uint64_t handle;
  const bool isDefault;
  const std::shared_ptr<FailureMode> failureMode = std::make_shared<FailureMode>();
  aclrtStream defaultStream = nullptr;
  std::atomic<bool> isEnding{false};
  std::mutex mutex;
  std::array<std::optional<int64_t>, kSysParamOpts> options;
};

Handles<Context>& contexts();

// The thread's live current context, or nullptr with words for ACL_ERROR_RT_CONTEXT_NULL.
std::shared_ptr<Context> currentContext(const char* function);
void makeCurrent(const Context& context);

aclError checkDevice(const char* function, int32_t device);

// The context that threads get by aclrtSetDevice, made when needed; counts one use more.
aclError useDefaultContext(const char* function, int device, std::shared_ptr<Context>* context);
// Takes back one use, or all; the last one ends the default context.
aclError releaseDefaultContext(const char* function, int device, bool all);
// What threads that never set a device use; -1: nothing.
void setDefaultDevice(int device);

aclError createContext(const char* function, int device, bool isDefault,
                       std::shared_ptr<Context>* context);
// Waits for pending work, ends its streams. False if another thread was quicker.
bool destroyContext(uint64_t handle);

aclError createStream(const char* function, const Context& context, Stream::Settings settings,
                      aclrtStream* handle);
// nullptr if another thread was quicker.
std::shared_ptr<Stream> removeStream(aclrtStream handle);
int freeStreams(int device);

// Waits for the streams of a context; timeout as in Stream::synchronize.
aclError synchronizeContext(const Context& context, int32_t timeout);

// Ends all work of a context's streams.
void stopStreams(uint64_t context, aclError code);

// The device whose memory `device` may reach: itself, or one with peer access enabled.
bool canAccess(int device, int peer);
void allowAccess(int device, int peer, bool allowed);

// ACL_OPT_DETERMINISTIC of the process or of the current context is on.
bool isDeterministic();

}  // namespace cann4j
