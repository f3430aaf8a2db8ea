// SPDX-License-Identifier: Apache-2.0
#include "hccl/hand_over.hpp"

#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "hccl/formation.hpp"
#include "hccl/remote_group.hpp"
#include "hccl/remote_member.hpp"

namespace cann4j::hccl {
namespace {

// For the whole of it; as a rule it takes less than a millisecond.
constexpr std::chrono::seconds kLimit{3};

Hosting hostingOf(const LocalGroup& group, const RemoteMembers& members) {
  Hosting hosting;
  hosting.identity = {group.name(), {}, group.processes()};
  hosting.settings = group.settings();
  for (uint32_t rank = 0; rank < group.size(); ++rank) {
    hosting.identity.devices.push_back(group.device(rank));
    hosting.hasLeft.push_back(members[rank] == nullptr);
  }
  return hosting;
}

// Offers the communicator to the process of one rank. Whoever is told to move, moves to a process
// that has said that it is the new coordinator.
bool moveTo(RemoteMember& successor, const LocalGroup& group, const RemoteMembers& members,
            Clock::time_point deadline) {
  std::vector<ipc::File> ends;
  successor.send(write(hostingOf(group, members)));
  for (uint32_t rank = 0; rank < members.size(); ++rank) {
    auto [end, other] = members[rank] != nullptr ? ipc::socketPair()
                                                 : std::pair<ipc::File, ipc::File>();
    if (other.isOpen()) {
      successor.send(std::move(write(Kind::kHostMember).put(rank)), std::move(other));
    }
    ends.push_back(std::move(end));
  }
  successor.send(write(Kind::kHostEnd));
  if (!successor.awaitHosting(deadline)) {
    return false;
  }
  for (uint32_t rank = 0; rank < members.size(); ++rank) {
    if (members[rank] != nullptr) {
      members[rank]->send(std::move(write(Kind::kMove).put(successor.peer())),
                          std::move(ends[rank]));
    }
  }
  return true;
}

// A rank of this process, connected with its own process, that has not destroyed its communicator.
bool hasOwnRank(const LocalGroup& group) {
  for (const std::shared_ptr<Group>& other : Watchdog::instance().groups()) {
    auto* remote = dynamic_cast<RemoteGroup*>(other.get());
    if (remote != nullptr && remote->name() == group.name() &&
        remote->size() == group.size() && group.processes()[remote->rank()] == getpid() &&
        !remote->hasLeft()) {
      return true;
    }
  }
  return false;
}

void handOver(LocalGroup& group, Clock::time_point deadline) {
  if (hasOwnRank(group)) {
    return;
  }
  const std::optional<LocalGroup::Remainder> remainder = group.stop(deadline);
  if (!remainder.has_value()) {
    return;
  }
  const RemoteMembers& members = remainder->members;
  for (const std::shared_ptr<RemoteMember>& member : members) {
    if (member != nullptr) {
      member->awaitRejoined(deadline);
    }
  }
  for (const Posted& posted : remainder->unmatched) {
    static_cast<const RemoteWaiter&>(*posted.waiter).giveBack(posted);
  }
  for (const std::shared_ptr<RemoteMember>& member : members) {
    if (member != nullptr && moveTo(*member, group, members, deadline)) {
      break;
    }
  }
  for (const std::shared_ptr<RemoteMember>& member : members) {
    while (member != nullptr && member->hasUnsent() && Clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

// Ranks elsewhere may make another sub-communicator here until its parent has moved, so it looks
// again until there is none that it has not seen.
void handOverAll() {
  const Clock::time_point deadline = Clock::now() + kLimit;
  std::set<std::shared_ptr<Group>> seen;
  for (bool isNew = true; isNew;) {
    isNew = false;
    for (const std::shared_ptr<Group>& group : Watchdog::instance().groups()) {
      auto* local = dynamic_cast<LocalGroup*>(group.get());
      if (local == nullptr || !seen.insert(group).second) {
        continue;
      }
      isNew = true;
      try {
        handOver(*local, deadline);
      } catch (const std::exception&) {  // the others see that this process has ended
      }
    }
  }
}

}  // namespace

void handOverAtExit() {
  static const pid_t process = getpid();
  static const bool isRegistered = std::atexit([] {
                                     if (getpid() == process) {  // and not a child without exec
                                       handOverAll();
                                     }
                                   }) == 0;
  static_cast<void>(isRegistered);
}

std::shared_ptr<LocalGroup> takeOver(const Hosting& hosting) {
  handOverAtExit();
  const Welcome& identity = hosting.identity;
  std::shared_ptr<LocalGroup> group = makeGroup(identity.name, identity.devices,
                                                identity.processes, hosting.settings, {});
  for (uint32_t rank = 0; rank < group->size(); ++rank) {
    if (hosting.hasLeft.at(rank) != 0) {
      group->leave(rank);
    }
  }
  return group;
}

void takeOverMember(const std::shared_ptr<LocalGroup>& group, uint32_t rank, ipc::File socket) {
  auto member = std::make_shared<RemoteMember>(std::move(socket), group, rank);
  group->take(rank, member);
  member->start();
}

}  // namespace cann4j::hccl
