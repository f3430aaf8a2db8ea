// SPDX-License-Identifier: Apache-2.0
// The C functions that tell a communicator of memory, and of network devices, ahead of operations.
// Operations here reach all memory of a device alike and there is no network, so these functions
// check their arguments, remember what was agreed and refuse what contradicts it.
#include <map>
#include <mutex>

#include "hccl/creation.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

HcclResult resolve(const char* function, HcclComm comm,
                   std::shared_ptr<Communicator>* communicator) {
  const HcclResult result = requirePointer(function, "comm", comm);
  if (result != HCCL_SUCCESS) {
    return result;
  }
  *communicator = findCommunicator(function, comm);
  return *communicator == nullptr ? HCCL_E_PARA : HCCL_SUCCESS;
}

std::string subjectOf(const char* function, const Communicator& communicator) {
  return std::string(function) + ": communicator " + communicator.name() + ", rank " +
         std::to_string(communicator.rank());
}

HcclResult requireZeroFlags(const char* function, uint64_t flags) {
  return flags == 0 ? HCCL_SUCCESS
                    : fail(HCCL_E_PARA, "%s: flags is 0x%llx; it is reserved and has to be 0",
                           function, static_cast<unsigned long long>(flags));
}

HcclResult requireRange(const char* function, const char* argument, const void* address,
                        size_t size) {
  const HcclResult result = requirePointer(function, argument, address);
  if (result != HCCL_SUCCESS) {
    return result;
  }
  const auto begin = reinterpret_cast<uintptr_t>(address);
  return size > 0 && begin + size > begin
             ? HCCL_SUCCESS
             : fail(HCCL_E_PARA, "%s: size is %zu; from %s %p on that is no range of addresses",
                    function, size, argument, address);
}

