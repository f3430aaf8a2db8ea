// SPDX-License-Identifier: Apache-2.0
// Where the ranks of a communicator find the formation that they all belong to.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "hccl/formation.hpp"
#include "hccl/line.hpp"
#include "hccl/remote_member.hpp"
#include "ipc/connection.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

// The content of an HcclRootInfo; the rest of its bytes is zero.
struct RootInfoContent {
  char magic[16];
  uint64_t processKey[2];  // random: process numbers repeat
  int64_t processId;
  uint64_t number;
  char door[64];  // for ranks of other processes: where to connect, and what to say there
  char key[64];
};
static_assert(sizeof(RootInfoContent) <= HCCL_ROOT_INFO_BYTES);

constexpr char kMagic[16] = "cann4j-hccl-2";
constexpr std::chrono::milliseconds kLookAgain{20};

// A formation, and the way to it for other processes.
struct MeetingPoint {
  std::shared_ptr<LocalFormation> formation;
  std::shared_ptr<ipc::Listener> door;
};

struct SubFormation {
  const LocalGroup* parent;
  uint64_t subCommId;
  std::vector<uint32_t> ranks;
  std::shared_ptr<LocalFormation> formation;
};

uint64_t randomNumber() {
  static std::mutex mutex;
  static std::random_device& random = *new std::random_device();
  std::lock_guard lock(mutex);
  return (static_cast<uint64_t>(random()) << 32) | random();
}

std::string hexadecimal(uint64_t high, uint64_t low) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

struct MeetingPoints {
  std::mutex mutex;
  const uint64_t processKey[2] = {randomNumber(), randomNumber()};
  uint64_t lastRootInfo = 0;
  std::map<uint64_t, MeetingPoint> rootInfos;     // not yet used up
  std::map<std::string, MeetingPoint> clusters;  // by door, of those whose rank 0 is here
  std::vector<SubFormation> subFormations;

  static MeetingPoints& instance() {
    static MeetingPoints& points = *new MeetingPoints();
    return points;
  }
};

MeetingPoint openMeetingPoint(const std::string& door, const std::string& key) {
  auto formation = std::make_shared<LocalFormation>(newWorldName());
  return {formation, openDoor(door, key, formation)};
}

std::string listOf(const std::vector<uint32_t>& ranks) {
  std::string text = "[";
  for (uint32_t rank : ranks) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(rank);
  }
  return text + "]";
}

// FNV-1a.
uint64_t hashOf(const std::string& bytes, uint64_t hash) {
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return hash;
}

// Looks for rank 0 in this process and the others.
class ClusterFormation : public Formation {
 public:
  ClusterFormation(std::string door, std::string key)
      : door_(std::move(door)), key_(std::move(key)) {}

  HcclResult join(const char* function, const Candidate& candidate,
                  std::shared_ptr<Group>* group) override {
    const auto limit = candidate.settings.connectTimeout;
    const auto deadline = Clock::now() + limit;
    do {
      if (const std::shared_ptr<LocalFormation> local = findLocal()) {
        return local->join(function, candidate, group);
      }
      bool isThere = true;
      const HcclResult result = joinThere(function, door_, key_, candidate, group, &isThere);
      if (isThere) {
        return result;
      }
      std::this_thread::sleep_for(kLookAgain);
    } while (Clock::now() < deadline);
    return fail(HCCL_E_TIMEOUT,
                "%s: rank %u of %u on device %d: rank 0 did not come within %lld ms (%s)", function,
                candidate.rank, candidate.size, candidate.device,
                static_cast<long long>(limit.count()),
                candidate.settings.connectTimeoutVariable.c_str());
  }

 private:
  std::shared_ptr<LocalFormation> findLocal() const {
    MeetingPoints& points = MeetingPoints::instance();
    std::lock_guard lock(points.mutex);
    const auto found = points.clusters.find(door_);
    return found == points.clusters.end() ? nullptr : found->second.formation;
  }

  const std::string door_;
  const std::string key_;
};

}  // namespace

std::string newWorldName() {
  static std::atomic<uint64_t> last{0};
  return "hccl_" + std::to_string(getpid()) + "_" + std::to_string(++last);
}

std::string subName(const Group& parent, uint64_t subCommId) {
  return parent.name() + "_sub_" + std::to_string(subCommId);
}

