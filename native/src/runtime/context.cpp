// SPDX-License-Identifier: Apache-2.0
#include "context.hpp"

#include <chrono>
#include <map>
#include <set>

#include "error.hpp"
#include "options.hpp"

namespace cann4j {
namespace {

constexpr unsigned kContextKind = 0x10;
constexpr unsigned kStreamKind = 0x20;

std::atomic<int32_t> nextStreamId{0};

struct DeviceState {
  std::mutex mutex;
  std::array<int, 64> uses{};
  std::array<uint64_t, 64> defaultContext{};
  std::set<std::pair<int, int>> peers;
  std::array<std::optional<int64_t>, kSysParamOpts> processOptions{};
};

DeviceState& state() {
  static DeviceState& instance = *new DeviceState;
  return instance;
}

uint64_t& currentHandle() {
  thread_local uint64_t handle = 0;
  return handle;
}

aclError checkDevice(const char* function, int32_t device) {
  if (const aclError error = checkOptions(); error != ACL_SUCCESS) {
    return error;
  }
  const int count = options().devices;
  return device >= 0 && device < count
             ? ACL_SUCCESS
             : fail(ACL_ERROR_RT_INVALID_DEVICEID, "%s: device %d does not exist, there are %d",
                    function, device, count);
}

std::shared_ptr<Context> createContext(int device, bool isDefault) {
  const uint64_t handle = contexts().reserve();
  auto context = std::make_shared<Context>(device, handle, isDefault);
  contexts().insert(handle, context);
  return context;
}

// Ends a context: its pending work first, then its streams.
void destroyContext(const std::shared_ptr<Context>& context) {
  synchronizeContext(*context, -1);
  const auto own = streams().select(
      [&](const Stream& stream) { return stream.context() == context->handle; });
  for (const auto& [handle, stream] : own) {
    streams().remove(handle);
  }
  contexts().remove(reinterpret_cast<void*>(context->handle));
}

aclError checkOption(const char* function, aclSysParamOpt opt) {
  const int index = static_cast<int>(opt);
  return index >= 0 && index < kSysParamOpts
             ? ACL_SUCCESS
             : fail(ACL_ERROR_INVALID_PARAM, "%s: there is no option %d", function, index);
}

aclError nullArgument(const char* function, const char* name) {
  return fail(ACL_ERROR_INVALID_PARAM, "%s: %s is NULL", function, name);
}

}  // namespace

Context::Context(int deviceId, uint64_t handleValue, bool isDefaultContext)
    : device(deviceId), handle(handleValue), isDefault(isDefaultContext),
      defaultStream(std::make_shared<Stream>(deviceId, handleValue, nextStreamId++)) {}

Handles<Context>& contexts() {
  static Handles<Context>& instance = *new Handles<Context>(kContextKind);
  return instance;
}

Handles<Stream>& streams() {
  static Handles<Stream>& instance = *new Handles<Stream>(kStreamKind);
  return instance;
}

std::shared_ptr<Context> currentContext(const char* function) {
  const uint64_t handle = currentHandle();
  auto context = handle == 0 ? nullptr : contexts().find(handle);
  if (context == nullptr) {
    fail(ACL_ERROR_RT_CONTEXT_NULL,
         handle == 0 ? "%s: this thread has no current context; call aclrtSetDevice first"
                     : "%s: the current context of this thread was destroyed",
         function);
  }
  return context;
}

int currentDevice() {
  const uint64_t handle = currentHandle();
  const auto context = handle == 0 ? nullptr : contexts().find(handle);
  return context == nullptr ? -1 : context->device;
}

std::shared_ptr<Stream> createStream(const Context& context) {
  return std::make_shared<Stream>(context.device, context.handle, nextStreamId++);
}

aclError resolveStream(aclrtStream handle, std::shared_ptr<Stream>* stream) {
  const auto context = currentContext("stream");
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  if (handle == nullptr) {
    *stream = context->defaultStream;
    return ACL_SUCCESS;
  }
  auto found = streams().find(handle);
  if (found == nullptr) {
    return fail(ACL_ERROR_RT_INVALID_HANDLE, "%p is not a live stream", handle);
  }
  if (found->context() != context->handle) {
    return fail(ACL_ERROR_RT_STREAM_CONTEXT,
                "stream %d belongs to another context, on device %d; the current context is on "
                "device %d",
                found->id(), found->device(), context->device);
  }
  *stream = std::move(found);
  return ACL_SUCCESS;
}

aclError synchronizeContext(const Context& context, int32_t timeout) {
  auto all = streams().select(
      [&](const Stream& stream) { return stream.context() == context.handle; });
  all.emplace_back(nullptr, context.defaultStream);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout);
  aclError first = ACL_SUCCESS;
  for (const auto& [handle, stream] : all) {
    int32_t left = timeout;
    if (timeout >= 0) {
      const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      left = rest.count() < 0 ? 0 : static_cast<int32_t>(rest.count());
    }
    bool completed = true;
    const aclError error = stream->synchronize(left, &completed);
    if (!completed) {
      return fail(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT,
                  "device %d is not done after %d ms: stream %d has work", context.device, timeout,
                  stream->id());
    }
    if (first == ACL_SUCCESS) {
      first = error;
    }
  }
  return first;
}

