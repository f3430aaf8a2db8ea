// SPDX-License-Identifier: Apache-2.0
#include "context.hpp"

#include <atomic>
#include <chrono>
#include <set>
#include <utility>

#include "api.hpp"
#include "callbacks.hpp"
#include "options.hpp"

namespace cann4j {
namespace {

constexpr unsigned kContextKind = 0x10;
constexpr unsigned kStreamKind = 0x20;

std::atomic<int32_t> nextStreamId{0};

struct DeviceState {
  std::mutex mutex;
  std::array<int, kMaxDevices> uses{};
  std::array<uint64_t, kMaxDevices> defaultContext{};
  std::array<int, kMaxDevices> streams{};
  std::set<std::pair<int, int>> peers;
  std::atomic<int> defaultDevice{-1};
};

DeviceState& state() {
  static DeviceState& instance = *new DeviceState;
  return instance;
}

Handles<Stream>& streams() {
  static Handles<Stream>& instance = *new Handles<Stream>(kStreamKind);
  return instance;
}

uint64_t& currentHandle() {
  constinit thread_local uint64_t handle = 0;
  return handle;
}

// Takes one of the device's streams, and gives it back unless it is kept.
class StreamSlot {
 public:
  explicit StreamSlot(int device) : count_(state().streams[static_cast<size_t>(device)]) {
    std::lock_guard lock(state().mutex);
    isFree_ = count_ < kStreamsOfADevice;
    count_ += isFree_ ? 1 : 0;
  }
  StreamSlot(const StreamSlot&) = delete;
  ~StreamSlot() {
    if (isFree_ && !isKept_) {
      std::lock_guard lock(state().mutex);
      --count_;
    }
  }
  bool isFree() const { return isFree_; }
  void keep() { isKept_ = true; }

  static void release(int device) {
    std::lock_guard lock(state().mutex);
    --state().streams[static_cast<size_t>(device)];
  }

