// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hccl/group.hpp"

namespace cann4j::hccl {

// A rank that wants to become a member of a communicator under formation.
struct Candidate {
  uint32_t size;
  uint32_t rank;
  int device;
  Settings settings;
};

// Where the ranks of a communicator meet that is being created, each blocking its thread until all
// have come, one of them contradicts another, or the first of them has waited too long; then all
// return the same result.
class Formation {
 public:
  // The name of the communicator if its ranks do not choose one.
  explicit Formation(std::string defaultName) : defaultName_(std::move(defaultName)) {}

  HcclResult join(const char* function, const Candidate& candidate, std::shared_ptr<Group>* group);

  // Ends the formation for all who wait.
  void abandon(const std::string& words);

 private:
  std::string contradiction(const Candidate& candidate) const;
  std::string missingRanks() const;
  void complete();
  void giveUp(HcclResult result, std::string words);

  const std::string defaultName_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::optional<Candidate>> candidates_;
  uint32_t present_ = 0;
  std::shared_ptr<Group> group_;
  HcclResult failure_ = HCCL_SUCCESS;
  std::string failureWords_;
};

// Makes the group of a communicator whose ranks are all known.
std::shared_ptr<Group> makeGroup(std::string name, std::vector<int> devices, Settings settings);

// Unique on this host.
std::string newWorldName();
std::string subName(const Group& parent, uint64_t subCommId);

void createRootInfo(HcclRootInfo* rootInfo);
// The formation that a root info stands for; null, with words and a result, if there is none.
std::shared_ptr<Formation> findFormation(const char* function, const HcclRootInfo& rootInfo,
                                         HcclResult* result);

// The formation of a sub-communicator; ranks with the same parent, id and rank list meet.
std::shared_ptr<Formation> findSubFormation(const char* function, const Group& parent,
                                            uint64_t subCommId, const std::vector<uint32_t>& ranks,
                                            HcclResult* result);

// Nobody else shall find this formation: it is complete or given up.
void retire(const std::shared_ptr<Formation>& formation);

}  // namespace cann4j::hccl
