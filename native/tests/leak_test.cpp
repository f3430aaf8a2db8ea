// SPDX-License-Identifier: Apache-2.0
// Creating, using and destroying a handle again and again leaves memory, threads and descriptors as they were.
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <thread>

#include "aclnnop/aclnn_add.h"
#include "aclnnop/aclnn_cat.h"
#include "device.hpp"
#include "hccl/hccl.h"

namespace {

struct Usage {
  double megabytes;
  size_t threads;
  size_t descriptors;
};

size_t entries(const char* directory) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

Usage usage() {
  size_t total = 0;
  size_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return {static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20),
          entries("/proc/self/task"), entries("/proc/self/fd")};
}

// Workers start when they are needed, and stay; a leak would be one for each iteration.
constexpr size_t kNewWorkers = 8;

// Joined threads stand in /proc a moment longer, and doors of communicators close in the background.
Usage settled(const Usage& before) {
  for (int i = 0; i < 500; ++i) {
    const Usage now = usage();
    if (now.threads <= before.threads + kNewWorkers && now.descriptors <= before.descriptors) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return usage();
}

// Sanitizers keep freed memory.
bool memoryIsOurs() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  return !check::isEmulated();
#endif
}

// A tenth of the iterations shows what is kept for reuse; the rest must not add to it.
void flat(int iterations, const std::function<void()>& body) {
  const int warmup = iterations / 10;
  for (int i = 0; i < warmup; ++i) body();
  const Usage before = usage();
  for (int i = warmup; i < iterations; ++i) body();
  const Usage after = settled(before);
  std::printf("        %d iterations: %.1f to %.1f MB, %zu threads, %zu descriptors\n", iterations,
              before.megabytes, after.megabytes, after.threads, after.descriptors);
  CHECK(after.threads <= before.threads + kNewWorkers);
  CHECK(after.descriptors <= before.descriptors);
  // 10,000 leaks of 100 bytes would show as 1 MB.
  if (memoryIsOurs()) CHECK(after.megabytes - before.megabytes < 0.75);
}

constexpr int kMany = 10000;

