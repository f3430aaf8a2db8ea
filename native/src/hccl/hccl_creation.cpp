// SPDX-License-Identifier: Apache-2.0
// The C functions that create global communicators: from a root info, a rank table, or all at once.
#include <set>
#include <thread>

#include "acl/acl.h"
#include "hccl/call_group.hpp"
#include "hccl/creation.hpp"
#include "hccl/rank_table.hpp"
#include "runtime/error.hpp"
#include "runtime/options.hpp"

namespace cann4j::hccl {
namespace {

uint32_t deviceCount() {
  uint32_t count = 0;
  aclrtGetDeviceCount(&count);
  return count;
}

HcclResult getRootInfo(HcclRootInfo* rootInfo) {
  int device = -1;
  HcclResult result = requireOnHost("HcclGetRootInfo", "rootInfo", rootInfo);
  if (result == HCCL_SUCCESS) {
    result = requireDevice("HcclGetRootInfo", &device);
  }
  if (result == HCCL_SUCCESS) {
    result = createRootInfo("HcclGetRootInfo", rootInfo);
  }
  return result;
}

HcclResult initRootInfo(const char* function, uint32_t nRanks, const HcclRootInfo* rootInfo,
                        uint32_t rank, const HcclCommConfig* config, HcclComm* comm) {
  HcclResult result = requireOnHost(function, "rootInfo", rootInfo);
  if (result == HCCL_SUCCESS) {
    result = requireOnHost(function, "comm", comm);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  if (nRanks == 0 || rank >= nRanks) {
    return fail(HCCL_E_PARA, "%s: rank %u of nRanks %u; nRanks is at least 1 and rank less than it",
                function, rank, nRanks);
  }
  // Processes may see different ones of them.
  const auto devices = static_cast<uint32_t>(options().allDevices);
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
  return formation == nullptr
             ? result
             : enter(function, std::move(formation), candidate, Origin::kWorld, comm);
}

// The rank's line of the table, and that the process is where it says.
HcclResult checkPlace(const char* function, const RankTable& table, uint32_t rank, int device) {
  if (rank >= table.ranks.size()) {
    return fail(HCCL_E_PARA, "%s: rank is %u; the rank table has %zu ranks", function, rank,
                table.ranks.size());
  }
  const RankTable::Device& place = table.ranks[rank];
  const int physical = options().physicalDevices[static_cast<size_t>(device)];
  if (static_cast<uint32_t>(physical) != place.device) {
    return fail(HCCL_E_PARA,
                "%s: the rank table puts rank %u on device_id %u of server %s, but this thread's "
                "device is %d",
                function, rank, place.device, place.server.c_str(), physical);
  }
  for (const auto& [handle, communicator] : liveCommunicators()) {
    if (communicator->origin() == Origin::kRankTable && communicator->device() == device) {
      return fail(HCCL_E_PARA,
                  "%s: device %d already has the world communicator %s from a rank table; destroy "
                  "it before making another",
                  function, device, communicator->name().c_str());
    }
  }
  return HCCL_SUCCESS;
}

HcclResult initClusterInfo(const char* function, const char* clusterInfo, uint32_t rank,
                           const HcclCommConfig* config, HcclComm* comm) {
  RankTable table;
  Candidate candidate{0, rank, -1, {}, nullptr};
  HcclResult result = requireOnHost(function, "clusterInfo", clusterInfo);
  if (result == HCCL_SUCCESS) {
    result = requireOnHost(function, "comm", comm);
  }
  if (result == HCCL_SUCCESS) {
    result = requireDevice(function, &candidate.device);
  }
  if (result == HCCL_SUCCESS) {
    result = readRankTable(function, clusterInfo, &table);
  }
  if (result == HCCL_SUCCESS) {
    result = checkPlace(function, table, rank, candidate.device);
  }
  if (result == HCCL_SUCCESS) {
    result = readSettings(function, config, &candidate.settings);
  }
  if (result == HCCL_SUCCESS) {
    std::string& name = candidate.settings.name;
    name = name.empty() ? "hccl_world_group" : name;
    result = requireFreeName(function, candidate.device, name);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  candidate.size = static_cast<uint32_t>(table.ranks.size());
  std::shared_ptr<Formation> formation =
      findClusterFormation(function, table.key(), rank, &result);
  return formation == nullptr
             ? result
             : enter(function, std::move(formation), candidate, Origin::kRankTable, comm);
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
  HcclResult result = requireOnHost(function, "devices", devices);
  if (result == HCCL_SUCCESS) {
    result = requireOnHost(function, "comms", comms);
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
  if (result == HCCL_SUCCESS) {
    result = CallGroup::current().admit(function, CallGroup::Kind::kCreation);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  // Nobody has to come, so it does not wait for the end of a group either.
  std::shared_ptr<Group> group =
      makeGroup(newWorldName(), std::vector<int>(devices, devices + ndev), std::move(settings));
  for (uint32_t rank = 0; rank < ndev; ++rank) {
    comms[rank] = publish(std::make_shared<Communicator>(group, rank, Origin::kWorld,
                                                         std::this_thread::get_id()));
  }
  return HCCL_SUCCESS;
}

// In an open group of calls, one that failed spoils the group.
template <class Body>
HcclResult create(const char* function, const Body& body) {
  const HcclResult result = guarded(HCCL_E_INTERNAL, function, body);
  if (result != HCCL_SUCCESS) {
    CallGroup::current().spoil(function, result);
  }
  return result;
}

}  // namespace
}  // namespace cann4j::hccl

using namespace cann4j;
using namespace cann4j::hccl;

extern "C" {

HcclResult HcclGetRootInfo(HcclRootInfo* rootInfo) {
  return guarded(HCCL_E_INTERNAL, "HcclGetRootInfo", [&] { return getRootInfo(rootInfo); });
}

HcclResult HcclCommInitRootInfo(uint32_t nRanks, const HcclRootInfo* rootInfo, uint32_t rank,
                                HcclComm* comm) {
  const char* function = "HcclCommInitRootInfo";
  return create(function,
                [&] { return initRootInfo(function, nRanks, rootInfo, rank, nullptr, comm); });
}

HcclResult HcclCommInitRootInfoConfig(uint32_t nRanks, const HcclRootInfo* rootInfo, uint32_t rank,
                                      const HcclCommConfig* config, HcclComm* comm) {
  const char* function = "HcclCommInitRootInfoConfig";
  return create(function, [&] {
    const HcclResult result = requireOnHost(function, "config", config);
    return result == HCCL_SUCCESS
               ? initRootInfo(function, nRanks, rootInfo, rank, config, comm)
               : result;
  });
}

HcclResult HcclCommInitClusterInfo(const char* clusterInfo, uint32_t rank, HcclComm* comm) {
  const char* function = "HcclCommInitClusterInfo";
  return create(function,
                [&] { return initClusterInfo(function, clusterInfo, rank, nullptr, comm); });
}

HcclResult HcclCommInitClusterInfoConfig(const char* clusterInfo, uint32_t rank,
                                         HcclCommConfig* config, HcclComm* comm) {
  const char* function = "HcclCommInitClusterInfoConfig";
  return create(function, [&] {
    const HcclResult result = requireOnHost(function, "config", config);
    return result == HCCL_SUCCESS ? initClusterInfo(function, clusterInfo, rank, config, comm)
                                  : result;
  });
}

HcclResult HcclCommInitAll(uint32_t ndev, int32_t* devices, HcclComm* comms) {
  return create("HcclCommInitAll",
                [&] { return initAll("HcclCommInitAll", ndev, devices, comms); });
}

}  // extern "C"
