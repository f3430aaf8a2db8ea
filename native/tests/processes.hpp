// SPDX-License-Identifier: Apache-2.0
// Ranks in several processes. A test that calls run() starts its own program once per process, with
// only this test; there the same call of run() carries out the body, and all others do nothing.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "hccl_ranks.hpp"

extern char** environ;

// The name under which this test can be started alone.
#define THIS_TEST (__func__ + std::strlen("test_"))

namespace processes {

// The ranks of each process.
using Shape = std::vector<std::vector<uint32_t>>;

using ranks::kIndex;
inline constexpr const char* kCall = "CANN4J_TEST_CALL";
inline constexpr int kChannel = 3;
inline const std::chrono::seconds kLimit = std::chrono::seconds(120) * check::slowness();

// Whether this process has carried out what it was started for.
inline bool& hasRun() {
  static bool done = false;
  return done;
}
inline const bool isChecked = [] {
  return std::atexit([] {
           if (std::getenv(kIndex) != nullptr && !hasRun()) {
             _exit(3);
           }
         }) == 0;
}();

// One of the processes, on the inside.
class Process {
 public:
  explicit Process(const Shape& shape) : shape_(shape), index_(std::stoul(std::getenv(kIndex))) {}

  size_t index() const { return index_; }
  const std::vector<uint32_t>& ranks() const { return shape_[index_]; }
  uint32_t size() const {
    size_t size = 0;
    for (const auto& ranks : shape_) {
      size += ranks.size();
    }
    return static_cast<uint32_t>(size);
  }

  // All other processes hear it.
  void tell(const void* bytes, size_t size) const {
    CHECK_EQ(::send(kChannel, bytes, size, MSG_NOSIGNAL), static_cast<ssize_t>(size));
  }
  void tell(const std::string& text) const { tell(text.data(), text.size()); }
  std::string hear() const {
    pollfd channel{kChannel, POLLIN, 0};
    CHECK(poll(&channel, 1, 60000 * check::slowness()) == 1);
    std::string bytes(8192, '\0');
    const ssize_t size = ::recv(kChannel, bytes.data(), bytes.size(), 0);
    CHECK(size > 0);
    bytes.resize(static_cast<size_t>(size));
    return bytes;
  }
  // Returns when all processes, or all but some, have come.
  void meet(size_t without = 0) const {
    tell("here");
    for (size_t other = 1 + without; other < shape_.size(); ++other) {
      CHECK_EQ(hear(), std::string("here"));
    }
  }
  // The first process makes it for all.
  HcclRootInfo rootInfo() const {
    if (index_ == 0) {
      CHECK_OK(aclrtSetDevice(static_cast<int32_t>(ranks().front())));
      HcclRootInfo made;
      CHECK_OK(HcclGetRootInfo(&made));
      tell(&made, sizeof made);
      return made;
    }
    const std::string bytes = hear();
    HcclRootInfo heard;
    CHECK_EQ(bytes.size(), sizeof heard);
    std::memcpy(&heard, bytes.data(), sizeof heard);
    return heard;
  }
  // A thread for every rank of this process, on the device of its number.
  void onThreads(const std::function<void(uint32_t)>& body) const {
    ranks::onThreads(static_cast<uint32_t>(ranks().size()), [&](uint32_t i) {
      CHECK_OK(aclrtSetDevice(static_cast<int32_t>(ranks()[i])));
      body(ranks()[i]);
    });
  }

 private:
  const Shape& shape_;
  const size_t index_;
};

// The processes from the outside: what one of them tells goes to all others.
class Team {
 public:
  // `variables` may have "NAME=value" for each process.
  Team(const char* test, int call, const Shape& shape, const std::vector<std::string>& variables) {
    for (size_t index = 0; index < shape.size(); ++index) {
      start(test, call, index, variables.empty() ? "" : variables[index]);
    }
  }
  Team(const Team&) = delete;
  ~Team() {
    for (const Member& member : members_) {
      if (!member.status.has_value()) {
        kill(member.process, SIGKILL);
        waitpid(member.process, nullptr, 0);
      }
      if (member.channel >= 0) {
        close(member.channel);
      }
    }
  }

