// SPDX-License-Identifier: Apache-2.0
// The ranks of collectives_benchmark as those of an MPI program.
//   mpirun -n RANKS collectives_mpi BOARD
#include <mpi.h>

#include <vector>

#include "collectives_worker.hpp"

using namespace benchmark;

namespace {

class Operations {
 public:
  Operations(const Board& board, int rank)
      : size_(static_cast<int>(board.ranks)),
        rank_(rank),
        from_(allocate(board.window())),
        to_(allocate(board.window())) {}

  void run(int collective, uint64_t bytes, uint64_t offset) {
    char* from = from_ + offset;
    char* to = to_ + offset;
    const int count = static_cast<int>(bytes / sizeof(float));
    const int part = count / size_;
    switch (collective) {
      case kSend:
        sendThereAndBack(from, to, count);
        break;
      case kExchange:
        MPI_Sendrecv(from, count, MPI_FLOAT, (rank_ + 1) % size_, 0, to, count, MPI_FLOAT,
                     (rank_ + size_ - 1) % size_, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        break;
      case kAllToAll:
        MPI_Alltoall(from, part, MPI_FLOAT, to, part, MPI_FLOAT, MPI_COMM_WORLD);
        break;
      case kAllToAllV: {
        const std::vector<int> counts(size_, part);
        std::vector<int> places(size_);
        for (int i = 0; i < size_; ++i) places[i] = i * part;
        MPI_Alltoallv(from, counts.data(), places.data(), MPI_FLOAT, to, counts.data(),
                      places.data(), MPI_FLOAT, MPI_COMM_WORLD);
        break;
      }
      case kAllGather:
        MPI_Allgather(from, part, MPI_FLOAT, to, part, MPI_FLOAT, MPI_COMM_WORLD);
        break;
      case kReduceScatter:
        // Open MPI has better algorithms for this one than for MPI_Reduce_scatter_block.
        MPI_Reduce_scatter(from, to, std::vector<int>(size_, part).data(), MPI_FLOAT, MPI_SUM,
                           MPI_COMM_WORLD);
        break;
      case kAllReduce:
        MPI_Allreduce(from, to, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        break;
    }
  }

 private:
  static char* allocate(uint64_t bytes) {
    constexpr size_t kHugePage = size_t{2} << 20;
    void* memory = std::aligned_alloc(kHugePage, (bytes + kHugePage - 1) / kHugePage * kHugePage);
    if (memory == nullptr) {
      std::fprintf(stderr, "no memory of %llu bytes\n", static_cast<unsigned long long>(bytes));
      MPI_Abort(MPI_COMM_WORLD, 1);
    }
    madvise(memory, bytes, MADV_HUGEPAGE);
    std::memset(memory, 0x3f, bytes);
    return static_cast<char*>(memory);
  }

  void sendThereAndBack(char* from, char* to, int count) const {
    const int peer = rank_ ^ 1;
    if (peer >= size_) {
      return;
    }
    for (const bool sends : {rank_ < peer, rank_ > peer}) {
      if (sends) {
        MPI_Send(from, count, MPI_FLOAT, peer, 0, MPI_COMM_WORLD);
      } else {
        MPI_Recv(to, count, MPI_FLOAT, peer, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      }
    }
  }

  const int size_;
  const int rank_;
  char* const from_;
  char* const to_;
};

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  if (argc != 2) {
    std::fprintf(stderr, "collectives_mpi BOARD\n");
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  Board& board = *openBoard(argv[1]);
  Operations operations(board, rank);
  Worker<Operations>(board, static_cast<uint32_t>(rank), operations).serve();
  MPI_Finalize();
}
