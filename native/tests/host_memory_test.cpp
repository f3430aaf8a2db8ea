// SPDX-License-Identifier: Apache-2.0
// Copies and fills of all forms, memory of the host in all its states, and addresses that are wrong.
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <thread>

#include "aclnnop/aclnn_add.h"
#include "device.hpp"

namespace {

constexpr size_t kPage = 4096;

uint32_t seed() {
  const char* text = std::getenv("CANN4J_TEST_SEED");
  return text == nullptr ? std::random_device()() : static_cast<uint32_t>(std::atoi(text));
}

// Memory of the host that streams may use, or pages of the program's own.
class Pinned {
 public:
  explicit Pinned(size_t bytes) { CHECK_OK(aclrtMallocHost(&address_, bytes)); }
  Pinned(const Pinned&) = delete;
  ~Pinned() { aclrtFreeHost(address_); }
  uint8_t* bytes() const { return static_cast<uint8_t*>(address_); }

 private:
  void* address_ = nullptr;
};

class Pages {
 public:
  explicit Pages(size_t bytes, int protection = PROT_READ | PROT_WRITE)
      : bytes_(bytes),
        address_(mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    CHECK(address_ != MAP_FAILED);
  }
  Pages(const Pages&) = delete;
  ~Pages() { munmap(address_, bytes_); }
  uint8_t* bytes() const { return static_cast<uint8_t*>(address_); }

 private:
  size_t bytes_;
  void* address_;
};

std::vector<uint8_t> pattern(size_t count, uint32_t start) {
  std::vector<uint8_t> values(count);
  std::mt19937 random(start);
  for (auto& value : values) {
    value = static_cast<uint8_t>(random());
  }
  return values;
}

void fill(void* device, const std::vector<uint8_t>& bytes) {
  CHECK_OK(aclrtMemcpy(device, bytes.size(), bytes.data(), bytes.size(), ACL_MEMCPY_HOST_TO_DEVICE));
}

struct Shape {
  size_t dpitch;
  size_t spitch;
  size_t width;
  size_t height;

  size_t dstBytes() const { return (height - 1) * dpitch + width; }
  size_t srcBytes() const { return (height - 1) * spitch + width; }
};

std::vector<uint8_t> expected2d(std::vector<uint8_t> dst, const std::vector<uint8_t>& src,
                                const Shape& shape) {
  for (size_t row = 0; row < shape.height; ++row) {
    for (size_t i = 0; i < shape.width; ++i) {
      dst[row * shape.dpitch + i] = src[row * shape.spitch + i];
    }
  }
  return dst;
}

}  // namespace