 private:
  int& count_;
  bool isFree_;
  bool isKept_ = false;
};

std::vector<std::pair<void*, std::shared_ptr<Stream>>> streamsOf(uint64_t context) {
  return streams().select([&](const Stream& stream) { return stream.context() == context; });
}

}  // namespace

Handles<Context>& contexts() {
  static Handles<Context>& instance = *new Handles<Context>(kContextKind);
  return instance;
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

std::shared_ptr<Context> currentContext(const char* function) {
  const uint64_t handle = currentHandle();
  if (handle == 0 && state().defaultDevice >= 0) {
    std::shared_ptr<Context> context;
    if (useDefaultContext(function, state().defaultDevice, &context) == ACL_SUCCESS) {
      makeCurrent(*context);
    }
    return context;
  }
  auto context = handle == 0 ? nullptr : contexts().find(handle);
  if (context == nullptr) {
    fail(ACL_ERROR_RT_CONTEXT_NULL,
         handle == 0 ? "%s: this thread has no current context; call aclrtSetDevice first"
                     : "%s: the current context of this thread was destroyed",
         function);
  }
  return context;
}

void makeCurrent(const Context& context) { currentHandle() = context.handle; }

int currentDevice() {
  const uint64_t handle = currentHandle();
  const auto context = handle == 0 ? nullptr : contexts().find(handle);
  return context == nullptr ? -1 : context->device;
}

aclError useDefaultContext(const char* function, int device, std::shared_ptr<Context>* context) {
  constexpr int kAttempts = 1000;
  const auto index = static_cast<size_t>(device);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    {
      std::lock_guard lock(state().mutex);
      if (state().defaultContext[index] != 0) {
        *context = contexts().find(state().defaultContext[index]);
        ++state().uses[index];
        return ACL_SUCCESS;
      }
    }
    if (const aclError error = createContext(function, device, true, context);
        error != ACL_SUCCESS) {
      return error;
    }
    {
      std::lock_guard lock(state().mutex);
      if (state().defaultContext[index] == 0) {
        state().defaultContext[index] = (*context)->handle;
        state().uses[index] = 1;
        return ACL_SUCCESS;
      }
    }
    destroyContext((*context)->handle);  // another thread was quicker
  }
  return fail(ACL_ERROR_INTERNAL_ERROR, "%s: device %d is set and reset too often", function,
              device);
}

aclError releaseDefaultContext(const char* function, int device, bool all) {
  const auto index = static_cast<size_t>(device);
  uint64_t context = 0;
  {
    std::lock_guard lock(state().mutex);
    int& uses = state().uses[index];
    if (uses == 0) {
      return fail(ACL_ERROR_RT_CONTEXT_NULL, "%s: device %d is not in use", function, device);
    }
    uses = all ? 0 : uses - 1;
    if (uses > 0) {
      return ACL_SUCCESS;
    }
    context = std::exchange(state().defaultContext[index], 0);
  }
  destroyContext(context);
  return ACL_SUCCESS;
}

void setDefaultDevice(int device) { state().defaultDevice = device; }

aclError createContext(const char* function, int device, bool isDefault,
                       std::shared_ptr<Context>* context) {
  auto made = std::make_shared<Context>(device, contexts().reserve(), isDefault);
  if (const aclError error = createStream(function, *made, {}, &made->defaultStream);
      error != ACL_SUCCESS) {
    return error;
  }
  contexts().insert(made->handle, made);
  *context = std::move(made);
  return ACL_SUCCESS;
}

bool destroyContext(uint64_t handle) {
  const auto context = contexts().find(handle);
  if (context == nullptr || context->isEnding.exchange(true)) {
    return false;
  }
  synchronizeContext(*context, -1);
  contexts().remove(reinterpret_cast<void*>(handle));
  for (const auto& [stream, object] : streamsOf(handle)) {
    removeStream(stream);
  }
  return true;
}

aclError createStream(const char* function, const Context& context, Stream::Settings settings,
                      aclrtStream* handle) {
  StreamSlot slot(context.device);
  if (!slot.isFree()) {
    return fail(ACL_ERROR_RT_NO_STREAM_RESOURCE, "%s: device %d has its %d streams already",
                function, context.device, kStreamsOfADevice);
  }
  auto stream = std::make_shared<Stream>(context.device, context.handle, nextStreamId++,
                                         context.failureMode, settings);
  *handle = streams().insert(streams().reserve(), std::move(stream));
  slot.keep();
  return ACL_SUCCESS;
}

std::shared_ptr<Stream> removeStream(aclrtStream handle) {
  auto stream = streams().remove(handle);
  if (stream != nullptr) {
    forgetCallbacksOf(*stream);
    StreamSlot::release(stream->device());
  }
  return stream;
}

int freeStreams(int device) {
  std::lock_guard lock(state().mutex);
  return kStreamsOfADevice - state().streams[static_cast<size_t>(device)];
}

aclError resolveStream(aclrtStream handle, std::shared_ptr<Stream>* stream, StreamUse use) {
  if (isInsideCallback()) {
    return refuseInsideCallback("stream");
  }
  const auto context = currentContext("stream");
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  auto found = streams().find(handle == nullptr ? context->defaultStream : handle);
  if (found == nullptr) {
    return fail(ACL_ERROR_RT_INVALID_HANDLE, "%p is not a live stream", handle);
  }
  if (found->context() != context->handle) {
    return fail(ACL_ERROR_RT_STREAM_CONTEXT,
                "stream %d belongs to another context, on device %d; the current context is on "
                "device %d",
                found->id(), found->device(), context->device);
  }
  if (use == StreamUse::kSubmit && found->failureMode().failure() != ACL_SUCCESS) {
    return fail(found->failureMode().failure(),
                "stream %d takes no new work since a failure of its context: %s", found->id(),
                found->failureMode().words().c_str());
  }
  *stream = std::move(found);
  return ACL_SUCCESS;
}

aclError synchronizeContext(const Context& context, int32_t timeout) {
  const auto all = streamsOf(context.handle);
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

void stopStreams(uint64_t context, aclError code) {
  constexpr const char* kWords = "another task of its context failed";
  for (const auto& [handle, stream] : streamsOf(context)) {
    stream->end(code, kWords);
  }
}

bool canAccess(int device, int peer) {
  if (device == peer) {
    return true;
  }
  std::lock_guard lock(state().mutex);
  return state().peers.count({device, peer}) != 0;
}

void allowAccess(int device, int peer, bool allowed) {
  std::lock_guard lock(state().mutex);
  if (allowed) {
    state().peers.insert({device, peer});
  } else {
    state().peers.erase({device, peer});
  }
}

}  // namespace cann4j
