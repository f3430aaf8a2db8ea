// SPDX-License-Identifier: Apache-2.0
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <numeric>
#include <random>

#include "device.hpp"

namespace {

constexpr size_t kMega = size_t{1} << 20;

bool debug() {
  const char* text = std::getenv("CANN4J_CPU_DEBUG");
  return text != nullptr && *text == '1';
}

size_t freeBytes() {
  size_t free = 0;
  size_t total = 0;
  CHECK_OK(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total));
  return free;
}

void* allocate(size_t bytes) {
  void* memory = nullptr;
  CHECK_OK(aclrtMalloc(&memory, bytes, ACL_MEM_MALLOC_HUGE_FIRST));
  return memory;
}

std::vector<uint8_t> readBytes(const void* device, size_t bytes) {
  std::vector<uint8_t> host(bytes);
  CHECK_OK(aclrtMemcpy(host.data(), bytes, device, bytes, ACL_MEMCPY_DEVICE_TO_HOST));
  return host;
}

sigjmp_buf faultPoint;

void onFault(int) { siglongjmp(faultPoint, 1); }

}  // namespace

TEST(deviceMemoryIsNotHostMemory) {
  device::use();
  volatile char* memory = static_cast<char*>(allocate(4096));
  struct sigaction action {};
  struct sigaction previous {};
  action.sa_handler = onFault;
  sigaction(SIGSEGV, &action, &previous);
  bool faulted = false;
  if (sigsetjmp(faultPoint, 1) == 0) {
    (void)memory[0];
  } else {
    faulted = true;
  }
  sigaction(SIGSEGV, &previous, nullptr);
  CHECK(faulted);
  CHECK_OK(aclrtFree(const_cast<char*>(memory)));
}

