// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.HcclSendRecvItem;
import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One rank of a group of devices ({@code HcclComm}).
 *
 * <p>Creating and splitting is collective and blocks until all members take part. Operations are
 * submitted to a stream and run in its order; all ranks issue the same operations in the same
 * order, with matching sizes and types. The first of a kind may block the calling thread until the
 * peers call too, so each rank needs a thread (or process) of its own. Use one stream for a
 * communicator, and give all operations of one device, over all its communicators, from one thread
 * in the same order on all ranks; calls for one device are serialized here.
 *
 * <p>Tensors are contiguous, on the communicator's device, of any type but BOOL, and stay unchanged
 * until the stream has passed. Wrong arguments are {@link IllegalArgumentException}s before
 * anything is enqueued; what HCCL refuses is an {@link HcclException}. Platform threads only.
 */
public final class Communicator extends CollectiveOperations implements AutoCloseable {
  private final Device device;
  private final MemorySegment handle;
  private final int size;
  private final int rank;
  private final String name;
  private final boolean owned;
  private final boolean splittable;
  private final ReentrantLock lock;
  private final AtomicLong bytesSent = new AtomicLong();
  private volatile boolean closed;

  Communicator(Device device, MemorySegment handle, boolean owned, boolean splittable) {
    this.device = device;
    this.handle = handle;
    this.owned = owned;
    this.splittable = splittable;
    this.lock = CommunicatorFactory.lockOf(device);
    this.size = CommunicatorFactory.querySize(handle);
    this.rank = CommunicatorFactory.queryRank(handle);
    this.name = CommunicatorFactory.queryName(handle);
  }

  /**
   * Joins a new communicator ({@code HcclCommInitRootInfo}); blocks until all ranks have.
   *
   * @param device this rank's device
   * @param root root info of the root rank, the same on all ranks
   * @param size the number of ranks
   * @param rank this rank, 0 … size − 1
   * @return this rank's communicator, to be closed
   */
  public static Communicator create(Device device, RootInfo root, int size, int rank) {
    return create(device, root, size, rank, CommunicatorOptions.defaults());
  }

  /**
   * Joins a new communicator ({@code HcclCommInitRootInfoConfig}); blocks until all ranks have.
   *
   * @param device this rank's device
   * @param root root info of the root rank, the same on all ranks
   * @param size the number of ranks
   * @param rank this rank, 0 … size − 1
   * @param options the same on all ranks
   * @return this rank's communicator, to be closed
   */
  public static Communicator create(
      Device device, RootInfo root, int size, int rank, CommunicatorOptions options) {
    return CommunicatorFactory.create(device, root, size, rank, options);
  }

  /**
   * Makes a communicator over devices of this process, all at once ({@code HcclCommInitAll}). After
   * that each rank needs a thread of its own.
   *
   * @param devices the devices, without repetition; the position is the rank
   * @return one communicator per device, each to be closed
   */
  public static List<Communicator> initAll(List<Device> devices) {
    return CommunicatorFactory.initAll(devices);
  }

  /**
   * Joins a new communicator whose ranks a file lists ({@code HcclCommInitClusterInfo}, with
   * options {@code HcclCommInitClusterInfoConfig}); blocks until all ranks have joined. A process
   * can do this once.
   *
   * @param device this rank's device
   * @param rankTable a rank table in HCCL's JSON format, the same on all ranks
   * @param rank this rank, the {@code rank_id} of its device in the table
   * @param options the same on all ranks
   * @return this rank's communicator, to be closed
   */
  public static Communicator create(
      Device device, Path rankTable, int rank, CommunicatorOptions options) {
    return CommunicatorFactory.create(device, rankTable, rank, options);
  }

  /**
   * Wraps a communicator that another framework made. Closing the wrapper leaves it alone.
   *
   * @param device its device
   * @param handle the {@code HcclComm}, not null
   * @return a wrapper without ownership
   */
  public static Communicator wrap(Device device, MemorySegment handle) {
    Objects.requireNonNull(device, "device");
    if (handle.equals(MemorySegment.NULL)) {
      throw new IllegalArgumentException("the communicator's handle is NULL");
    }
    device.makeCurrent();
    return new Communicator(device, handle, false, true);
  }