// Ranks of one process, a thread and a device each.
void onRanks(uint32_t count, const std::function<void(uint32_t, aclrtStream)>& body) {
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < count; ++rank) {
    threads.emplace_back([&body, rank] {
      device::use(static_cast<int32_t>(rank));
      const device::Stream stream;
      body(rank, stream);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST(streams) {
  device::use();
  const device::Buffer<float> buffer(16);
  flat(kMany, [&] {
    aclrtStream stream = nullptr;
    CHECK_OK(aclrtCreateStream(&stream));
    CHECK_OK(aclrtMemsetAsync(buffer.address(), 64, 0, 64, stream));
    CHECK_OK(aclrtSynchronizeStream(stream));
    CHECK_OK(aclrtDestroyStream(stream));
  });
}

TEST(configuredStreams) {
  device::use();
  flat(kMany, [] {
    aclrtStreamConfigHandle* handle = aclrtCreateStreamConfigHandle();
    CHECK(handle != nullptr);
    const uint32_t priority = 1;
    CHECK_OK(aclrtSetStreamConfigOpt(handle, ACL_RT_STREAM_PRIORITY, &priority, sizeof(priority)));
    aclrtStream stream = nullptr;
    CHECK_OK(aclrtCreateStreamV2(&stream, handle));
    CHECK_OK(aclrtDestroyStreamConfigHandle(handle));
    CHECK_OK(aclrtDestroyStream(stream));
  });
}

TEST(streamsDestroyedWithWork) {
  device::use();
  // Work may run on after its stream, so that each has memory of its own.
  const device::Buffer<float> buffer(16 * (kMany + 1));
  int streams = 0;
  flat(kMany, [&] {
    const std::uintptr_t own =
        reinterpret_cast<std::uintptr_t>(buffer.address()) + 64 * (1 + streams++ % kMany);
    aclrtStream stream = nullptr;
    CHECK_OK(aclrtCreateStreamWithConfig(&stream, 0, ACL_STREAM_FAST_LAUNCH));
    CHECK_OK(aclrtMemsetAsync(reinterpret_cast<void*>(own), 64, 0, 64, stream));
    CHECK_OK(aclrtDestroyStreamForce(stream));
    // Otherwise more and more streams would wait for the workers to drop their work.
    CHECK_OK(aclrtMemsetAsync(buffer.address(), 64, 0, 64, nullptr));
    CHECK_OK(aclrtSynchronizeStream(nullptr));
  });
}

TEST(events) {
  device::use();
  const device::Stream stream;
  const device::Stream other;
  flat(kMany, [&] {
    aclrtEvent event = nullptr;
    aclrtEvent timed = nullptr;
    CHECK_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
    CHECK_OK(aclrtCreateEvent(&timed));
    CHECK_OK(aclrtRecordEvent(event, stream));
    CHECK_OK(aclrtStreamWaitEvent(other, event));
    CHECK_OK(aclrtRecordEvent(timed, other));
    CHECK_OK(aclrtDestroyEvent(event));
    CHECK_OK(aclrtSynchronizeStream(other));
    CHECK_OK(aclrtDestroyEvent(timed));
  });
}

TEST(contexts) {
  device::use();
  aclrtContext home = nullptr;
  CHECK_OK(aclrtGetCurrentContext(&home));
  const device::Buffer<float> buffer(16);
  flat(kMany, [&] {
    aclrtContext context = nullptr;
    CHECK_OK(aclrtCreateContext(&context, 0));
    CHECK_OK(aclrtMemsetAsync(buffer.address(), 64, 0, 64, nullptr));
    CHECK_OK(aclrtSynchronizeStream(nullptr));
    CHECK_OK(aclrtSetCurrentContext(home));
    CHECK_OK(aclrtDestroyContext(context));
  });
}

TEST(devices) {
  flat(kMany, [] {
    CHECK_OK(aclrtSetDevice(3));
    CHECK_OK(aclrtSynchronizeDevice());
    CHECK_OK(aclrtResetDevice(3));
  });
}

TEST(memory) {
  device::use();
  flat(kMany, [] {
    void* on_device = nullptr;
    void* pinned = nullptr;
    CHECK_OK(aclrtMalloc(&on_device, 10000, ACL_MEM_MALLOC_HUGE_FIRST));
    CHECK_OK(aclrtMallocHost(&pinned, 10000));
    std::memset(pinned, 7, 10000);
    CHECK_OK(aclrtMemcpy(on_device, 10000, pinned, 10000, ACL_MEMCPY_HOST_TO_DEVICE));
    CHECK_OK(aclrtMemcpyAsync(pinned, 10000, on_device, 10000, ACL_MEMCPY_DEVICE_TO_HOST, nullptr));
    CHECK_OK(aclrtSynchronizeStream(nullptr));
    CHECK_OK(aclrtFreeHost(pinned));
    CHECK_OK(aclrtFree(on_device));
  });
}

TEST(largeMemory) {
  device::use();
  flat(1000, [] {
    void* address = nullptr;
    CHECK_OK(aclrtMalloc(&address, 5 << 20, ACL_MEM_MALLOC_HUGE_FIRST));
    CHECK_OK(aclrtMemset(address, 4096, 1, 4096));
    CHECK_OK(aclrtFree(address));
  });
}

TEST(objects) {
  device::use();
  const device::Buffer<float> buffer(16);
  flat(kMany, [&] {
    const int64_t dims[] = {4, 4};
    const float floats[] = {1, 2, 3};
    const bool bools[] = {true, false};
    double number = 2;
    aclTensor* tensor = aclCreateTensor(dims, 2, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, dims, 2,
                                        buffer.address());
    int64_t* shape = nullptr;
    uint64_t rank = 0;
    CHECK_OK(aclGetViewShape(tensor, &shape, &rank));
    CHECK_EQ(rank, uint64_t{2});
    delete[] shape;
    CHECK_OK(aclDestroyTensor(tensor));
    CHECK_OK(aclDestroyScalar(aclCreateScalar(&number, ACL_DOUBLE)));
    CHECK_OK(aclDestroyIntArray(aclCreateIntArray(dims, 2)));
    CHECK_OK(aclDestroyFloatArray(aclCreateFloatArray(floats, 3)));
    CHECK_OK(aclDestroyBoolArray(aclCreateBoolArray(bools, 2)));
    const std::array<const aclScalar*, 2> scalars = {aclCreateScalar(&number, ACL_DOUBLE),
                                                     aclCreateScalar(&number, ACL_DOUBLE)};
    CHECK_OK(aclDestroyScalarList(aclCreateScalarList(scalars.data(), scalars.size())));
    const std::array<const aclTensor*, 2> tensors = {
        aclCreateTensor(dims, 2, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, dims, 2, buffer.address()),
        aclCreateTensor(dims, 1, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, dims, 2, buffer.address())};
    CHECK_OK(aclDestroyTensorList(aclCreateTensorList(tensors.data(), tensors.size())));
  });
}

TEST(executorsForOneRun) {
  device::use();
  const device::Buffer<float> buffer(16);
  const device::Tensor tensor(buffer.address(), ACL_FLOAT, {16});
  const device::Scalar alpha(1.0);
  flat(kMany, [&] {
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    CHECK_OK(aclnnInplaceAddGetWorkspaceSize(tensor, tensor, alpha, &size, &executor));
    CHECK_OK(aclnnInplaceAdd(nullptr, size, executor, nullptr));
    CHECK_OK(aclrtSynchronizeStream(nullptr));
  });
}

TEST(executorsForManyRuns) {
  device::use();
  const device::Buffer<float> buffer(16);
  const device::Tensor tensor(buffer.address(), ACL_FLOAT, {16});
  const device::Scalar alpha(1.0);
  flat(kMany, [&] {
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    CHECK_OK(aclnnInplaceAddGetWorkspaceSize(tensor, tensor, alpha, &size, &executor));
    CHECK_OK(aclSetAclOpExecutorRepeatable(executor));
    CHECK_OK(aclnnInplaceAdd(nullptr, size, executor, nullptr));
    CHECK_OK(aclnnInplaceAdd(nullptr, size, executor, nullptr));
    CHECK_OK(aclrtSynchronizeStream(nullptr));
    CHECK_OK(aclDestroyAclOpExecutor(executor));
  });
}

TEST(refusedCalls) {
  device::use();
  const device::Buffer<float> buffer(16);
  const device::Tensor tensor(buffer.address(), ACL_FLOAT, {16});
  const device::Tensor other(buffer.address(), ACL_FLOAT, {3});
  const device::Scalar alpha(1.0);
  flat(kMany, [&] {
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    CHECK(aclnnAddGetWorkspaceSize(tensor, other, alpha, tensor, &size, &executor) != 0);
    CHECK(aclGetRecentErrMsg() != nullptr);
    CHECK(aclrtFree(&size) != 0); // its words are left for nobody
  });
  aclGetRecentErrMsg();
}

void onStream(void* count) { ++*static_cast<int*>(count); }

TEST(callbacks) {
  device::use();
  int count = 0;
  flat(kMany, [&] {
    CHECK_OK(aclrtLaunchHostFunc(nullptr, onStream, &count));
    CHECK_OK(aclrtSynchronizeStream(nullptr));
  });
  CHECK_EQ(count, kMany);
}

TEST(registeredHostMemory) {
  device::use();
  constexpr size_t kBytes = 1 << 16;
  const std::unique_ptr<void, decltype(&std::free)> host(std::aligned_alloc(4096, kBytes), std::free);
  flat(kMany, [&] {
    void* mapped = nullptr;
    CHECK_OK(aclrtHostRegister(host.get(), kBytes, ACL_HOST_REGISTER_MAPPED, &mapped));
    CHECK_OK(aclrtHostUnregister(host.get()));
  });
}

TEST(communicators) {
  constexpr uint32_t kRanks = 2;
  flat(200, [] {
    HcclRootInfo root;
    device::use(0);
    CHECK_OK(HcclGetRootInfo(&root));
    onRanks(kRanks, [&](uint32_t rank, aclrtStream stream) {
      HcclComm comm = nullptr;
      const device::Buffer<float> from(16);
      const device::Buffer<float> to(16 * kRanks);
      CHECK_OK(HcclCommInitRootInfo(kRanks, &root, rank, &comm));
      CHECK_OK(HcclAllGather(from.address(), to.address(), 16, HCCL_DATA_TYPE_FP32, comm, stream));
      CHECK_OK(aclrtSynchronizeStream(stream));
      CHECK_OK(HcclCommDestroy(comm));
    });
  });
}

TEST(subCommunicators) {
  constexpr uint32_t kRanks = 3;
  std::array<int32_t, kRanks> devices = {0, 1, 2};
  std::array<HcclComm, kRanks> comms{};
  CHECK_OK(HcclCommInitAll(kRanks, devices.data(), comms.data()));
  flat(200, [&] {
    onRanks(kRanks, [&](uint32_t rank, aclrtStream stream) {
      HcclCommConfig config;
      HcclCommConfigInit(&config);
      HcclComm sub = nullptr;
      if (rank == 1) {
        CHECK_OK(HcclCreateSubCommConfig(&comms[rank], 2, nullptr, 0xFFFFFFFF, 0, &config, &sub));
        return;
      }
      std::array<uint32_t, 2> members = {0, 2};
      CHECK_OK(HcclCreateSubCommConfig(&comms[rank], 2, members.data(), 7, rank / 2, &config, &sub));
      CHECK_OK(HcclBarrier(sub, stream));
      CHECK_OK(aclrtSynchronizeStream(stream));
      CHECK_OK(HcclCommDestroy(sub));
    });
  });
  for (HcclComm comm : comms) CHECK_OK(HcclCommDestroy(comm));
}

TEST(initialisation) {
  flat(kMany, [] {
    CHECK_OK(aclInit(nullptr));
    CHECK_OK(aclFinalize());
  });
}