  // Until all have ended.
  void serve() {
    const auto deadline = std::chrono::steady_clock::now() + kLimit;
    while (true) {
      std::vector<pollfd> channels;
      for (const Member& member : members_) {
        channels.push_back({member.channel, POLLIN, 0});
      }
      if (poll(channels.data(), channels.size(), 100) < 0) {
        CHECK_EQ(errno, EINTR);
        continue;
      }
      bool isOver = true;
      for (size_t i = 0; i < members_.size(); ++i) {
        if (channels[i].revents != 0) {
          relay(i);
        }
        isOver = isOver && members_[i].channel < 0;
      }
      if (isOver) {
        break;
      }
      CHECK(std::chrono::steady_clock::now() < deadline);
    }
    for (Member& member : members_) {
      int status = 0;
      CHECK_EQ(waitpid(member.process, &status, 0), member.process);
      member.status = status;
    }
  }

  int status(size_t index) const { return *members_[index].status; }

 private:
  struct Member {
    pid_t process;
    int channel;
    std::optional<int> status;
  };

  void start(const char* test, int call, size_t index, std::string variable) {
    int ends[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], kChannel);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    std::string which = std::string(kIndex) + "=" + std::to_string(index);
    std::string where = std::string(kCall) + "=" + std::to_string(call);
    std::vector<char*> environment{which.data(), where.data()};
    if (!variable.empty()) {
      environment.push_back(variable.data());
    }
    for (char** entry = environ; *entry != nullptr; ++entry) {
      environment.push_back(*entry);
    }
    environment.push_back(nullptr);
    std::vector<std::string> words = emulator();
    words.push_back(ownPath());
    words.push_back(test);
    std::vector<char*> arguments;
    for (std::string& word : words) {
      arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    pid_t process = -1;
    CHECK_EQ(posix_spawn(&process, arguments[0], &actions, nullptr, arguments.data(),
                         environment.data()),
             0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    members_.push_back({process, ends[0], std::nullopt});
  }

  // The command that runs programs of another architecture, or nothing.
  static std::vector<std::string> emulator() {
    const char* launch = std::getenv("CANN4J_TEST_LAUNCH");
    std::istringstream text(launch != nullptr ? launch : "");
    return {std::istream_iterator<std::string>(text), {}};
  }

  static std::string ownPath() {
    char path[4096] = {};
    CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    return path;
  }

  void relay(size_t from) {
    char bytes[8192];
    const ssize_t size = recv(members_[from].channel, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size <= 0) {
      close(members_[from].channel);
      members_[from].channel = -1;
      return;
    }
    for (size_t to = 0; to < members_.size(); ++to) {
      if (to != from && members_[to].channel >= 0) {
        send(members_[to].channel, bytes, static_cast<size_t>(size), MSG_NOSIGNAL);
      }
    }
  }

  std::vector<Member> members_;
};

// `test` is the name of the running test. Processes in `killed` are to die of SIGKILL.
inline void start(const char* test, const Shape& shape, const std::vector<size_t>& killed,
                  const std::function<void(const Process&)>& body,
                  const std::vector<std::string>& variables = {}) {
  static std::string current;
  static int call = 0;
  call = current == test ? call + 1 : 1;
  current = test;
  if (std::getenv(kIndex) == nullptr) {
    Team team(test, call, shape, variables);
    team.serve();
    for (size_t index = 0; index < shape.size(); ++index) {
      const int status = team.status(index);
      const bool isKilled = std::find(killed.begin(), killed.end(), index) != killed.end();
      const bool isRight = isKilled ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                                    : WIFEXITED(status) && WEXITSTATUS(status) == 0;
      if (!isRight) {
        check::failed(__FILE__, __LINE__,
                      "process " + std::to_string(index) + " ended with status " +
                          std::to_string(status) + "; its words are above");
      }
    }
    return;
  }
  if (call != std::stoi(std::getenv(kCall))) {
    return;
  }
  hasRun() = true;
  const Process process(shape);
  try {
    body(process);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "        process %zu: %s\n", process.index(), e.what());
    throw;
  }
}

// A communicator of all ranks, a stream each.
inline void run(const char* test, const Shape& shape,
                const std::function<void(const ranks::Rank&)>& body) {
  start(test, shape, {}, [&](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    process.onThreads([&](uint32_t rank) {
      ranks::onCommunicator(process.size(), rootInfo, rank, body);
    });
  });
}

}  // namespace processes
