// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "acl/acl_rt.h"
#include "device.hpp"
#include "runtime/error.hpp"
#include "runtime/stream.hpp"
#include "runtime/thread_pool.hpp"

namespace {

std::shared_ptr<cann4j::Stream> resolve(aclrtStream handle) {
  std::shared_ptr<cann4j::Stream> stream;
  CHECK_OK(cann4j::resolveStream(handle, &stream));
  return stream;
}

}  // namespace

TEST(tasksRunInOrder) {
  device::use();
  device::Stream stream;
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) {
    resolve(stream)->submitKernel([&order, i] {
      order.push_back(i);
      return ACL_SUCCESS;
    });
  }
  stream.synchronize();
  CHECK_EQ(order.size(), size_t{1000});
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST(parkedTasksHoldNoThread) {
  device::use();
  // More waiting streams than the pool has threads, and yet the last one runs.
  const int count = cann4j::ThreadPool::instance().threads() + 5;
  std::vector<std::unique_ptr<device::Stream>> waiting;
  device::Gate gate;
  std::atomic<int> passed{0};
  for (int i = 0; i < count; ++i) {
    waiting.push_back(std::make_unique<device::Stream>());
    gate.hold(*waiting.back());
    resolve(*waiting.back())->submitKernel([&passed] {
      ++passed;
      return ACL_SUCCESS;
    });
  }
  device::Stream free;
  std::atomic<bool> ran{false};
  resolve(free)->submitKernel([&ran] {
    ran = true;
    return ACL_SUCCESS;
  });
  free.synchronize();
  CHECK(ran);
  CHECK_EQ(passed.load(), 0);
  gate.open();
  for (const auto& stream : waiting) {
    stream->synchronize();
  }
  CHECK_EQ(passed.load(), count);
}

TEST(tasksMayCompleteLaterAndElsewhere) {
  device::use();
  device::Stream stream;
  cann4j::Stream::Done kept;
  std::atomic<bool> started{false};
  std::vector<int> order;
  resolve(stream)->submit([&](cann4j::Stream::Done done) {
    kept = std::move(done);
    started = true;
  });
  resolve(stream)->submitKernel([&order] {
    order.push_back(2);
    return ACL_SUCCESS;
  });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!started) {
    CHECK(std::chrono::steady_clock::now() < deadline);
    std::this_thread::yield();
  }
  aclrtStreamStatus status = ACL_STREAM_STATUS_COMPLETE;
  CHECK_OK(aclrtStreamQuery(stream, &status));
  CHECK_EQ(status, ACL_STREAM_STATUS_NOT_READY);
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, 20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT,
              "20 ms");
  CHECK_FAILS(aclrtSynchronizeDeviceWithTimeout(20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, "20 ms");
  std::thread([&] {
    order.push_back(1);
    kept(ACL_SUCCESS);
  }).join();
  CHECK_OK(aclrtSynchronizeStreamWithTimeout(stream, 60000));
  CHECK(order == (std::vector<int>{1, 2}));
  CHECK_OK(aclrtStreamQuery(stream, &status));
  CHECK_EQ(status, ACL_STREAM_STATUS_COMPLETE);
}

TEST(failuresSurfaceAtTheNextSynchronisation) {
  device::use();
  device::Stream stream;
  std::atomic<bool> later{false};
  resolve(stream)->submitKernel(
      [] { return cann4j::fail(ACL_ERROR_RT_AICORE_EXCEPTION, "the value %d is bad", 42); });
  resolve(stream)->submitKernel([] { return cann4j::fail(ACL_ERROR_RT_AICORE_TIMEOUT, "second"); });
  resolve(stream)->submitKernel([&later] {
    later = true;
    return ACL_SUCCESS;
  });
  CHECK_FAILS(aclrtSynchronizeStream(stream), ACL_ERROR_RT_AICORE_EXCEPTION, "the value 42 is bad");
  CHECK(later);
  CHECK_OK(aclrtSynchronizeStream(stream));
  resolve(stream)->submitKernel([]() -> aclError { throw std::runtime_error("no luck"); });
  CHECK_FAILS(aclrtSynchronizeDevice(), ACL_ERROR_RT_AICORE_EXCEPTION, "no luck");
  CHECK_OK(aclrtSynchronizeDevice());
}

