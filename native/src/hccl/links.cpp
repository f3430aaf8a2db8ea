// SPDX-License-Identifier: Apache-2.0
#include "hccl/links.hpp"

#include <algorithm>
#include <utility>

namespace cann4j::hccl {
namespace {

std::string rankList(const std::vector<uint32_t>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(ranks[i]);
  }
  return text;
}

}  // namespace

Links::Links(uint32_t size) : ranks_(size) {
  for (Rank& rank : ranks_) {
    rank.offered.resize(size);
  }
}

void Links::offer(const Call& call, const std::vector<uint32_t>& peers) {
  std::vector<Decided> complete;
  {
    std::lock_guard lock(mutex_);
    Rank& rank = ranks_[call.rank];
    rank.called = true;
    rank.last = call;
    for (uint32_t peer : peers) {
      rank.offered[peer] = true;
    }
    for (Wait& wait : waits_) {
      if (rank.offered[wait.call.rank]) {
        std::erase(wait.missing, call.rank);
      }
      if (wait.missing.empty()) {
        complete.push_back(std::move(wait.decided));
      }
    }
    std::erase_if(waits_, [](const Wait& wait) { return wait.missing.empty(); });
  }
  for (const Decided& decided : complete) {
    decided(HCCL_SUCCESS, {});
  }
}

void Links::await(const Call& call, const std::vector<uint32_t>& peers, Decided decided) {
  HcclResult result = HCCL_SUCCESS;
  std::string words;
  {
    std::lock_guard lock(mutex_);
    result = ended_;
    words = words_;
    Wait wait{call, {}, nullptr};
    for (uint32_t peer : peers) {
      if (!ranks_[peer].offered[call.rank]) {
        wait.missing.push_back(peer);
      }
    }
    if (result == HCCL_SUCCESS && !wait.missing.empty()) {
      wait.decided = std::move(decided);
      waits_.push_back(std::move(wait));
      return;
    }
  }
  decided(result, words);
}

void Links::end(HcclResult result, const std::string& words) {
  std::vector<Wait> waits;
  {
    std::lock_guard lock(mutex_);
    if (ended_ != HCCL_SUCCESS) {
      return;
    }
    ended_ = result;
    words_ = words;
    waits.swap(waits_);
  }
  for (const Wait& wait : waits) {
    wait.decided(result, words);
  }
}

std::string Links::missing(uint32_t rank) const {
  std::lock_guard lock(mutex_);
  std::string words;
  for (const Wait& wait : waits_) {
    for (uint32_t peer : wait.call.rank == rank ? wait.missing : std::vector<uint32_t>()) {
      words += (words.empty() ? "" : "; ") + rankList({peer}) + " " + whereabouts(peer, rank);
    }
  }
  return words;
}

std::string Links::whereabouts(uint32_t rank, uint32_t waitingRank) const {
  for (const Wait& wait : waits_) {
    if (wait.call.rank == rank) {
      return "waits in " + describe(wait.call) + " for " + rankList(wait.missing);
    }
  }
  return ranks_[rank].called ? "made other calls, the last of them " +
                                   describe(ranks_[rank].last) + ", but none that concerns rank " +
                                   std::to_string(waitingRank)
                             : "has made no call";
}

bool Links::waitsFor(uint32_t rank, Call* waiting) const {
  std::lock_guard lock(mutex_);
  for (const Wait& wait : waits_) {
    if (std::find(wait.missing.begin(), wait.missing.end(), rank) != wait.missing.end()) {
      *waiting = wait.call;
      return true;
    }
  }
  return false;
}

}  // namespace cann4j::hccl
