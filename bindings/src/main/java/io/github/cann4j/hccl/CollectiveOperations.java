// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.Scratch;
import io.github.cann4j.internal.toolkit.OptionalFunctions;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/** The collective operations of a {@link Communicator}: all ranks call the same one. */
abstract sealed class CollectiveOperations permits Communicator {
  /** A function of HCCL with its own arguments bound. */
  @FunctionalInterface
  interface Call {
    int apply(MemorySegment comm, MemorySegment stream);
  }

  CollectiveOperations() {}

  /** This rank's device. */
  public abstract Device device();

  /** This rank. */
  public abstract int rank();

  /** The number of ranks. */
  public abstract int size();

  abstract void requireOpen();

  /** Calls, under the device's lock; {@code sent} bytes go to other ranks. */
  abstract void submit(String function, Stream stream, Call call, long sent);

  /**
   * Gives each rank one of n equal blocks and takes one from each ({@code HcclAlltoAll}). Block i
   * of {@code send} goes to rank i; block i of {@code recv} comes from rank i.
   *
   * @param send n blocks one after the other
   * @param recv as many elements of the same type, elsewhere
   * @param stream a stream of the device
   */
  public void allToAll(Tensor send, Tensor recv, Stream stream) {
    requireTransfer(send, recv, stream);
    if (send.elements() != recv.elements() || send.elements() % size() != 0) {
      throw new IllegalArgumentException(
          "send (%s) and recv (%s) need the same number of elements, a multiple of %d ranks"
              .formatted(send, recv, size()));
    }
    Blocks.requireDistinct(send, "send", recv, "recv");
    long count = send.elements() / size();
    int type = send.dataType().hcclCode();
    MemorySegment from = pointer(send);
    MemorySegment to = pointer(recv);
    submit(
        "HcclAlltoAll",
        stream,
        (comm, queue) -> cann_h.HcclAlltoAll(from, count, type, to, count, type, comm, queue),
        toOthers(send.byteSize()));
  }

  /**
   * Gives each rank a block of its own size and takes one from each ({@code HcclAlltoAllV}). Counts
   * and displacements are in elements; {@code recvCounts[i]} here equals {@code sendCounts} for
   * this rank on rank i.
   *
   * @param send where the blocks to send are
   * @param sendCounts elements for each rank
   * @param sendDispls where each block begins in {@code send}
   * @param recv where the received blocks go, of the same type, elsewhere
   * @param recvCounts elements from each rank
   * @param recvDispls where each block begins in {@code recv}
   * @param stream a stream of the device
   */
  public void allToAllV(
      Tensor send,
      long[] sendCounts,
      long[] sendDispls,
      Tensor recv,
      long[] recvCounts,
      long[] recvDispls,
      Stream stream) {
    requireTransfer(send, recv, stream);
    Blocks.requireParts(sendCounts, sendDispls, send, "send", size());
    Blocks.requireParts(recvCounts, recvDispls, recv, "recv", size());
    if (sendCounts[rank()] != recvCounts[rank()]) {
      throw new IllegalArgumentException(
          "rank %d sends %d elements to itself, but receives %d from itself"
              .formatted(rank(), sendCounts[rank()], recvCounts[rank()]));
    }
    Blocks.requireDistinct(send, "send", recv, "recv");
    MemorySegment[] parts = numbers(sendCounts, sendDispls, recvCounts, recvDispls);
    int type = send.dataType().hcclCode();
    MemorySegment from = pointer(send);
    MemorySegment to = pointer(recv);
    submit(
        "HcclAlltoAllV",
        stream,
        (comm, queue) ->
            cann_h.HcclAlltoAllV(
                from, parts[0], parts[1], type, to, parts[2], parts[3], type, comm, queue),
        toOthers(sendCounts, send));
  }

