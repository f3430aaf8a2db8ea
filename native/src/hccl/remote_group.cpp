// SPDX-License-Identifier: Apache-2.0
#include "hccl/remote_group.hpp"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

// For how much longer than its own limits the coordinator may remain silent.
constexpr std::chrono::seconds kGrace{5};

void finishAll(const std::vector<std::shared_ptr<Waiter>>& waiters, const std::string* failure) {
  for (const std::shared_ptr<Waiter>& waiter : waiters) {
    waiter->finish(failure);
  }
}

// The members of a sub-communicator meet where those of its parent do.
class SubFormation : public Formation {
 public:
  SubFormation(std::shared_ptr<Line> parent, uint64_t subCommId, std::vector<uint32_t> ranks)
      : parent_(std::move(parent)), subCommId_(subCommId), ranks_(std::move(ranks)) {}

  HcclResult join(const char* function, const Candidate& candidate,
                  std::shared_ptr<Group>* group) override {
    return guarded(HCCL_E_SYSCALL, function, [&] {
      auto [own, other] = ipc::socketPair();
      auto line = std::make_shared<Line>(std::move(own), parent_->coordinator());
      return line->join(
          function, candidate,
          {*parent_, write(JoinSub{subCommId_, ranks_, candidate}), std::move(other)}, group);
    });
  }

 private:
  const std::shared_ptr<Line> parent_;
  const uint64_t subCommId_;
  const std::vector<uint32_t> ranks_;
};

// Made by another process, which listens.
class RemoteFormation : public Formation {
 public:
  RemoteFormation(std::string name, std::string key, pid_t origin)
      : name_(std::move(name)), key_(std::move(key)), origin_(origin) {}

  HcclResult join(const char* function, const Candidate& candidate,
                  std::shared_ptr<Group>* group) override {
    bool isThere = true;
    const HcclResult result = joinThere(function, name_, key_, candidate, group, &isThere);
    if (isThere) {
      return result;
    }
    if (errno == EACCES) {
      return fail(HCCL_E_TCP_CONNECT, "%s: rootInfo was made by process %d of another user",
                  function, origin_);
    }
    return kill(origin_, 0) == 0 || errno == EPERM
               ? fail(HCCL_E_PARA,
                      "%s: rootInfo of process %d was used up by an earlier communicator, complete "
                      "or given up; every communicator needs a root info of its own",
                      function, origin_)
               : fail(HCCL_E_TCP_CONNECT,
                      "%s: there is no process %d any more on this host, which made rootInfo; all "
                      "ranks must be on the host of the root rank, and that must be alive",
                      function, origin_);
  }

 private:
  const std::string name_;
  const std::string key_;
  const pid_t origin_;
};

}  // namespace

std::shared_ptr<Formation> remoteFormation(std::string name, std::string key, pid_t origin) {
  return std::make_shared<RemoteFormation>(std::move(name), std::move(key), origin);
}

HcclResult Line::join(const char* function, const Candidate& candidate, Request request,
                      std::shared_ptr<Group>* group) {
  candidate_ = candidate;
  start();
  request.on.send(std::move(request.message), std::move(request.file));
  std::unique_lock lock(state_);
  const auto hasAnswer = [this] { return answer_.has_value(); };
  if (!answered_.wait_for(lock, candidate.settings.connectTimeout, hasAnswer)) {
    // The coordinator knows who is missing.
    send(write(Kind::kGiveUp));
    answered_.wait_for(lock, kGrace, hasAnswer);
  }
  Answer answer;
  if (answer_.has_value()) {
    answer = *answer_;
  } else {
    answer.failure = HCCL_E_TIMEOUT;
    answer.words = "process " + std::to_string(coordinator_) + " does not answer";
  }
  lock.unlock();
  if (answer.group == nullptr) {
    close();
    return fail(answer.failure, "%s: rank %u of %u on device %d: %s", function, candidate.rank,
                candidate.size, candidate.device, answer.words.c_str());
  }
  *group = answer.group;
  return HCCL_SUCCESS;
}

std::shared_ptr<RemoteGroup> Line::group() {
  std::lock_guard lock(state_);
  return group_;
}

void Line::answer(Answer answer) {
  std::lock_guard lock(state_);
  if (!answer_.has_value()) {
    answer_ = std::move(answer);
    answered_.notify_all();
  }
}

void Line::received(ipc::Reader& message, ipc::File) {
  switch (message.get<Kind>()) {
    case Kind::kWelcome: {
      auto joined = std::make_shared<RemoteGroup>(
          readWelcome(message), candidate_, std::static_pointer_cast<Line>(shared_from_this()));
      Watchdog::instance().watch(joined);
      {
        std::lock_guard lock(state_);
        group_ = joined;
        if (!earlyFailure_.empty()) {
          joined->end(earlyFailure_);
        }
      }
      answer({joined, HCCL_SUCCESS, {}});
      break;
    }
    case Kind::kRefuse: {
      const auto failure = message.get<HcclResult>();
      answer({nullptr, failure, message.getText()});
      break;
    }
    case Kind::kLinked:
      if (const std::shared_ptr<RemoteGroup> joined = group()) {
        const auto number = message.get<uint64_t>();
        const auto result = message.get<HcclResult>();
        joined->linked(number, result, message.getText());
      }
      break;
    case Kind::kDone:
      if (const std::shared_ptr<RemoteGroup> joined = group()) {
        joined->done(message.get<uint64_t>());
      }
      break;
    case Kind::kFail: {
      std::string words = message.getText();
      if (const std::shared_ptr<RemoteGroup> joined = group()) {
        joined->end(std::move(words));
      } else {
        earlyFailure_ = std::move(words);
      }
      break;
    }
    default:
      throw std::runtime_error("unknown message");
  }
}

void Line::closed() {
  answer({nullptr, HCCL_E_REMOTE,
          "process " + std::to_string(coordinator_) +
              ", where the communicator was to meet, has ended or given it up"});
  std::shared_ptr<RemoteGroup> joined;
  {
    std::lock_guard lock(state_);
    joined = std::move(group_);
  }
  if (joined != nullptr) {
    joined->lose();
  }
}

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
  return std::make_shared<SubFormation>(line_, subCommId, ranks);
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

HcclResult joinThere(const char* function, const std::string& name, const std::string& key,
                     const Candidate& candidate, std::shared_ptr<Group>* group, bool* isThere) {
  SharedDevice device{};
  if (shareDevice(candidate.device, &device) != ACL_SUCCESS) {
    return fail(HCCL_E_MEMORY, "%s: device %d cannot take part with other processes", function,
                candidate.device);
  }
  return guarded(HCCL_E_SYSCALL, function, [&] {
    ipc::File socket = ipc::connectTo(name);
    *isThere = socket.isOpen();
    if (!*isThere) {
      return HCCL_E_TCP_CONNECT;
    }
    auto line = std::make_shared<Line>(std::move(socket));
    const Join join{protocolName(), key, candidate, device.base, device.span};
    return line->join(function, candidate, {*line, write(join), ipc::File::copyOf(device.file)},
                      group);
  });
}

}  // namespace cann4j::hccl
