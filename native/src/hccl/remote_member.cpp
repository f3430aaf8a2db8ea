// SPDX-License-Identifier: Apache-2.0
#include "hccl/remote_member.hpp"

#include <exception>
#include <stdexcept>
#include <utility>

#include "hccl/hand_over.hpp"

namespace cann4j::hccl {
namespace {

std::vector<uint32_t> readPeers(ipc::Reader& message, uint32_t size) {
  std::vector<uint32_t> peers = message.getList<uint32_t>();
  for (uint32_t peer : peers) {
    if (peer >= size) {
      throw std::runtime_error("no such peer");
    }
  }
  return peers;
}

}  // namespace

RemoteMember::RemoteMember(ipc::File socket, std::shared_ptr<LocalFormation> formation,
                           std::string key)
    : Connection(std::move(socket)), key_(std::move(key)), formation_(std::move(formation)) {}

RemoteMember::RemoteMember(ipc::File socket, std::shared_ptr<RemoteMemory> memory)
    : Connection(std::move(socket)), memory_(std::move(memory)) {}

RemoteMember::RemoteMember(ipc::File socket, std::shared_ptr<LocalGroup> group, uint32_t rank)
    : Connection(std::move(socket)), group_(std::move(group)), isExpected_(true) {
  candidate_.rank = rank;
}

void RemoteWaiter::finish(const std::string* failure) {
  if (failure != nullptr) {
    hasFailed_ = true;
  }
  if (--parts_ == 0 && !hasFailed_) {
    member_->send(std::move(write(Kind::kDone).put(number_)));
  }
}

void RemoteWaiter::giveBack(const Posted& part) const {
  member_->send(std::move(write(Kind::kReturn).put(number_).put(part.call).put(part.ticket)));
}

std::shared_ptr<RemoteMember> RemoteMember::self() {
  return std::static_pointer_cast<RemoteMember>(shared_from_this());
}

void RemoteMember::tellFailure(const std::string& words) { send(write(Kind::kFail, words)); }

void RemoteMember::refuse(HcclResult result, const std::string& words) {
  send(std::move(write(Kind::kRefuse).put(result).put(words)));
  close();
}

void RemoteMember::received(ipc::Reader& message, ipc::File file) {
  const auto kind = message.get<Kind>();
  if (kind == Kind::kJoin) {
    join(message, file);
  } else if (kind == Kind::kJoinSub) {
    joinSub(message, std::move(file));
  } else if (kind == Kind::kGiveUp) {
    std::shared_ptr<LocalFormation> formation;
    {
      std::lock_guard lock(state_);
      formation = formation_;
    }
    if (formation != nullptr) {
      formation->giveUpWaiting(candidate_);
    }
  } else if (kind == Kind::kRejoin) {
    rejoin(message, file);
  } else if (kind == Kind::kHosting) {
    std::lock_guard lock(state_);
    isHosting_ = true;
    changed_.notify_all();
  } else {
    serve(kind, message);
  }
}

void RemoteMember::join(ipc::Reader& message, const ipc::File& file) {
  const Join join = readJoin(message);
  if (join.protocol != protocolName()) {
    refuse(HCCL_E_NOT_SUPPORT, "the processes run different versions of the toolkit, \"" +
                                   protocolName() + "\" and \"" + join.protocol + "\"");
    return;
  }
  if (key_.empty() || join.key != key_ || memory_ != nullptr) {
    throw std::runtime_error("not invited");
  }
  std::string words;
  memory_ = RemoteMemory::map(file, join.base, join.span, &words);
  if (memory_ == nullptr) {
    refuse(HCCL_E_MEMORY, words);
    return;
  }
  enter(formation_, join.candidate);
}

void RemoteMember::rejoin(ipc::Reader& message, const ipc::File& file) {
  const auto device = message.get<Rejoin>();
  std::string words;
  std::shared_ptr<RemoteMemory> memory = RemoteMemory::map(file, device.base, device.span, &words);
  std::lock_guard lock(state_);
  if (!isExpected_ || memory == nullptr) {
    throw std::runtime_error("cannot rejoin");
  }
  memory_ = std::move(memory);
  isExpected_ = false;
  changed_.notify_all();
}

bool RemoteMember::awaitRejoined(Clock::time_point deadline) {
  std::unique_lock lock(state_);
  return changed_.wait_until(lock, deadline, [this] { return !isExpected_ || isOver_; });
}

bool RemoteMember::awaitHosting(Clock::time_point deadline) {
  std::unique_lock lock(state_);
  changed_.wait_until(lock, deadline, [this] { return isHosting_ || isOver_; });
  return isHosting_;
}

void RemoteMember::joinSub(ipc::Reader& message, ipc::File file) {
  JoinSub join = readJoinSub(message);
  std::shared_ptr<LocalGroup> parent;
  {
    std::lock_guard lock(state_);
    parent = group_;
  }
  if (parent == nullptr || !file.isOpen()) {
    throw std::runtime_error("no parent");
  }
  if (parent->isStopped()) {
    return;  // it will ask again elsewhere
  }
  auto member = std::make_shared<RemoteMember>(std::move(file), memory_);
  member->start();
  std::string words;
  const std::shared_ptr<LocalFormation> formation =
      findSubFormation(*parent, join.subCommId, join.ranks, &words);
  if (formation == nullptr) {
    member->refuse(HCCL_E_PARA, words);
  } else {
    member->enter(formation, std::move(join.candidate));
  }
}

void RemoteMember::enter(const std::shared_ptr<LocalFormation>& formation, Candidate candidate) {
  {
    std::lock_guard lock(state_);
    candidate_ = candidate;
    formation_ = formation;
  }
  candidate.remote = self();
  formation->enter(candidate, [self = self(), formation](const Outcome& outcome) {
    retire(formation);
    self->decided(outcome);
  });
}

void RemoteMember::decided(const Outcome& outcome) {
  bool isOver = false;
  {
    std::lock_guard lock(state_);
    formation_.reset();
    isOver = isOver_;
    if (!isOver) {
      group_ = outcome.group;
    }
  }
  if (outcome.group == nullptr) {
    refuse(outcome.failure, outcome.words);
  } else if (isOver) {
    outcome.group->lose(candidate_.rank);
  } else {
    handOverAtExit();
    const LocalGroup& group = *outcome.group;
    Welcome welcome{group.name(), {}, group.processes()};
    for (uint32_t rank = 0; rank < group.size(); ++rank) {
      welcome.devices.push_back(group.device(rank));
    }
    send(write(welcome));
  }
}

void RemoteMember::serve(Kind kind, ipc::Reader& message) {
  std::shared_ptr<LocalGroup> group;
  {
    std::lock_guard lock(state_);
    group = group_;
  }
  if (group == nullptr || memory_ == nullptr) {
    throw std::runtime_error("not yet a member");
  }
  const uint32_t rank = candidate_.rank;
  const auto check = [&group, rank](Call& call) {
    call.rank = rank;
    if (call.peer >= group->size()) {
      throw std::runtime_error("no such peer");
    }
  };
  switch (kind) {
    case Kind::kPost: {
      const auto number = message.get<uint64_t>();
      std::vector<Posted> posts = readPosts(message, *memory_);
      auto waiter = std::make_shared<RemoteWaiter>(self(), number, posts.size());
      for (Posted& posted : posts) {
        check(posted.call);
        posted.waiter = waiter;
      }
      group->post(std::move(posts));
      break;
    }
    case Kind::kArrive: {
      const auto number = message.get<uint64_t>();
      const auto sequence = message.get<uint64_t>();
      Arrival arrival = readArrival(message, *memory_);
      check(arrival.call);
      arrival.waiter = std::make_shared<RemoteWaiter>(self(), number, 1);
      group->arrive(sequence, std::move(arrival));
      break;
    }
    case Kind::kOffer: {
      auto call = message.get<Call>();
      check(call);
      group->offer(call, readPeers(message, group->size()));
      break;
    }
    case Kind::kAwait: {
      const auto number = message.get<uint64_t>();
      auto call = message.get<Call>();
      check(call);
      group->await(call, readPeers(message, group->size()),
                   [self = self(), number](HcclResult result, const std::string& words) {
                     self->send(std::move(write(Kind::kLinked).put(number).put(result).put(words)));
                   });
      break;
    }
    case Kind::kGiveUpAwaiting: {
      auto call = message.get<Call>();
      check(call);
      group->giveUpAwaiting(call);
      break;
    }
    case Kind::kFailed:
      group->fail(message.getText());
      break;
    case Kind::kLeave:
      group->leave(rank);
      break;
    default:
      throw std::runtime_error("unknown message");
  }
}

void RemoteMember::closed() {
  std::shared_ptr<LocalGroup> group;
  std::shared_ptr<LocalFormation> formation;
  bool hasLeft = false;
  {
    std::lock_guard lock(state_);
    isOver_ = true;
    hasLeft = isExpected_;  // while the communicator moved
    group = std::move(group_);
    formation = std::move(formation_);
    changed_.notify_all();
  }
  if (group != nullptr && hasLeft) {
    group->leave(candidate_.rank);
  } else if (group != nullptr) {
    group->lose(candidate_.rank);
  } else if (formation != nullptr && candidate_.size > 0) {
    formation->abandon(HCCL_E_REMOTE, "rank " + std::to_string(candidate_.rank) + " (process " +
                                          std::to_string(peer()) +
                                          ") ended before the communicator was complete");
  }
}

std::shared_ptr<ipc::Listener> openDoor(const std::string& name, const std::string& key,
                                        std::shared_ptr<LocalFormation> formation) {
  return ipc::Listener::open(name, [key, formation = std::move(formation)](ipc::File socket) {
    std::make_shared<RemoteMember>(std::move(socket), formation, key)->start();
  });
}

}  // namespace cann4j::hccl
