// SPDX-License-Identifier: Apache-2.0
// The C functions that create, query and destroy communicators.
#include <cstring>
#include <iterator>
#include <set>

#include "acl/acl.h"
#include "hccl/communicator.hpp"
#include "hccl/formation.hpp"
#include "hccl/hccl.h"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

constexpr uint64_t kNoSubCommId = 0xFFFFFFFF;

HcclResult requireDevice(const char* function, int* device) {
  *device = currentDevice();
  return *device >= 0
             ? HCCL_SUCCESS
             : fail(HCCL_E_RUNTIME, "%s: this thread has no device; call aclrtSetDevice", function);
}

HcclResult requirePointer(const char* function, const char* argument, const void* pointer) {
  return pointer != nullptr ? HCCL_SUCCESS : fail(HCCL_E_PTR, "%s: %s is NULL", function, argument);
}

HcclResult requireFreeName(const char* function, int device, const std::string& name) {
  return name.empty() || !isNameTaken(device, name)
             ? HCCL_SUCCESS
             : fail(HCCL_E_PARA,
                    "%s: device %d already has a communicator named %s; choose another name in "
                    "config.hcclCommName, or destroy that one",
                    function, device, name.c_str());
}

uint32_t deviceCount() {
  uint32_t count = 0;
  aclrtGetDeviceCount(&count);
  return count;
}

HcclResult enter(const char* function, const std::shared_ptr<Formation>& formation,
                 const Candidate& candidate, Origin origin, HcclComm* comm) {
  std::shared_ptr<Group> group;
  HcclResult result = formation->join(function, candidate, &group);
  retire(formation);
  if (result == HCCL_SUCCESS) {
    *comm = publish(std::make_shared<Communicator>(std::move(group), candidate.rank, origin));
  }
  return result;
}

