// SPDX-License-Identifier: Apache-2.0
#include "hccl/local_group.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <utility>

#include "hccl/copy.hpp"
#include "hccl/formation.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

std::string rankWord(uint32_t rank) { return "rank " + std::to_string(rank); }

}  // namespace

LocalGroup::LocalGroup(std::string name, std::vector<int> devices, Settings settings)
    : Group(std::move(name), std::move(devices), std::move(settings)),
      links_(size()),
      members_(size()) {}

Clock::time_point LocalGroup::deadline() const {
  return settings().execTimeout == Settings::kNoLimit ? Clock::time_point::max()
                                                     : Clock::now() + settings().execTimeout;
}

void LocalGroup::offer(const Call& call, const std::vector<uint32_t>& peers) {
  links_.offer(call, peers);
}

HcclResult LocalGroup::await(const char* function, const Call& call,
                             const std::vector<uint32_t>& peers) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable came;
    bool hasCome = false;
    HcclResult result = HCCL_SUCCESS;
    std::string words;
  };
  auto answer = std::make_shared<Answer>();
  links_.await(call, peers, [answer](HcclResult result, const std::string& words) {
    std::lock_guard lock(answer->mutex);
    answer->hasCome = true;
    answer->result = result;
    answer->words = words;
    answer->came.notify_one();
  });
  failIfLeft(call, peers);
  std::unique_lock lock(answer->mutex);
  const auto hasCome = [&answer] { return answer->hasCome; };
  if (!answer->came.wait_for(lock, settings().connectTimeout, hasCome)) {
    lock.unlock();
    giveUpAwaiting(call);
    lock.lock();
    answer->came.wait(lock, hasCome);
  }
  return answer->result == HCCL_SUCCESS
             ? HCCL_SUCCESS
             : cann4j::fail(answer->result, "%s: communicator %s, rank %u: %s", function,
                            name().c_str(), call.rank, answer->words.c_str());
}

// A rank that has destroyed its communicator makes no first call any more.
void LocalGroup::failIfLeft(const Call& call, const std::vector<uint32_t>& peers) {
  for (uint32_t peer : peers) {
    Call waiting;
    if (hasLeft(peer) && links_.waitsFor(peer, &waiting)) {
      fail(rankWord(call.rank) + " waits in " + describe(call) + " for " + rankWord(peer) +
           ", which has destroyed its communicator");
    }
  }
}

void LocalGroup::giveUpAwaiting(const Call& call) {
  const std::string missing = links_.missing(call.rank);
  if (missing.empty()) {
    return;  // they came at the last moment
  }
  std::string words = rankWord(call.rank) + " waited " +
                      std::to_string(settings().connectTimeout.count()) + " ms (" +
                      settings().connectTimeoutVariable + ") in " + describe(call) +
                      " for the first calls of its peers, but " + missing +
                      "; every rank must call, from a thread of its own";
  links_.end(HCCL_E_TIMEOUT, words);
  fail(std::move(words));
}

bool LocalGroup::hasLeft(uint32_t rank) {
  std::lock_guard lock(mutex_);
  return members_[rank].left;
}

