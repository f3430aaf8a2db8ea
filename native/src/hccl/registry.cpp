// SPDX-License-Identifier: Apache-2.0
// The handles that stand for communicators.
#include <map>
#include <shared_mutex>

#include "hccl/communicator.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

constexpr uintptr_t kFirst = 0x48434c00;

struct Registry {
  std::shared_mutex mutex;
  std::map<uintptr_t, std::shared_ptr<Communicator>> live;
  uintptr_t next = kFirst;

  static Registry& instance() {
    static Registry& registry = *new Registry();
    return registry;
  }
};

}  // namespace

HcclComm publish(std::shared_ptr<Communicator> communicator) {
  Registry& registry = Registry::instance();
  std::lock_guard lock(registry.mutex);
  const uintptr_t handle = registry.next++;
  registry.live.emplace(handle, std::move(communicator));
  return reinterpret_cast<HcclComm>(handle);
}

std::shared_ptr<Communicator> findCommunicator(const char* function, HcclComm handle) {
  Registry& registry = Registry::instance();
  const auto number = reinterpret_cast<uintptr_t>(handle);
  bool existed = false;
  {
    std::shared_lock lock(registry.mutex);
    auto found = registry.live.find(number);
    if (found != registry.live.end()) {
      return found->second;
    }
    existed = number >= kFirst && number < registry.next;
  }
  fail(HCCL_E_PARA, "%s: comm %p is no live communicator%s", function, handle,
       existed ? "; it was destroyed" : "");
  return nullptr;
}

HcclResult destroyCommunicator(const char* function, HcclComm handle) {
  std::shared_ptr<Communicator> communicator = findCommunicator(function, handle);
  if (communicator == nullptr) {
    return HCCL_E_PARA;
  }
  const HcclResult result = communicator->close(function);
  if (result == HCCL_SUCCESS) {
    Registry& registry = Registry::instance();
    std::lock_guard lock(registry.mutex);
    registry.live.erase(reinterpret_cast<uintptr_t>(handle));
  }
  return result;
}

std::vector<std::pair<HcclComm, std::shared_ptr<Communicator>>> liveCommunicators() {
  Registry& registry = Registry::instance();
  std::shared_lock lock(registry.mutex);
  std::vector<std::pair<HcclComm, std::shared_ptr<Communicator>>> live;
  for (const auto& [handle, communicator] : registry.live) {
    live.emplace_back(reinterpret_cast<HcclComm>(handle), communicator);
  }
  return live;
}

HcclComm findByName(int device, const std::string& name) {
  Registry& registry = Registry::instance();
  std::shared_lock lock(registry.mutex);
  for (const auto& [handle, communicator] : registry.live) {
    if (communicator->device() == device && communicator->name() == name) {
      return reinterpret_cast<HcclComm>(handle);
    }
  }
  return nullptr;
}

}  // namespace cann4j::hccl
