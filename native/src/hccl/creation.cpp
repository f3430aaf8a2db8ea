// SPDX-License-Identifier: Apache-2.0
#include "hccl/creation.hpp"

#include <thread>
#include <utility>

#include "hccl/call_group.hpp"
#include "hccl/issuing.hpp"
#include "runtime/error.hpp"
#include "runtime/host_memory.hpp"

namespace cann4j::hccl {
namespace {

HcclResult join(const char* function, const std::shared_ptr<Formation>& formation,
                const Candidate& candidate, Origin origin, std::thread::id driver,
                HcclComm* comm) {
  Issuing issuing;
  HcclResult result = issuing.begin(function, candidate.device, formation.get());
  if (result != HCCL_SUCCESS) {
    return result;
  }
  std::shared_ptr<Group> group;
  result = formation->join(function, candidate, &group);
  retire(formation);
  if (result == HCCL_SUCCESS) {
    *comm =
        publish(std::make_shared<Communicator>(std::move(group), candidate.rank, origin, driver));
  }
  return result;
}

}  // namespace

HcclResult requireDevice(const char* function, int* device) {
  *device = currentDevice();
  return *device >= 0
             ? HCCL_SUCCESS
             : fail(HCCL_E_RUNTIME, "%s: this thread has no device; call aclrtSetDevice", function);
}

HcclResult requirePointer(const char* function, const char* argument, const void* pointer) {
  return pointer != nullptr ? HCCL_SUCCESS : fail(HCCL_E_PTR, "%s: %s is NULL", function, argument);
}

HcclResult requireOnHost(const char* function, const char* argument, const void* pointer) {
  const HcclResult result = requirePointer(function, argument, pointer);
  return result != HCCL_SUCCESS ? result : checkOnHost(HCCL_E_PARA, function, argument, pointer);
}

HcclResult requireFreeName(const char* function, int device, const std::string& name) {
  return name.empty() || findByName(device, name) == nullptr
             ? HCCL_SUCCESS
             : fail(HCCL_E_PARA,
                    "%s: device %d already has a communicator named %s; choose another name in "
                    "config.hcclCommName, or destroy that one",
                    function, device, name.c_str());
}

HcclResult enter(const char* function, std::shared_ptr<Formation> formation,
                 const Candidate& candidate, Origin origin, HcclComm* comm) {
  CallGroup& group = CallGroup::current();
  const HcclResult result = group.admit(function, CallGroup::Kind::kCreation);
  if (result != HCCL_SUCCESS) {
    return result;
  }
  auto run = [=, formation = std::move(formation), driver = std::this_thread::get_id()] {
    return join(function, formation, candidate, origin, driver, comm);
  };
  if (!group.isOpen()) {
    return run();
  }
  group.add(CallGroup::Creation{candidate.device, std::move(run)});
  return HCCL_SUCCESS;
}

}  // namespace cann4j::hccl
