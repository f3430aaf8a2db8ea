// SPDX-License-Identifier: Apache-2.0
// The ranks of collectives_benchmark as threads or processes that call HCCL, one device each. Every
// operation is submitted and waited for before the next.
//   collectives_cann threads|processes BOARD
#include <sys/wait.h>

#include <string>
#include <thread>
#include <vector>

#include "../clients/client.h"
#include "collectives_worker.hpp"
#include "hccl/hccl.h"

using namespace benchmark;

#define HCCL_TRY(call)                                                                    \
  do {                                                                                    \
    const int code_ = static_cast<int>(call);                                             \
    if (code_ != 0) client_die(__FILE__, __LINE__, #call, code_, aclGetRecentErrMsg());   \
  } while (0)

namespace {

constexpr HcclDataType kType = HCCL_DATA_TYPE_FP32;

class Operations {
 public:
  Operations(Board& board, uint32_t rank) : size_(board.ranks), rank_(rank) {
    uint32_t devices = 0;
    TRY(aclrtGetDeviceCount(&devices));
    REQUIRE(devices >= size_, "fewer devices than ranks; CANN4J_CPU_DEVICES sets their number");
    TRY(aclrtSetDevice(static_cast<int32_t>(rank)));
    TRY(aclrtCreateStream(&stream_));
    HcclRootInfo root;
    static_assert(sizeof root <= sizeof board.root);
    if (rank == 0) {
      HCCL_TRY(HcclGetRootInfo(&root));
      std::memcpy(board.root, &root, sizeof root);
    }
    pthread_barrier_wait(&board.barrier);
    std::memcpy(&root, board.root, sizeof root);
    HCCL_TRY(HcclCommInitRootInfo(size_, &root, rank, &comm_));
    for (char** buffer : {&from_, &to_}) {
      *buffer = static_cast<char*>(device_memory(board.window()));
      TRY(aclrtMemset(*buffer, board.window(), 0x3f, board.window()));
    }
  }

  void close() {
    HCCL_TRY(HcclCommDestroy(comm_));
    TRY(aclrtFree(from_));
    TRY(aclrtFree(to_));
    TRY(aclrtDestroyStream(stream_));
    TRY(aclrtResetDevice(static_cast<int32_t>(rank_)));
  }

  void run(int collective, uint64_t bytes, uint64_t offset) {
    char* from = from_ + offset;
    char* to = to_ + offset;
    const uint64_t count = bytes / sizeof(float);
    const uint64_t part = count / size_;
    switch (collective) {
      case kSend:
        sendThereAndBack(from, to, count);
        return;
      case kExchange: {
        HcclSendRecvItem items[2] = {
            {HCCL_SEND, from, count, kType, (rank_ + 1) % size_},
            {HCCL_RECV, to, count, kType, (rank_ + size_ - 1) % size_}};
        HCCL_TRY(HcclBatchSendRecv(items, 2, comm_, stream_));
        break;
      }
      case kAllToAll:
        HCCL_TRY(HcclAlltoAll(from, part, kType, to, part, kType, comm_, stream_));
        break;
      case kAllToAllV: {
        const std::vector<uint64_t> counts(size_, part);
        std::vector<uint64_t> places(size_);
        for (uint32_t i = 0; i < size_; ++i) places[i] = i * part;
        HCCL_TRY(HcclAlltoAllV(from, counts.data(), places.data(), kType, to, counts.data(),
                               places.data(), kType, comm_, stream_));
        break;
      }
      case kAllGather:
        HCCL_TRY(HcclAllGather(from, to, part, kType, comm_, stream_));
        break;
      case kReduceScatter:
        HCCL_TRY(HcclReduceScatter(from, to, part, kType, HCCL_REDUCE_SUM, comm_, stream_));
        break;
      case kAllReduce:
        HCCL_TRY(HcclAllReduce(from, to, count, kType, HCCL_REDUCE_SUM, comm_, stream_));
        break;
    }
    TRY(aclrtSynchronizeStream(stream_));
  }

 private:
  void sendThereAndBack(char* from, char* to, uint64_t count) {
    const uint32_t peer = rank_ ^ 1;
    if (peer >= size_) {
      return;
    }
    for (const bool sends : {rank_ < peer, rank_ > peer}) {
      HCCL_TRY(sends ? HcclSend(from, count, kType, peer, comm_, stream_)
                     : HcclRecv(to, count, kType, peer, comm_, stream_));
      TRY(aclrtSynchronizeStream(stream_));
    }
  }

  const uint32_t size_;
  const uint32_t rank_;
  aclrtStream stream_ = nullptr;
  HcclComm comm_ = nullptr;
  char* from_ = nullptr;
  char* to_ = nullptr;
};

void runRank(Board& board, uint32_t rank) {
  Operations operations(board, rank);
  Worker<Operations>(board, rank, operations).serve();
  operations.close();
}

void runThreads(Board& board) {
  TRY(aclInit(nullptr));
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < board.ranks; ++rank) {
    threads.emplace_back([&board, rank] { runRank(board, rank); });
  }
  for (std::thread& thread : threads) thread.join();
  TRY(aclFinalize());
}

// Forked before anything of the toolkit runs.
int runProcesses(Board& board) {
  for (uint32_t rank = 0; rank < board.ranks; ++rank) {
    if (fork() == 0) {
      TRY(aclInit(nullptr));
      runRank(board, rank);
      TRY(aclFinalize());
      std::exit(0);
    }
  }
  int status = 0;
  int failures = 0;
  while (wait(&status) > 0) failures += status != 0;
  return failures;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string where = argc == 3 ? argv[1] : "";
  if (where != "threads" && where != "processes") {
    std::fprintf(stderr, "collectives_cann threads|processes BOARD\n");
    return 2;
  }
  Board& board = *openBoard(argv[2]);
  if (where == "processes") {
    return runProcesses(board);
  }
  runThreads(board);
  return 0;
}