void LocalGroup::post(std::vector<Posted> posts) {
  std::vector<Pair> pairs;
  Waiters ended;
  Clock::time_point due = deadline();
  bool waits = false;
  {
    std::lock_guard lock(mutex_);
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
  std::vector<Block> blocks;
  std::string freed;
  for (const Pair& pair : pairs) {
    for (const Posted* end : {&pair.send, &pair.receive}) {
      if (!end->buffer.isLive()) {
        freed = freedBuffer(end->call, end->buffer);
      }
    }
    blocks.push_back({pair.send.buffer.host(), pair.receive.buffer.host(), pair.send.buffer.bytes});
  }
  if (freed.empty()) {
    copyBlocks(blocks);
  } else {
    fail(freed);
  }
  const std::string* failure = freed.empty() ? nullptr : this->failure();
  for (const Pair& pair : pairs) {
    pair.send.waiter->finish(failure);
    pair.receive.waiter->finish(failure);
  }
}

void LocalGroup::arrive(uint64_t sequence, Arrival arrival) {
  std::vector<Arrival> complete;
  Waiters ended;
  Clock::time_point due = deadline();
  {
    std::lock_guard lock(mutex_);
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
  std::string freed;
  for (const Arrival& arrival : arrivals) {
    for (const Buffer* buffer : {&arrival.send, &arrival.receive}) {
      if (!buffer->isLive()) {
        freed = freedBuffer(arrival.call, *buffer);
      }
    }
  }
  if (freed.empty()) {
    runCollective(arrivals);
  } else {
    fail(freed);
  }
  const std::string* failure = freed.empty() ? nullptr : this->failure();
  for (const Arrival& arrival : arrivals) {
    arrival.waiter->finish(failure);
  }
}

void LocalGroup::leave(uint32_t rank) {
  Waiters ended;
  {
    std::lock_guard lock(mutex_);
    members_[rank].left = true;
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

Clock::time_point LocalGroup::expire(Clock::time_point now) {
  Clock::time_point next = Clock::time_point::max();
  Waiters ended;
  {
    std::lock_guard lock(mutex_);
    std::string words;
    for (const auto& [key, end] : waitingEnds_) {
      if (end.deadline <= now && words.empty()) {
        const Call& call = end.posted.call;
        words = rankWord(call.rank) + " waited in " + describe(call) + timeoutAdvice() +
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
  return findSubFormation(function, *this, subCommId, ranks, result);
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
  setFailure(std::move(words));
  return ended;
}

void LocalGroup::fail(std::string words) {
  Waiters ended;
  {
    std::lock_guard lock(mutex_);
    ended = failLocked(std::move(words));
  }
  finishAll(ended);
}

void LocalGroup::finishAll(const Waiters& waiters) {
  if (const std::string* words = failure()) {
    links_.end(HCCL_E_REMOTE, *words);
  }
  for (const std::shared_ptr<Waiter>& waiter : waiters) {
    waiter->finish(failure());
  }
}

std::string LocalGroup::disagreement(uint64_t sequence, const Meeting& meeting,
                                const Arrival& late) const {
  for (const Arrival& early : meeting.arrivals) {
    if (early.waiter == nullptr) {
      continue;
    }
    std::string words = compare(early, late);
    if (!words.empty()) {
      return "collective operation number " + std::to_string(sequence) +
             " differs between ranks: " + words;
    }
  }
  return {};
}

std::string LocalGroup::timeoutAdvice() const {
  return " was not complete after " + std::to_string(settings().execTimeout.count()) + " ms (" +
         settings().execTimeoutVariable + "): ";
}

std::string LocalGroup::missedRanks(const Meeting& meeting) const {
  std::string words;
  for (uint32_t rank = 0; rank < size(); ++rank) {
    if (meeting.arrivals[rank].waiter == nullptr) {
      words += (words.empty() ? "" : "; ") + rankWord(rank) + " is missing, " + whereabouts(rank);
    }
  }
  return words;
}

std::string LocalGroup::missedPeer(const Call& call) const {
  if (isSend(call)) {
    for (const auto& [key, end] : waitingEnds_) {
      const Call& other = end.posted.call;
      if (isSend(other) && other.rank == call.peer && other.peer == call.rank) {
        return rankWord(call.rank) + " and " + rankWord(call.peer) + " both send first, rank " +
               std::to_string(other.rank) + " by " + describe(other) +
               "; let one of them receive first, or use HcclBatchSendRecv";
      }
    }
  }
  return rankWord(call.peer) + " is missing, " + whereabouts(call.peer);
}

const Call* LocalGroup::waitingCall(uint32_t rank, uint32_t* waiting) const {
  const Call* found = nullptr;
  for (const auto& [key, end] : waitingEnds_) {
    if (end.posted.call.rank == rank) {
      found = &end.posted.call;
      ++*waiting;
    }
  }
  for (const auto& [sequence, meeting] : meetings_) {
    if (meeting.arrivals[rank].waiter != nullptr) {
      found = &meeting.arrivals[rank].call;
      ++*waiting;
    }
  }
  return found;
}

std::string LocalGroup::whereabouts(uint32_t rank) const {
  if (members_[rank].left) {
    return "it has destroyed its communicator";
  }
  uint32_t waiting = 0;
  if (const Call* call = waitingCall(rank, &waiting)) {
    return "it waits in " + describe(*call);
  }
  uint32_t submitted = inFlight(rank);
  if (submitted > 0) {
    return "its streams have not reached its " + std::to_string(submitted) +
           " submitted operation(s)";
  }
  return "it has made no such call";
}

std::string LocalGroup::freedBuffer(const Call& call, const Buffer& buffer) const {
  char address[2 + 2 * sizeof(void*) + 1];
  std::snprintf(address, sizeof address, "%p", buffer.device);
  return rankWord(call.rank) + " freed the " + std::to_string(buffer.bytes) + " bytes at " +
         address + " before its " + describe(call) + " was carried out";
}

}  // namespace cann4j::hccl