TEST(rowsOfEveryShape) {
  device::use();
  device::Stream stream;
  const uint32_t first = seed();
  std::mt19937 random(first);
  for (int round = 0; round < 60; ++round) {
    const size_t width = 1 + random() % (round == 0 ? 100000 : 300);
    const Shape shape{width + random() % 3 * 7, width + random() % 3 * 11, width,
                      1 + random() % (round == 0 ? 200 : 40)};
    const auto src = pattern(shape.srcBytes(), random());
    const auto dst = pattern(shape.dstBytes(), random());
    const auto expected = expected2d(dst, src, shape);
    device::Buffer<uint8_t> there(src.size());
    device::Buffer<uint8_t> other(dst.size());
    const auto where = "CANN4J_TEST_SEED=" + std::to_string(first) + " host_memory_test rowsOfEveryShape";
    const auto check = [&](bool holds) {
      if (!holds) {
        check::failed(__FILE__, __LINE__, where);
      }
    };
    // To the device, on it, and back, at once and in a stream.
    other.write(dst);
    CHECK_OK(aclrtMemcpy2d(other.address(), shape.dpitch, src.data(), shape.spitch, shape.width,
                           shape.height, ACL_MEMCPY_HOST_TO_DEVICE));
    check(other.read() == expected);
    there.write(src);
    std::vector<uint8_t> back = dst;
    CHECK_OK(aclrtMemcpy2d(back.data(), shape.dpitch, there.address(), shape.spitch, shape.width,
                           shape.height, ACL_MEMCPY_DEVICE_TO_HOST));
    check(back == expected);
    other.write(dst);
    CHECK_OK(aclrtMemcpy2dAsync(other.address(), shape.dpitch, there.address(), shape.spitch,
                                shape.width, shape.height, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
    stream.synchronize();
    check(other.read() == expected);
    Pinned pinned(dst.size());
    std::memcpy(pinned.bytes(), dst.data(), dst.size());
    CHECK_OK(aclrtMemcpy2dAsync(pinned.bytes(), shape.dpitch, there.address(), shape.spitch,
                                shape.width, shape.height, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    stream.synchronize();
    check(std::memcmp(pinned.bytes(), expected.data(), expected.size()) == 0);
    back = dst;
    CHECK_OK(aclrtMemcpy2dAsync(back.data(), shape.dpitch, there.address(), shape.spitch,
                                shape.width, shape.height, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    check(back == expected);  // pageable: done when the call returns
  }
}

TEST(limitsOfRows) {
  device::use();
  device::Buffer<uint8_t> buffer(4096);
  std::vector<uint8_t> host(4096);
  const auto copy = [&](size_t dpitch, size_t spitch, size_t width, size_t height, int kind) {
    return aclrtMemcpy2d(buffer.address(), dpitch, host.data(), spitch, width, height,
                         static_cast<aclrtMemcpyKind>(kind));
  };
  CHECK_OK(copy(64, 64, 64, 64, ACL_MEMCPY_HOST_TO_DEVICE));
  CHECK_FAILS(copy(63, 64, 64, 4, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_INVALID_PARAM, "dpitch 63");
  CHECK_FAILS(copy(64, 63, 64, 4, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_INVALID_PARAM, "spitch 63");
  CHECK_FAILS(copy(64, 64, 64, 80, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_RT_PARAM_INVALID, "dst");
  CHECK_FAILS(copy(64, 64, 0, 4, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_INVALID_PARAM, "width 0");
  CHECK_FAILS(copy(64, 64, 64, 0, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_INVALID_PARAM, "height 0");
  CHECK_FAILS(copy(6000000, 6000000, 5000001, 1, ACL_MEMCPY_HOST_TO_DEVICE),
              ACL_ERROR_INVALID_PARAM, "5000000");
  CHECK_FAILS(copy(1, 1, 1, 5242881, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_INVALID_PARAM,
              "5242880");
  CHECK_FAILS(copy(SIZE_MAX / 2, 64, 64, 5, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_INVALID_PARAM,
              "no memory");
  for (const int kind : {0, 3, 4, 5, 6}) {
    CHECK_FAILS(copy(64, 64, 64, 4, kind), ACL_ERROR_INVALID_PARAM, "kind");
  }
  CHECK_FAILS(aclrtMemcpy2d(nullptr, 64, host.data(), 64, 64, 4, ACL_MEMCPY_HOST_TO_DEVICE),
              ACL_ERROR_INVALID_PARAM, "dst is NULL");
  CHECK_FAILS(aclrtMemcpy2d(host.data(), 64, host.data() + 1024, 64, 64, 4,
                            ACL_MEMCPY_HOST_TO_DEVICE),
              ACL_ERROR_INVALID_PARAM, "both host");
  CHECK_FAILS(aclrtMemcpy2d(buffer.address(), 64, static_cast<char*>(buffer.address()) + 1024, 64,
                            64, 4, ACL_MEMCPY_HOST_TO_DEVICE),
              ACL_ERROR_INVALID_PARAM, "aclrtMemcpy2dAsync");
}

TEST(overlappingCopies) {
  device::use();
  device::Stream stream;
  // Longer than what a single thread copies, too.
  for (const size_t bytes : {size_t{5000}, size_t{20} << 20}) {
    const size_t shift = bytes / 3;
    const auto before = pattern(bytes, 5);
    for (const bool forwards : {false, true}) {
      auto expected = before;
      const size_t from = forwards ? 0 : shift;
      const size_t to = forwards ? shift : 0;
      std::memmove(expected.data() + to, before.data() + from, bytes - shift);
      device::Buffer<uint8_t> buffer(before);
      auto* address = static_cast<uint8_t*>(buffer.address());
      CHECK_OK(aclrtMemcpy(address + to, bytes - shift, address + from, bytes - shift,
                           ACL_MEMCPY_DEVICE_TO_DEVICE));
      CHECK(buffer.read() == expected);
      buffer.write(before);
      CHECK_OK(aclrtMemcpyAsync(address + to, bytes - shift, address + from, bytes - shift,
                                ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
      stream.synchronize();
      CHECK(buffer.read() == expected);
      auto host = before;
      CHECK_OK(aclrtMemcpy(host.data() + to, bytes - shift, host.data() + from, bytes - shift,
                           ACL_MEMCPY_HOST_TO_HOST));
      CHECK(host == expected);
    }
  }
}

TEST(wordsFillMemory) {
  device::use();
  device::Stream stream;
  constexpr size_t kCount = 5000000;
  device::Buffer<uint32_t> buffer(kCount);
  CHECK_OK(aclrtMemsetD32(buffer.address(), kCount * 4, 0x01020304, kCount));
  CHECK_OK(aclrtMemsetD32Async(buffer.address(), kCount * 4, 7, 10, stream));
  stream.synchronize();
  const auto values = buffer.read();
  CHECK_EQ(values[9], 7U);
  CHECK_EQ(values[10], 0x01020304U);
  CHECK_EQ(values[kCount - 1], 0x01020304U);
  Pinned pinned(64);
  CHECK_OK(aclrtMemsetD32Async(pinned.bytes(), 64, 0xA0B0C0D0, 16, stream));
  CHECK_EQ(static_cast<int>(pinned.bytes()[60]), 0xD0);
  CHECK_OK(aclrtMemsetD32(pinned.bytes() + 1, 63, 5, 15));  // at any address
  CHECK_EQ(static_cast<int>(pinned.bytes()[1]), 5);
  CHECK_FAILS(aclrtMemsetD32(buffer.address(), 39, 0, 10), ACL_ERROR_RT_PARAM_INVALID, "40 bytes");
  CHECK_FAILS(aclrtMemsetD32(buffer.address(), SIZE_MAX, 0, SIZE_MAX / 2),
              ACL_ERROR_RT_PARAM_INVALID, "N is");
  CHECK_OK(aclrtMemsetD32(nullptr, 0, 0, 0));
  CHECK_FAILS(aclrtMemsetD32(nullptr, 8, 0, 2), ACL_ERROR_INVALID_PARAM, "NULL");
}

TEST(memoryOfTheOtherSide) {
  device::use();
  device::Buffer<uint8_t> buffer(64);
  Pinned pinned(64);
  std::vector<uint8_t> host(64);
  CHECK_FAILS(aclrtFree(pinned.bytes()), ACL_ERROR_RT_PARAM_INVALID, "no address of device memory");
  CHECK_FAILS(aclrtFree(host.data()), ACL_ERROR_RT_PARAM_INVALID, "no address of device memory");
  CHECK_FAILS(aclrtFreeHost(buffer.address()), ACL_ERROR_RT_PARAM_INVALID, "aclrtMallocHost");
  CHECK_FAILS(aclrtFreeHost(host.data()), ACL_ERROR_RT_PARAM_INVALID, "aclrtMallocHost");
  CHECK_FAILS(aclrtFreeHost(pinned.bytes() + 8), ACL_ERROR_RT_PARAM_INVALID, "aclrtMallocHost");
  CHECK_OK(aclrtMemFlush(buffer.address(), 64));
  CHECK_OK(aclrtMemInvalidate(buffer.address(), 64));
  CHECK_FAILS(aclrtMemFlush(pinned.bytes(), 64), ACL_ERROR_RT_PARAM_INVALID, "live allocation");
  CHECK_FAILS(aclrtMemInvalidate(buffer.address(), 200), ACL_ERROR_RT_PARAM_INVALID, "200 bytes");
  CHECK_FAILS(aclrtMemFlush(buffer.address(), 0), ACL_ERROR_INVALID_PARAM, "size is 0");
  CHECK_FAILS(aclrtMemFlush(nullptr, 8), ACL_ERROR_INVALID_PARAM, "NULL");
}

TEST(addressesThatAreNone) {
  device::use();
  device::Stream stream;
  device::Buffer<uint8_t> buffer(kPage);
  const Pages readOnly(kPage, PROT_READ);
  const Pages forbidden(kPage, PROT_NONE);
  uint8_t* gone = nullptr;
  {
    const Pages pages(2 * kPage);
    gone = pages.bytes();
  }
  const auto toDevice = [&](const void* host, size_t bytes) {
    return aclrtMemcpy(buffer.address(), kPage, host, bytes, ACL_MEMCPY_HOST_TO_DEVICE);
  };
  const auto toHost = [&](void* host, size_t bytes) {
    return aclrtMemcpy(host, bytes, buffer.address(), bytes, ACL_MEMCPY_DEVICE_TO_HOST);
  };
  CHECK_FAILS(toDevice(reinterpret_cast<void*>(8), 8), ACL_ERROR_RT_PARAM_INVALID, "may read");
  CHECK_FAILS(toDevice(gone, 100), ACL_ERROR_RT_PARAM_INVALID, "may read");
  CHECK_FAILS(toHost(gone, 100), ACL_ERROR_RT_PARAM_INVALID, "may write");
  CHECK_FAILS(toDevice(reinterpret_cast<void*>(UINTPTR_MAX - 10), 100), ACL_ERROR_RT_PARAM_INVALID,
              "may read");
  CHECK_OK(toDevice(readOnly.bytes(), kPage));
  CHECK_FAILS(toHost(readOnly.bytes(), 1), ACL_ERROR_RT_PARAM_INVALID, "may write");
  CHECK_FAILS(toDevice(forbidden.bytes(), 1), ACL_ERROR_RT_PARAM_INVALID, "may read");
  CHECK_FAILS(aclrtMemset(readOnly.bytes(), 8, 1, 8), ACL_ERROR_RT_PARAM_INVALID, "may write");
  CHECK_FAILS(aclrtMemcpyAsync(gone, 8, buffer.address(), 8, ACL_MEMCPY_DEVICE_TO_HOST, stream),
              ACL_ERROR_RT_PARAM_INVALID, "may write");
  CHECK_FAILS(aclrtMemcpy2d(gone, 8, buffer.address(), 8, 8, 4, ACL_MEMCPY_DEVICE_TO_HOST),
              ACL_ERROR_RT_PARAM_INVALID, "may write");
  aclrtPtrAttributes attributes;
  CHECK_FAILS(aclrtPointerGetAttributes(gone, &attributes), ACL_ERROR_RT_PARAM_INVALID, "may read");
  // Beyond the end of an allocation.
  CHECK_FAILS(toDevice(readOnly.bytes(), 2 * kPage + 64), ACL_ERROR_RT_PARAM_INVALID, "destMax");
  void* pinned = nullptr;
  CHECK_OK(aclrtMallocHost(&pinned, 100));
  CHECK_OK(aclrtFreeHost(pinned));
  CHECK_FAILS(toDevice(pinned, 100), ACL_ERROR_RT_PARAM_INVALID, "may read");
}

TEST(whatIsFreedTooEarlyFailsInTheStream) {
  device::use();
  device::Stream stream;
  device::Buffer<uint8_t> buffer(kPage);
  void* pinned = nullptr;
  void* memory = nullptr;
  const auto fails = [&](const char* words) {
    CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, device::kPatience),
                ACL_ERROR_RT_COPY_DATA, words);
  };
  {
    device::Gate gate;
    gate.hold(stream);
    CHECK_OK(aclrtMallocHost(&pinned, kPage));
    CHECK_OK(aclrtMemcpyAsync(pinned, kPage, buffer.address(), kPage, ACL_MEMCPY_DEVICE_TO_HOST,
                              stream));
    CHECK_OK(aclrtFreeHost(pinned));
    gate.open();
    fails("freed before the stream came to it");
  }
  {
    device::Gate gate;
    gate.hold(stream);
    CHECK_OK(aclrtMalloc(&memory, kPage, ACL_MEM_MALLOC_NORMAL_ONLY));
    CHECK_OK(aclrtMemcpyAsync(buffer.address(), kPage, memory, kPage, ACL_MEMCPY_DEVICE_TO_DEVICE,
                              stream));
    CHECK_OK(aclrtFree(memory));
    gate.open();
    fails("aclrtMemcpyAsync: src");
  }
  {
    device::Gate gate;
    gate.hold(stream);
    CHECK_OK(aclrtMalloc(&memory, kPage, ACL_MEM_MALLOC_NORMAL_ONLY));
    CHECK_OK(aclrtMemsetAsync(memory, kPage, 0, kPage, stream));
    CHECK_OK(aclrtFree(memory));
    gate.open();
    fails("aclrtMemsetAsync");
  }
}

TEST(freeingAfterADeviceSync) {
  device::use();
  device::Stream stream;
  void* pinned = nullptr;
  void* memory = nullptr;
  for (int round = 0; round < 20; ++round) {
    CHECK_OK(aclrtMallocHost(&pinned, kPage));
    CHECK_OK(aclrtMalloc(&memory, kPage, ACL_MEM_MALLOC_NORMAL_ONLY));
    CHECK_OK(aclrtMemsetAsync(memory, kPage, round, kPage, stream));
    CHECK_OK(aclrtMemcpyAsync(pinned, kPage, memory, kPage, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    CHECK_OK(aclrtFreeWithDevSync(memory));
    CHECK_EQ(static_cast<int>(static_cast<uint8_t*>(pinned)[kPage - 1]), round);
    CHECK_OK(aclrtFreeHostWithDevSync(pinned));
    stream.synchronize();
  }
  CHECK_FAILS(aclrtFreeWithDevSync(memory), ACL_ERROR_RT_PARAM_INVALID, "freed already");
  CHECK_FAILS(aclrtFreeHostWithDevSync(pinned), ACL_ERROR_RT_PARAM_INVALID, "freed already");
  CHECK_FAILS(aclrtFreeWithDevSync(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
}

TEST(allocationsWithAttributes) {
  device::use();
  void* memory = nullptr;
  aclrtMallocAttribute attributes[2] = {};
  attributes[0].attr = ACL_RT_MEM_ATTR_MODULE_ID;
  attributes[0].value.moduleId = 33;
  attributes[1].attr = ACL_RT_MEM_ATTR_DEVICE_ID;
  attributes[1].value.deviceId = 1;
  aclrtMallocConfig config{attributes, 2};
  CHECK_OK(aclrtMallocWithCfg(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST, &config));
  CHECK_OK(aclrtFree(memory));
  CHECK_OK(aclrtMallocWithCfg(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST, nullptr));
  CHECK_OK(aclrtFree(memory));
  CHECK_OK(aclrtMallocCached(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  CHECK_OK(aclrtFree(memory));
  CHECK_OK(aclrtMallocHostWithCfg(&memory, 64, &config));
  static_cast<char*>(memory)[63] = 1;
  CHECK_OK(aclrtFreeHost(memory));
  attributes[1].value.deviceId = 99;
  CHECK_FAILS(aclrtMallocHostWithCfg(&memory, 64, &config), ACL_ERROR_RT_INVALID_DEVICEID, "99");
  attributes[1].attr = static_cast<aclrtMallocAttrType>(77);
  CHECK_FAILS(aclrtMallocWithCfg(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST, &config),
              ACL_ERROR_INVALID_PARAM, "unknown type 77");
  config = {nullptr, 1};
  CHECK_FAILS(aclrtMallocWithCfg(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST, &config),
              ACL_ERROR_INVALID_PARAM, "cfg->attrs is NULL");
  CHECK_FAILS(aclrtMallocHostWithCfg(&memory, 0, nullptr), ACL_ERROR_INVALID_PARAM, "size is 0");
  CHECK_FAILS(aclrtMallocHostWithCfg(nullptr, 8, nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  CHECK_FAILS(aclrtMallocHost(&memory, size_t{1} << 62), ACL_ERROR_RT_MEMORY_ALLOCATION, "memory");
  CHECK_FAILS(aclrtMallocHost(&memory, SIZE_MAX), ACL_ERROR_RT_MEMORY_ALLOCATION, "memory");
}

// Kernels reach registered memory by its device address, and see what the host wrote and the reverse.
TEST(registeredMemory) {
  device::use();
  const Pages pages(2 * kPage);
  auto* host = reinterpret_cast<float*>(pages.bytes());
  for (int i = 0; i < 1000; ++i) {
    host[i] = static_cast<float>(i);
  }
  void* address = nullptr;
  CHECK_OK(aclrtHostRegister(host, 2 * kPage, ACL_HOST_REGISTER_MAPPED, &address));
  CHECK(address != host);
  {
    const device::Tensor tensor(address, ACL_FLOAT, {1000});
    const device::Scalar two(2.0);
    device::run(
        [&](uint64_t* size, aclOpExecutor** executor) {
          return aclnnInplaceAddGetWorkspaceSize(tensor, tensor, two, size, executor);
        },
        aclnnInplaceAdd);
    for (int i = 0; i < 1000; ++i) {
      CHECK_EQ(host[i], 3.0F * static_cast<float>(i));
    }
  }
  void* again = nullptr;
  CHECK_OK(aclrtHostGetDevicePointer(host, &again, 0));
  CHECK_EQ(again, address);
  CHECK_OK(aclrtHostGetDevicePointer(host + 5, &again, 0));
  CHECK_EQ(again, static_cast<void*>(static_cast<float*>(address) + 5));
  aclrtPtrAttributes attributes;
  CHECK_OK(aclrtPointerGetAttributes(address, &attributes));
  CHECK_EQ(attributes.location.type, ACL_MEM_LOCATION_TYPE_DEVICE);
  // Copies take the host's address.
  device::Buffer<float> buffer(10);
  CHECK_FAILS(aclrtMemcpy(address, 40, buffer.address(), 40, ACL_MEMCPY_DEVICE_TO_DEVICE),
              ACL_ERROR_RT_PARAM_INVALID, "only kernels");
  CHECK_FAILS(aclrtMemset(address, 40, 0, 40), ACL_ERROR_RT_PARAM_INVALID, "only kernels");
  CHECK_FAILS(aclrtFree(address), ACL_ERROR_RT_PARAM_INVALID, "aclrtHostUnregister");
  CHECK_FAILS(aclrtHostRegister(host, kPage, ACL_HOST_REGISTER_MAPPED, &again),
              ACL_ERROR_RT_PARAM_INVALID, "registered already");
  CHECK_OK(aclrtHostUnregister(host));
  CHECK_FAILS(aclrtHostUnregister(host), ACL_ERROR_RT_PARAM_INVALID, "unregistered already");
  CHECK_FAILS(aclrtHostGetDevicePointer(host, &again, 0), ACL_ERROR_RT_PARAM_INVALID, "mapped");
  CHECK_FAILS(aclrtPointerGetAttributes(address, &attributes), ACL_ERROR_RT_PARAM_INVALID, "");
}

TEST(registrationRules) {
  device::use();
  const Pages pages(4 * kPage);
  void* address = nullptr;
  uint8_t* host = pages.bytes();
  CHECK_FAILS(aclrtHostRegister(host + 64, kPage, ACL_HOST_REGISTER_MAPPED, &address),
              ACL_ERROR_RT_PARAM_INVALID, "aligned to 4096");
  CHECK_FAILS(aclrtHostRegister(host, 0, ACL_HOST_REGISTER_MAPPED, &address),
              ACL_ERROR_INVALID_PARAM, "size is 0");
  CHECK_FAILS(aclrtHostRegister(nullptr, kPage, ACL_HOST_REGISTER_MAPPED, &address),
              ACL_ERROR_INVALID_PARAM, "ptr is NULL");
  CHECK_FAILS(aclrtHostRegister(host, kPage, ACL_HOST_REGISTER_MAPPED, nullptr),
              ACL_ERROR_INVALID_PARAM, "devPtr is NULL");
  CHECK_FAILS(aclrtHostRegister(host, kPage, ACL_HOST_REGISTER_READONLY, &address),
              ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "MAPPED");
  CHECK_FAILS(aclrtHostRegister(host, kPage, static_cast<aclrtHostRegisterType>(3), &address),
              ACL_ERROR_INVALID_PARAM, "type 3");
  CHECK_FAILS(aclrtHostRegisterV2(host, kPage, 1), ACL_ERROR_INVALID_PARAM, "flag 0x1");
  CHECK_FAILS(aclrtHostGetDevicePointer(host, &address, 1), ACL_ERROR_INVALID_PARAM, "flag 1");
  device::Buffer<uint8_t> buffer(2 * kPage);
  CHECK_FAILS(aclrtHostRegister(buffer.address(), kPage, ACL_HOST_REGISTER_MAPPED, &address),
              ACL_ERROR_RT_PARAM_INVALID, "memory of device 0");
  // Memory of aclrtMallocHost may be registered as it is.
  Pinned pinned(kPage);
  CHECK_OK(aclrtHostRegisterV2(pinned.bytes(), kPage, ACL_HOST_REG_MAPPED | ACL_HOST_REG_PINNED));
  CHECK_OK(aclrtHostGetDevicePointer(pinned.bytes(), &address, 0));
  CHECK_OK(aclrtHostUnregister(pinned.bytes()));
  // Many pieces at once keep apart, and their addresses are used again.
  const Pages many(64 * kPage);
  std::vector<void*> addresses(64);
  for (size_t i = 0; i < 64; ++i) {
    CHECK_OK(aclrtHostRegister(many.bytes() + i * kPage, kPage, ACL_HOST_REGISTER_MAPPED,
                               &addresses[i]));
  }
  for (size_t i = 0; i < 64; i += 2) {
    CHECK_OK(aclrtHostUnregister(many.bytes() + i * kPage));
  }
  CHECK_OK(aclrtHostRegister(many.bytes(), kPage, ACL_HOST_REGISTER_MAPPED, &address));
  CHECK_EQ(address, addresses[0]);
  CHECK_OK(aclrtHostUnregister(many.bytes()));
  for (size_t i = 1; i < 64; i += 2) {
    CHECK_OK(aclrtHostUnregister(many.bytes() + i * kPage));
  }
}

TEST(pinnedMemoryOfTheProgram) {
  device::use();
  device::Stream stream;
  const Pages pages(2 * kPage);
  device::Buffer<uint8_t> buffer(kPage);
  fill(buffer.address(), std::vector<uint8_t>(kPage, 5));
  CHECK_OK(aclrtHostRegisterV2(pages.bytes(), kPage, ACL_HOST_REG_PINNED));
  void* address = nullptr;
  CHECK_FAILS(aclrtHostGetDevicePointer(pages.bytes(), &address, 0), ACL_ERROR_RT_PARAM_INVALID,
              "mapped");
  {
    device::Gate gate;
    gate.hold(stream);
    CHECK_OK(aclrtMemcpyAsync(pages.bytes(), kPage, buffer.address(), kPage,
                              ACL_MEMCPY_DEVICE_TO_HOST, stream));
    CHECK_EQ(static_cast<int>(pages.bytes()[0]), 0);  // it did not wait
    gate.open();
    stream.synchronize();
    CHECK_EQ(static_cast<int>(pages.bytes()[kPage - 1]), 5);
  }
  {
    device::Gate gate;
    gate.hold(stream);
    CHECK_OK(aclrtMemcpyAsync(pages.bytes(), kPage, buffer.address(), kPage,
                              ACL_MEMCPY_DEVICE_TO_HOST, stream));
    CHECK_OK(aclrtHostUnregister(pages.bytes()));
    gate.open();
    CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, device::kPatience),
                ACL_ERROR_RT_COPY_DATA, "dst");
  }
}

TEST(copiesWithACondition) {
  device::use();
  device::Stream stream;
  device::Buffer<uint8_t> buffer(kPage);
  CHECK_OK(aclrtMemsetAsync(buffer.address(), kPage, 8, kPage, stream));
  std::vector<uint8_t> pageable(kPage);
  CHECK_OK(aclrtMemcpyAsyncWithCondition(pageable.data(), kPage, buffer.address(), kPage,
                                         ACL_MEMCPY_DEVICE_TO_HOST, stream));
  CHECK_EQ(static_cast<int>(pageable[kPage - 1]), 8);
  Pinned pinned(kPage);
  std::memset(pinned.bytes(), 1, kPage);
  {
    device::Gate gate;
    gate.hold(stream);
    CHECK_OK(aclrtMemcpyAsyncWithCondition(pinned.bytes(), kPage, buffer.address(), kPage,
                                           ACL_MEMCPY_DEVICE_TO_HOST, stream));
    CHECK_EQ(static_cast<int>(pinned.bytes()[0]), 1);
    gate.open();
    stream.synchronize();
  }
  CHECK_EQ(static_cast<int>(pinned.bytes()[0]), 8);
  CHECK_FAILS(aclrtMemcpyAsyncWithCondition(pageable.data(), 8, pinned.bytes(), 8,
                                            ACL_MEMCPY_HOST_TO_HOST, stream),
              ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "aclrtMemcpy");
  for (const int kind : {6, 7, -1}) {
    CHECK_FAILS(aclrtMemcpyAsyncWithCondition(buffer.address(), 8, pinned.bytes(), 8,
                                              static_cast<aclrtMemcpyKind>(kind), stream),
                ACL_ERROR_INVALID_PARAM, "kind");
  }
}

TEST(memoryInformation) {
  device::use();
  size_t free = 1;
  size_t total = 1;
  CHECK_OK(aclrtGetMemInfo(static_cast<aclrtMemAttr>(40), &free, &total));
  CHECK_EQ(free + total, size_t{0});
  CHECK_OK(aclrtGetMemInfo(ACL_MEM_P2P_HUGE1G, &free, &total));
  CHECK(free > 0 && free <= total);
  CHECK_FAILS(aclrtGetMemInfo(ACL_HBM_MEM, nullptr, &total), ACL_ERROR_INVALID_PARAM, "free");
  aclrtUtilizationInfo usage{};
  void* memory = nullptr;
  CHECK_OK(aclrtGetDeviceUtilizationRate(0, &usage));
  const int before = usage.memoryUtilization;
  CHECK_OK(aclrtMalloc(&memory, total / 10, ACL_MEM_MALLOC_HUGE_FIRST));
  CHECK_OK(aclrtGetDeviceUtilizationRate(0, &usage));
  CHECK(usage.memoryUtilization >= before + 9 && usage.memoryUtilization <= before + 11);
  CHECK(usage.utilizationExtend == nullptr);
  CHECK_OK(aclrtFree(memory));
}
