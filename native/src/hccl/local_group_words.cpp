// SPDX-License-Identifier: Apache-2.0
// What messages say about ranks that disagree or are missing.
#include <unistd.h>

#include <algorithm>

#include "hccl/local_group.hpp"

namespace cann4j::hccl {

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
  if (members_[rank].remote != nullptr) {
    return "no stream of its process " + std::to_string(processes_[rank]) +
           " has reached such a call";
  }
  uint32_t submitted = inFlight(rank);
  if (submitted > 0) {
    return "its streams have not reached its " + std::to_string(submitted) +
           " submitted operation(s)";
  }
  return "it has made no such call";
}

// Only where it says something.
std::string LocalGroup::processOf(uint32_t rank) const {
  return std::count(processes_.begin(), processes_.end(), getpid()) == size()
             ? std::string()
             : " (process " + std::to_string(processes_[rank]) + ")";
}

}  // namespace cann4j::hccl
