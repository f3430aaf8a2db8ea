// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.bandwidth;

import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.ReduceOp;
import io.github.cann4j.hccl.SendRecv;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The operations that are timed, with the sizes and factors of nccl-tests. S is the size in the
 * table: what a rank sends for sendrecv and allreduce, what it sends to all ranks together for
 * alltoall, and what it has at the end for allgather. {@code algbw = S / time}; busbw multiplies it
 * with a factor that makes different numbers of ranks comparable.
 *
 * <p>Input element i of rank r is a small whole number, so that every result is exact in fp32.
 */
public enum Collective {
  /** Every rank sends to the next one and receives from the previous one. */
  SENDRECV("sendrecv", "none", false) {
    @Override
    void enqueue(Communicator communicator, Tensor send, Tensor recv, Stream stream) {
      int ranks = communicator.size();
      communicator.batchSendRecv(
          List.of(
              SendRecv.send(send, (communicator.rank() + 1) % ranks),
              SendRecv.recv(recv, (communicator.rank() + ranks - 1) % ranks)),
          stream);
    }

    @Override
    float expected(int rank, int ranks, long index, long count) {
      return input((rank + ranks - 1) % ranks, index);
    }

    @Override
    double busFactor(int ranks) {
      return 1;
    }
  },
  /** Rank r gets block r of every rank. */
  ALLTOALL("alltoall", "none", true) {
    @Override
    void enqueue(Communicator communicator, Tensor send, Tensor recv, Stream stream) {
      communicator.allToAll(send, recv, stream);
    }

    @Override
    float expected(int rank, int ranks, long index, long count) {
      return input((int) (index / count), rank * count + index % count);
    }
  },
  /** Every rank gets what all ranks have. */
  ALLGATHER("allgather", "none", true) {
    @Override
    long sendElements(long count, int ranks) {
      return count;
    }

    @Override
    void enqueue(Communicator communicator, Tensor send, Tensor recv, Stream stream) {
      communicator.allGather(send, recv, stream);
    }

    @Override
    float expected(int rank, int ranks, long index, long count) {
      return input((int) (index / count), index % count);
    }
  },
  /** Every rank gets the sum. */
  ALLREDUCE("allreduce", "sum", false) {
    @Override
    void enqueue(Communicator communicator, Tensor send, Tensor recv, Stream stream) {
      communicator.allReduce(send, recv, ReduceOp.SUM, stream);
    }

    @Override
    float expected(int rank, int ranks, long index, long count) {
      float sum = 0;
      for (int r = 0; r < ranks; r++) {
        sum += input(r, index);
      }
      return sum;
    }

    @Override
    double busFactor(int ranks) {
      return 2.0 * (ranks - 1) / ranks;
    }
  };

  private final String option;
  private final String reduction;
  private final boolean countPerRank;

  Collective(String option, String reduction, boolean countPerRank) {
    this.option = option;
    this.reduction = reduction;
    this.countPerRank = countPerRank;
  }

  /** Its name in options and headings. */
  public String option() {
    return option;
  }

  /** The column {@code redop}. */
  String reduction() {
    return reduction;
  }

  /** The column {@code count} for a wanted number of elements in S. */
  long count(long elements, int ranks) {
    return countPerRank ? elements / ranks : elements;
  }

  /** Elements in S. */
  long totalElements(long count, int ranks) {
    return countPerRank ? count * ranks : count;
  }

  /** Elements that a rank hands over. */
  long sendElements(long count, int ranks) {
    return totalElements(count, ranks);
  }

  /** Elements that a rank gets. */
  long recvElements(long count, int ranks) {
    return totalElements(count, ranks);
  }

  abstract void enqueue(Communicator communicator, Tensor send, Tensor recv, Stream stream);

  /** Element {@code index} of the result of a rank. */
  abstract float expected(int rank, int ranks, long index, long count);

  /** busbw / algbw. */
  double busFactor(int ranks) {
    return (ranks - 1.0) / ranks;
  }

  /** Element {@code index} of the input of a rank. */
  static float input(int rank, long index) {
    return (index * 7 + rank * 13L) % 64;
  }

  /** All names, for messages. */
  public static String names() {
    return Arrays.stream(values()).map(Collective::option).collect(Collectors.joining(", "));
  }
}
