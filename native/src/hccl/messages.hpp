// SPDX-License-Identifier: Apache-2.0
// What a communicator's processes say to each other. One of them, the coordinator, is where its
// operations meet; the ranks of the others have a connection with it each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hccl/formation.hpp"
#include "hccl/group.hpp"
#include "ipc/message.hpp"
#include "runtime/remote_memory.hpp"

namespace cann4j::hccl {

enum class Kind : uint8_t {
  // From a rank.
  kJoin,     // Join, with the memory of its device
  kJoinSub,  // JoinSub, with the new connection, on that of the parent
  kGiveUp,   // it has waited long enough for the others to join
  kOffer,   // call, peers
  kAwait,   // number, call, peers
  kGiveUpAwaiting,  // call
  kPost,    // number, posts
  kArrive,  // number, sequence, arrival
  kFailed,  // words: why the communicator is of no use any more
  kLeave,
  kRejoin,   // Rejoin, with the memory of its device, to the new coordinator
  kHosting,  // it is the new coordinator
  // From the coordinator.
  kWelcome,  // Welcome
  kRefuse,   // result, words
  kLinked,   // number of an await, result, words
  kDone,     // number of a post or an arrival
  kFail,     // words
  // From a coordinator that ends.
  kHost,        // Hosting: be the new coordinator
  kHostMember,  // rank, with a connection with it
  kHostEnd,
  kReturn,      // number, call, ticket: this part has to be posted again
  kMove,        // process, with a connection with the new coordinator
};

// Differs between versions of the toolkit that do not understand each other.
std::string protocolName();

struct Join {
  std::string protocol;
  std::string key;  // of the formation
  Candidate candidate;
  uintptr_t base;
  size_t span;
};

struct JoinSub {
  uint64_t subCommId;
  std::vector<uint32_t> ranks;
  Candidate candidate;
};

struct Welcome {
  std::string name;
  std::vector<int> devices;
  std::vector<int> processes;  // by rank
};

struct Rejoin {
  uintptr_t base;
  size_t span;
};

struct Hosting {
  Welcome identity;
  Settings settings;
  std::vector<uint8_t> hasLeft;  // by rank
};

ipc::Writer write(Kind kind);
ipc::Writer write(const Join& join);
ipc::Writer write(const JoinSub& join);
ipc::Writer write(const Welcome& welcome);
ipc::Writer write(const Hosting& hosting);
// `number` is said again when all of them are done.
ipc::Writer write(uint64_t number, const std::vector<Posted>& posts);
ipc::Writer write(uint64_t number, uint64_t sequence, const Arrival& arrival);
ipc::Writer write(Kind kind, const std::string& words);

// What follows the kind. They throw when it makes no sense.
Join readJoin(ipc::Reader& message);
JoinSub readJoinSub(ipc::Reader& message);
Welcome readWelcome(ipc::Reader& message);
Hosting readHosting(ipc::Reader& message);
// The buffers are in `memory`; the waiters are left to the caller.
std::vector<Posted> readPosts(ipc::Reader& message, const RemoteMemory& memory);
Arrival readArrival(ipc::Reader& message, const RemoteMemory& memory);

}  // namespace cann4j::hccl