HcclResult setMemoryRange(HcclComm comm, void* base, size_t size, size_t alignment,
                          uint64_t flags) {
  const char* function = "HcclCommSetMemoryRange";
  std::shared_ptr<Communicator> communicator;
  HcclResult result = resolve(function, comm, &communicator);
  if (result == HCCL_SUCCESS) {
    result = requireRange(function, "baseVirPtr", base, size);
  }
  if (result == HCCL_SUCCESS) {
    result = requireZeroFlags(function, flags);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  const auto address = reinterpret_cast<uintptr_t>(base);
  if (alignment != 0 && ((alignment & (alignment - 1)) != 0 || address % alignment != 0)) {
    return fail(HCCL_E_PARA, "%s: baseVirPtr %p does not have the alignment %zu, a power of two",
                function, base, alignment);
  }
  return communicator->memory().set(subjectOf(function, *communicator), address, size);
}

HcclResult unsetMemoryRange(HcclComm comm, void* base) {
  const char* function = "HcclCommUnsetMemoryRange";
  std::shared_ptr<Communicator> communicator;
  HcclResult result = resolve(function, comm, &communicator);
  if (result == HCCL_SUCCESS) {
    result = requirePointer(function, "baseVirPtr", base);
  }
  return result != HCCL_SUCCESS
             ? result
             : communicator->memory().unset(subjectOf(function, *communicator),
                                            reinterpret_cast<uintptr_t>(base));
}

HcclResult activateMemory(HcclComm comm, void* address, size_t size, size_t offset,
                          aclrtDrvMemHandle handle, uint64_t flags) {
  const char* function = "HcclCommActivateCommMemory";
  std::shared_ptr<Communicator> communicator;
  HcclResult result = resolve(function, comm, &communicator);
  if (result == HCCL_SUCCESS) {
    result = requireRange(function, "virPtr", address, size);
  }
  if (result == HCCL_SUCCESS) {
    result = requireOnHost(function, "handle", handle);
  }
  if (result == HCCL_SUCCESS && offset != 0) {
    result = fail(HCCL_E_PARA, "%s: offset is %zu; it has to be 0", function, offset);
  }
  if (result == HCCL_SUCCESS) {
    result = requireZeroFlags(function, flags);
  }
  return result != HCCL_SUCCESS
             ? result
             : communicator->memory().activate(subjectOf(function, *communicator),
                                               reinterpret_cast<uintptr_t>(address), size);
}

HcclResult deactivateMemory(HcclComm comm, void* address) {
  const char* function = "HcclCommDeactivateCommMemory";
  std::shared_ptr<Communicator> communicator;
  HcclResult result = resolve(function, comm, &communicator);
  if (result == HCCL_SUCCESS) {
    result = requirePointer(function, "virPtr", address);
  }
  return result != HCCL_SUCCESS
             ? result
             : communicator->memory().deactivate(subjectOf(function, *communicator),
                                                 reinterpret_cast<uintptr_t>(address));
}

// Memory that lies at the same place of all ranks' windows.
struct Window {
  std::weak_ptr<Communicator> communicator;
  uintptr_t begin;
  uint64_t size;

  bool isOf(const std::shared_ptr<Communicator>& other) const {
    return communicator.lock() == other;
  }
  bool overlaps(uintptr_t address, uint64_t bytes) const {
    return address < begin + size && begin < address + bytes;
  }
  bool contains(uintptr_t address, uint64_t bytes) const {
    return address >= begin && address + bytes <= begin + size;
  }
};

struct Windows {
  std::mutex mutex;
  std::map<uintptr_t, Window> live;
  uintptr_t next = 0x53594d00;

  static Windows& instance() {
    static Windows& windows = *new Windows();
    return windows;
  }
};

HcclResult registerWindow(HcclComm comm, void* address, uint64_t size,
                          HcclCommSymWindow* handle) {
  const char* function = "HcclCommSymWinRegister";
  std::shared_ptr<Communicator> communicator;
  HcclResult result = resolve(function, comm, &communicator);
  if (result == HCCL_SUCCESS) {
    result = requireRange(function, "addr", address, size);
  }
  if (result == HCCL_SUCCESS) {
    result = requireOnHost(function, "winHandle", handle);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  if (deviceOf(address) != communicator->device() || !isDeviceRange(address, size)) {
    return fail(HCCL_E_PARA,
                "%s: the %llu bytes at addr %p do not lie in one live allocation of device %d, on "
                "which rank %u of communicator %s is",
                function, static_cast<unsigned long long>(size), address, communicator->device(),
                communicator->rank(), communicator->name().c_str());
  }
  Windows& windows = Windows::instance();
  std::lock_guard lock(windows.mutex);
  std::erase_if(windows.live,
                [](const auto& entry) { return entry.second.communicator.expired(); });
  const auto begin = reinterpret_cast<uintptr_t>(address);
  for (const auto& [other, window] : windows.live) {
    if (window.isOf(communicator) && window.overlaps(begin, size)) {
      return fail(HCCL_E_PARA, "%s: the %llu bytes at addr %p overlap window %p", function,
                  static_cast<unsigned long long>(size), address, reinterpret_cast<void*>(other));
    }
  }
  windows.live.emplace(++windows.next, Window{communicator, begin, size});
  *handle = reinterpret_cast<HcclCommSymWindow>(windows.next);
  return HCCL_SUCCESS;
}

HcclResult deregisterWindow(HcclCommSymWindow handle) {
  const char* function = "HcclCommSymWinDeregister";
  const HcclResult result = requirePointer(function, "winHandle", handle);
  if (result != HCCL_SUCCESS) {
    return result;
  }
  Windows& windows = Windows::instance();
  std::lock_guard lock(windows.mutex);
  return windows.live.erase(reinterpret_cast<uintptr_t>(handle)) > 0
             ? HCCL_SUCCESS
             : fail(HCCL_E_PARA, "%s: winHandle %p is no live window", function, handle);
}

HcclResult getWindow(HcclComm comm, void* address, size_t size, HcclCommSymWindow* handle,
                     size_t* offset) {
  const char* function = "HcclCommSymWinGet";
  std::shared_ptr<Communicator> communicator;
  HcclResult result = resolve(function, comm, &communicator);
  if (result == HCCL_SUCCESS) {
    result = requireRange(function, "ptr", address, size);
  }
  if (result == HCCL_SUCCESS) {
    result = requireOnHost(function, "winHandle", handle);
  }
  if (result == HCCL_SUCCESS) {
    result = requireOnHost(function, "offset", offset);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  const auto begin = reinterpret_cast<uintptr_t>(address);
  Windows& windows = Windows::instance();
  std::lock_guard lock(windows.mutex);
  for (const auto& [number, window] : windows.live) {
    if (window.isOf(communicator) && window.contains(begin, size)) {
      *handle = reinterpret_cast<HcclCommSymWindow>(number);
      *offset = begin - window.begin;
      return HCCL_SUCCESS;
    }
  }
  return fail(HCCL_E_NOT_FOUND, "%s: the %zu bytes at ptr %p are in no window of communicator %s",
              function, size, address, communicator->name().c_str());
}

HcclResult setWorkingNetworkDevices(HcclComm comm, const uint32_t* ranks, const bool* useBackup,
                                    uint32_t count) {
  const char* function = "HcclCommWorkingDevNicSet";
  std::shared_ptr<Communicator> communicator;
  HcclResult result = resolve(function, comm, &communicator);
  if (result == HCCL_SUCCESS) {
    result = requireOnHost(function, "ranks", ranks);
  }
  if (result == HCCL_SUCCESS) {
    result = requireOnHost(function, "useBackup", useBackup);
  }
  for (uint32_t i = 0; i < count && result == HCCL_SUCCESS; ++i) {
    if (ranks[i] >= communicator->size()) {
      result = fail(HCCL_E_PARA, "%s: ranks[%u] is %u; communicator %s has %u ranks", function, i,
                    ranks[i], communicator->name().c_str(), communicator->size());
    } else if (useBackup[i]) {
      result = fail(HCCL_E_NOT_SUPPORT, "%s: useBackup[%u] is true, but rank %u has no backup "
                                        "network device to use",
                    function, i, ranks[i]);
    }
  }
  return result;
}

}  // namespace
}  // namespace cann4j::hccl

using namespace cann4j;
using namespace cann4j::hccl;

extern "C" {

HcclResult HcclCommSetMemoryRange(HcclComm comm, void* baseVirPtr, size_t size, size_t alignment,
                                  uint64_t flags) {
  return guarded(HCCL_E_INTERNAL, "HcclCommSetMemoryRange",
                 [&] { return setMemoryRange(comm, baseVirPtr, size, alignment, flags); });
}

HcclResult HcclCommUnsetMemoryRange(HcclComm comm, void* baseVirPtr) {
  return guarded(HCCL_E_INTERNAL, "HcclCommUnsetMemoryRange",
                 [&] { return unsetMemoryRange(comm, baseVirPtr); });
}

HcclResult HcclCommActivateCommMemory(HcclComm comm, void* virPtr, size_t size, size_t offset,
                                      aclrtDrvMemHandle handle, uint64_t flags) {
  return guarded(HCCL_E_INTERNAL, "HcclCommActivateCommMemory",
                 [&] { return activateMemory(comm, virPtr, size, offset, handle, flags); });
}

HcclResult HcclCommDeactivateCommMemory(HcclComm comm, void* virPtr) {
  return guarded(HCCL_E_INTERNAL, "HcclCommDeactivateCommMemory",
                 [&] { return deactivateMemory(comm, virPtr); });
}

HcclResult HcclCommSymWinRegister(HcclComm comm, void* addr, uint64_t size,
                                  HcclCommSymWindow* winHandle, uint32_t flag) {
  (void)flag;  // its values are not public
  return guarded(HCCL_E_INTERNAL, "HcclCommSymWinRegister",
                 [&] { return registerWindow(comm, addr, size, winHandle); });
}

HcclResult HcclCommSymWinDeregister(HcclCommSymWindow winHandle) {
  return guarded(HCCL_E_INTERNAL, "HcclCommSymWinDeregister",
                 [&] { return deregisterWindow(winHandle); });
}

HcclResult HcclCommSymWinGet(HcclComm comm, void* ptr, size_t size, HcclCommSymWindow* winHandle,
                             size_t* offset) {
  return guarded(HCCL_E_INTERNAL, "HcclCommSymWinGet",
                 [&] { return getWindow(comm, ptr, size, winHandle, offset); });
}

HcclResult HcclCommWorkingDevNicSet(HcclComm comm, uint32_t* ranks, bool* useBackup,
                                    uint32_t nRanks) {
  return guarded(HCCL_E_INTERNAL, "HcclCommWorkingDevNicSet",
                 [&] { return setWorkingNetworkDevices(comm, ranks, useBackup, nRanks); });
}

}  // extern "C"