  /**
   * Gives each rank a block of its own size, all of which every rank knows ({@code
   * HcclAlltoAllVC}); blocks follow each other without gaps in both tensors.
   *
   * @param send the blocks for rank 0, 1, …
   * @param sendCountMatrix elements that rank i (row) sends to rank j (column); the same on all
   *     ranks
   * @param recv where the blocks of rank 0, 1, … go, of the same type, elsewhere
   * @param stream a stream of the device
   * @throws UnsupportedOperationException if the toolkit is too old; use {@link #allToAllV}
   */
  public void allToAllVC(Tensor send, long[][] sendCountMatrix, Tensor recv, Stream stream) {
    requireTransfer(send, recv, stream);
    int ranks = size();
    long[] flat = new long[ranks * ranks];
    long[] row = new long[ranks];
    long[] column = new long[ranks];
    if (sendCountMatrix.length != ranks) {
      throw new IllegalArgumentException(
          "sendCountMatrix needs a row for each of %d ranks, not %d"
              .formatted(ranks, sendCountMatrix.length));
    }
    for (int i = 0; i < ranks; i++) {
      if (sendCountMatrix[i].length != ranks) {
        throw new IllegalArgumentException(
            "row %d of sendCountMatrix needs a count for each of %d ranks, not %d"
                .formatted(i, ranks, sendCountMatrix[i].length));
      }
      System.arraycopy(sendCountMatrix[i], 0, flat, i * ranks, ranks);
      row[i] = sendCountMatrix[rank()][i];
      column[i] = sendCountMatrix[i][rank()];
    }
    Blocks.requireParts(row, Blocks.runningSums(row), send, "send", ranks);
    Blocks.requireParts(column, Blocks.runningSums(column), recv, "recv", ranks);
    Blocks.requireDistinct(send, "send", recv, "recv");
    OptionalFunctions.require("HcclAlltoAllVC", "allToAllVC", "use allToAllV");
    MemorySegment matrix = numbers(flat)[0];
    int type = send.dataType().hcclCode();
    MemorySegment from = pointer(send);
    MemorySegment to = pointer(recv);
    submit(
        "HcclAlltoAllVC",
        stream,
        (comm, queue) -> cann_h.HcclAlltoAllVC(from, matrix, type, to, type, comm, queue),
        toOthers(row, send));
  }

  /**
   * Gives every rank the parts of all ({@code HcclAllGather}).
   *
   * @param send this rank's part, of the same size on all ranks
   * @param recv n times as many elements of the same type, elsewhere; the parts come in rank order
   * @param stream a stream of the device
   */
  public void allGather(Tensor send, Tensor recv, Stream stream) {
    requireTransfer(send, recv, stream);
    requireTimes(recv, "recv", send, "send");
    Blocks.requireDistinct(send, "send", recv, "recv");
    int type = send.dataType().hcclCode();
    MemorySegment from = pointer(send);
    MemorySegment to = pointer(recv);
    submit(
        "HcclAllGather",
        stream,
        (comm, queue) -> cann_h.HcclAllGather(from, to, send.elements(), type, comm, queue),
        send.byteSize() * (size() - 1));
  }

  /**
   * Gives every rank the parts of all, each of its own size ({@code HcclAllGatherV}). Counts and
   * displacements are in elements and the same on all ranks.
   *
   * @param send this rank's part
   * @param recv where the parts go, of the same type, elsewhere
   * @param recvCounts elements of each rank; for this one those of {@code send}
   * @param recvDispls where each part begins in {@code recv}
   * @param stream a stream of the device
   */
  public void allGatherV(
      Tensor send, Tensor recv, long[] recvCounts, long[] recvDispls, Stream stream) {
    requireTransfer(send, recv, stream);
    Blocks.requireParts(recvCounts, recvDispls, recv, "recv", size());
    requireOwn(recvCounts, send, "send");
    Blocks.requireDistinct(send, "send", recv, "recv");
    MemorySegment[] parts = numbers(recvCounts, recvDispls);
    int type = send.dataType().hcclCode();
    MemorySegment from = pointer(send);
    MemorySegment to = pointer(recv);
    submit(
        "HcclAllGatherV",
        stream,
        (comm, queue) ->
            cann_h.HcclAllGatherV(from, send.elements(), to, parts[0], parts[1], type, comm, queue),
        send.byteSize() * (size() - 1));
  }

  /**
   * Combines the tensors of all ranks element by element ({@code HcclAllReduce}). The order of
   * floating-point additions is fixed only with {@link CommunicatorOptions#deterministic}.
   *
   * @param send this rank's tensor: INT8, INT16, INT32, INT64, FLOAT16, FLOAT or BF16
   * @param recv the result, of the same type and size; {@code send} itself, or elsewhere
   * @param op how to combine; PROD not for INT16 and BF16
   * @param stream a stream of the device
   */
  public void allReduce(Tensor send, Tensor recv, ReduceOp op, Stream stream) {
    requireReduction(send, recv, op, stream);
    requireSameSize(send, recv);
    int type = send.dataType().hcclCode();
    MemorySegment from = pointer(send);
    MemorySegment to = pointer(recv);
    submit(
        "HcclAllReduce",
        stream,
        (comm, queue) ->
            cann_h.HcclAllReduce(from, to, send.elements(), type, op.code(), comm, queue),
        2 * send.byteSize() * (size() - 1) / size());
  }