HcclResult createRootInfo(const char* function, HcclRootInfo* rootInfo) {
  return guarded(HCCL_E_SYSCALL, function, [&] {
    MeetingPoints& points = MeetingPoints::instance();
    const std::string door = "cann4j-hccl-" + hexadecimal(randomNumber(), randomNumber());
    const std::string key = hexadecimal(randomNumber(), randomNumber());
    RootInfoContent content{};
    std::memcpy(content.magic, kMagic, sizeof kMagic);
    content.processId = getpid();
    std::copy(std::begin(points.processKey), std::end(points.processKey), content.processKey);
    door.copy(content.door, sizeof content.door - 1);
    key.copy(content.key, sizeof content.key - 1);
    {
      std::lock_guard lock(points.mutex);
      content.number = ++points.lastRootInfo;
      points.rootInfos.emplace(content.number, openMeetingPoint(door, key));
    }
    std::memset(rootInfo, 0, sizeof *rootInfo);
    std::memcpy(rootInfo->internal, &content, sizeof content);
    return HCCL_SUCCESS;
  });
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
    content.door[sizeof content.door - 1] = content.key[sizeof content.key - 1] = '\0';
    return remoteFormation(content.door, content.key, static_cast<pid_t>(content.processId));
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
  return found->second.formation;
}

std::shared_ptr<Formation> findClusterFormation(const char* function, const std::string& key,
                                                uint32_t rank, HcclResult* result) {
  const std::string name = hexadecimal(hashOf(key, 0xcbf29ce484222325), hashOf(key, 0x84222325));
  const std::string door = "cann4j-hccl-" + std::to_string(geteuid()) + "-" + name;
  if (rank != 0) {
    return std::make_shared<ClusterFormation>(door, name);
  }
  MeetingPoints& points = MeetingPoints::instance();
  // The door of an earlier communicator may take a moment to close.
  for (const auto deadline = Clock::now() + std::chrono::seconds(1);;) {
    try {
      std::lock_guard lock(points.mutex);
      MeetingPoint& point = points.clusters[door];
      if (point.formation == nullptr) {
        point = openMeetingPoint(door, name);
      }
      return point.formation;
    } catch (const std::system_error& e) {
      std::lock_guard lock(points.mutex);
      points.clusters.erase(door);
      if (e.code() != std::errc::address_in_use || Clock::now() > deadline) {
        *result = fail(HCCL_E_UNAVAIL,
                       "%s: cannot be found by the other ranks as rank 0: %s; perhaps another "
                       "process is rank 0 of the same",
                       function, e.what());
        return nullptr;
      }
    }
    std::this_thread::sleep_for(kLookAgain);
  }
}

std::shared_ptr<LocalFormation> findSubFormation(const LocalGroup& parent, uint64_t subCommId,
                                                 const std::vector<uint32_t>& ranks,
                                                 std::string* words) {
  MeetingPoints& points = MeetingPoints::instance();
  std::unique_lock lock(points.mutex);
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
      *words = "ranks disagree on the members of sub-communicator " + std::to_string(subCommId) +
               ": " + listOf(sub.ranks) + " and " + listOf(ranks);
      const std::shared_ptr<LocalFormation> abandoned = sub.formation;
      lock.unlock();
      abandoned->abandon(HCCL_E_PARA, *words);
      return nullptr;
    }
  }
  points.subFormations.push_back(
      {&parent, subCommId, ranks, std::make_shared<LocalFormation>(subName(parent, subCommId))});
  return points.subFormations.back().formation;
}

namespace {

template <class Points>
void close(Points& points, const std::shared_ptr<Formation>& formation) {
  std::erase_if(points, [&formation](const auto& entry) {
    const MeetingPoint& point = entry.second;
    const bool isIt = point.formation == formation;
    if (isIt) {
      point.door->close();
    }
    return isIt;
  });
}

}  // namespace

void retire(const std::shared_ptr<Formation>& formation) {
  MeetingPoints& points = MeetingPoints::instance();
  std::lock_guard lock(points.mutex);
  close(points.rootInfos, formation);
  close(points.clusters, formation);
  std::erase_if(points.subFormations,
                [&](const SubFormation& sub) { return sub.formation == formation; });
}

}  // namespace cann4j::hccl
