// SPDX-License-Identifier: Apache-2.0
// Where the ranks of a communicator find the formation that they all belong to.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <random>
#include <utility>

#include "hccl/formation.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

// The content of an HcclRootInfo; the rest of its bytes is zero.
struct RootInfoContent {
  char magic[16];
  uint64_t processKey[2];  // random: process numbers repeat
  int64_t processId;
  uint64_t number;
};
static_assert(sizeof(RootInfoContent) <= HCCL_ROOT_INFO_BYTES);

constexpr char kMagic[16] = "cann4j-hccl-1";

struct SubFormation {
  const LocalGroup* parent;
  uint64_t subCommId;
  std::vector<uint32_t> ranks;
  std::shared_ptr<LocalFormation> formation;
};

struct MeetingPoints {
  std::mutex mutex;
  uint64_t processKey[2];
  uint64_t lastRootInfo = 0;
  std::map<uint64_t, std::shared_ptr<LocalFormation>> rootInfos;  // not yet used up
  std::vector<SubFormation> subFormations;

  MeetingPoints() {
    std::random_device random;
    for (uint64_t& key : processKey) {
      key = (static_cast<uint64_t>(random()) << 32) | random();
    }
  }

  static MeetingPoints& instance() {
    static MeetingPoints& points = *new MeetingPoints();
    return points;
  }
};

std::string listOf(const std::vector<uint32_t>& ranks) {
  std::string text = "[";
  for (uint32_t rank : ranks) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(rank);
  }
  return text + "]";
}

}  // namespace

std::string newWorldName() {
  static std::atomic<uint64_t> last{0};
  return "hccl_" + std::to_string(getpid()) + "_" + std::to_string(++last);
}

std::string subName(const Group& parent, uint64_t subCommId) {
  return parent.name() + "_sub_" + std::to_string(subCommId);
}

void createRootInfo(HcclRootInfo* rootInfo) {
  MeetingPoints& points = MeetingPoints::instance();
  RootInfoContent content{};
  std::memcpy(content.magic, kMagic, sizeof kMagic);
  content.processId = getpid();
  {
    std::lock_guard lock(points.mutex);
    content.number = ++points.lastRootInfo;
    std::copy(std::begin(points.processKey), std::end(points.processKey), content.processKey);
    points.rootInfos.emplace(content.number, std::make_shared<LocalFormation>(newWorldName()));
  }
  std::memset(rootInfo, 0, sizeof *rootInfo);
  std::memcpy(rootInfo->internal, &content, sizeof content);
}

std::shared_ptr<Formation> findFormation(const char* function, const HcclRootInfo& rootInfo,
                                         HcclResult* result) {
  MeetingPoints& points = MeetingPoints::instance();
  RootInfoContent content;
  std::memcpy(&content, rootInfo.internal, sizeof content);
  if (std::memcmp(content.magic, kMagic, sizeof kMagic) != 0) {
    *result = fail(HCCL_E_PARA,
                   "%s: rootInfo does not come from HcclGetRootInfo of this toolkit; pass all %d "
                   "bytes that the root rank got",
                   function, HCCL_ROOT_INFO_BYTES);
    return nullptr;
  }
  if (std::memcmp(content.processKey, points.processKey, sizeof content.processKey) != 0) {
    *result =
        fail(HCCL_E_NOT_SUPPORT,
             "%s: rootInfo was made in another process (%lld, this is %lld); all ranks must "
             "be threads of one process",
             function, static_cast<long long>(content.processId), static_cast<long long>(getpid()));
    return nullptr;
  }
  std::lock_guard lock(points.mutex);
  auto found = points.rootInfos.find(content.number);
  if (found == points.rootInfos.end()) {
    *result = fail(HCCL_E_PARA,
                   "%s: rootInfo number %llu was used up by an earlier communicator, complete or "
                   "given up; every communicator needs a root info of its own",
                   function, static_cast<unsigned long long>(content.number));
    return nullptr;
  }
  return found->second;
}

std::shared_ptr<LocalFormation> findSubFormation(const char* function, const LocalGroup& parent,
                                                 uint64_t subCommId,
                                                 const std::vector<uint32_t>& ranks,
                                                 HcclResult* result) {
  MeetingPoints& points = MeetingPoints::instance();
  std::lock_guard lock(points.mutex);
  for (const SubFormation& sub : points.subFormations) {
    if (sub.parent != &parent || sub.subCommId != subCommId) {
      continue;
    }
    if (sub.ranks == ranks) {
      return sub.formation;
    }
    bool overlaps = std::any_of(ranks.begin(), ranks.end(), [&sub](uint32_t rank) {
      return std::find(sub.ranks.begin(), sub.ranks.end(), rank) != sub.ranks.end();
    });
    if (overlaps) {
      std::string words = "ranks disagree on the members of sub-communicator " +
                          std::to_string(subCommId) + ": " + listOf(sub.ranks) + " and " +
                          listOf(ranks);
      sub.formation->abandon(HCCL_E_PARA, words);
      *result = fail(HCCL_E_PARA, "%s: %s", function, words.c_str());
      return nullptr;
    }
  }
  points.subFormations.push_back(
      {&parent, subCommId, ranks, std::make_shared<LocalFormation>(subName(parent, subCommId))});
  return points.subFormations.back().formation;
}

void retire(const std::shared_ptr<Formation>& formation) {
  MeetingPoints& points = MeetingPoints::instance();
  std::lock_guard lock(points.mutex);
  std::erase_if(points.rootInfos, [&](const auto& entry) { return entry.second == formation; });
  std::erase_if(points.subFormations,
                [&](const SubFormation& sub) { return sub.formation == formation; });
}

}  // namespace cann4j::hccl
