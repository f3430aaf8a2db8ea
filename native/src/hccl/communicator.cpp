// SPDX-License-Identifier: Apache-2.0
#include "hccl/communicator.hpp"

#include <algorithm>
#include <exception>

#include "runtime/error.hpp"

namespace cann4j::hccl {

Communicator::Communicator(std::shared_ptr<Group> group, uint32_t rank, Origin origin,
                           std::thread::id driver)
    : group_(std::move(group)),
      rank_(rank),
      origin_(origin),
      order_(std::make_shared<Order>()),
      driver_(driver),
      linked_(group_->size()),
      nextSend_(group_->size()),
      nextReceive_(group_->size()) {
  linked_[rank_] = true;
}

HcclResult Communicator::enterCall(const char* function) {
  std::lock_guard lock(mutex_);
  if (closed_) {
    return fail(HCCL_E_PARA, "%s: communicator %s was destroyed", function, name().c_str());
  }
  ++uses_;
  driver_ = std::this_thread::get_id();
  return HCCL_SUCCESS;
}

void Communicator::leaveCall() {
  std::lock_guard lock(mutex_);
  --uses_;
}

HcclResult Communicator::checkUsable(const char* function) const {
  if (const std::string* failure = group_->failure()) {
    return fail(HCCL_E_REMOTE,
                "%s: communicator %s, rank %u, has failed and can only be destroyed: %s", function,
                name().c_str(), rank_, failure->c_str());
  }
  return suspended_ ? fail(HCCL_E_SUSPENDING,
                           "%s: communicator %s, rank %u, is suspended; call HcclCommResume first",
                           function, name().c_str(), rank_)
                    : HCCL_SUCCESS;
}

std::vector<uint32_t> Communicator::unlinkedPeers(const Work& work) const {
  std::vector<uint32_t> peers;
  if (work.arrival.has_value()) {
    for (uint32_t peer = 0; peer < size(); ++peer) {
      if (!linked_[peer]) {
        peers.push_back(peer);
      }
    }
  }
  for (const Posted& posted : work.posts) {
    const uint32_t peer = posted.call.peer;
    if (!linked_[peer] && std::find(peers.begin(), peers.end(), peer) == peers.end()) {
      peers.push_back(peer);
    }
  }
  return peers;
}

void Communicator::offerLinks(const Work& work) {
  const std::vector<uint32_t> peers = unlinkedPeers(work);
  if (!peers.empty()) {
    group_->offer(work.call, peers);
  }
}

HcclResult Communicator::awaitLinks(const char* function, const Work& work) {
  const std::vector<uint32_t> peers = unlinkedPeers(work);
  if (peers.empty()) {
    return HCCL_SUCCESS;
  }
  const HcclResult result = group_->await(function, work.call, peers);
  if (result == HCCL_E_TIMEOUT) {
    explainTimeout(function);
  } else if (result == HCCL_SUCCESS) {
    for (uint32_t peer : peers) {
      linked_[peer] = true;
    }
  }
  return result;
}

// The usual reason is a thread that drives several ranks in turn.
void Communicator::explainTimeout(const char* function) const {
  for (const auto& [handle, other] : liveCommunicators()) {
    if (other.get() != this && other->name() == name() && other->driver() == driver()) {
      fail(HCCL_E_TIMEOUT,
           "%s: the thread that waits here for rank %u also drives rank %u of communicator %s, "
           "which it cannot do meanwhile; give every rank a thread of its own, or put the calls "
           "between HcclGroupStart and HcclGroupEnd",
           function, rank_, other->rank(), name().c_str());
    }
  }
}

HcclResult Communicator::enqueue(const char* function, Work work, uint64_t callNumber,
                                 Stream& stream) {
  // It may have failed while this rank waited for its peers.
  const HcclResult result = checkUsable(function);
  if (result != HCCL_SUCCESS) {
    return result;
  }
  auto operation = std::make_shared<Operation>(group_, order_, callNumber,
                                               Order::Entry{work.call, stream.id()});
  stream.submit(taskOf(std::move(work), std::move(operation)), nullptr, Stream::Start::kHere);
  return HCCL_SUCCESS;
}

std::function<void(Stream::Done)> Communicator::taskOf(Work work,
                                                       std::shared_ptr<Operation> operation) {
  const auto parts = static_cast<uint32_t>(work.posts.size());
  auto waiter = std::make_shared<TaskWaiter>(group_, rank_, std::max(1U, parts));
  uint64_t sequence = 0;
  if (work.arrival.has_value()) {
    work.arrival->waiter = waiter;
    sequence = nextCollective_++;
  }
  for (Posted& posted : work.posts) {
    auto& next = isSend(posted.call) ? nextSend_ : nextReceive_;
    posted.ticket = next[posted.call.peer]++;
    posted.waiter = waiter;
  }
  return [group = group_, sequence, work = std::move(work), waiter = std::move(waiter),
          operation = std::move(operation)](Stream::Done done) mutable {
    const auto giveUp = [&](const std::string& words) {
      // First, because the communicator is not busy any more once the operation has ended.
      work = {};
      waiter.reset();
      operation->fail(words);
    };
    const std::string overlap = operation->begin(std::move(done));
    if (!overlap.empty()) {
      giveUp(overlap);
      return;
    }
    const Call call = work.call;
    try {
      waiter->start([operation](aclError code) { operation->end(code); });
      waiter.reset();
      if (work.arrival.has_value()) {
        group->arrive(sequence, std::move(*work.arrival));
      } else {
        group->post(std::move(work.posts));
      }
    } catch (const std::exception& e) {
      giveUp("rank " + std::to_string(call.rank) + " could not carry out its " + describe(call) +
             ": " + e.what());
    }
  };
}

HcclResult Communicator::close(const char* function) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) {
      return fail(HCCL_E_PARA, "%s: communicator %s was destroyed already", function,
                  name().c_str());
    }
    if (uses_ > 0 || group_->isBusy(rank_)) {
      return fail(HCCL_E_AGAIN,
                  "%s: communicator %s, rank %u, still has %s under way; %s, then call again",
                  function, name().c_str(), rank_,
                  uses_ > 0 ? "a call of another thread" : "operations",
                  uses_ > 0 ? "let it return" : "synchronize the streams it was used on");
    }
    closed_ = true;
  }
  group_->leave(rank_);
  return HCCL_SUCCESS;
}

}  // namespace cann4j::hccl
