// SPDX-License-Identifier: Apache-2.0
// What the programs that collectives_benchmark starts have in common: their ranks sleep until a
// command comes, carry it out at the same time, and report how long an operation took.
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace benchmark {

enum Collective { kSend, kExchange, kAllToAll, kAllToAllV, kAllGather, kReduceScatter, kAllReduce };

inline constexpr const char* kNames[] = {"send",      "exchange",      "alltoall", "alltoallv",
                                         "allgather", "reducescatter", "allreduce"};
inline constexpr uint32_t kMaxRanks = 64;
inline constexpr uint64_t kLeastWindow = uint64_t{64} << 20;

struct Command {
  int collective;  // negative: the end
  uint64_t bytes;  // of the larger buffer of a rank
  double budget;   // seconds
};

// In a file that all ranks map, so that those who wait neither use a core nor need what is measured.
struct Board {
  pthread_barrier_t barrier;
  std::atomic<uint64_t> met;
  uint32_t ranks;
  uint64_t maxBytes;
  Command command;
  double seconds[kMaxRanks];
  char root[8192];  // what one rank has to tell the others once

  // Of each buffer. Operations use one part after the other, so what they move is in no cache.
  uint64_t window() const { return std::max(kLeastWindow, maxBytes); }
};

inline Board* openBoard(const char* path) {
  const int file = open(path, O_RDWR);
  void* start = MAP_FAILED;
  if (file >= 0) {
    start = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  if (start == MAP_FAILED) {
    std::perror(path);
    std::exit(2);
  }
  return static_cast<Board*>(start);
}

inline double now() {
  const auto sinceStart = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(sinceStart).count();
}

// `Operations` has run(collective, bytes, offset), with the bytes and the place in each buffer.
template <class Operations>
class Worker {
 public:
  Worker(Board& board, uint32_t rank, Operations& operations)
      : board_(board), rank_(rank), operations_(operations) {}

  void serve() {
    for (;;) {
      if (rank_ == 0 && !receive(&board_.command)) {
        board_.command.collective = -1;
      }
      sleepUntilAll();
      const Command command = board_.command;
      if (command.collective < 0) {
        return;
      }
      measure(command, 1);
      const double once = measure(command, 2);
      const double taken = measure(command, std::clamp(command.budget / once, 2.0, 5000.0));
      if (rank_ == 0) {
        std::printf("%.9f\n", taken);
        std::fflush(stdout);
      }
    }
  }

 private:
  static bool receive(Command* command) {
    char line[128];
    if (std::fgets(line, sizeof line, stdin) == nullptr) {
      return false;
    }
    unsigned long long bytes = 0;
    const int found =
        std::sscanf(line, "%d %llu %lf", &command->collective, &bytes, &command->budget);
    command->bytes = bytes;
    return found == 3;
  }

  void sleepUntilAll() { pthread_barrier_wait(&board_.barrier); }

  void spinUntilAll() {
    round_ += board_.ranks;
    board_.met.fetch_add(1);
    for (unsigned i = 1; board_.met.load(std::memory_order_acquire) < round_; ++i) {
      if (i % 1000 == 0) {
        sched_yield();
      }
    }
  }

  // Seconds per operation on the rank that took longest.
  double measure(const Command& command, double times) {
    const auto count = static_cast<int>(times);
    const uint64_t stride = (command.bytes + 63) / 64 * 64;
    const uint64_t places = board_.window() / stride;
    sleepUntilAll();
    spinUntilAll();
    const double start = now();
    for (int i = 0; i < count; ++i) {
      operations_.run(command.collective, command.bytes, next_++ % places * stride);
    }
    board_.seconds[rank_] = (now() - start) / count;
    sleepUntilAll();
    const double longest = *std::max_element(board_.seconds, board_.seconds + board_.ranks);
    return command.collective == kSend ? longest / 2 : longest;  // there and back
  }

  Board& board_;
  const uint32_t rank_;
  Operations& operations_;
  uint64_t round_ = 0;
  uint64_t next_ = 0;
};

}  // namespace benchmark
