// SPDX-License-Identifier: Apache-2.0
#include "hccl/formation.hpp"

#include <unistd.h>

#include <condition_variable>
#include <utility>

#include "hccl/remote_member.hpp"
#include "runtime/error.hpp"
#include "runtime/options.hpp"

namespace cann4j::hccl {

std::shared_ptr<LocalGroup> makeGroup(std::string name, std::vector<int> devices,
                                      Settings settings) {
  std::vector<int> processes(devices.size(), getpid());
  return makeGroup(std::move(name), std::move(devices), std::move(processes), std::move(settings),
                   {});
}

std::shared_ptr<LocalGroup> makeGroup(std::string name, std::vector<int> devices,
                                      std::vector<int> processes, Settings settings,
                                      RemoteMembers remotes) {
  auto group =
      std::make_shared<LocalGroup>(std::move(name), std::move(devices), std::move(processes),
                                   std::move(settings), std::move(remotes));
  Watchdog::instance().watch(group);
  return group;
}

HcclResult LocalFormation::join(const char* function, const Candidate& candidate,
                                std::shared_ptr<Group>* group) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable came;
    std::optional<Outcome> outcome;
  };
  auto answer = std::make_shared<Answer>();
  Candidate local = candidate;
  local.physicalDevice = options().physicalDevices[static_cast<size_t>(candidate.device)];
  enter(local, [answer](const Outcome& outcome) {
    std::lock_guard lock(answer->mutex);
    answer->outcome = outcome;
    answer->came.notify_one();
  });
  std::unique_lock lock(answer->mutex);
  const auto hasCome = [&answer] { return answer->outcome.has_value(); };
  if (!answer->came.wait_for(lock, candidate.settings.connectTimeout, hasCome)) {
    lock.unlock();
    giveUpWaiting(candidate);
    lock.lock();
    answer->came.wait(lock, hasCome);
  }
  if (answer->outcome->group == nullptr) {
    return fail(answer->outcome->failure, "%s: rank %u of %u on device %d: %s", function,
                candidate.rank, candidate.size, candidate.device, answer->outcome->words.c_str());
  }
  *group = answer->outcome->group;
  return HCCL_SUCCESS;
}

void LocalFormation::enter(const Candidate& candidate, Decided decided) {
  std::unique_lock lock(mutex_);
  if (isDecided()) {
    Outcome late;
    late.failure = HCCL_E_PARA;
    late.words = outcome_.group != nullptr
                     ? "it came when the communicator was complete"
                     : "it came when the communicator had been given up: " + outcome_.words;
    lock.unlock();
    decided(late);
    return;
  }
  std::string words = contradiction(candidate);
  if (!words.empty()) {
    outcome_.failure = HCCL_E_PARA;
    outcome_.words = std::move(words);
    const Outcome outcome = outcome_;
    lock.unlock();
    decided(outcome);
    tellAll();
    return;
  }
  ranks_.resize(candidate.size);
  ranks_[candidate.rank] = {candidate, std::move(decided)};
  if (++present_ == candidate.size) {
    complete();
    lock.unlock();
    tellAll();
  }
}

void LocalFormation::giveUpWaiting(const Candidate& candidate) {
  std::string words;
  {
    std::lock_guard lock(mutex_);
    if (isDecided()) {
      return;
    }
    words = missingRanks() + " did not come within " +
            std::to_string(candidate.settings.connectTimeout.count()) + " ms (" +
            candidate.settings.connectTimeoutVariable +
            "); every rank must call from a thread of its own";
  }
  abandon(HCCL_E_TIMEOUT, std::move(words));
}

void LocalFormation::abandon(HcclResult failure, std::string words) {
  {
    std::lock_guard lock(mutex_);
    if (isDecided()) {
      return;
    }
    outcome_.failure = failure;
    outcome_.words = std::move(words);
  }
  tellAll();
}

// Once the outcome is decided, the ranks change no more.
void LocalFormation::tellAll() {
  for (std::optional<Present>& present : ranks_) {
    if (present.has_value()) {
      Decided decided = std::move(present->decided);
      decided(outcome_);
    }
  }
}

std::string LocalFormation::contradiction(const Candidate& candidate) const {
  for (const std::optional<Present>& present : ranks_) {
    if (!present.has_value()) {
      continue;
    }
    const Candidate& other = present->candidate;
    const std::string pair = "rank " + std::to_string(other.rank) + " (device " +
                             std::to_string(other.physicalDevice) + ") and rank " +
                             std::to_string(candidate.rank) + " (device " +
                             std::to_string(candidate.physicalDevice) + ") ";
    if (other.size != candidate.size) {
      return pair + "disagree on the number of ranks: " + std::to_string(other.size) + " and " +
             std::to_string(candidate.size);
    }
    if (other.rank == candidate.rank) {
      return pair + "are the same rank; every rank may come once";
    }
    if (other.physicalDevice == candidate.physicalDevice) {
      return pair + "are on the same device; every rank needs a device of its own";
    }
    if (!other.settings.agrees(candidate.settings)) {
      return pair + "disagree on the configuration: " + other.settings.describe() + "; and " +
             candidate.settings.describe();
    }
  }
  return {};
}

std::string LocalFormation::missingRanks() const {
  std::string words;
  uint32_t missing = 0;
  for (uint32_t rank = 0; rank < ranks_.size(); ++rank) {
    if (!ranks_[rank].has_value()) {
      words += (words.empty() ? "" : ", ") + std::to_string(rank);
      ++missing;
    }
  }
  return (missing == 1 ? "rank " : "ranks ") + words + " of " + std::to_string(ranks_.size());
}

void LocalFormation::complete() {
  std::vector<int> devices;
  std::vector<int> processes;
  RemoteMembers remotes;
  for (std::optional<Present>& present : ranks_) {
    devices.push_back(present->candidate.device);
    std::shared_ptr<RemoteMember>& remote = present->candidate.remote;
    processes.push_back(remote == nullptr ? getpid() : remote->peer());
    remotes.push_back(std::move(remote));
  }
  const Settings& settings = ranks_.front()->candidate.settings;
  outcome_.group = makeGroup(settings.name.empty() ? defaultName_ : settings.name,
                             std::move(devices), std::move(processes), settings,
                             std::move(remotes));
}

}  // namespace cann4j::hccl
