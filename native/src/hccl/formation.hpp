// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hccl/local_group.hpp"

namespace cann4j::hccl {

// A rank that wants to become a member of a communicator under formation.
struct Candidate {
  uint32_t size;
  uint32_t rank;
  int device;
  Settings settings;
  std::shared_ptr<RemoteMember> remote;  // of another process than the formation
  int physicalDevice = -1;               // filled in on the way to the formation
};

// Where the ranks of a communicator meet that is being created, each blocking its thread until all
// have come, one of them contradicts another, or the first of them has waited too long; then all
// return the same result.
class Formation {
 public:
  Formation() = default;
  Formation(const Formation&) = delete;
  Formation& operator=(const Formation&) = delete;
  virtual ~Formation() = default;

  virtual HcclResult join(const char* function, const Candidate& candidate,
                          std::shared_ptr<Group>* group) = 0;
};

// What came of a formation: a group, or else a failure and its words.
struct Outcome {
  std::shared_ptr<LocalGroup> group;
  HcclResult failure = HCCL_SUCCESS;
  std::string words;
};

// The place itself, in the process where the communicator's operations will meet.
class LocalFormation : public Formation {
 public:
  using Decided = std::function<void(const Outcome&)>;

  // The name of the communicator if its ranks do not choose one.
  explicit LocalFormation(std::string defaultName) : defaultName_(std::move(defaultName)) {}

  HcclResult join(const char* function, const Candidate& candidate,
                  std::shared_ptr<Group>* group) override;

  // Does not block. `decided` is called once, now or later, from any thread, without locks.
  void enter(const Candidate& candidate, Decided decided);
  // The candidate has waited for as long as it may.
  void giveUpWaiting(const Candidate& candidate);
  // Ends the formation for all who wait.
  void abandon(HcclResult failure, std::string words);

 private:
  struct Present {
    Candidate candidate;
    Decided decided;
  };

  bool isDecided() const { return outcome_.group != nullptr || outcome_.failure != HCCL_SUCCESS; }
  std::string contradiction(const Candidate& candidate) const;
  std::string missingRanks() const;
  void complete();
  void tellAll();

  const std::string defaultName_;
  std::mutex mutex_;
  std::vector<std::optional<Present>> ranks_;
  uint32_t present_ = 0;
  Outcome outcome_;
};

// Makes the group of a communicator whose ranks are all known.
std::shared_ptr<LocalGroup> makeGroup(std::string name, std::vector<int> devices,
                                      Settings settings);
std::shared_ptr<LocalGroup> makeGroup(std::string name, std::vector<int> devices,
                                      std::vector<int> processes, Settings settings,
                                      RemoteMembers remotes);

// Unique on this host.
std::string newWorldName();
std::string subName(const Group& parent, uint64_t subCommId);

HcclResult createRootInfo(const char* function, HcclRootInfo* rootInfo);
// The formation that a root info stands for; null, with words and a result, if there is none.
std::shared_ptr<Formation> findFormation(const char* function, const HcclRootInfo& rootInfo,
                                         HcclResult* result);

// The formation of those who know the same `key` of any length, a rank table for example. It is in
// the process of rank 0, for which the others look until their time to connect is over.
std::shared_ptr<Formation> findClusterFormation(const char* function, const std::string& key,
                                                uint32_t rank, HcclResult* result);

// The formation of a sub-communicator; ranks with the same parent, id and rank list meet. Null,
// with words, if ranks disagree on the list.
std::shared_ptr<LocalFormation> findSubFormation(const LocalGroup& parent, uint64_t subCommId,
                                                 const std::vector<uint32_t>& ranks,
                                                 std::string* words);

// Nobody else shall find this formation: it is complete or given up.
void retire(const std::shared_ptr<Formation>& formation);

}  // namespace cann4j::hccl
