// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import java.util.List;

/** Checks of what a communicator is asked to transfer, all before anything is enqueued. */
final class Blocks {
  private static final long MAX_COUNT = 0x7FFFFFFFFL;
  private static final List<DataType> REDUCIBLE =
      List.of(
          DataType.INT8,
          DataType.INT16,
          DataType.INT32,
          DataType.INT64,
          DataType.FLOAT16,
          DataType.FLOAT,
          DataType.BF16);

  private Blocks() {}

  static void requireStream(Stream stream, Device device) {
    if (stream.device() != device) {
      throw new IllegalArgumentException(
          "the communicator is on %s, but the stream is of %s".formatted(device, stream.device()));
    }
  }

  private static boolean isUsable(Tensor tensor, Device device) {
    return tensor.device() == device
        && tensor.isContiguous()
        && tensor.elements() <= MAX_COUNT
        && tensor.dataType() != DataType.BOOL;
  }

  /** A dense tensor of a type that HCCL has, on the communicator's device. */
  static void require(Tensor tensor, String name, Device device) {
    if (tensor.device() != device) {
      throw new IllegalArgumentException(
          "%s is on %s, but the communicator is on %s".formatted(name, tensor.device(), device));
    }
    if (!tensor.isContiguous()) {
      throw new IllegalArgumentException(
          "%s, %s, is not contiguous; HCCL transfers dense memory only, so copy it first"
              .formatted(name, tensor));
    }
    if (tensor.elements() > MAX_COUNT) {
      throw new IllegalArgumentException(
          "%s has %d elements; HCCL takes up to %d".formatted(name, tensor.elements(), MAX_COUNT));
    }
    tensor.dataType().hcclCode();
  }

  static void requireSameType(Tensor send, Tensor recv) {
    if (send.dataType() != recv.dataType()) {
      throw new IllegalArgumentException(
          "send is %s, but recv is %s".formatted(send.dataType(), recv.dataType()));
    }
  }

  static void requireReducible(DataType type, ReduceOp op) {
    if (!REDUCIBLE.contains(type)) {
      throw new UnsupportedOperationException(
          "HCCL reduces %s, not %s; cast to %s"
              .formatted(REDUCIBLE, type, type.isFloating() ? DataType.FLOAT : DataType.INT64));
    }
    if (op == ReduceOp.PROD && (type == DataType.INT16 || type == DataType.BF16)) {
      throw new UnsupportedOperationException(
          "HCCL has no PROD of %s; cast to %s"
              .formatted(type, type.isFloating() ? DataType.FLOAT : DataType.INT32));
    }
  }

  static void requireDistinct(Tensor a, String nameOfA, Tensor b, String nameOfB) {
    if (overlap(a, b)) {
      throw new IllegalArgumentException(
          "%s (%s at 0x%x) and %s (%s at 0x%x) overlap"
              .formatted(nameOfA, a, a.address(), nameOfB, b, b.address()));
    }
  }

  static boolean overlap(Tensor a, Tensor b) {
    return a.elements() > 0
        && b.elements() > 0
        && a.address() < b.address() + b.byteSize()
        && b.address() < a.address() + a.byteSize();
  }

  /** Counts and displacements of an all-to-all: one each per rank, all blocks within the tensor. */
  static void requireParts(
      long[] counts, long[] displacements, Tensor tensor, String name, int size) {
    if (counts.length != size || displacements.length != size) {
      throw new IllegalArgumentException(
          "%s needs a count and a displacement for each of %d ranks, not %d and %d"
              .formatted(name, size, counts.length, displacements.length));
    }
    for (int peer = 0; peer < size; peer++) {
      long count = counts[peer];
      long from = displacements[peer];
      if (count < 0 || from < 0 || count > tensor.elements() - from) {
        throw new IllegalArgumentException(
            "%s: %d elements at %d, for rank %d, do not lie within %s"
                .formatted(name, count, from, peer, tensor));
      }
    }
  }

  static long[] runningSums(long[] counts) {
    long[] sums = new long[counts.length];
    for (int i = 1; i < counts.length; i++) {
      sums[i] = sums[i - 1] + counts[i - 1];
    }
    return sums;
  }

  /** The rules of a batch: one block per peer and direction, receives apart from all others. */
  static void requireBatch(List<SendRecv> items, Device device, int rank, int size) {
    SendRecv toSelf = null;
    SendRecv fromSelf = null;
    for (int i = 0; i < items.size(); i++) {
      SendRecv item = items.get(i);
      if (!isUsable(item.tensor(), device)) {
        require(item.tensor(), describe(i, item), device);
      }
      requirePeer(item.peer(), size);
      for (int j = 0; j < i; j++) {
        SendRecv earlier = items.get(j);
        if (earlier.peer() == item.peer() && earlier.kind() == item.kind()) {
          throw new IllegalArgumentException(
              ("items %d and %d both are a %s with rank %d; HCCL takes one block per peer and"
                      + " direction, so pack them into one")
                  .formatted(j, i, item.kind(), item.peer()));
        }
        boolean bothRead =
            earlier.kind() == SendRecv.Kind.SEND && item.kind() == SendRecv.Kind.SEND;
        if (!bothRead && overlap(item.tensor(), earlier.tensor())) {
          requireDistinct(item.tensor(), describe(i, item), earlier.tensor(), describe(j, earlier));
        }
      }
      if (item.peer() == rank) {
        toSelf = item.kind() == SendRecv.Kind.SEND ? item : toSelf;
        fromSelf = item.kind() == SendRecv.Kind.RECV ? item : fromSelf;
      }
    }
    requireSelf(toSelf, fromSelf, rank);
  }

  // Made only for a refusal: batches are part of the steady state, which allocates next to nothing.
  private static String describe(int index, SendRecv item) {
    return "item %d (%s, rank %d)".formatted(index, item.kind(), item.peer());
  }

  private static void requireSelf(SendRecv send, SendRecv recv, int rank) {
    if (send == null && recv == null) {
      return;
    }
    boolean match =
        send != null
            && recv != null
            && send.tensor().dataType() == recv.tensor().dataType()
            && send.tensor().elements() == recv.tensor().elements();
    if (!match) {
      throw new IllegalArgumentException(
          "rank %d sends %s to itself and receives %s from itself; both must match"
              .formatted(
                  rank,
                  send == null ? "nothing" : send.tensor(),
                  recv == null ? "nothing" : recv.tensor()));
    }
  }

  static void requirePeer(int peer, int size) {
    if (peer < 0 || peer >= size) {
      throw new IllegalArgumentException(
          "rank %d does not exist: the communicator has ranks 0 to %d".formatted(peer, size - 1));
    }
  }
}