bool canAccess(int device, int peer) {
  if (device == peer) {
    return true;
  }
  std::lock_guard lock(state().mutex);
  return state().peers.count({device, peer}) != 0;
}

bool isDeterministic() {
  const auto on = [](const std::optional<int64_t>& value) { return value.value_or(0) != 0; };
  {
    std::lock_guard lock(state().mutex);
    if (on(state().processOptions[ACL_OPT_DETERMINISTIC])) {
      return true;
    }
  }
  const uint64_t handle = currentHandle();
  const auto context = handle == 0 ? nullptr : contexts().find(handle);
  if (context == nullptr) {
    return false;
  }
  std::lock_guard lock(context->mutex);
  return on(context->options[ACL_OPT_DETERMINISTIC]);
}

}  // namespace cann4j

using namespace cann4j;

extern "C" {

aclError aclrtSetDevice(int32_t deviceId) {
  if (const aclError error = checkDevice("aclrtSetDevice", deviceId); error != ACL_SUCCESS) {
    return error;
  }
  const auto index = static_cast<size_t>(deviceId);
  std::lock_guard lock(state().mutex);
  if (state().defaultContext[index] == 0) {
    state().defaultContext[index] = createContext(deviceId, true)->handle;
  }
  ++state().uses[index];
  currentHandle() = state().defaultContext[index];
  return ACL_SUCCESS;
}

static aclError resetDevice(const char* function, int32_t deviceId, bool force) {
  if (const aclError error = checkDevice(function, deviceId); error != ACL_SUCCESS) {
    return error;
  }
  const auto index = static_cast<size_t>(deviceId);
  std::shared_ptr<Context> context;
  {
    std::lock_guard lock(state().mutex);
    int& uses = state().uses[index];
    if (uses == 0) {
      return fail(ACL_ERROR_RT_CONTEXT_NULL, "%s: device %d is not in use", function, deviceId);
    }
    uses = force ? 0 : uses - 1;
    if (uses > 0) {
      return ACL_SUCCESS;
    }
    context = contexts().find(state().defaultContext[index]);
    state().defaultContext[index] = 0;
  }
  destroyContext(context);
  return ACL_SUCCESS;
}

aclError aclrtResetDevice(int32_t deviceId) {
  return resetDevice("aclrtResetDevice", deviceId, false);
}

aclError aclrtResetDeviceForce(int32_t deviceId) {
  return resetDevice("aclrtResetDeviceForce", deviceId, true);
}

aclError aclrtGetDevice(int32_t* deviceId) {
  if (deviceId == nullptr) {
    return nullArgument("aclrtGetDevice", "deviceId");
  }
  const auto context = currentContext("aclrtGetDevice");
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  *deviceId = context->device;
  return ACL_SUCCESS;
}

aclError aclrtGetDeviceCount(uint32_t* count) {
  if (count == nullptr) {
    return nullArgument("aclrtGetDeviceCount", "count");
  }
  *count = static_cast<uint32_t>(options().devices);
  return checkOptions();
}

static aclError synchronizeDevice(const char* function, int32_t timeout) {
  if (timeout < -1) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: timeout %d; -1 waits for ever", function, timeout);
  }
  const auto context = currentContext(function);
  return context == nullptr ? ACL_ERROR_RT_CONTEXT_NULL : synchronizeContext(*context, timeout);
}

aclError aclrtSynchronizeDevice(void) { return synchronizeDevice("aclrtSynchronizeDevice", -1); }

aclError aclrtSynchronizeDeviceWithTimeout(int32_t timeout) {
  return synchronizeDevice("aclrtSynchronizeDeviceWithTimeout", timeout);
}

aclError aclrtDeviceCanAccessPeer(int32_t* canAccessPeer, int32_t deviceId, int32_t peerDeviceId) {
  const char* function = "aclrtDeviceCanAccessPeer";
  if (canAccessPeer == nullptr) {
    return nullArgument(function, "canAccessPeer");
  }
  if (deviceId == peerDeviceId) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: both devices are %d", function, deviceId);
  }
  aclError error = checkDevice(function, deviceId);
  if (error == ACL_SUCCESS) {
    error = checkDevice(function, peerDeviceId);
  }
  *canAccessPeer = error == ACL_SUCCESS ? 1 : 0;
  return error;
}

static aclError changePeerAccess(const char* function, int32_t peerDeviceId, bool enable) {
  const auto context = currentContext(function);
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  if (const aclError error = checkDevice(function, peerDeviceId); error != ACL_SUCCESS) {
    return error;
  }
  if (context->device == peerDeviceId) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: device %d is the current one", function,
                peerDeviceId);
  }
  std::lock_guard lock(state().mutex);
  if (enable) {
    state().peers.insert({context->device, peerDeviceId});
  } else {
    state().peers.erase({context->device, peerDeviceId});
  }
  return ACL_SUCCESS;
}