HcclResult initRootInfo(const char* function, uint32_t nRanks, const HcclRootInfo* rootInfo,
                        uint32_t rank, const HcclCommConfig* config, HcclComm* comm) {
  HcclResult result = requirePointer(function, "rootInfo", rootInfo);
  if (result == HCCL_SUCCESS) {
    result = requirePointer(function, "comm", comm);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  if (nRanks == 0 || rank >= nRanks) {
    return fail(HCCL_E_PARA, "%s: rank %u of nRanks %u; nRanks is at least 1 and rank less than it",
                function, rank, nRanks);
  }
  const uint32_t devices = deviceCount();
  if (nRanks > devices) {
    return fail(HCCL_E_PARA,
                "%s: nRanks is %u, but every rank needs a device of its own and there are %u; set "
                "CANN4J_CPU_DEVICES",
                function, nRanks, devices);
  }
  Candidate candidate{nRanks, rank, -1, {}, nullptr};
  result = requireDevice(function, &candidate.device);
  if (result == HCCL_SUCCESS) {
    result = readSettings(function, config, &candidate.settings);
  }
  if (result == HCCL_SUCCESS) {
    result = requireFreeName(function, candidate.device, candidate.settings.name);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  std::shared_ptr<Formation> formation = findFormation(function, *rootInfo, &result);
  return formation == nullptr ? result
                              : enter(function, formation, candidate, Origin::kWorld, comm);
}

HcclResult checkDevices(const char* function, uint32_t ndev, const int32_t* devices) {
  const uint32_t available = deviceCount();
  std::set<int32_t> seen;
  for (uint32_t i = 0; i < ndev; ++i) {
    if (devices[i] < 0 || static_cast<uint32_t>(devices[i]) >= available) {
      return fail(HCCL_E_PARA, "%s: devices[%u] is %d; there are %u devices", function, i,
                  devices[i], available);
    }
    if (!seen.insert(devices[i]).second) {
      return fail(HCCL_E_PARA, "%s: devices[%u] repeats device %d", function, i, devices[i]);
    }
  }
  return HCCL_SUCCESS;
}

HcclResult initAll(const char* function, uint32_t ndev, const int32_t* devices, HcclComm* comms) {
  HcclResult result = requirePointer(function, "devices", devices);
  if (result == HCCL_SUCCESS) {
    result = requirePointer(function, "comms", comms);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  if (ndev == 0) {
    return fail(HCCL_E_PARA, "%s: ndev is 0", function);
  }
  Settings settings;
  result = checkDevices(function, ndev, devices);
  if (result == HCCL_SUCCESS) {
    result = readSettings(function, nullptr, &settings);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  std::shared_ptr<Group> group =
      makeGroup(newWorldName(), std::vector<int>(devices, devices + ndev), std::move(settings));
  for (uint32_t rank = 0; rank < ndev; ++rank) {
    comms[rank] = publish(std::make_shared<Communicator>(group, rank, Origin::kWorld));
  }
  return HCCL_SUCCESS;
}

HcclResult checkMembers(const char* function, const Communicator& parent,
                        const std::vector<uint32_t>& ranks, uint32_t subCommRankId) {
  if (ranks.empty() || subCommRankId >= ranks.size()) {
    return fail(HCCL_E_PARA, "%s: subCommRankId %u of rankNum %zu; it is to be less than rankNum",
                function, subCommRankId, ranks.size());
  }
  std::set<uint32_t> seen;
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (ranks[i] >= parent.size()) {
      return fail(HCCL_E_PARA, "%s: rankIds[%zu] is %u; communicator %s has %u ranks", function, i,
                  ranks[i], parent.name().c_str(), parent.size());
    }
    if (!seen.insert(ranks[i]).second) {
      return fail(HCCL_E_PARA, "%s: rankIds[%zu] repeats rank %u", function, i, ranks[i]);
    }
  }
  if (ranks[subCommRankId] != parent.rank()) {
    return fail(HCCL_E_PARA,
                "%s: rankIds[subCommRankId = %u] is %u, but the caller is rank %u of communicator "
                "%s; pass the caller's index in rankIds",
                function, subCommRankId, ranks[subCommRankId], parent.rank(),
                parent.name().c_str());
  }
  return HCCL_SUCCESS;
}

HcclResult createSub(const char* function, HcclComm* comm, uint32_t rankNum,
                     const uint32_t* rankIds, uint64_t subCommId, uint32_t subCommRankId,
                     const HcclCommConfig* config, HcclComm* subComm) {
  HcclResult result = requirePointer(function, "comm", comm);
  if (result == HCCL_SUCCESS) {
    result = requirePointer(function, "*comm", *comm);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  std::shared_ptr<Communicator> parent = findCommunicator(function, *comm);
  if (parent == nullptr) {
    return HCCL_E_PARA;
  }
  if (parent->origin() == Origin::kSub) {
    return fail(HCCL_E_NOT_SUPPORT,
                "%s: communicator %s is itself a sub-communicator; create all of them from the "
                "global one",
                function, parent->name().c_str());
  }
  if ((rankIds == nullptr) != (subCommId == kNoSubCommId)) {
    return fail(HCCL_E_PARA,
                "%s: rankIds is %s but subCommId is 0x%llx; a rank that takes no part passes NULL "
                "and 0xFFFFFFFF, a member neither",
                function, rankIds == nullptr ? "NULL" : "given",
                static_cast<unsigned long long>(subCommId));
  }
  if (rankIds == nullptr) {
    return HCCL_SUCCESS;
  }
  result = requirePointer(function, "config", config);
  if (result == HCCL_SUCCESS) {
    result = requirePointer(function, "subComm", subComm);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  if (rankNum > parent->size()) {
    return fail(HCCL_E_PARA, "%s: rankNum is %u; communicator %s has only %u ranks", function,
                rankNum, parent->name().c_str(), parent->size());
  }
  std::vector<uint32_t> ranks(rankIds, rankIds + rankNum);
  Candidate candidate{rankNum, subCommRankId, parent->device(), {}, nullptr};
  result = checkMembers(function, *parent, ranks, subCommRankId);
  if (result == HCCL_SUCCESS) {
    result = readSettings(function, config, &candidate.settings);
  }
  if (result == HCCL_SUCCESS) {
    const std::string& name = candidate.settings.name;
    result = requireFreeName(function, parent->device(),
                             name.empty() ? subName(*parent->group(), subCommId) : name);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  std::shared_ptr<Formation> formation =
      parent->group()->subFormation(function, subCommId, ranks, &result);
  return formation == nullptr ? result
                              : enter(function, formation, candidate, Origin::kSub, subComm);
}

// For the queries: `out` is where the answer goes.
std::shared_ptr<Communicator> forQuery(const char* function, HcclComm comm, const char* outName,
                                       const void* out, HcclResult* result) {
  *result = requirePointer(function, "comm", comm);
  if (*result == HCCL_SUCCESS) {
    *result = requirePointer(function, outName, out);
  }
  if (*result != HCCL_SUCCESS) {
    return nullptr;
  }
  std::shared_ptr<Communicator> communicator = findCommunicator(function, comm);
  *result = communicator == nullptr ? HCCL_E_PARA : HCCL_SUCCESS;
  return communicator;
}

HcclResult requireKnownConfig(const char* function, HcclConfig config) {
  return config == HCCL_DETERMINISTIC
             ? HCCL_SUCCESS
             : fail(HCCL_E_PARA, "%s: config %d is unknown; only HCCL_DETERMINISTIC (0) is",
                    function, static_cast<int>(config));
}

}  // namespace
}  // namespace cann4j::hccl

using namespace cann4j;
using namespace cann4j::hccl;

extern "C" {

HcclResult HcclGetRootInfo(HcclRootInfo* rootInfo) {
  int device = -1;
  HcclResult result = requirePointer("HcclGetRootInfo", "rootInfo", rootInfo);
  if (result == HCCL_SUCCESS) {
    result = requireDevice("HcclGetRootInfo", &device);
  }
  if (result == HCCL_SUCCESS) {
    result = createRootInfo("HcclGetRootInfo", rootInfo);
  }
  return result;
}

HcclResult HcclCommInitRootInfo(uint32_t nRanks, const HcclRootInfo* rootInfo, uint32_t rank,
                                HcclComm* comm) {
  return initRootInfo("HcclCommInitRootInfo", nRanks, rootInfo, rank, nullptr, comm);
}

HcclResult HcclCommInitRootInfoConfig(uint32_t nRanks, const HcclRootInfo* rootInfo, uint32_t rank,
                                      const HcclCommConfig* config, HcclComm* comm) {
  HcclResult result = requirePointer("HcclCommInitRootInfoConfig", "config", config);
  return result != HCCL_SUCCESS
             ? result
             : initRootInfo("HcclCommInitRootInfoConfig", nRanks, rootInfo, rank, config, comm);
}

HcclResult HcclCommInitAll(uint32_t ndev, int32_t* devices, HcclComm* comms) {
  return initAll("HcclCommInitAll", ndev, devices, comms);
}

HcclResult HcclCreateSubCommConfig(HcclComm* comm, uint32_t rankNum, uint32_t* rankIds,
                                   uint64_t subCommId, uint32_t subCommRankId,
                                   HcclCommConfig* config, HcclComm* subComm) {
  return createSub("HcclCreateSubCommConfig", comm, rankNum, rankIds, subCommId, subCommRankId,
                   config, subComm);
}

HcclResult HcclCommDestroy(HcclComm comm) {
  return comm == nullptr ? HCCL_SUCCESS : destroyCommunicator("HcclCommDestroy", comm);
}

HcclResult HcclSetConfig(HcclConfig config, HcclConfigValue configValue) {
  HcclResult result = requireKnownConfig("HcclSetConfig", config);
  if (result != HCCL_SUCCESS) {
    return result;
  }
  if (configValue.value < 0 || configValue.value > 2) {
    return fail(HCCL_E_PARA, "HcclSetConfig: value %d; use 0 (off), 1 (on) or 2 (strict)",
                configValue.value);
  }
  setDeterministicLevel(static_cast<uint32_t>(configValue.value));
  return HCCL_SUCCESS;
}

HcclResult HcclGetConfig(HcclConfig config, HcclConfigValue* configValue) {
  HcclResult result = requirePointer("HcclGetConfig", "configValue", configValue);
  uint32_t level = 0;
  if (result == HCCL_SUCCESS) {
    result = requireKnownConfig("HcclGetConfig", config);
  }
  if (result == HCCL_SUCCESS) {
    result = deterministicLevel("HcclGetConfig", &level);
  }
  if (result == HCCL_SUCCESS) {
    configValue->value = static_cast<int32_t>(level);
  }
  return result;
}

HcclResult HcclGetCommName(HcclComm comm, char* commName) {
  HcclResult result = HCCL_SUCCESS;
  if (auto communicator = forQuery("HcclGetCommName", comm, "commName", commName, &result)) {
    std::memset(commName, 0, COMM_NAME_MAX_LENGTH);
    communicator->name().copy(commName, COMM_NAME_MAX_LENGTH - 1);
  }
  return result;
}

HcclResult HcclGetRankSize(HcclComm comm, uint32_t* rankSize) {
  HcclResult result = HCCL_SUCCESS;
  if (auto communicator = forQuery("HcclGetRankSize", comm, "rankSize", rankSize, &result)) {
    *rankSize = communicator->size();
  }
  return result;
}

HcclResult HcclGetRankId(HcclComm comm, uint32_t* rank) {
  HcclResult result = HCCL_SUCCESS;
  if (auto communicator = forQuery("HcclGetRankId", comm, "rank", rank, &result)) {
    *rank = communicator->rank();
  }
  return result;
}

HcclResult HcclGetCommAsyncError(HcclComm comm, HcclResult* asyncError) {
  HcclResult result = HCCL_SUCCESS;
  if (auto communicator =
          forQuery("HcclGetCommAsyncError", comm, "asyncError", asyncError, &result)) {
    *asyncError = communicator->group()->failure() == nullptr ? HCCL_SUCCESS : HCCL_E_REMOTE;
  }
  return result;
}

const char* HcclGetErrorString(HcclResult code) {
  static constexpr const char* kTexts[] = {"success",
                                           "invalid parameter",
                                           "null pointer",
                                           "memory failure",
                                           "internal error",
                                           "not supported",
                                           "not found",
                                           "resource unavailable",
                                           "system call failed",
                                           "timed out",
                                           "cannot open file",
                                           "TCP connection failed",
                                           "RoCE connection failed",
                                           "TCP transfer failed",
                                           "RoCE transfer failed",
                                           "runtime call failed",
                                           "driver call failed",
                                           "profiling call failed",
                                           "CCE call failed",
                                           "network failure",
                                           "busy, try again",
                                           "remote rank or transfer failed",
                                           "communicator is suspending",
                                           "retrying the operation failed",
                                           "out of device memory"};
  if (code == HCCL_E_IN_STATUS) {
    return "communicator is in a state that forbids this";
  }
  auto index = static_cast<unsigned>(code);
  return index < std::size(kTexts) ? kTexts[index] : "unknown error";
}

uint32_t HcclGetCommConfigCapability(void) { return HCCL_COMM_CONFIG_RESERVED; }

}  // extern "C"