TEST(allocationRules) {
  device::use();
  void* memory = &memory;
  CHECK_FAILS(aclrtMalloc(&memory, 0, ACL_MEM_MALLOC_HUGE_FIRST), ACL_ERROR_INVALID_PARAM, "0");
  CHECK(memory == nullptr);
  CHECK_FAILS(aclrtMalloc(nullptr, 8, ACL_MEM_MALLOC_HUGE_FIRST), ACL_ERROR_INVALID_PARAM, "NULL");
  CHECK_FAILS(aclrtMalloc(&memory, 8, static_cast<aclrtMemMallocPolicy>(77)),
              ACL_ERROR_INVALID_PARAM, "policy");
  CHECK_FAILS(aclrtFree(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  CHECK_FAILS(aclrtFree(&memory), ACL_ERROR_RT_PARAM_INVALID, "no address of device memory");
  const size_t before = freeBytes();
  void* a = allocate(1);
  CHECK_EQ(before - freeBytes(), size_t{64});  // 32 and the 32 bytes that aclrtMalloc adds
  void* b = nullptr;
  CHECK_OK(aclrtMallocAlign32(&b, 33, ACL_MEM_MALLOC_NORMAL_ONLY));
  CHECK_EQ(before - freeBytes(), size_t{128});
  CHECK_EQ(reinterpret_cast<uintptr_t>(a) % 64, uintptr_t{0});
  CHECK_EQ(reinterpret_cast<uintptr_t>(b) % 64, uintptr_t{0});
  CHECK_FAILS(aclrtFree(static_cast<char*>(a) + 32), ACL_ERROR_RT_PARAM_INVALID,
              "no address that aclrtMalloc returned");
  CHECK_OK(aclrtFree(a));
  CHECK_FAILS(aclrtFree(a), ACL_ERROR_RT_PARAM_INVALID, "freed already");
  CHECK_OK(aclrtFree(b));
  CHECK_EQ(freeBytes(), before);
}

TEST(limitOfADevice) {
  device::use();
  size_t free = 0;
  size_t total = 0;
  CHECK_OK(aclrtGetMemInfo(ACL_DDR_MEM, &free, &total));
  CHECK(free <= total);
  void* memory = nullptr;
  CHECK_FAILS(aclrtMalloc(&memory, total + 1, ACL_MEM_MALLOC_HUGE_FIRST),
              ACL_ERROR_RT_MEMORY_ALLOCATION, "CANN4J_CPU_DEVICE_MEMORY");
  CHECK_FAILS(aclrtMalloc(&memory, SIZE_MAX - 7, ACL_MEM_MALLOC_HUGE_FIRST),
              ACL_ERROR_RT_MEMORY_ALLOCATION, "out of device memory");
  CHECK_OK(aclrtMalloc(&memory, free - 64, ACL_MEM_MALLOC_HUGE_FIRST));
  void* more = nullptr;
  CHECK_FAILS(aclrtMalloc(&more, 64, ACL_MEM_MALLOC_HUGE_FIRST), ACL_ERROR_RT_MEMORY_ALLOCATION,
              "out of device memory");
  // Another device has its own.
  device::use(1);
  CHECK_OK(aclrtMalloc(&more, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  CHECK_OK(aclrtFree(more));
  CHECK_OK(aclrtFree(memory));
}

TEST(copiesKeepEveryByteApart) {
  device::use();
  std::mt19937 random(20240501);
  struct Piece {
    void* device;
    std::vector<uint8_t> bytes;
  };
  std::vector<Piece> live;
  for (int round = 0; round < 400; ++round) {
    if (live.size() > 40 || (random() % 3 == 0 && !live.empty())) {
      const size_t victim = random() % live.size();
      CHECK(readBytes(live[victim].device, live[victim].bytes.size()) == live[victim].bytes);
      CHECK_OK(aclrtFree(live[victim].device));
      live.erase(live.begin() + static_cast<int64_t>(victim));
    }
    const size_t bytes = 1 + random() % (round % 10 == 0 ? 3 * kMega : 5000);
    Piece piece{allocate(bytes), std::vector<uint8_t>(bytes)};
    for (auto& byte : piece.bytes) {
      byte = static_cast<uint8_t>(random());
    }
    CHECK_OK(aclrtMemcpy(piece.device, bytes, piece.bytes.data(), bytes,
                         ACL_MEMCPY_HOST_TO_DEVICE));
    live.push_back(std::move(piece));
  }
  for (const Piece& piece : live) {
    CHECK(readBytes(piece.device, piece.bytes.size()) == piece.bytes);
    CHECK_OK(aclrtFree(piece.device));
  }
}

TEST(largeMemoryIsUsedAgain) {
  device::use();
  const size_t bytes = 300 * kMega;
  for (int i = 0; i < 3; ++i) {
    void* memory = allocate(bytes);
    CHECK_OK(aclrtMemset(memory, bytes, 0x5A + i, bytes));
    const auto tail = readBytes(static_cast<char*>(memory) + bytes - 3, 3);
    CHECK_EQ(static_cast<int>(tail[2]), 0x5A + i);
    CHECK_OK(aclrtFree(memory));
  }
}

TEST(copyRules) {
  device::use();
  std::vector<uint8_t> host(64, 7);
  void* memory = allocate(64);
  const auto kind = ACL_MEMCPY_HOST_TO_DEVICE;
  CHECK_FAILS(aclrtMemcpy(memory, 63, host.data(), 64, kind), ACL_ERROR_RT_PARAM_INVALID,
              "count 64 is more than destMax 63");
  CHECK_FAILS(aclrtMemcpy(nullptr, 64, host.data(), 64, kind), ACL_ERROR_INVALID_PARAM, "dst");
  CHECK_FAILS(aclrtMemcpy(memory, 64, nullptr, 64, kind), ACL_ERROR_INVALID_PARAM, "src");
  CHECK_OK(aclrtMemcpy(nullptr, 0, nullptr, 0, kind));
  CHECK_OK(aclrtMemcpy(memory, 64, memory, 64, kind));
  CHECK_FAILS(aclrtMemcpy(memory, 64, host.data(), 64, ACL_MEMCPY_INNER_DEVICE_TO_DEVICE),
              ACL_ERROR_INVALID_PARAM, "kind 6");
  CHECK_FAILS(aclrtMemcpy(static_cast<char*>(memory) + 90, 64, host.data(), 64, kind),
              ACL_ERROR_RT_PARAM_INVALID, "not inside one live allocation");
  // The kind is a hint: the addresses tell the direction.
  CHECK_OK(aclrtMemcpy(memory, 64, host.data(), 64, ACL_MEMCPY_DEVICE_TO_HOST));
  CHECK(readBytes(memory, 64) == host);
  std::vector<uint8_t> other(64, 0);
  CHECK_OK(aclrtMemcpy(other.data(), 64, host.data(), 64, ACL_MEMCPY_DEFAULT));
  CHECK(other == host);
  CHECK_OK(aclrtFree(memory));
  CHECK_FAILS(aclrtMemcpy(memory, 64, host.data(), 64, kind), ACL_ERROR_RT_PARAM_INVALID,
              "not inside one live allocation");
}

TEST(memsetRules) {
  device::use();
  void* memory = allocate(64);
  CHECK_OK(aclrtMemset(memory, 64, 0x1AB, 64));
  CHECK_EQ(static_cast<int>(readBytes(memory, 64)[63]), 0xAB);
  CHECK_FAILS(aclrtMemset(memory, 10, 0, 11), ACL_ERROR_RT_PARAM_INVALID, "maxCount 10");
  CHECK_FAILS(aclrtMemset(nullptr, 10, 0, 10), ACL_ERROR_INVALID_PARAM, "NULL");
  CHECK_OK(aclrtMemset(nullptr, 10, 0, 0));
  std::vector<uint8_t> host(5, 0);
  CHECK_OK(aclrtMemset(host.data(), 5, 3, 5));
  CHECK_EQ(static_cast<int>(host[4]), 3);
  CHECK_OK(aclrtMemsetAsync(memory, 64, 0x11, 32, nullptr));
  CHECK_OK(aclrtSynchronizeStream(nullptr));
  CHECK_EQ(static_cast<int>(readBytes(memory, 64)[31]), 0x11);
  CHECK_EQ(static_cast<int>(readBytes(memory, 64)[32]), 0xAB);
  CHECK_FAILS(aclrtMemsetAsync(memory, 10, 0, 11, nullptr), ACL_ERROR_RT_PARAM_INVALID, "11");
  CHECK_OK(aclrtFree(memory));
}

TEST(pinnedMemory) {
  device::use();
  void* pinned = nullptr;
  CHECK_FAILS(aclrtMallocHost(&pinned, 0), ACL_ERROR_INVALID_PARAM, "size is 0");
  CHECK_OK(aclrtMallocHost(&pinned, 100));
  CHECK_EQ(reinterpret_cast<uintptr_t>(pinned) % 64, uintptr_t{0});
  static_cast<char*>(pinned)[99] = 'x';
  CHECK_OK(aclrtFreeHost(pinned));
  CHECK_FAILS(aclrtFreeHost(pinned), ACL_ERROR_RT_PARAM_INVALID, "freed already");
  CHECK_FAILS(aclrtFreeHost(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
}

TEST(asynchronousCopies) {
  device::use();
  device::Stream stream;
  void* pinned = nullptr;
  void* back = nullptr;
  CHECK_OK(aclrtMallocHost(&pinned, 4 * kMega));
  CHECK_OK(aclrtMallocHost(&back, 4 * kMega));
  auto* values = static_cast<int32_t*>(pinned);
  std::iota(values, values + kMega, 0);
  void* a = allocate(4 * kMega);
  void* b = allocate(4 * kMega);
  CHECK_OK(aclrtMemcpyAsync(a, 4 * kMega, pinned, 4 * kMega, ACL_MEMCPY_HOST_TO_DEVICE, stream));
  CHECK_OK(aclrtMemcpyAsync(b, 4 * kMega, a, 4 * kMega, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
  CHECK_OK(aclrtMemcpyAsync(back, 4 * kMega, b, 4 * kMega, ACL_MEMCPY_DEVICE_TO_HOST, stream));
  stream.synchronize();
  CHECK(std::memcmp(pinned, back, 4 * kMega) == 0);
  CHECK_FAILS(aclrtMemcpyAsync(back, 8, pinned, 8, ACL_MEMCPY_HOST_TO_HOST, stream),
              ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "host memory");
  CHECK_FAILS(aclrtMemcpyAsync(a, 4, pinned, 8, ACL_MEMCPY_HOST_TO_DEVICE, stream),
              ACL_ERROR_RT_PARAM_INVALID, "destMax 4");
  CHECK_OK(aclrtFree(a));
  CHECK_OK(aclrtFree(b));
  CHECK_OK(aclrtFreeHost(pinned));
  CHECK_OK(aclrtFreeHost(back));
}

TEST(pageableCopiesWaitForTheStream) {
  device::use();
  device::Stream stream;
  void* memory = allocate(kMega);
  std::vector<uint8_t> host(kMega, 1);
  for (int i = 0; i < 20; ++i) {
    CHECK_OK(aclrtMemsetAsync(memory, kMega, i, kMega, stream));
    CHECK_OK(aclrtMemcpyAsync(host.data(), kMega, memory, kMega, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    CHECK_EQ(static_cast<int>(host[kMega - 1]), i);
  }
  CHECK_OK(aclrtFree(memory));
}

TEST(copiesBetweenDevicesNeedPeerAccess) {
  device::use(0);
  void* here = allocate(64);
  device::use(1);
  void* there = allocate(64);
  CHECK_OK(aclrtMemset(there, 64, 9, 64));
  device::use(0);
  CHECK_FAILS(aclrtMemcpy(here, 64, there, 64, ACL_MEMCPY_DEVICE_TO_DEVICE),
              ACL_ERROR_RT_PARAM_INVALID, "aclrtDeviceEnablePeerAccess");
  CHECK_OK(aclrtDeviceEnablePeerAccess(1, 0));
  CHECK_OK(aclrtMemcpy(here, 64, there, 64, ACL_MEMCPY_DEVICE_TO_DEVICE));
  CHECK_EQ(static_cast<int>(readBytes(here, 64)[63]), 9);
  CHECK_OK(aclrtDeviceDisablePeerAccess(1));
  CHECK_OK(aclrtFree(here));
  CHECK_OK(aclrtFree(there));
}

TEST(pointerAttributes) {
  device::use(1);
  void* memory = allocate(64);
  aclrtPtrAttributes attributes;
  CHECK_EQ(sizeof(attributes), size_t{28});
  CHECK_OK(aclrtPointerGetAttributes(static_cast<char*>(memory) + 63, &attributes));
  CHECK_EQ(attributes.location.type, ACL_MEM_LOCATION_TYPE_DEVICE);
  CHECK_EQ(attributes.location.id, 1U);
  CHECK_OK(aclrtPointerGetAttributes(&attributes, &attributes));
  CHECK_EQ(attributes.location.type, ACL_MEM_LOCATION_TYPE_HOST);
  CHECK_OK(aclrtFree(memory));
  CHECK_FAILS(aclrtPointerGetAttributes(memory, &attributes), ACL_ERROR_RT_PARAM_INVALID, "live");
}

TEST(debugFillsUndefinedMemory) {
  if (!debug()) {
    return;  // the run with CANN4J_CPU_DEBUG=1 covers this
  }
  device::use();
  void* memory = allocate(1000);
  for (const uint8_t byte : readBytes(memory, 1000)) {
    CHECK_EQ(static_cast<int>(byte), 0xFF);
  }
  CHECK_OK(aclrtMemset(memory, 1000, 0, 1000));
  CHECK_OK(aclrtFree(memory));
  void* again = allocate(1000);
  CHECK_EQ(static_cast<int>(readBytes(again, 1000)[500]), 0xFF);
  CHECK_OK(aclrtFree(again));
}