aclError aclrtDeviceEnablePeerAccess(int32_t peerDeviceId, uint32_t flags) {
  if (flags != 0) {
    return fail(ACL_ERROR_FEATURE_UNSUPPORTED, "aclrtDeviceEnablePeerAccess: flags %u, must be 0",
                flags);
  }
  return changePeerAccess("aclrtDeviceEnablePeerAccess", peerDeviceId, true);
}

aclError aclrtDeviceDisablePeerAccess(int32_t peerDeviceId) {
  return changePeerAccess("aclrtDeviceDisablePeerAccess", peerDeviceId, false);
}

aclError aclrtGetSysParamOpt(aclSysParamOpt opt, int64_t* value) {
  if (value == nullptr) {
    return nullArgument("aclrtGetSysParamOpt", "value");
  }
  if (const aclError error = checkOption("aclrtGetSysParamOpt", opt); error != ACL_SUCCESS) {
    return error;
  }
  std::lock_guard lock(state().mutex);
  *value = state().processOptions[opt].value_or(0);
  return ACL_SUCCESS;
}

aclError aclrtSetSysParamOpt(aclSysParamOpt opt, int64_t value) {
  if (const aclError error = checkOption("aclrtSetSysParamOpt", opt); error != ACL_SUCCESS) {
    return error;
  }
  std::lock_guard lock(state().mutex);
  state().processOptions[opt] = value;
  return ACL_SUCCESS;
}

aclError aclrtCtxGetSysParamOpt(aclSysParamOpt opt, int64_t* value) {
  if (value == nullptr) {
    return nullArgument("aclrtCtxGetSysParamOpt", "value");
  }
  if (const aclError error = checkOption("aclrtCtxGetSysParamOpt", opt); error != ACL_SUCCESS) {
    return error;
  }
  const auto context = currentContext("aclrtCtxGetSysParamOpt");
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  std::lock_guard lock(context->mutex);
  if (!context->options[opt]) {
    return fail(ACL_ERROR_RT_SYSPARAMOPT_NOT_SET,
                "aclrtCtxGetSysParamOpt: option %d was not set in this context", opt);
  }
  *value = *context->options[opt];
  return ACL_SUCCESS;
}

aclError aclrtCtxSetSysParamOpt(aclSysParamOpt opt, int64_t value) {
  if (const aclError error = checkOption("aclrtCtxSetSysParamOpt", opt); error != ACL_SUCCESS) {
    return error;
  }
  const auto context = currentContext("aclrtCtxSetSysParamOpt");
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  std::lock_guard lock(context->mutex);
  context->options[opt] = value;
  return ACL_SUCCESS;
}

aclError aclrtCreateContext(aclrtContext* context, int32_t deviceId) {
  if (context == nullptr) {
    return nullArgument("aclrtCreateContext", "context");
  }
  if (const aclError error = checkDevice("aclrtCreateContext", deviceId); error != ACL_SUCCESS) {
    return error;
  }
  const uint64_t handle = createContext(deviceId, false)->handle;
  currentHandle() = handle;
  *context = reinterpret_cast<void*>(handle);
  return ACL_SUCCESS;
}

aclError aclrtDestroyContext(aclrtContext context) {
  if (context == nullptr) {
    return nullArgument("aclrtDestroyContext", "context");
  }
  const auto found = contexts().find(context);
  if (found == nullptr) {
    return fail(ACL_ERROR_RT_INVALID_HANDLE, "aclrtDestroyContext: %p is not a live context",
                context);
  }
  if (found->isDefault) {
    return fail(ACL_ERROR_RT_PARAM_INVALID,
                "aclrtDestroyContext: %p is the default context of device %d; aclrtResetDevice "
                "destroys it",
                context, found->device);
  }
  destroyContext(found);
  return ACL_SUCCESS;
}

aclError aclrtSetCurrentContext(aclrtContext context) {
  if (context == nullptr) {
    return nullArgument("aclrtSetCurrentContext", "context");
  }
  if (contexts().find(context) == nullptr) {
    return fail(ACL_ERROR_RT_INVALID_HANDLE, "aclrtSetCurrentContext: %p is not a live context",
                context);
  }
  currentHandle() = reinterpret_cast<uint64_t>(context);
  return ACL_SUCCESS;
}

aclError aclrtGetCurrentContext(aclrtContext* context) {
  if (context == nullptr) {
    return nullArgument("aclrtGetCurrentContext", "context");
  }
  const auto current = currentContext("aclrtGetCurrentContext");
  if (current == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  *context = reinterpret_cast<void*>(current->handle);
  return ACL_SUCCESS;
}

}  // extern "C"
