// SPDX-License-Identifier: Apache-2.0
#include "runtime/remote_memory.hpp"

#include <sys/mman.h>
#include <sys/wait.h>

#include <cstring>
#include <string>

#include "device.hpp"
#include "runtime/memory.hpp"

using cann4j::RemoteMemory;
using cann4j::SharedDevice;
using cann4j::ipc::File;

namespace {

SharedDevice shared(int device) {
  SharedDevice result{};
  CHECK_OK(cann4j::shareDevice(device, &result));
  return result;
}

std::shared_ptr<RemoteMemory> map(const SharedDevice& device) {
  std::string words;
  auto memory =
      RemoteMemory::map(File::copyOf(device.file), device.base, device.span, &words);
  CHECK_EQ(words, std::string());
  CHECK(memory != nullptr);
  return memory;
}

std::string refusal(const File& file, size_t span) {
  std::string words;
  CHECK(RemoteMemory::map(file, 0, span, &words) == nullptr);
  return words;
}

}  // namespace

TEST(whoeverMapsADeviceSeesItsMemory) {
  device::use();
  device::Buffer<int> buffer(std::vector<int>{1, 2, 3, 4});
  const auto memory = map(shared(0));
  auto* seen = reinterpret_cast<int*>(memory->host(buffer.address(), 4 * sizeof(int)));
  CHECK(seen != nullptr && seen != cann4j::toHost(buffer.address()));
  CHECK_EQ(seen[2], 3);
  seen[2] = 30;
  CHECK(buffer.read() == (std::vector<int>{1, 2, 30, 4}));
  CHECK(map(shared(0)) == memory);
  CHECK(map(shared(1)) != memory);
}

TEST(nothingOutsideTheDeviceIsReached) {
  const SharedDevice device = shared(0);
  const auto memory = map(device);
  const auto at = [&](size_t offset, size_t bytes) {
    return memory->host(reinterpret_cast<void*>(device.base + offset), bytes);
  };
  CHECK(at(0, device.span) != nullptr);
  CHECK(at(0, device.span + 1) == nullptr);
  CHECK(at(device.span - 8, 8) != nullptr);
  CHECK(at(device.span - 8, 9) == nullptr);
  CHECK(at(device.span + 4096, 0) == nullptr);
  CHECK(at(0 - size_t{1}, 1) == nullptr);
  CHECK(at(8, SIZE_MAX) == nullptr);
}

TEST(otherFilesAreRefused) {
  CHECK(refusal(File(), 4096).find("no memory file") != std::string::npos);
  const File shrinking(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK_EQ(ftruncate(shrinking.descriptor(), 8192), 0);
  CHECK(refusal(shrinking, 4096).find("no device memory") != std::string::npos);
  CHECK_EQ(fcntl(shrinking.descriptor(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  CHECK(refusal(shrinking, 8193).find("no device memory") != std::string::npos);
}

TEST(theFileKeepsItsSize) {
  const SharedDevice device = shared(0);
  CHECK_EQ(ftruncate(device.file, 4096), -1);
  CHECK_EQ(ftruncate(device.file, static_cast<off_t>(device.span) + 4096), -1);
}

TEST(aForkedChildHasNoPartInIt) {
  device::use();
  device::Buffer<int> buffer(std::vector<int>{7});
  int* host = cann4j::toHostAs<int>(buffer.address());
  const pid_t child = fork();
  if (child == 0) {
    // A mapping that exists can be asked about its pages.
    unsigned char resident = 0;
    void* page = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(host) & ~uintptr_t{4095});
    _exit(mincore(page, 4096, &resident) == -1 ? 0 : 1);
  }
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(status == 0 || check::isEmulated());  // qemu passes no advice on
  CHECK(buffer.read() == std::vector<int>{7});
}
