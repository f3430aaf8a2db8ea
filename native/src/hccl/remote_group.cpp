// SPDX-License-Identifier: Apache-2.0
#include "hccl/remote_group.hpp"

#include <algorithm>
#include <utility>

#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

void finishAll(const std::vector<std::shared_ptr<Waiter>>& waiters, const std::string* failure) {
  for (const std::shared_ptr<Waiter>& waiter : waiters) {
    waiter->finish(failure);
  }
}

}  // namespace

RemoteGroup::RemoteGroup(const Welcome& welcome, const Candidate& candidate,
                         std::shared_ptr<Line> line)
    : Group(welcome.name, welcome.devices, candidate.settings),
      rank_(candidate.rank),
      processes_(welcome.processes),
      line_(std::move(line)) {}

std::shared_ptr<Line> RemoteGroup::line() {
  std::lock_guard lock(mutex_);
  return line_;
}

bool RemoteGroup::hasLeft() {
  std::lock_guard lock(mutex_);
  return hasLeft_;
}

void RemoteGroup::say(uint64_t number, const Pending& pending) {
  if (pending.posts.empty()) {
    line_->send(write(number, pending.sequence, pending.arrival));
  } else {
    line_->send(write(number, pending.returned.empty() ? pending.posts : pending.returned));
  }
}

void RemoteGroup::say(uint64_t number, const Await& await) {
  line_->send(std::move(write(Kind::kAwait).put(number).put(await.call).put(await.peers)));
}

void RemoteGroup::keep(Pending pending) {
  const bool isLimited = settings().execTimeout != Settings::kNoLimit;
  const Clock::time_point deadline =
      isLimited ? Clock::now() + settings().execTimeout + kGrace : Clock::time_point::max();
  pending.deadline = deadline;
  {
    std::lock_guard lock(mutex_);
    if (failure() == nullptr) {
      const uint64_t number = ++lastNumber_;
      say(number, pending);
      pending_.emplace(number, std::move(pending));
      pending.waiters.clear();
    }
  }
  finishAll(pending.waiters, failure());
  Watchdog::instance().lookBy(deadline);
}

void RemoteGroup::offer(const Call& call, const std::vector<uint32_t>& peers) {
  std::lock_guard lock(mutex_);
  for (uint32_t peer : peers) {
    offers_[peer] = call;
  }
  line_->send(std::move(write(Kind::kOffer).put(call).put(peers)));
}

HcclResult RemoteGroup::await(const char* function, const Call& call,
                              const std::vector<uint32_t>& peers) {
  std::unique_lock lock(mutex_);
  const uint64_t number = ++lastNumber_;
  Await& await = awaits_[number];
  await.call = call;
  await.peers = peers;
  if (const std::string* words = failure()) {
    await = {call, peers, true, HCCL_E_REMOTE, *words};
  } else {
    say(number, await);
  }
  const auto isOver = [&await] { return await.isOver; };
  if (!changed_.wait_for(lock, settings().connectTimeout, isOver)) {
    // The coordinator knows who is missing.
    line_->send(std::move(write(Kind::kGiveUpAwaiting).put(call)));
    changed_.wait_for(lock, kGrace, isOver);
  }
  if (!await.isOver) {
    await.result = HCCL_E_TIMEOUT;
    await.words = silence(call);
  }
  const Await end = std::move(await);
  awaits_.erase(number);
  lock.unlock();
  if (!end.isOver) {
    fail(end.words);
  }
  return end.result == HCCL_SUCCESS
             ? HCCL_SUCCESS
             : cann4j::fail(end.result, "%s: communicator %s, rank %u: %s", function,
                            name().c_str(), rank_, end.words.c_str());
}

void RemoteGroup::linked(uint64_t number, HcclResult result, std::string words) {
  std::lock_guard lock(mutex_);
  const auto found = awaits_.find(number);
  if (found != awaits_.end() && !found->second.isOver) {
    found->second.isOver = true;
    found->second.result = result;
    found->second.words = std::move(words);
    changed_.notify_all();
  }
}

void RemoteGroup::post(std::vector<Posted> posts) {
  Pending pending;
  for (Posted& posted : posts) {
    pending.waiters.push_back(std::move(posted.waiter));
  }
  pending.posts = std::move(posts);
  keep(std::move(pending));
}

void RemoteGroup::arrive(uint64_t sequence, Arrival arrival) {
  Pending pending;
  pending.waiters.push_back(std::move(arrival.waiter));
  pending.arrival = std::move(arrival);
  pending.sequence = sequence;
  keep(std::move(pending));
}