  /**
   * Makes a smaller communicator ({@code HcclCreateSubCommConfig}). All ranks call it, those that
   * take no part too; the members' call blocks until all of them have called. A communicator that
   * was made so cannot be split again.
   *
   * @param ranks the members, as ranks of this communicator; the position is the new rank
   * @param subCommId a number that tells the parts of one communicator apart, the same on all
   *     members; 0 … 2³² − 2
   * @param options the same on all members
   * @return the new communicator, to be closed; empty on a rank that is no member
   */
  public Optional<Communicator> split(
      List<Integer> ranks, long subCommId, CommunicatorOptions options) {
    requireOpen();
    if (!splittable) {
      throw new UnsupportedOperationException(
          "CANN cannot split communicator %s, which is part of another; split that one"
              .formatted(name));
    }
    return CommunicatorFactory.split(this, ranks, subCommId, options);
  }

  /**
   * Returns the device.
   *
   * @return this rank's device
   */
  @Override
  public Device device() {
    return device;
  }

  /**
   * Returns the rank.
   *
   * @return 0 … size − 1
   */
  @Override
  public int rank() {
    return rank;
  }

  /**
   * Returns the number of ranks.
   *
   * @return at least 1
   */
  @Override
  public int size() {
    return size;
  }

  /**
   * Returns the name ({@code HcclGetCommName}).
   *
   * @return a name that is the same on all ranks
   */
  public String name() {
    return name;
  }

  /**
   * Returns the {@code HcclComm}, for code that calls HCCL without these bindings.
   *
   * @return the handle, valid until the communicator is closed
   */
  public MemorySegment handle() {
    requireOpen();
    return handle;
  }

  /**
   * Returns how many bytes of payload this rank has handed over for other ranks through this object
   * since its creation. What a rank sends to itself does not count; an all-gather counts n − 1
   * times its part, an all-reduce 2·(n − 1)/n of its tensor.
   *
   * @return bytes of submitted operations
   */
  public long bytesSent() {
    return bytesSent.get();
  }

  @Override
  void submit(String function, Stream stream, Call call, long sent) {
    requireOpen();
    MemorySegment queue = stream.handle();
    lock.lock();
    try {
      device.makeCurrent();
      HcclErrors.check(call.apply(handle, queue), function, rank, size, name);
    } finally {
      lock.unlock();
    }
    bytesSent.addAndGet(sent);
  }

  /**
   * Sends to another rank ({@code HcclSend}). The stream waits until the peer receives: ranks that
   * send to each other use {@link #batchSendRecv}.
   *
   * @param tensor what to send
   * @param dest the receiving rank, not this one
   * @param stream a stream of the device
   */
  public void send(Tensor tensor, int dest, Stream stream) {
    requirePair(tensor, dest, stream, "send to");
    MemorySegment block = pointer(tensor);
    int type = tensor.dataType().hcclCode();
    submit(
        "HcclSend",
        stream,
        (comm, queue) -> cann_h.HcclSend(block, tensor.elements(), type, dest, comm, queue),
        tensor.byteSize());
  }

  /**
   * Receives from another rank ({@code HcclRecv}).
   *
   * @param tensor what to fill
   * @param src the sending rank, not this one
   * @param stream a stream of the device
   */
  public void recv(Tensor tensor, int src, Stream stream) {
    requirePair(tensor, src, stream, "receive from");
    MemorySegment block = pointer(tensor);
    int type = tensor.dataType().hcclCode();
    submit(
        "HcclRecv",
        stream,
        (comm, queue) -> cann_h.HcclRecv(block, tensor.elements(), type, src, comm, queue),
        0);
  }

