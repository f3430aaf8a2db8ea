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
  while (!started) {
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
  CHECK_OK(aclrtSynchronizeDevice());
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
