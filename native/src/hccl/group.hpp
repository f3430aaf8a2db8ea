// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hccl/call.hpp"
#include "hccl/collective.hpp"
#include "hccl/settings.hpp"
#include "hccl/waiter.hpp"
#include "hccl/watchdog.hpp"

namespace cann4j::hccl {

class Formation;

// One end of a transfer between two ranks: the k-th (ticket) from its source to its destination.
struct Posted {
  Call call;
  uint64_t ticket;
  Buffer buffer;
  std::shared_ptr<Waiter> waiter;
};

// What the ranks of one communicator share, as the ranks of this process see it. The first failure
// ends all operations that wait and all that come later, because the ranks do not agree any more on
// what comes next.
class Group {
 public:
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  virtual ~Group() = default;

  const std::string& name() const { return name_; }
  uint32_t size() const { return static_cast<uint32_t>(devices_.size()); }
  // Of a rank of this process; another process may count its devices differently.
  int device(uint32_t rank) const { return devices_[rank]; }
  const Settings& settings() const { return settings_; }

  // The host of a rank (of this process) is in this call, which concerns these peers. The first
  // time it stays there until each of them has made a call that concerns the rank: `offer` tells
  // the peers, `await` waits for theirs. A wait that ends without them has recorded its words; one
  // that was too long fails the communicator.
  virtual void offer(const Call& call, const std::vector<uint32_t>& peers) = 0;
  virtual HcclResult await(const char* function, const Call& call,
                           const std::vector<uint32_t>& peers) = 0;

  // Ends, with these words, everything that waits and everything to come.
  virtual void fail(std::string words) = 0;

  // Sends and receives of one task that its stream has reached.
  virtual void post(std::vector<Posted> posts) = 0;
  // A rank's part in the collective operation number `sequence`, which its stream has reached.
  virtual void arrive(uint64_t sequence, Arrival arrival) = 0;
  // The rank has destroyed its communicator: who waits for it waits in vain.
  virtual void leave(uint32_t rank) = 0;
  // Where the members of a sub-communicator meet; null, with words and a result, if they disagree
  // on who they are.
  virtual std::shared_ptr<Formation> subFormation(const char* function, uint64_t subCommId,
                                                  const std::vector<uint32_t>& ranks,
                                                  HcclResult* result) = 0;
  // Ends what has waited for too long; returns when to look again.
  virtual Clock::time_point expire(Clock::time_point now) = 0;

  // Why the communicator is of no use any more; null while it is.
  const std::string* failure() const { return failed_.load(); }

  void addInFlight(uint32_t rank) { ++inFlight_[rank]; }
  void removeInFlight(uint32_t rank) { --inFlight_[rank]; }
  uint32_t inFlight(uint32_t rank) const { return inFlight_[rank].load(); }
  bool isBusy(uint32_t rank) const { return inFlight(rank) != 0; }

 protected:
  // devices[r] is the device of rank r.
  Group(std::string name, std::vector<int> devices, Settings settings)
      : name_(std::move(name)),
        devices_(std::move(devices)),
        settings_(std::move(settings)),
        inFlight_(devices_.size()) {}

  static std::string freedBuffer(const Call& call, const Buffer& buffer);

  // Only the first words count. Not from two threads at once.
  void setFailure(std::string words) {
    if (failure() == nullptr) {
      failure_ = std::move(words);
      failed_ = &failure_;
    }
  }

 private:
  const std::string name_;
  const std::vector<int> devices_;
  const Settings settings_;
  std::vector<std::atomic<uint32_t>> inFlight_;
  std::string failure_;  // never changes once failed_ points to it
  std::atomic<const std::string*> failed_{nullptr};
};

}  // namespace cann4j::hccl