  private void requirePair(Tensor tensor, int peer, Stream stream, String what) {
    requireOpen();
    Blocks.requireStream(stream, device);
    Blocks.require(tensor, "the tensor", device);
    Blocks.requirePeer(peer, size);
    if (peer == rank) {
      throw new UnsupportedOperationException(
          "rank %d cannot %s itself; copy on the device, or use batchSendRecv"
              .formatted(rank, what));
    }
  }

  /**
   * Sends and receives at once ({@code HcclBatchSendRecv}): no transfer waits for another of the
   * same call. Each send needs its receive in the peer's call. Transfers without elements are left
   * out, and a call without any does nothing.
   *
   * @param items at most one per peer and direction; to itself a rank may send what it receives
   * @param stream a stream of the device
   */
  public void batchSendRecv(List<SendRecv> items, Stream stream) {
    requireOpen();
    Blocks.requireStream(stream, device);
    Blocks.requireBatch(items, device, rank, size);
    long itemBytes = HcclSendRecvItem.sizeof();
    MemorySegment block = Scratch.get().block(itemBytes * items.size());
    int count = 0;
    long sent = 0;
    for (int i = 0; i < items.size(); i++) {
      SendRecv item = items.get(i);
      Tensor tensor = item.tensor();
      if (tensor.elements() == 0) {
        continue;
      }
      boolean send = item.kind() == SendRecv.Kind.SEND;
      long at = itemBytes * count++;
      block.set(
          ValueLayout.JAVA_INT,
          at + HcclSendRecvItem.sendRecvType$offset(),
          send ? cann_h.HCCL_SEND() : cann_h.HCCL_RECV());
      block.set(ValueLayout.JAVA_LONG, at + HcclSendRecvItem.buf$offset(), tensor.address());
      block.set(ValueLayout.JAVA_LONG, at + HcclSendRecvItem.count$offset(), tensor.elements());
      block.set(
          ValueLayout.JAVA_INT,
          at + HcclSendRecvItem.dataType$offset(),
          tensor.dataType().hcclCode());
      block.set(ValueLayout.JAVA_INT, at + HcclSendRecvItem.remoteRank$offset(), item.peer());
      if (send && item.peer() != rank) {
        sent += tensor.byteSize();
      }
    }
    if (count == 0) {
      return;
    }
    // As submit, without an object for the call: what repeats a batch allocates nothing.
    requireOpen();
    MemorySegment queue = stream.handle();
    lock.lock();
    try {
      device.makeCurrent();
      int code = cann_h.HcclBatchSendRecv(block, count, handle, queue);
      HcclErrors.check(code, "HcclBatchSendRecv", rank, size, name);
    } finally {
      lock.unlock();
    }
    bytesSent.addAndGet(sent);
  }

  @Override
  void requireOpen() {
    if (closed) {
      throw new IllegalStateException(this + " is closed");
    }
  }

  /**
   * Asks for a failure of the communicator since its creation ({@code HcclGetCommAsyncError}).
   *
   * @return the failure, to be thrown or logged; empty if there is none
   */
  public Optional<HcclException> asyncError() {
    requireOpen();
    device.makeCurrent();
    MemorySegment out = Scratch.get().first();
    HcclErrors.check(
        cann_h.HcclGetCommAsyncError(handle, out), "HcclGetCommAsyncError", rank, size, name);
    int code = out.get(ValueLayout.JAVA_INT, 0);
    return code == 0
        ? Optional.empty()
        : Optional.of(HcclErrors.exception(code, "HcclGetCommAsyncError", rank, size, name));
  }

  /**
   * Destroys the communicator ({@code HcclCommDestroy}). Its operations must be done: synchronize
   * their stream first.
   *
   * @throws HcclException {@code HCCL_E_AGAIN} while operations are running; it stays open then
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    if (owned) {
      lock.lock();
      try {
        device.makeCurrent();
        HcclErrors.check(cann_h.HcclCommDestroy(handle), "HcclCommDestroy", rank, size, name);
      } finally {
        lock.unlock();
      }
    }
    closed = true;
  }

  @Override
  public String toString() {
    return "communicator %s, rank %d of %d".formatted(name, rank, size);
  }
}
