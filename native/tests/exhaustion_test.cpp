// SPDX-License-Identifier: Apache-2.0
// The host runs out of memory: at each allocation that an acl call makes in turn, the call must fail with a code and
// words, and everything must work afterwards.
#include <pthread.h>

#include <cstdlib>
#include <functional>
#include <new>

#include "device.hpp"
#include "runtime/options.hpp"

namespace {

// How many allocations of this thread succeed from now on; negative: all.
thread_local int allocationsLeft = -1;
thread_local bool hasFailed = false;

void* allocate(size_t bytes, size_t alignment) {
  if (allocationsLeft == 0) {
    hasFailed = true;
    allocationsLeft = -1;  // one failure; the words about it may need memory
    throw std::bad_alloc();
  }
  if (allocationsLeft > 0) {
    --allocationsLeft;
  }
  void* memory = alignment <= alignof(max_align_t)
                     ? std::malloc(bytes)
                     : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

// Lets the first allocation fail, then the second, and so on until the call needs no more.
void exhaust(const char* name, const std::function<aclError()>& call,
             const std::function<void()>& undo = [] {}) {
  constexpr int kMost = 200;
  for (int allowed = 0; allowed < kMost; ++allowed) {
    while (aclGetRecentErrMsg() != nullptr) {
    }
    hasFailed = false;
    allocationsLeft = allowed;
    const aclError code = call();
    allocationsLeft = -1;
    if (code == ACL_SUCCESS) {  // also if it could do without
      undo();
    } else {
      if (code != ACL_ERROR_BAD_ALLOC || !hasFailed) {
        check::failed(__FILE__, __LINE__, device::failure(name, code));
      }
      device::expectWords(__FILE__, __LINE__, name);
    }
    // The streams must not hang on something half done.
    CHECK_OK(aclrtSynchronizeDeviceWithTimeout(device::kPatience));
    if (!hasFailed) {
      return;
    }
  }
  check::failed(__FILE__, __LINE__, std::string(name) + " needs more than 200 allocations");
}

void nothing(void*) {}

}  // namespace

#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void* operator new(size_t bytes) { return allocate(bytes, 1); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

TEST(theInstrumentWorks) {
  allocationsLeft = 1;
  std::vector<int> first(1);
  bool threw = false;
  try {
    std::vector<int> second(first.size());
  } catch (const std::bad_alloc&) {
    threw = true;
  }
  CHECK(threw && hasFailed);
}

TEST(devicesAndContexts) {
  device::use();
  exhaust("aclrtSetDevice", [] { return aclrtSetDevice(3); }, [] {
    aclrtResetDevice(3);
    aclrtSetDevice(0);
  });
  device::use();
  aclrtContext mine = nullptr;
  aclrtContext context = nullptr;
  CHECK_OK(aclrtGetCurrentContext(&mine));
  exhaust("aclrtCreateContext", [&] { return aclrtCreateContext(&context, 0); },
          [&] {
            aclrtDestroyContext(context);
            aclrtSetCurrentContext(mine);
          });
  exhaust("aclrtDeviceEnablePeerAccess", [] { return aclrtDeviceEnablePeerAccess(1, 0); },
          [] { aclrtDeviceDisablePeerAccess(1); });
}

TEST(streamsAndCallbacks) {
  device::use();
  uint32_t before = 0;
  CHECK_OK(aclrtGetStreamAvailableNum(&before));
  aclrtStream stream = nullptr;
  exhaust("aclrtCreateStream", [&] { return aclrtCreateStream(&stream); },
          [&] { aclrtDestroyStream(stream); });
  uint32_t after = 0;
  CHECK_OK(aclrtGetStreamAvailableNum(&after));
  CHECK_EQ(after, before);
  aclrtStreamConfigHandle* handle = nullptr;
  for (int allowed = 0; handle == nullptr; ++allowed) {
    CHECK(allowed < 20);
    allocationsLeft = allowed;
    handle = aclrtCreateStreamConfigHandle();
    allocationsLeft = -1;
  }
  CHECK_OK(aclrtDestroyStreamConfigHandle(handle));
  const device::Stream used;
  const auto self = static_cast<uint64_t>(pthread_self());
  exhaust("aclrtSubscribeReport", [&] { return aclrtSubscribeReport(self, used); },
          [&] { aclrtUnSubscribeReport(self, used); });
  CHECK_OK(aclrtSubscribeReport(self, used));
  exhaust("aclrtLaunchCallback",
          [&] { return aclrtLaunchCallback(nothing, nullptr, ACL_CALLBACK_NO_BLOCK, used); });
  CHECK_OK(aclrtProcessReport(10000));
  CHECK_OK(aclrtUnSubscribeReport(self, used));
  const device::Stream hosting;
  exhaust("aclrtLaunchHostFunc", [&] { return aclrtLaunchHostFunc(hosting, nothing, nullptr); });
}

TEST(events) {
  device::use();
  const device::Stream stream;
  aclrtEvent event = nullptr;
  exhaust("aclrtCreateEvent", [&] { return aclrtCreateEvent(&event); },
          [&] { aclrtDestroyEvent(event); });
  CHECK_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
  exhaust("aclrtRecordEvent", [&] { return aclrtRecordEvent(event, stream); });
  exhaust("aclrtStreamWaitEvent", [&] { return aclrtStreamWaitEvent(stream, event); });
  CHECK_OK(aclrtDestroyEvent(event));
  CHECK_OK(aclrtCreateEventWithFlag(&event, ACL_EVENT_SYNC));
  const device::Stream other;
  exhaust("aclrtStreamWaitEvent", [&] { return aclrtStreamWaitEvent(stream, event); },
          [&] { aclrtRecordEvent(event, other); });
  aclrtEventWaitStatus status = ACL_EVENT_WAIT_STATUS_RESERVED;
  CHECK_OK(aclrtQueryEventWaitStatus(event, &status));
  CHECK_EQ(status, ACL_EVENT_WAIT_STATUS_COMPLETE);
  CHECK_OK(aclrtDestroyEvent(event));
}

TEST(memory) {
  device::use();
  const device::Stream stream;
  size_t before = 0;
  size_t after = 0;
  size_t total = 0;
  void* memory = nullptr;
  exhaust("aclrtMalloc", [&] { return aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST); },
          [&] { aclrtFree(memory); });
  CHECK_OK(aclrtGetMemInfo(ACL_HBM_MEM, &before, &total));
  exhaust("aclrtMalloc", [&] { return aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST); },
          [&] { aclrtFree(memory); });
  CHECK_OK(aclrtGetMemInfo(ACL_HBM_MEM, &after, &total));
  CHECK_EQ(after, before);
  exhaust("aclrtMallocHost", [&] { return aclrtMallocHost(&memory, 64); },
          [&] { aclrtFreeHost(memory); });
  void* pinned = nullptr;
  CHECK_OK(aclrtMallocHost(&pinned, 4096));
  device::Buffer<uint8_t> buffer(4096);
  exhaust("aclrtMemcpyAsync", [&] {
    return aclrtMemcpyAsync(buffer.address(), 4096, pinned, 4096, ACL_MEMCPY_HOST_TO_DEVICE, stream);
  });
  exhaust("aclrtMemsetAsync",
          [&] { return aclrtMemsetAsync(buffer.address(), 4096, 1, 4096, stream); });
  exhaust("aclrtHostRegister",
          [&] { return aclrtHostRegister(pinned, 4096, ACL_HOST_REGISTER_MAPPED, &memory); },
          [&] { aclrtHostUnregister(pinned); });
  CHECK_OK(aclrtFreeHost(pinned));
}

TEST(initialisation) {
  device::use();
  exhaust("aclInit", [] { return aclInit(nullptr); }, [] { aclFinalize(); });
}
