// SPDX-License-Identifier: Apache-2.0
// Contexts of threads, and handles that are dead, of the wrong kind, or somebody else's.
#include <atomic>
#include <functional>
#include <thread>

#include "device.hpp"

using device::inThread;

namespace {

// All calls that need the current context, or a stream of it, refuse with this code.
void everyCallFails(aclrtStream stream, aclError code, const char* words) {
  void* memory = nullptr;
  size_t free = 0;
  size_t total = 0;
  uint32_t count = 0;
  int32_t number = 0;
  int64_t value = 0;
  aclrtStream made = nullptr;
  aclrtEvent event = nullptr;
  aclrtStreamStatus status = ACL_STREAM_STATUS_RESERVED;
  char host[8] = {};
  const aclError noContext = ACL_ERROR_RT_CONTEXT_NULL;
  if (code == noContext) {
    CHECK_FAILS(aclrtGetDevice(&number), code, words);
    CHECK_FAILS(aclrtCreateStream(&made), code, words);
    CHECK_FAILS(aclrtCreateEvent(&event), code, words);
    CHECK_FAILS(aclrtMalloc(&memory, 8, ACL_MEM_MALLOC_HUGE_FIRST), code, words);
    CHECK_FAILS(aclrtMallocHost(&memory, 8), code, words);
    CHECK_FAILS(aclrtMemcpy(host, 4, host + 4, 4, ACL_MEMCPY_HOST_TO_HOST), code, words);
    CHECK_FAILS(aclrtMemset(host, 4, 0, 4), code, words);
    CHECK_FAILS(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total), code, words);
    CHECK_FAILS(aclrtSynchronizeDevice(), code, words);
    CHECK_FAILS(aclrtDeviceEnablePeerAccess(1, 0), code, words);
    CHECK_FAILS(aclrtGetStreamAvailableNum(&count), code, words);
    CHECK_FAILS(aclrtCtxGetCurrentDefaultStream(&made), code, words);
    CHECK_FAILS(aclrtCtxGetSysParamOpt(ACL_OPT_DETERMINISTIC, &value), code, words);
  }
  CHECK_FAILS(aclrtSynchronizeStream(stream), code, words);
  CHECK_FAILS(aclrtStreamQuery(stream, &status), code, words);
  CHECK_FAILS(aclrtStreamGetId(stream, &number), code, words);
  CHECK_FAILS(aclrtMemsetAsync(host, 4, 0, 4, stream), code, words);
  CHECK_FAILS(aclrtSubscribeReport(1, stream), code, words);
  if (stream != nullptr) {
    CHECK_FAILS(aclrtDestroyStream(stream), code, words);
    CHECK_FAILS(aclrtDestroyStreamForce(stream), code, words);
    CHECK_FAILS(aclrtStreamAbort(stream), code, words);
    CHECK_FAILS(aclrtSetStreamFailureMode(stream, 0), code, words);
  }
}

}  // namespace

TEST(theContextOfAResetDevice) {
  inThread([] {
    device::use(2);
    aclrtContext context = nullptr;
    aclrtStream stream = nullptr;
    CHECK_OK(aclrtGetCurrentContext(&context));
    CHECK_OK(aclrtCreateStream(&stream));
    CHECK_OK(aclrtResetDeviceForce(2));
    everyCallFails(nullptr, ACL_ERROR_RT_CONTEXT_NULL, "was destroyed");
    everyCallFails(stream, ACL_ERROR_RT_CONTEXT_NULL, "was destroyed");
    CHECK_FAILS(aclrtSetCurrentContext(context), ACL_ERROR_RT_INVALID_HANDLE, "not a live context");
    CHECK_FAILS(aclrtDestroyContext(context), ACL_ERROR_RT_INVALID_HANDLE, "not a live context");
    device::use(2);
    everyCallFails(stream, ACL_ERROR_RT_INVALID_HANDLE, "not a live stream");
    CHECK_OK(aclrtResetDevice(2));
    CHECK_FAILS(aclrtResetDevice(2), ACL_ERROR_RT_CONTEXT_NULL, "not in use");
    CHECK_FAILS(aclrtResetDeviceForce(2), ACL_ERROR_RT_CONTEXT_NULL, "not in use");
  });
}

