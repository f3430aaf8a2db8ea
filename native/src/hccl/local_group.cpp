// SPDX-License-Identifier: Apache-2.0
#include "hccl/local_group.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "hccl/copy.hpp"
#include "hccl/formation.hpp"
#include "hccl/remote_member.hpp"
#include "runtime/error.hpp"
#include "runtime/thread_pool.hpp"

namespace cann4j::hccl {
namespace {

// Above this, threads that have other things to do leave the work to those of the pool, or to who
// waits for it.
constexpr size_t kQuick = size_t{256} << 10;

template <class Work>
void unlessHeldUp(size_t bytes, Work work) {
  if (bytes > kQuick && !ThreadPool::isHere()) {
    ThreadPool::instance().postOpen(std::move(work));
  } else {
    work();
  }
}

template <class Waiters>
void finishInOrder(const Waiters& waiters, const std::string* failure) {
  for (bool remote : {true, false}) {
    for (const auto& waiter : waiters) {
      if (waiter->isRemote() == remote) {
        waiter->finish(failure);
      }
    }
  }
}

}  // namespace

LocalGroup::LocalGroup(std::string name, std::vector<int> devices, std::vector<int> processes,
                       Settings settings, RemoteMembers remotes)
    : Group(std::move(name), std::move(devices), std::move(settings)),
      processes_(std::move(processes)),
      links_(size()),
      members_(size()) {
  for (size_t rank = 0; rank < remotes.size(); ++rank) {
    members_[rank].remote = std::move(remotes[rank]);
  }
}

Clock::time_point LocalGroup::deadline() const {
  return settings().execTimeout == Settings::kNoLimit ? Clock::time_point::max()
                                                     : Clock::now() + settings().execTimeout;
}

void LocalGroup::post(std::vector<Posted> posts) {
  std::vector<Pair> pairs;
  Waiters ended;
  Clock::time_point due = deadline();
  bool waits = false;
  {
    std::lock_guard lock(mutex_);
    if (isStopped_) {
      return;
    }
    for (Posted& posted : posts) {
      if (failure() != nullptr) {
        ended.push_back(std::move(posted.waiter));
        continue;
      }
      const Call call = posted.call;
      PairKey key = isSend(call) ? PairKey{call.rank, call.peer, posted.ticket}
                                 : PairKey{call.peer, call.rank, posted.ticket};
      auto other = waitingEnds_.find(key);
      if (other == waitingEnds_.end()) {
        waitingEnds_.emplace(key, WaitingEnd{std::move(posted), due});
        waits = true;
        if (members_[call.peer].left) {
          ended = failLocked(rankWord(call.rank) + " waits in " + describe(call) +
                             ", which has destroyed its communicator");
        }
        continue;
      }
      if (!agree(call, other->second.posted.call)) {
        const Call& first = other->second.posted.call;
        std::string words = "the two sides of a transfer disagree: " + rankWord(first.rank) +
                            " called " + describe(first) + ", but " + rankWord(call.rank) +
                            " called " + describe(call);
        waitingEnds_.emplace(PairKey{call.rank, UINT32_MAX, 0}, WaitingEnd{std::move(posted), due});
        ended = failLocked(std::move(words));
        continue;
      }
      Posted peer = std::move(other->second.posted);
      waitingEnds_.erase(other);
      pairs.push_back(isSend(call) ? Pair{std::move(posted), std::move(peer)}
                                   : Pair{std::move(peer), std::move(posted)});
    }
    carries_ += pairs.empty() ? 0 : 1;
  }
  if (waits) {
    Watchdog::instance().lookBy(due);
  }
  carry(std::move(pairs));
  finishAll(ended);
}

void LocalGroup::carry(std::vector<Pair> pairs) {
  if (pairs.empty()) {
    return;
  }
  size_t bytes = 0;
  for (const Pair& pair : pairs) {
    bytes += pair.send.buffer.bytes;
  }
  unlessHeldUp(bytes, [self = shared_from_this(), pairs = std::move(pairs)] {
    Waiters waiters;
    for (const Pair& pair : pairs) {
      waiters.push_back(pair.send.waiter);
      waiters.push_back(pair.receive.waiter);
    }
    self->conclude(waiters, [&pairs] { return move(pairs); });
  });
}

std::string LocalGroup::move(const std::vector<Pair>& pairs) {
  std::vector<Block> blocks;
  for (const Pair& pair : pairs) {
    for (const Posted* end : {&pair.send, &pair.receive}) {
      if (!end->buffer.isLive()) {
        return freedBuffer(end->call, end->buffer);
      }
    }
    blocks.push_back({pair.send.buffer.host(), pair.receive.buffer.host(), pair.send.buffer.bytes});
  }
  copyBlocks(blocks);
  return {};
}

void LocalGroup::arrive(uint64_t sequence, Arrival arrival) {
  std::vector<Arrival> complete;
  Waiters ended;
  Clock::time_point due = deadline();
  {
    std::lock_guard lock(mutex_);
    if (isStopped_) {
      return;
    }
    if (failure() != nullptr) {
      ended.push_back(std::move(arrival.waiter));
    } else {
      const Call call = arrival.call;
      auto [entry, isNew] = meetings_.try_emplace(sequence);
      Meeting& meeting = entry->second;
      if (isNew) {
        meeting = {std::vector<Arrival>(size()), size(), due};
      }
      std::string words = disagreement(sequence, meeting, arrival);
      meeting.arrivals[call.rank] = std::move(arrival);
      --meeting.missing;
      for (uint32_t rank = 0; rank < size() && words.empty(); ++rank) {
        if (members_[rank].left && meeting.arrivals[rank].waiter == nullptr) {
          words = rankWord(call.rank) + " waits in " + describe(call) + " for " + rankWord(rank) +
                  ", which has destroyed its communicator";
        }
      }
      if (!words.empty()) {
        ended = failLocked(std::move(words));
      } else if (meeting.missing == 0) {
        complete = std::move(meeting.arrivals);
        meetings_.erase(entry);
        ++carries_;
      }
    }
  }
  if (!ended.empty()) {
    finishAll(ended);
  } else if (complete.empty()) {
    Watchdog::instance().lookBy(due);
  } else {
    carry(std::move(complete));
  }
}

void LocalGroup::carry(std::vector<Arrival> arrivals) {
  size_t bytes = 0;
  for (const Arrival& arrival : arrivals) {
    bytes += std::max(arrival.send.bytes, arrival.receive.bytes);
  }
  unlessHeldUp(bytes, [self = shared_from_this(), arrivals = std::move(arrivals)] {
    Waiters waiters;
    for (const Arrival& arrival : arrivals) {
      waiters.push_back(arrival.waiter);
    }
    self->conclude(waiters, [&arrivals] { return move(arrivals); });
  });
}

std::string LocalGroup::move(const std::vector<Arrival>& arrivals) {
  for (const Arrival& arrival : arrivals) {
    for (const Buffer* buffer : {&arrival.send, &arrival.receive}) {
      if (!buffer->isLive()) {
        return freedBuffer(arrival.call, *buffer);
      }
    }
  }
  runCollective(arrivals);
  return {};
}

void LocalGroup::conclude(const Waiters& waiters, const std::function<std::string()>& move) {
  std::string words;
  try {
    words = move();
  } catch (const std::exception& e) {
    words = std::string("the data could not be moved: ") + e.what();
  }
  if (!words.empty()) {
    fail(words);
  }
  finishInOrder(waiters, words.empty() ? nullptr : failure());
  std::lock_guard lock(mutex_);
  --carries_;
  settled_.notify_all();
}

std::optional<LocalGroup::Remainder> LocalGroup::stop(Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  const auto isOwn = [this](uint32_t rank) { return processes_[rank] == getpid(); };
  // Those of this process that are connected like others may be on their way out.
  const auto haveOwnLeft = [&](bool connected) {
    for (uint32_t rank = 0; rank < size(); ++rank) {
      const Member& member = members_[rank];
      if (isOwn(rank) && !member.left && (connected || member.remote == nullptr)) {
        return false;
      }
    }
    return true;
  };
  if (!haveOwnLeft(false) ||
      !settled_.wait_until(lock, deadline, [&] { return haveOwnLeft(true); })) {
    return std::nullopt;  // they end with the process, and the communicator with them
  }
  Remainder remainder;
  bool isNeeded = false;
  for (Member& member : members_) {
    remainder.members.push_back(member.left ? nullptr : member.remote);
    isNeeded = isNeeded || !member.left;
  }
  if (!isNeeded || failure() != nullptr) {
    return std::nullopt;
  }
  isStopped_ = true;
  settled_.wait_until(lock, deadline, [this] { return carries_ == 0; });
  for (auto& [key, end] : waitingEnds_) {
    remainder.unmatched.push_back(std::move(end.posted));
  }
  waitingEnds_.clear();
  meetings_.clear();
  return remainder;
}

void LocalGroup::take(uint32_t rank, std::shared_ptr<RemoteMember> member) {
  std::lock_guard lock(mutex_);
  members_[rank].remote = std::move(member);
}

bool LocalGroup::isStopped() {
  std::lock_guard lock(mutex_);
  return isStopped_;
}

void LocalGroup::leave(uint32_t rank) {
  Waiters ended;
  {
    std::lock_guard lock(mutex_);
    members_[rank].left = true;
    members_[rank].remote.reset();
    settled_.notify_all();
    if (failure() != nullptr) {
      return;
    }
    const Call* waiting = nullptr;
    for (const auto& [key, end] : waitingEnds_) {
      if (end.posted.call.peer == rank) {
        waiting = &end.posted.call;
      }
    }
    // The rank is not busy, so it is missing from every meeting.
    for (const auto& [sequence, meeting] : meetings_) {
      for (const Arrival& arrival : meeting.arrivals) {
        if (arrival.waiter != nullptr) {
          waiting = &arrival.call;
        }
      }
    }
    Call awaiting;
    if (waiting == nullptr && links_.waitsFor(rank, &awaiting)) {
      waiting = &awaiting;
    }
    if (waiting != nullptr) {
      ended = failLocked(rankWord(rank) + " destroyed its communicator while " +
                         rankWord(waiting->rank) + " waits for it in " + describe(*waiting));
    }
  }
  finishAll(ended);
}

void LocalGroup::lose(uint32_t rank) {
  Waiters ended;
  {
    std::lock_guard lock(mutex_);
    Member& member = members_[rank];
    member.remote.reset();
    if (!std::exchange(member.left, true) && !isStopped_) {
      ended = failLocked(rankWord(rank) + processOf(rank) +
                         " has ended without destroying its communicator");
    }
  }
  finishAll(ended);
}

Clock::time_point LocalGroup::expire(Clock::time_point now) {
  Clock::time_point next = Clock::time_point::max();
  Waiters ended;
  {
    std::lock_guard lock(mutex_);
    std::string words;
    for (const auto& [key, end] : waitingEnds_) {
      if (end.deadline <= now && words.empty()) {
        const Call& call = end.posted.call;
        words = rankWord(call.rank) + "'s " + describe(call) + timeoutAdvice() +
                missedPeer(call);
      }
      next = std::min(next, end.deadline);
    }
    for (const auto& [sequence, meeting] : meetings_) {
      if (meeting.deadline <= now && words.empty()) {
        auto first = std::find_if(meeting.arrivals.begin(), meeting.arrivals.end(),
                                  [](const Arrival& arrival) { return arrival.waiter != nullptr; });
        words = describe(first->call) + timeoutAdvice() + missedRanks(meeting);
      }
      next = std::min(next, meeting.deadline);
    }
    if (!words.empty()) {
      ended = failLocked(std::move(words));
      next = Clock::time_point::max();
    }
  }
  finishAll(ended);
  return next;
}

std::shared_ptr<Formation> LocalGroup::subFormation(const char* function, uint64_t subCommId,
                                                    const std::vector<uint32_t>& ranks,
                                                    HcclResult* result) {
  std::string words;
  std::shared_ptr<Formation> formation = findSubFormation(*this, subCommId, ranks, &words);
  if (formation == nullptr) {
    *result = cann4j::fail(HCCL_E_PARA, "%s: %s", function, words.c_str());
  }
  return formation;
}

LocalGroup::Waiters LocalGroup::failLocked(std::string words) {
  Waiters ended;
  for (auto& [key, end] : waitingEnds_) {
    ended.push_back(std::move(end.posted.waiter));
  }
  for (auto& [sequence, meeting] : meetings_) {
    for (Arrival& arrival : meeting.arrivals) {
      if (arrival.waiter != nullptr) {
        ended.push_back(std::move(arrival.waiter));
      }
    }
  }
  waitingEnds_.clear();
  meetings_.clear();
  if (failure() == nullptr) {
    for (const Member& member : members_) {
      if (member.remote != nullptr) {
        member.remote->tellFailure(words);
      }
    }
  }
  setFailure(std::move(words));
  return ended;
}

void LocalGroup::fail(std::string words) {
  Waiters ended;
  {
    std::lock_guard lock(mutex_);
    if (isStopped_) {
      return;
    }
    ended = failLocked(std::move(words));
  }
  finishAll(ended);
}

void LocalGroup::finishAll(const Waiters& waiters) {
  if (const std::string* words = failure()) {
    links_.end(HCCL_E_REMOTE, *words);
  }
  finishInOrder(waiters, failure());
}

}  // namespace cann4j::hccl