  /**
   * Combines the tensors of all ranks element by element, for one rank ({@code HcclReduce}).
   *
   * @param send this rank's tensor, as for {@link #allReduce}
   * @param recv the result on the root, of the same type and size; {@code send} itself, or
   *     elsewhere; unused on other ranks
   * @param op how to combine; PROD not for INT16 and BF16
   * @param root the rank that gets the result
   * @param stream a stream of the device
   */
  public void reduce(Tensor send, Tensor recv, ReduceOp op, int root, Stream stream) {
    requireReduction(send, recv, op, stream);
    requireSameSize(send, recv);
    Blocks.requirePeer(root, size());
    int type = send.dataType().hcclCode();
    MemorySegment from = pointer(send);
    MemorySegment to = pointer(recv);
    submit(
        "HcclReduce",
        stream,
        (comm, queue) ->
            cann_h.HcclReduce(from, to, send.elements(), type, op.code(), root, comm, queue),
        rank() == root ? 0 : send.byteSize());
  }

  /**
   * Combines the tensors of all ranks and gives each rank one of n equal blocks of the result
   * ({@code HcclReduceScatter}).
   *
   * @param send n blocks, of a type as for {@link #allReduce}
   * @param recv this rank's block of the result, elsewhere
   * @param op how to combine; PROD not for INT16 and BF16
   * @param stream a stream of the device
   */
  public void reduceScatter(Tensor send, Tensor recv, ReduceOp op, Stream stream) {
    requireReduction(send, recv, op, stream);
    requireTimes(send, "send", recv, "recv");
    Blocks.requireDistinct(send, "send", recv, "recv");
    int type = send.dataType().hcclCode();
    MemorySegment from = pointer(send);
    MemorySegment to = pointer(recv);
    submit(
        "HcclReduceScatter",
        stream,
        (comm, queue) ->
            cann_h.HcclReduceScatter(from, to, recv.elements(), type, op.code(), comm, queue),
        toOthers(send.byteSize()));
  }

  /**
   * Combines the tensors of all ranks and gives each rank a block of its own size ({@code
   * HcclReduceScatterV}). Counts and displacements are in elements and the same on all ranks.
   *
   * @param send where the blocks are, of a type as for {@link #allReduce}
   * @param sendCounts elements of each rank's block; for this one those of {@code recv}
   * @param sendDispls where each block begins in {@code send}
   * @param recv this rank's block of the result, elsewhere
   * @param op SUM, MAX or MIN
   * @param stream a stream of the device
   */
  public void reduceScatterV(
      Tensor send, long[] sendCounts, long[] sendDispls, Tensor recv, ReduceOp op, Stream stream) {
    requireReduction(send, recv, op, stream);
    if (op == ReduceOp.PROD) {
      throw new UnsupportedOperationException(
          "HCCL has no PROD of blocks of different sizes; use reduceScatter on padded blocks");
    }
    Blocks.requireParts(sendCounts, sendDispls, send, "send", size());
    requireOwn(sendCounts, recv, "recv");
    Blocks.requireDistinct(send, "send", recv, "recv");
    MemorySegment[] parts = numbers(sendCounts, sendDispls);
    int type = send.dataType().hcclCode();
    MemorySegment from = pointer(send);
    MemorySegment to = pointer(recv);
    submit(
        "HcclReduceScatterV",
        stream,
        (comm, queue) ->
            cann_h.HcclReduceScatterV(
                from, parts[0], parts[1], to, recv.elements(), type, op.code(), comm, queue),
        toOthers(sendCounts, send));
  }

  /**
   * Gives every rank the tensor of one ({@code HcclBroadcast}).
   *
   * @param tensor on the root what to give, on the others what to fill; of one size and type
   * @param root the rank that gives
   * @param stream a stream of the device
   */
  public void broadcast(Tensor tensor, int root, Stream stream) {
    requireOpen();
    Blocks.requireStream(stream, device());
    Blocks.require(tensor, "the tensor", device());
    Blocks.requirePeer(root, size());
    int type = tensor.dataType().hcclCode();
    MemorySegment block = pointer(tensor);
    submit(
        "HcclBroadcast",
        stream,
        (comm, queue) -> cann_h.HcclBroadcast(block, tensor.elements(), type, root, comm, queue),
        rank() == root ? tensor.byteSize() * (size() - 1) : 0);
  }