TEST(handlesAndArguments) {
  device::use();
  aclrtStream stream = nullptr;
  CHECK_FAILS(aclrtCreateStream(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  CHECK_FAILS(aclrtCreateStreamWithConfig(&stream, 0, ACL_STREAM_PERSISTENT),
              ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "0x4");
  CHECK_OK(aclrtCreateStreamWithConfig(&stream, 0, ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC));
  int32_t id = -1;
  int32_t defaultId = -1;
  CHECK_OK(aclrtStreamGetId(stream, &id));
  CHECK_OK(aclrtStreamGetId(nullptr, &defaultId));
  CHECK(id != defaultId);
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, 0), ACL_ERROR_RT_PARAM_INVALID, "0");
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, -2), ACL_ERROR_RT_PARAM_INVALID, "-2");
  device::use(1);
  CHECK_FAILS(aclrtStreamQuery(stream, nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  CHECK_FAILS(aclrtSynchronizeStream(stream), ACL_ERROR_RT_STREAM_CONTEXT, "another context");
  CHECK_FAILS(aclrtDestroyStream(stream), ACL_ERROR_RT_STREAM_CONTEXT, "another context");
  device::use(0);
  CHECK_OK(aclrtDestroyStream(stream));
  CHECK_FAILS(aclrtDestroyStream(stream), ACL_ERROR_RT_INVALID_HANDLE, "not a live stream");
  CHECK_FAILS(aclrtDestroyStream(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  CHECK_FAILS(aclrtSynchronizeStream(&id), ACL_ERROR_RT_INVALID_HANDLE, "not a live stream");
}

TEST(configuredStreams) {
  device::use();
  aclrtStreamConfigHandle* handle = aclrtCreateStreamConfigHandle();
  CHECK(handle != nullptr);
  CHECK(handle->workptr == nullptr && handle->workSize == 0 && handle->flag == 0);
  uint32_t priority = 3;
  size_t flag = ACL_STREAM_FAST_LAUNCH | ACL_STREAM_HUGE;
  device::Buffer<char> memory(4096);
  void* work = memory.address();
  size_t workSize = 4096;
  const auto attribute = [](int value) { return static_cast<aclrtStreamConfigAttr>(value); };
  CHECK_OK(aclrtSetStreamConfigOpt(handle, ACL_RT_STREAM_PRIORITY, &priority, sizeof(priority)));
  CHECK_OK(aclrtSetStreamConfigOpt(handle, ACL_RT_STREAM_FLAG, &flag, sizeof(flag)));
  CHECK_OK(aclrtSetStreamConfigOpt(handle, ACL_RT_STREAM_WORK_ADDR_PTR, &work, sizeof(work)));
  CHECK_OK(aclrtSetStreamConfigOpt(handle, ACL_RT_STREAM_WORK_SIZE, &workSize, sizeof(workSize)));
  CHECK_EQ(handle->priority, 3U);
  CHECK_EQ(handle->workptr, work);
  CHECK_FAILS(aclrtSetStreamConfigOpt(handle, ACL_RT_STREAM_PRIORITY, &priority, 8),
              ACL_ERROR_INVALID_PARAM, "valueSize 8");
  CHECK_FAILS(aclrtSetStreamConfigOpt(handle, ACL_RT_STREAM_PRIORITY, nullptr, 4),
              ACL_ERROR_INVALID_PARAM, "attrValue is NULL");
  CHECK_FAILS(aclrtSetStreamConfigOpt(handle, attribute(4), &priority, 4), ACL_ERROR_INVALID_PARAM,
              "attribute 4");
  CHECK_FAILS(aclrtSetStreamConfigOpt(nullptr, ACL_RT_STREAM_PRIORITY, &priority, 4),
              ACL_ERROR_INVALID_PARAM, "handle is NULL");
  aclrtStream stream = nullptr;
  CHECK_OK(aclrtCreateStreamV2(&stream, handle));
  uint32_t found = 99;
  CHECK_OK(aclrtStreamGetPriority(stream, &found));
  CHECK_EQ(found, 3U);
  CHECK_OK(aclrtStreamGetFlags(stream, &found));
  CHECK_EQ(found, ACL_STREAM_FAST_LAUNCH | ACL_STREAM_HUGE);
  CHECK_OK(aclrtDestroyStream(stream));
  workSize = 8192;
  CHECK_OK(aclrtSetStreamConfigOpt(handle, ACL_RT_STREAM_WORK_SIZE, &workSize, sizeof(workSize)));
  CHECK_FAILS(aclrtCreateStreamV2(&stream, handle), ACL_ERROR_RT_PARAM_INVALID, "8192 bytes");
  CHECK_OK(aclrtDestroyStreamConfigHandle(handle));
  CHECK_FAILS(aclrtDestroyStreamConfigHandle(handle), ACL_ERROR_RT_INVALID_HANDLE, "live handle");
  CHECK_FAILS(aclrtCreateStreamV2(&stream, handle), ACL_ERROR_RT_INVALID_HANDLE, "live handle");
  CHECK_FAILS(aclrtSetStreamConfigOpt(handle, ACL_RT_STREAM_PRIORITY, &priority, 4),
              ACL_ERROR_RT_INVALID_HANDLE, "live handle");
  aclrtStreamConfigHandle own{};
  CHECK_FAILS(aclrtCreateStreamV2(&stream, &own), ACL_ERROR_RT_INVALID_HANDLE, "live handle");
  CHECK_FAILS(aclrtCreateStreamV2(&stream, nullptr), ACL_ERROR_INVALID_PARAM, "handle is NULL");
}

TEST(settingsOfAStream) {
  device::use();
  int32_t least = 0;
  int32_t greatest = -1;
  CHECK_OK(aclrtDeviceGetStreamPriorityRange(&least, &greatest));
  CHECK_EQ(least, 7);
  CHECK_EQ(greatest, 0);
  aclrtStream stream = nullptr;
  uint32_t value = 99;
  // The nearest priority there is; bits that mean nothing are none.
  CHECK_OK(aclrtCreateStreamWithConfig(&stream, 100, ACL_STREAM_FAST_SYNC | 0x8000));
  CHECK_OK(aclrtStreamGetPriority(stream, &value));
  CHECK_EQ(value, 7U);
  CHECK_OK(aclrtStreamGetFlags(stream, &value));
  CHECK_EQ(value, ACL_STREAM_FAST_SYNC);
  CHECK_OK(aclrtGetStreamOverflowSwitch(stream, &value));
  CHECK_EQ(value, 0U);
  CHECK_OK(aclrtSetStreamOverflowSwitch(stream, 1));
  CHECK_OK(aclrtGetStreamOverflowSwitch(stream, &value));
  CHECK_EQ(value, 1U);
  CHECK_FAILS(aclrtSetStreamOverflowSwitch(stream, 2), ACL_ERROR_INVALID_PARAM, "flag 2");
  CHECK_OK(aclrtStreamGetPriority(nullptr, &value));
  CHECK_EQ(value, 0U);
  CHECK_FAILS(aclrtStreamGetFlags(stream, nullptr), ACL_ERROR_INVALID_PARAM, "flags is NULL");
  CHECK_OK(aclrtDestroyStream(stream));
  CHECK_FAILS(aclrtStreamGetFlags(stream, &value), ACL_ERROR_RT_INVALID_HANDLE, "live stream");
}

TEST(aDeviceHasSoManyStreams) {
  device::use(1);
  uint32_t left = 0;
  CHECK_OK(aclrtGetStreamAvailableNum(&left));
  CHECK(left > 1000 && left < 1984);  // the default stream is one
  std::vector<aclrtStream> all(left);
  for (aclrtStream& stream : all) {
    CHECK_OK(aclrtCreateStream(&stream));
  }
  CHECK_OK(aclrtGetStreamAvailableNum(&left));
  CHECK_EQ(left, 0U);
  aclrtStream more = nullptr;
  aclrtContext context = nullptr;
  CHECK_FAILS(aclrtCreateStream(&more), ACL_ERROR_RT_NO_STREAM_RESOURCE, "1984");
  CHECK_FAILS(aclrtCreateContext(&context, 1), ACL_ERROR_RT_NO_STREAM_RESOURCE, "1984");
  device::use(0);
  CHECK_OK(aclrtCreateStream(&more));  // another device has its own
  CHECK_OK(aclrtDestroyStream(more));
  device::use(1);
  for (const aclrtStream stream : all) {
    CHECK_OK(aclrtDestroyStream(stream));
  }
  CHECK_OK(aclrtGetStreamAvailableNum(&left));
  CHECK_EQ(static_cast<size_t>(left), all.size());
  // A context takes one, and gives it back with its streams.
  CHECK_OK(aclrtCreateContext(&context, 1));
  CHECK_OK(aclrtCreateStream(&more));
  CHECK_OK(aclrtGetStreamAvailableNum(&left));
  CHECK_EQ(static_cast<size_t>(left), all.size() - 2);
  CHECK_OK(aclrtDestroyContext(context));
  device::use(1);
  CHECK_OK(aclrtGetStreamAvailableNum(&left));
  CHECK_EQ(static_cast<size_t>(left), all.size());
  CHECK_FAILS(aclrtGetStreamAvailableNum(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
}

TEST(defaultStreams) {
  device::use();
  aclrtStream stream = nullptr;
  int32_t byName = -1;
  int32_t byNull = -2;
  CHECK_OK(aclrtCtxGetCurrentDefaultStream(&stream));
  CHECK_OK(aclrtStreamGetId(stream, &byName));
  CHECK_OK(aclrtStreamGetId(nullptr, &byNull));
  CHECK_EQ(byName, byNull);
  CHECK_FAILS(aclrtDestroyStream(stream), ACL_ERROR_RT_PARAM_INVALID, "default stream");
  CHECK_FAILS(aclrtDestroyStreamForce(stream), ACL_ERROR_RT_PARAM_INVALID, "default stream");
  CHECK_FAILS(aclrtStreamAbort(stream), ACL_ERROR_RT_PARAM_INVALID, "default stream");
  CHECK_FAILS(aclrtCtxGetCurrentDefaultStream(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  device::use(1);
  CHECK_FAILS(aclrtSynchronizeStream(stream), ACL_ERROR_RT_STREAM_CONTEXT, "another context");
  device::use(0);
}

TEST(forceEndsAWaitingStreamAtOnce) {
  device::use();
  aclrtStream stream = nullptr;
  aclrtEvent never = nullptr;
  CHECK_OK(aclrtCreateEventWithFlag(&never, ACL_EVENT_SYNC));
  CHECK_OK(aclrtCreateStream(&stream));
  CHECK_OK(aclrtStreamWaitEvent(stream, never));
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, 20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, "");
  CHECK_OK(aclrtDestroyStreamForce(stream));
  CHECK_FAILS(aclrtDestroyStreamForce(stream), ACL_ERROR_RT_INVALID_HANDLE, "live stream");
  aclrtEventWaitStatus status = ACL_EVENT_WAIT_STATUS_RESERVED;
  CHECK_OK(aclrtQueryEventWaitStatus(never, &status));
  CHECK_EQ(status, ACL_EVENT_WAIT_STATUS_COMPLETE);
  CHECK_OK(aclrtDestroyEvent(never));
}

TEST(destroyWaitsAndForceDoesNot) {
  device::use();
  std::atomic<int> ran{0};
  const auto count = [&ran] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ++ran;
    return ACL_SUCCESS;
  };
  aclrtStream stream = nullptr;
  CHECK_OK(aclrtCreateStream(&stream));
  resolve(stream)->submitKernel(count);
  resolve(stream)->submitKernel(count);
  CHECK_OK(aclrtDestroyStream(stream));
  CHECK_EQ(ran.load(), 2);
  device::Gate gate;
  CHECK_OK(aclrtCreateStream(&stream));
  gate.hold(stream);
  resolve(stream)->submitKernel(count);
  CHECK_OK(aclrtDestroyStreamForce(stream));
  gate.open();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  CHECK_EQ(ran.load(), 2);
}

TEST(deviceSynchronisationCoversAllStreams) {
  device::use();
  std::vector<std::unique_ptr<device::Stream>> all;
  std::atomic<int> ran{0};
  for (int i = 0; i < 10; ++i) {
    all.push_back(std::make_unique<device::Stream>());
    resolve(*all.back())->submitKernel([&ran] {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      ++ran;
      return ACL_SUCCESS;
    });
  }
  CHECK_OK(aclrtSynchronizeDeviceWithTimeout(device::kPatience));
  CHECK_EQ(ran.load(), 10);
}

TEST(manyThreadsSubmit) {
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&ran, t] {
      device::use(t % 2);
      for (int round = 0; round < 50; ++round) {
        device::Stream stream;
        for (int i = 0; i < 10; ++i) {
          resolve(stream)->submitKernel([&ran] {
            ++ran;
            return ACL_SUCCESS;
          });
        }
        stream.synchronize();
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK_EQ(ran.load(), 2000);
}