void RemoteGroup::done(uint64_t number) {
  Pending pending;
  {
    std::lock_guard lock(mutex_);
    auto found = pending_.find(number);
    if (found == pending_.end()) {
      return;
    }
    pending = std::move(found->second);
    pending_.erase(found);
  }
  std::string freed;
  for (const Posted& posted : pending.posts) {
    if (!posted.buffer.isLive()) {
      freed = freedBuffer(posted.call, posted.buffer);
    }
  }
  for (const Buffer* buffer : {&pending.arrival.send, &pending.arrival.receive}) {
    if (!buffer->isLive()) {
      freed = freedBuffer(pending.arrival.call, *buffer);
    }
  }
  if (freed.empty()) {
    finishAll(pending.waiters, nullptr);
  } else {
    fail(std::move(freed));
    finishAll(pending.waiters, failure());
  }
}

void RemoteGroup::returned(uint64_t number, const Call& call, uint64_t ticket) {
  std::lock_guard lock(mutex_);
  const auto found = pending_.find(number);
  if (found == pending_.end()) {
    return;
  }
  for (const Posted& posted : found->second.posts) {
    if (isSend(posted.call) == isSend(call) && posted.call.peer == call.peer &&
        posted.ticket == ticket) {
      found->second.returned.push_back(posted);
    }
  }
}

void RemoteGroup::end(std::string words) {
  std::map<uint64_t, Pending> ended;
  {
    std::lock_guard lock(mutex_);
    setFailure(std::move(words));
    ended.swap(pending_);
    for (auto& [number, await] : awaits_) {
      if (!await.isOver) {
        await = {await.call, {}, true, HCCL_E_REMOTE, *failure()};
      }
    }
    changed_.notify_all();
  }
  for (const auto& [number, pending] : ended) {
    finishAll(pending.waiters, failure());
  }
}

void RemoteGroup::fail(std::string words) {
  line()->send(write(Kind::kFailed, words));
  end(std::move(words));
}

std::string RemoteGroup::silence(const Call& call) const {
  return "process " + std::to_string(line_->coordinator()) + " does not answer rank " +
         std::to_string(rank_) + ", which waits in " + describe(call);
}

void RemoteGroup::lose(const Line& line) {
  if (this->line().get() != &line) {
    return;
  }
  std::string ranks;
  for (uint32_t rank = 0; rank < processes_.size(); ++rank) {
    if (processes_[rank] == line.coordinator()) {
      ranks += (ranks.empty() ? "rank " : ", rank ") + std::to_string(rank);
    }
  }
  const std::string process = "process " + std::to_string(line.coordinator());
  end((ranks.empty() ? process : ranks + " (" + process + ")") +
      " has ended, where the operations of the communicator meet");
}

void RemoteGroup::leave(uint32_t) {
  std::lock_guard lock(mutex_);
  hasLeft_ = true;
  line_->send(write(Kind::kLeave));
  line_->close();
}

void RemoteGroup::move(std::shared_ptr<Line> line) {
  SharedDevice device{};
  const bool isShared = shareDevice(this->device(rank_), &device) == ACL_SUCCESS;
  line->start();
  line->offerMailbox();
  std::lock_guard lock(mutex_);
  if (hasLeft_ || !isShared) {
    line->close();
    return;
  }
  line_ = std::move(line);
  line_->send(std::move(write(Kind::kRejoin).put(Rejoin{device.base, device.span})),
              ipc::File::copyOf(device.file));
  if (const std::string* words = failure()) {
    line_->send(write(Kind::kFailed, *words));
  }
  for (const auto& [peer, call] : offers_) {
    line_->send(std::move(write(Kind::kOffer).put(call).put(std::vector<uint32_t>{peer})));
  }
  for (const auto& [number, await] : awaits_) {
    if (!await.isOver) {
      say(number, await);
    }
  }
  for (auto& [number, pending] : pending_) {
    say(number, pending);
    if (!pending.returned.empty()) {
      pending.posts = std::exchange(pending.returned, {});
    }
  }
  changed_.notify_all();
}

bool RemoteGroup::hasMovedFrom(const Line& line) {
  std::unique_lock lock(mutex_);
  const auto hasMoved = [this, &line] { return line_.get() != &line; };
  changed_.wait_for(lock, kGrace, [&] { return hasMoved() || failure() != nullptr; });
  return hasMoved() && failure() == nullptr;
}

std::shared_ptr<Formation> RemoteGroup::subFormation(const char* function, uint64_t subCommId,
                                                     const std::vector<uint32_t>& ranks,
                                                     HcclResult* result) {
  if (const std::string* words = failure()) {
    *result = cann4j::fail(HCCL_E_REMOTE, "%s: communicator %s, rank %u, has failed: %s", function,
                           name().c_str(), rank_, words->c_str());
    return nullptr;
  }
  return remoteSubFormation(shared_from_this(), subCommId, ranks);
}

Clock::time_point RemoteGroup::expire(Clock::time_point now) {
  Clock::time_point next = Clock::time_point::max();
  std::string words;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [number, pending] : pending_) {
      if (pending.deadline <= now) {
        words = silence(pending.call());
        break;
      }
      next = std::min(next, pending.deadline);
    }
  }
  if (words.empty()) {
    return next;
  }
  fail(std::move(words));
  return Clock::time_point::max();
}

}  // namespace cann4j::hccl