  /**
   * Gives each rank one of the n equal blocks of one rank ({@code HcclScatter}).
   *
   * @param send on the root n blocks, elsewhere than {@code recv}; on the others null
   * @param recv this rank's block
   * @param root the rank that gives
   * @param stream a stream of the device
   */
  public void scatter(Tensor send, Tensor recv, int root, Stream stream) {
    requireOpen();
    Blocks.requirePeer(root, size());
    if (rank() == root) {
      Objects.requireNonNull(send, "send, on the root");
      requireTransfer(send, recv, stream);
      requireTimes(send, "send", recv, "recv");
      Blocks.requireDistinct(send, "send", recv, "recv");
    } else {
      Blocks.requireStream(stream, device());
      Blocks.require(recv, "recv", device());
    }
    int type = recv.dataType().hcclCode();
    MemorySegment from = rank() == root ? pointer(send) : MemorySegment.NULL;
    MemorySegment to = pointer(recv);
    submit(
        "HcclScatter",
        stream,
        (comm, queue) -> cann_h.HcclScatter(from, to, recv.elements(), type, root, comm, queue),
        rank() == root ? recv.byteSize() * (size() - 1) : 0);
  }

  /**
   * Makes the streams of all ranks wait for each other ({@code HcclBarrier}); no thread waits.
   *
   * @param stream a stream of the device
   */
  public void barrier(Stream stream) {
    requireOpen();
    Blocks.requireStream(stream, device());
    submit("HcclBarrier", stream, cann_h::HcclBarrier, 0);
  }

  private void requireTransfer(Tensor send, Tensor recv, Stream stream) {
    requireOpen();
    Blocks.requireStream(stream, device());
    Blocks.require(send, "send", device());
    Blocks.require(recv, "recv", device());
    Blocks.requireSameType(send, recv);
  }

  private void requireReduction(Tensor send, Tensor recv, ReduceOp op, Stream stream) {
    requireTransfer(send, recv, stream);
    Objects.requireNonNull(op, "op");
    Blocks.requireReducible(send.dataType(), op);
  }

  private static void requireSameSize(Tensor send, Tensor recv) {
    if (recv.elements() != send.elements()) {
      throw new IllegalArgumentException(
          "send (%s) and recv (%s) need the same number of elements".formatted(send, recv));
    }
    if (send.address() != recv.address()) {
      Blocks.requireDistinct(send, "send", recv, "recv");
    }
  }

  private void requireTimes(Tensor whole, String nameOfWhole, Tensor part, String nameOfPart) {
    if (whole.elements() != part.elements() * size()) {
      throw new IllegalArgumentException(
          "%s (%s) needs %d times the elements of %s (%s)"
              .formatted(nameOfWhole, whole, size(), nameOfPart, part));
    }
  }

  private void requireOwn(long[] counts, Tensor part, String name) {
    if (counts[rank()] != part.elements()) {
      throw new IllegalArgumentException(
          "the count of rank %d, which is this one, is %d, but %s is %s"
              .formatted(rank(), counts[rank()], name, part));
    }
  }

  /** Of n equal blocks, what goes to others. */
  private long toOthers(long bytes) {
    return bytes / size() * (size() - 1);
  }

  private long toOthers(long[] counts, Tensor tensor) {
    long elements = 0;
    for (int peer = 0; peer < counts.length; peer++) {
      elements += peer == rank() ? 0 : counts[peer];
    }
    return elements * tensor.dataType().byteSize();
  }

  /** Arrays in native memory, valid until the thread's next call. */
  private static MemorySegment[] numbers(long[]... arrays) {
    long bytes = 8L * arrays[0].length;
    MemorySegment block = Scratch.get().block(arrays.length * bytes);
    MemorySegment[] parts = new MemorySegment[arrays.length];
    for (int i = 0; i < arrays.length; i++) {
      parts[i] = block.asSlice(i * bytes, bytes);
      MemorySegment.copy(arrays[i], 0, parts[i], ValueLayout.JAVA_LONG, 0, arrays[i].length);
    }
    return parts;
  }

  static MemorySegment pointer(Tensor tensor) {
    return MemorySegment.ofAddress(tensor.address());
  }
}
