// SPDX-License-Identifier: Apache-2.0
#include "hccl/formation.hpp"

#include <algorithm>
#include <utility>

#include "runtime/error.hpp"

namespace cann4j::hccl {

std::shared_ptr<Group> makeGroup(std::string name, std::vector<int> devices, Settings settings) {
  auto group = std::make_shared<Group>(std::move(name), std::move(devices), std::move(settings));
  Watchdog::instance().watch(group);
  return group;
}

HcclResult Formation::join(const char* function, const Candidate& candidate,
                           std::shared_ptr<Group>* group) {
  std::unique_lock lock(mutex_);
  const auto isDecided = [this] { return group_ != nullptr || failure_ != HCCL_SUCCESS; };
  if (isDecided()) {
    return fail(
        HCCL_E_PARA, "%s: rank %u came when the communicator %s", function, candidate.rank,
        group_ != nullptr ? "was complete" : ("had been given up: " + failureWords_).c_str());
  }
  std::string words = contradiction(candidate);
  if (!words.empty()) {
    giveUp(HCCL_E_PARA, std::move(words));
  } else {
    candidates_.resize(candidate.size);
    candidates_[candidate.rank] = candidate;
    if (++present_ == candidate.size) {
      complete();
    } else if (!changed_.wait_for(lock, candidate.settings.connectTimeout, isDecided)) {
      giveUp(HCCL_E_TIMEOUT, missingRanks() + " did not come within " +
                                 std::to_string(candidate.settings.connectTimeout.count()) +
                                 " ms (" + candidate.settings.connectTimeoutVariable +
                                 "); every rank must call from a thread of its own");
    }
  }
  if (failure_ != HCCL_SUCCESS) {
    return fail(failure_, "%s: rank %u of %u on device %d: %s", function, candidate.rank,
                candidate.size, candidate.device, failureWords_.c_str());
  }
  *group = group_;
  return HCCL_SUCCESS;
}

void Formation::abandon(const std::string& words) {
  std::lock_guard lock(mutex_);
  if (group_ == nullptr && failure_ == HCCL_SUCCESS) {
    giveUp(HCCL_E_PARA, words);
  }
}

std::string Formation::contradiction(const Candidate& candidate) const {
  for (const std::optional<Candidate>& other : candidates_) {
    if (!other.has_value()) {
      continue;
    }
    const std::string pair = "rank " + std::to_string(other->rank) + " (device " +
                             std::to_string(other->device) + ") and rank " +
                             std::to_string(candidate.rank) + " (device " +
                             std::to_string(candidate.device) + ") ";
    if (other->size != candidate.size) {
      return pair + "disagree on the number of ranks: " + std::to_string(other->size) + " and " +
             std::to_string(candidate.size);
    }
    if (other->rank == candidate.rank) {
      return pair + "are the same rank; every rank may come once";
    }
    if (other->device == candidate.device) {
      return pair + "are on the same device; every rank needs a device of its own";
    }
    if (!other->settings.agrees(candidate.settings)) {
      return pair + "disagree on the configuration: " + other->settings.describe() + "; and " +
             candidate.settings.describe();
    }
  }
  return {};
}

std::string Formation::missingRanks() const {
  std::string words;
  uint32_t missing = 0;
  for (uint32_t rank = 0; rank < candidates_.size(); ++rank) {
    if (!candidates_[rank].has_value()) {
      words += (words.empty() ? "" : ", ") + std::to_string(rank);
      ++missing;
    }
  }
  return (missing == 1 ? "rank " : "ranks ") + words + " of " + std::to_string(candidates_.size());
}

void Formation::complete() {
  std::vector<int> devices;
  for (const std::optional<Candidate>& candidate : candidates_) {
    devices.push_back(candidate->device);
  }
  const Settings& settings = candidates_.front()->settings;
  group_ =
      makeGroup(settings.name.empty() ? defaultName_ : settings.name, std::move(devices), settings);
  changed_.notify_all();
}

void Formation::giveUp(HcclResult result, std::string words) {
  failure_ = result;
  failureWords_ = std::move(words);
  changed_.notify_all();
}

}  // namespace cann4j::hccl