TEST(explicitContextsOutliveAReset) {
  inThread([] {
    aclrtContext context = nullptr;
    aclrtStream stream = nullptr;
    CHECK_OK(aclrtCreateContext(&context, 2));
    CHECK_OK(aclrtCreateStream(&stream));
    device::use(2);
    CHECK_OK(aclrtResetDevice(2));
    CHECK_OK(aclrtSetCurrentContext(context));
    CHECK_OK(aclrtSynchronizeStream(stream));
    CHECK_OK(aclrtDestroyContext(context));
  });
}

TEST(streamsOfOtherContextsAndDevices) {
  inThread([] {
    device::use(0);
    aclrtContext first = nullptr;
    aclrtContext second = nullptr;
    CHECK_OK(aclrtGetCurrentContext(&first));
    device::Stream stream;
    CHECK_OK(aclrtCreateContext(&second, 0));  // of the same device
    everyCallFails(stream, ACL_ERROR_RT_STREAM_CONTEXT, "another context");
    CHECK_OK(aclrtDestroyContext(second));
    device::use(1);
    everyCallFails(stream, ACL_ERROR_RT_STREAM_CONTEXT, "on device 0");
    CHECK_OK(aclrtSetCurrentContext(first));
  });
}

TEST(handlesOfOtherKinds) {
  device::use();
  device::Stream stream;
  aclrtContext context = nullptr;
  aclrtEvent event = nullptr;
  CHECK_OK(aclrtGetCurrentContext(&context));
  CHECK_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
  device::Buffer<char> buffer(64);
  const void* const wrong[] = {context, event, buffer.address(), &event,
                               reinterpret_cast<void*>(0x10)};
  for (const void* handle : wrong) {
    everyCallFails(const_cast<void*>(handle), ACL_ERROR_RT_INVALID_HANDLE, "not a live stream");
  }
  for (void* handle : {static_cast<void*>(stream), static_cast<void*>(context), buffer.address()}) {
    CHECK_FAILS(aclrtRecordEvent(handle, stream), ACL_ERROR_RT_INVALID_HANDLE, "not a live event");
    CHECK_FAILS(aclrtDestroyEvent(handle), ACL_ERROR_RT_INVALID_HANDLE, "not a live event");
    CHECK_FAILS(aclrtStreamWaitEvent(stream, handle), ACL_ERROR_RT_INVALID_HANDLE,
                "not a live event");
  }
  for (void* handle : {static_cast<void*>(stream), static_cast<void*>(event), buffer.address()}) {
    CHECK_FAILS(aclrtSetCurrentContext(handle), ACL_ERROR_RT_INVALID_HANDLE, "not a live context");
    CHECK_FAILS(aclrtDestroyContext(handle), ACL_ERROR_RT_INVALID_HANDLE, "not a live context");
  }
  CHECK_FAILS(aclrtFree(stream), ACL_ERROR_RT_PARAM_INVALID, "device memory");
  CHECK_FAILS(aclrtFreeHost(event), ACL_ERROR_RT_PARAM_INVALID, "aclrtMallocHost");
  CHECK_OK(aclrtDestroyEvent(event));
}

// Of threads that destroy the same thing at the same time, one succeeds.
TEST(whoIsQuickerDestroys) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 100; ++round) {
    device::use();
    aclrtContext shared = nullptr;
    aclrtContext context = nullptr;
    aclrtStream stream = nullptr;
    aclrtEvent event = nullptr;
    void* memory = nullptr;
    void* pinned = nullptr;
    CHECK_OK(aclrtGetCurrentContext(&shared));
    CHECK_OK(aclrtCreateContext(&context, 0));
    CHECK_OK(aclrtSetCurrentContext(shared));
    CHECK_OK(aclrtCreateStream(&stream));
    CHECK_OK(aclrtCreateEvent(&event));
    CHECK_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
    CHECK_OK(aclrtMallocHost(&pinned, 64));
    std::atomic<int> ready{0};
    std::atomic<int> successes[5] = {};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        aclrtSetCurrentContext(shared);
        ++ready;
        while (ready < kThreads) {
          std::this_thread::yield();
        }
        successes[0] += aclrtDestroyStream(stream) == ACL_SUCCESS ? 1 : 0;
        successes[1] += aclrtDestroyEvent(event) == ACL_SUCCESS ? 1 : 0;
        successes[2] += aclrtFree(memory) == ACL_SUCCESS ? 1 : 0;
        successes[3] += aclrtFreeHost(pinned) == ACL_SUCCESS ? 1 : 0;
        successes[4] += aclrtDestroyContext(context) == ACL_SUCCESS ? 1 : 0;
      });
    }
    for (auto& thread : threads) {
      thread.join();
    }
    for (const auto& count : successes) {
      CHECK_EQ(count.load(), 1);
    }
  }
}

