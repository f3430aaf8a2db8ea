// SPDX-License-Identifier: Apache-2.0
#include "hccl/line.hpp"

#include <signal.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "hccl/hand_over.hpp"
#include "hccl/remote_group.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

HcclResult tell(const char* function, const Candidate& candidate, const Line::Answer& answer) {
  return answer.result == HCCL_SUCCESS
             ? HCCL_SUCCESS
             : fail(answer.result, "%s: rank %u of %u on device %d: %s", function, candidate.rank,
                    candidate.size, candidate.device, answer.words.c_str());
}

// The members of a sub-communicator meet where those of its parent do.
class SubFormation : public Formation {
 public:
  SubFormation(std::shared_ptr<RemoteGroup> parent, uint64_t subCommId,
               std::vector<uint32_t> ranks)
      : parent_(std::move(parent)), subCommId_(subCommId), ranks_(std::move(ranks)) {}

  HcclResult join(const char* function, const Candidate& candidate,
                  std::shared_ptr<Group>* group) override {
    return guarded(HCCL_E_SYSCALL, function, [&] {
      for (;;) {
        const std::shared_ptr<Line> parent = parent_->line();
        auto [own, other] = ipc::socketPair();
        auto line = std::make_shared<Line>(std::move(own), parent->coordinator());
        const Line::Answer answer = line->join(
            candidate, {*parent, write(JoinSub{subCommId_, ranks_, candidate}), std::move(other)},
            group);
        if (!answer.isEnd || !parent_->hasMovedFrom(*parent)) {
          return tell(function, candidate, answer);
        }
      }
    });
  }

 private:
  const std::shared_ptr<RemoteGroup> parent_;
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

std::shared_ptr<Formation> remoteSubFormation(std::shared_ptr<RemoteGroup> parent,
                                              uint64_t subCommId, std::vector<uint32_t> ranks) {
  return std::make_shared<SubFormation>(std::move(parent), subCommId, std::move(ranks));
}

Line::Line(ipc::File socket, pid_t coordinator, std::shared_ptr<RemoteGroup> group)
    : Connection(std::move(socket)),
      coordinator_(coordinator),
      answer_(Answer{HCCL_SUCCESS, {}}),
      group_(std::move(group)),
      isTaken_(true) {}

Line::Answer Line::join(const Candidate& candidate, Request request,
                        std::shared_ptr<Group>* group) {
  candidate_ = candidate;
  start();
  offerMailbox();
  request.on.send(std::move(request.message), std::move(request.file));
  std::unique_lock lock(state_);
  const auto hasAnswer = [this] { return answer_.has_value(); };
  if (!answered_.wait_for(lock, candidate.settings.connectTimeout, hasAnswer)) {
    // The coordinator knows who is missing.
    send(write(Kind::kGiveUp));
    answered_.wait_for(lock, kGrace, hasAnswer);
  }
  const Answer answer = answer_.value_or(
      Answer{HCCL_E_TIMEOUT, "process " + std::to_string(coordinator_) + " does not answer"});
  *group = group_;
  isTaken_ = true;
  lock.unlock();
  if (answer.result != HCCL_SUCCESS) {
    close();
  }
  return answer;
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

void Line::received(ipc::Reader& message, ipc::File file) {
  const auto kind = message.get<Kind>();
  const std::shared_ptr<RemoteGroup> joined = group();
  if (kind == Kind::kWelcome) {
    welcome(message);
  } else if (kind == Kind::kRefuse) {
    const auto failure = message.get<HcclResult>();
    answer({failure, message.getText()});
  } else if (kind == Kind::kHost) {
    hosted_ = takeOver(readHosting(message));
  } else if (kind == Kind::kHostMember && hosted_ != nullptr) {
    takeOverMember(hosted_, message.get<uint32_t>(), std::move(file));
  } else if (kind == Kind::kHostEnd) {
    hosted_.reset();
    send(write(Kind::kHosting));
  } else if (kind == Kind::kMove) {
    move(message.get<pid_t>(), std::move(file));
  } else if (joined != nullptr) {
    serve(*joined, kind, message);
  } else if (kind == Kind::kFail) {
    earlyFailure_ = message.getText();
  }
}

void Line::serve(RemoteGroup& joined, Kind kind, ipc::Reader& message) {
  switch (kind) {
    case Kind::kLinked: {
      const auto number = message.get<uint64_t>();
      const auto result = message.get<HcclResult>();
      joined.linked(number, result, message.getText());
      break;
    }
    case Kind::kDone:
      joined.done(message.get<uint64_t>());
      break;
    case Kind::kFail:
      joined.end(message.getText());
      break;
    case Kind::kReturn: {
      const auto number = message.get<uint64_t>();
      const auto call = message.get<Call>();
      joined.returned(number, call, message.get<uint64_t>());
      break;
    }
    default:
      throw std::runtime_error("unknown message");
  }
}

void Line::welcome(ipc::Reader& message) {
  auto joined = std::make_shared<RemoteGroup>(readWelcome(message), candidate_,
                                              std::static_pointer_cast<Line>(shared_from_this()));
  Watchdog::instance().watch(joined);
  if (!earlyFailure_.empty()) {
    joined->end(earlyFailure_);
  }
  {
    std::lock_guard lock(state_);
    group_ = std::move(joined);
  }
  answer({HCCL_SUCCESS, {}});
}

// From now on another connection speaks for the group.
void Line::move(pid_t coordinator, ipc::File socket) {
  std::shared_ptr<RemoteGroup> joined;
  {
    std::lock_guard lock(state_);
    joined = std::move(group_);
  }
  if (joined != nullptr) {
    joined->move(std::make_shared<Line>(std::move(socket), coordinator, joined));
  }
  close();
}

void Line::closed() {
  const std::string process = "process " + std::to_string(coordinator_);
  answer({HCCL_E_REMOTE, process + ", where the communicator was to meet, has ended", true});
  std::shared_ptr<RemoteGroup> joined;
  {
    std::lock_guard lock(state_);
    joined = std::move(group_);
    // It was so short that the rank has not noticed.
    if (joined != nullptr && !isTaken_) {
      answer_ = Answer{HCCL_E_REMOTE, process + ", where the communicator meets, has ended"};
    }
  }
  if (joined != nullptr) {
    joined->lose(*this);
  }
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
    if (!socket.isOpen() && errno != ECONNREFUSED && errno != EACCES) {
      *isThere = true;
      return fail(HCCL_E_SYSCALL, "%s: cannot connect with another process: %s", function,
                  std::strerror(errno));
    }
    if (!*isThere) {
      return HCCL_E_TCP_CONNECT;
    }
    auto line = std::make_shared<Line>(std::move(socket));
    const Join join{protocolName(), key, candidate, device.base, device.span};
    return tell(function, candidate,
                line->join(candidate, {*line, write(join), ipc::File::copyOf(device.file)}, group));
  });
}

}  // namespace cann4j::hccl
