// SPDX-License-Identifier: Apache-2.0
// First calls, which stay on the host until the peers have made theirs.
#include <condition_variable>
#include <utility>

#include "hccl/local_group.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {

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
  await(call, peers, [answer](HcclResult result, const std::string& words) {
    std::lock_guard lock(answer->mutex);
    answer->hasCome = true;
    answer->result = result;
    answer->words = words;
    answer->came.notify_one();
  });
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

void LocalGroup::await(const Call& call, const std::vector<uint32_t>& peers,
                       Links::Decided decided) {
  links_.await(call, peers, std::move(decided));
  failIfLeft(call, peers);
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

}  // namespace cann4j::hccl
