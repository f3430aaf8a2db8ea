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

bool RemoteGroup::keep(Pending pending, uint64_t* number) {
  const bool isLimited = settings().execTimeout != Settings::kNoLimit;
  pending.deadline =
      isLimited ? Clock::now() + settings().execTimeout + kGrace : Clock::time_point::max();
  const Clock::time_point deadline = pending.deadline;
  {
    std::lock_guard lock(mutex_);
    if (failure() == nullptr) {
      *number = ++lastNumber_;
      pending_.emplace(*number, std::move(pending));
    } else {
      *number = 0;
    }
  }
  if (*number == 0) {
    finishAll(pending.waiters, failure());
    return false;
  }
  Watchdog::instance().lookBy(deadline);
  return true;
}

void RemoteGroup::offer(const Call& call, const std::vector<uint32_t>& peers) {
  line_->send(std::move(write(Kind::kOffer).put(call).put(peers)));
}

HcclResult RemoteGroup::await(const char* function, const Call& call,
                              const std::vector<uint32_t>& peers) {
  std::unique_lock lock(mutex_);
  const uint64_t number = ++lastNumber_;
  std::optional<Links>& links = awaits_[number];
  if (const std::string* words = failure()) {
    links = Links{HCCL_E_REMOTE, *words};
  } else {
    line_->send(std::move(write(Kind::kAwait).put(number).put(call).put(peers)));
  }
  const auto hasCome = [&links] { return links.has_value(); };
  if (!linked_.wait_for(lock, settings().connectTimeout, hasCome)) {
    // The coordinator knows who is missing.
    line_->send(std::move(write(Kind::kGiveUpAwaiting).put(call)));
    linked_.wait_for(lock, kGrace, hasCome);
  }
  const bool isSilent = !hasCome();
  const Links end = isSilent ? Links{HCCL_E_TIMEOUT, silence(call)} : *links;
  awaits_.erase(number);
  lock.unlock();
  if (isSilent) {
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
  if (found != awaits_.end() && !found->second.has_value()) {
    found->second = Links{result, std::move(words)};
    linked_.notify_all();
  }
}

void RemoteGroup::post(std::vector<Posted> posts) {
  Pending pending;
  for (Posted& posted : posts) {
    pending.waiters.push_back(std::move(posted.waiter));
    pending.parts.push_back({posted.call, posted.buffer});
  }
  uint64_t number = 0;
  if (keep(std::move(pending), &number)) {
    line_->send(write(number, posts));
  }
}

void RemoteGroup::arrive(uint64_t sequence, Arrival arrival) {
  Pending pending;
  pending.waiters.push_back(std::move(arrival.waiter));
  pending.parts = {{arrival.call, arrival.send}, {arrival.call, arrival.receive}};
  uint64_t number = 0;
  if (keep(std::move(pending), &number)) {
    line_->send(write(number, sequence, arrival));
  }
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
  const std::string* failure = nullptr;
  for (const Part& part : pending.parts) {
    if (!part.buffer.isLive()) {
      std::string words = freedBuffer(part.call, part.buffer);
      fail(std::move(words));
      failure = this->failure();
    }
  }
  finishAll(pending.waiters, failure);
}

void RemoteGroup::end(std::string words) {
  std::map<uint64_t, Pending> ended;
  {
    std::lock_guard lock(mutex_);
    setFailure(std::move(words));
    ended.swap(pending_);
    for (auto& [number, links] : awaits_) {
      if (!links.has_value()) {
        links = Links{HCCL_E_REMOTE, *failure()};
      }
    }
    linked_.notify_all();
  }
  for (const auto& [number, pending] : ended) {
    finishAll(pending.waiters, failure());
  }
}

void RemoteGroup::fail(std::string words) {
  line_->send(write(Kind::kFailed, words));
  end(std::move(words));
}

std::string RemoteGroup::silence(const Call& call) const {
  return "process " + std::to_string(line_->coordinator()) + " does not answer rank " +
         std::to_string(rank_) + ", which waits in " + describe(call);
}

void RemoteGroup::lose() {
  std::string ranks;
  for (uint32_t rank = 0; rank < processes_.size(); ++rank) {
    if (processes_[rank] == line_->coordinator()) {
      ranks += (ranks.empty() ? "rank " : ", rank ") + std::to_string(rank);
    }
  }
  end((ranks.empty() ? "" : ranks + ": ") + "process " + std::to_string(line_->coordinator()) +
       ", where the operations of the communicator meet, has ended");
}

void RemoteGroup::leave(uint32_t) {
  line_->send(write(Kind::kLeave));
  line_->close();
}

std::shared_ptr<Formation> RemoteGroup::subFormation(const char* function, uint64_t subCommId,
                                                     const std::vector<uint32_t>& ranks,
                                                     HcclResult* result) {
  if (const std::string* words = failure()) {
    *result = cann4j::fail(HCCL_E_REMOTE, "%s: communicator %s, rank %u, has failed: %s", function,
                           name().c_str(), rank_, words->c_str());
    return nullptr;
  }
  return remoteSubFormation(line_, subCommId, ranks);
}

Clock::time_point RemoteGroup::expire(Clock::time_point now) {
  Clock::time_point next = Clock::time_point::max();
  std::string words;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [number, pending] : pending_) {
      if (pending.deadline <= now) {
        words = silence(pending.parts.front().call);
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