TEST(threadsSetAndResetADevice) {
  std::vector<std::thread> threads;
  std::atomic<int> problems{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&problems] {
      for (int round = 0; round < 200; ++round) {
        aclrtStream stream = nullptr;
        int32_t device = -1;
        const bool good = aclrtSetDevice(3) == ACL_SUCCESS &&
                          aclrtGetDevice(&device) == ACL_SUCCESS && device == 3 &&
                          aclrtCreateStream(&stream) == ACL_SUCCESS &&
                          aclrtSynchronizeStream(stream) == ACL_SUCCESS &&
                          aclrtDestroyStream(stream) == ACL_SUCCESS &&
                          aclrtResetDevice(3) == ACL_SUCCESS;
        problems += good ? 0 : 1;
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK_EQ(problems.load(), 0);
  CHECK_FAILS(aclrtResetDevice(3), ACL_ERROR_RT_CONTEXT_NULL, "not in use");
}

TEST(optionsBelongToTheirContext) {
  device::use(0);
  aclrtContext first = nullptr;
  aclrtContext second = nullptr;
  int64_t value = -1;
  CHECK_OK(aclrtGetCurrentContext(&first));
  CHECK_OK(aclrtCtxSetSysParamOpt(ACL_OPT_ENABLE_DEBUG_KERNEL, 1));
  CHECK_OK(aclrtCreateContext(&second, 0));
  CHECK_FAILS(aclrtCtxGetSysParamOpt(ACL_OPT_ENABLE_DEBUG_KERNEL, &value),
              ACL_ERROR_RT_SYSPARAMOPT_NOT_SET, "not set");
  CHECK_OK(aclrtSetCurrentContext(first));
  CHECK_OK(aclrtCtxGetSysParamOpt(ACL_OPT_ENABLE_DEBUG_KERNEL, &value));
  CHECK_EQ(value, int64_t{1});
  CHECK_OK(aclrtGetSysParamOpt(ACL_OPT_ENABLE_DEBUG_KERNEL, &value));
  CHECK_EQ(value, int64_t{0});
  CHECK_OK(aclrtDestroyContext(second));
}

TEST(peersInOneDirection) {
  inThread([] {
    device::use(0);
    device::Buffer<int> here(std::vector<int>{1});
    device::use(1);
    device::Buffer<int> there(std::vector<int>{2});
    CHECK_FAILS(aclrtMemcpy(here.address(), 4, there.address(), 4, ACL_MEMCPY_DEVICE_TO_DEVICE),
                ACL_ERROR_RT_PARAM_INVALID, "aclrtDeviceEnablePeerAccess");
    CHECK_OK(aclrtDeviceEnablePeerAccess(0, 0));  // from 1 to 0
    CHECK_OK(aclrtMemcpy(here.address(), 4, there.address(), 4, ACL_MEMCPY_DEVICE_TO_DEVICE));
    CHECK_EQ(here.read()[0], 2);
    device::use(0);
    CHECK_FAILS(aclrtMemcpy(here.address(), 4, there.address(), 4, ACL_MEMCPY_DEVICE_TO_DEVICE),
                ACL_ERROR_RT_PARAM_INVALID, "aclrtDeviceEnablePeerAccess");
    // A third device needs access to both.
    device::use(2);
    CHECK_OK(aclrtDeviceEnablePeerAccess(0, 0));
    CHECK_FAILS(aclrtMemcpy(here.address(), 4, there.address(), 4, ACL_MEMCPY_DEVICE_TO_DEVICE),
                ACL_ERROR_RT_PARAM_INVALID, "device 2");
    CHECK_OK(aclrtDeviceEnablePeerAccess(1, 0));
    CHECK_OK(aclrtMemcpy(here.address(), 4, there.address(), 4, ACL_MEMCPY_DEVICE_TO_DEVICE));
    CHECK_OK(aclrtDeviceDisablePeerAccess(0));
    CHECK_OK(aclrtDeviceDisablePeerAccess(1));
    device::use(1);
    CHECK_OK(aclrtDeviceDisablePeerAccess(0));
  });
}
