// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "hccl/call.hpp"

namespace cann4j::hccl {

// On hardware two ranks link when both have made a call that concerns the other; until then the
// first of them stays in its call. Here this is all that a link is.
class Links {
 public:
  // Of the wait of a call: success, or why it ended without all links.
  using Decided = std::function<void(HcclResult result, const std::string& words)>;

  explicit Links(uint32_t size);

  // The rank of the call has made it, and it concerns these peers.
  void offer(const Call& call, const std::vector<uint32_t>& peers);
  // `decided` is called once, now or later, from any thread, without locks.
  void await(const Call& call, const std::vector<uint32_t>& peers, Decided decided);
  // Ends all waits, those under way and those to come.
  void end(HcclResult result, const std::string& words);

  // What the ranks do for which the rank waits; empty if it does not wait.
  std::string missing(uint32_t rank) const;
  // The call that waits for this rank to make one; null if none does.
  bool waitsFor(uint32_t rank, Call* waiting) const;

 private:
  struct Wait {
    Call call;
    std::vector<uint32_t> missing;
    Decided decided;
  };
  struct Rank {
    bool called = false;
    Call last;
    std::vector<bool> offered;  // by peer
  };

  std::string whereabouts(uint32_t rank, uint32_t waitingRank) const;

  mutable std::mutex mutex_;
  std::vector<Rank> ranks_;
  std::vector<Wait> waits_;
  HcclResult ended_ = HCCL_SUCCESS;
  std::string words_;
};

}  // namespace cann4j::hccl
