// SPDX-License-Identifier: Apache-2.0
// The C function that makes a communicator of some ranks of a global one.
#include <set>

#include "hccl/call_group.hpp"
#include "hccl/creation.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

constexpr uint64_t kNoSubCommId = 0xFFFFFFFF;

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

HcclResult checkUsableHere(const char* function, const Communicator& parent) {
  int device = -1;
  HcclResult result = requireDevice(function, &device);
  if (result == HCCL_SUCCESS && device != parent.device()) {
    result = fail(HCCL_E_PARA,
                  "%s: rank %u of communicator %s is on device %d, but this thread's device is %d",
                  function, parent.rank(), parent.name().c_str(), parent.device(), device);
  }
  return result == HCCL_SUCCESS ? parent.checkUsable(function) : result;
}

HcclResult createSub(const char* function, HcclComm* comm, uint32_t rankNum,
                     const uint32_t* rankIds, uint64_t subCommId, uint32_t subCommRankId,
                     const HcclCommConfig* config, HcclComm* subComm) {
  HcclResult result = requireOnHost(function, "comm", comm);
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
  result = checkUsableHere(function, *parent);
  if (result != HCCL_SUCCESS) {
    return result;
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
  result = requireOnHost(function, "config", config);
  if (result == HCCL_SUCCESS) {
    result = requireOnHost(function, "subComm", subComm);
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
                              : enter(function, std::move(formation), candidate, Origin::kSub,
                                      subComm);
}

}  // namespace
}  // namespace cann4j::hccl

using namespace cann4j;
using namespace cann4j::hccl;

extern "C" {

HcclResult HcclCreateSubCommConfig(HcclComm* comm, uint32_t rankNum, uint32_t* rankIds,
                                   uint64_t subCommId, uint32_t subCommRankId,
                                   HcclCommConfig* config, HcclComm* subComm) {
  const char* function = "HcclCreateSubCommConfig";
  const HcclResult result = guarded(HCCL_E_INTERNAL, function, [&] {
    return createSub(function, comm, rankNum, rankIds, subCommId, subCommRankId, config, subComm);
  });
  if (result != HCCL_SUCCESS) {
    CallGroup::current().spoil(function, result);
  }
  return result;
}

}  // extern "C"
