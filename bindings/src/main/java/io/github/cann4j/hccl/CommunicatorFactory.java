// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import io.github.cann4j.acl.Device;
import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.Scratch;
import io.github.cann4j.internal.runtime.Threads;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;

/** Creates communicators; HCCL wants its calls for one device one after the other. */
final class CommunicatorFactory {
  // What a rank outside a new sub-communicator passes as its id.
  private static final long NO_MEMBER = 0xFFFFFFFFL;
  private static final Map<Device, ReentrantLock> LOCKS = new ConcurrentHashMap<>();

  private CommunicatorFactory() {}

  static ReentrantLock lockOf(Device device) {
    return LOCKS.computeIfAbsent(device, any -> new ReentrantLock());
  }

  static Communicator create(
      Device device, RootInfo root, int size, int rank, CommunicatorOptions options) {
    Objects.requireNonNull(options, "options");
    if (size < 1 || rank < 0 || rank >= size) {
      throw new IllegalArgumentException(
          "rank must be 0 to size - 1: rank %d, size %d".formatted(rank, size));
    }
    Threads.requirePlatform();
    ReentrantLock lock = lockOf(device);
    lock.lock();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = arena.allocateFrom(ValueLayout.JAVA_BYTE, root.toBytes());
      MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
      device.makeCurrent();
      boolean plain = options.equals(CommunicatorOptions.defaults());
      String function = plain ? "HcclCommInitRootInfo" : "HcclCommInitRootInfoConfig";
      int code =
          plain
              ? cann_h.HcclCommInitRootInfo(size, info, rank, out)
              : cann_h.HcclCommInitRootInfoConfig(size, info, rank, options.toNative(arena), out);
      HcclErrors.check(code, function, rank, size, options.name());
      return new Communicator(device, out.get(ValueLayout.ADDRESS, 0), true, true);
    } finally {
      lock.unlock();
    }
  }

  static Communicator create(Device device, Path rankTable, int rank, CommunicatorOptions options) {
    Objects.requireNonNull(options, "options");
    if (!Files.isReadable(rankTable)) {
      throw new IllegalArgumentException("the rank table " + rankTable + " cannot be read");
    }
    if (rank < 0) {
      throw new IllegalArgumentException("rank must not be negative: " + rank);
    }
    Threads.requirePlatform();
    ReentrantLock lock = lockOf(device);
    lock.lock();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment path = arena.allocateFrom(rankTable.toAbsolutePath().toString());
      MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
      device.makeCurrent();
      boolean plain = options.equals(CommunicatorOptions.defaults());
      int code =
          plain
              ? cann_h.HcclCommInitClusterInfo(path, rank, out)
              : cann_h.HcclCommInitClusterInfoConfig(path, rank, options.toNative(arena), out);
      HcclErrors.check(
          code,
          plain ? "HcclCommInitClusterInfo" : "HcclCommInitClusterInfoConfig",
          rank,
          0,
          options.name());
      return new Communicator(device, out.get(ValueLayout.ADDRESS, 0), true, true);
    } finally {
      lock.unlock();
    }
  }

  static List<Communicator> initAll(List<Device> devices) {
    if (devices.isEmpty() || new HashSet<>(devices).size() != devices.size()) {
      throw new IllegalArgumentException(
          "initAll needs at least one device and none twice: " + devices);
    }
    Threads.requirePlatform();
    List<Device> sorted = new ArrayList<>(devices);
    sorted.sort((a, b) -> Integer.compare(a.id(), b.id()));
    sorted.forEach(device -> lockOf(device).lock());
    try (Arena arena = Arena.ofConfined()) {
      int count = devices.size();
      MemorySegment ids = arena.allocate(ValueLayout.JAVA_INT, count);
      for (int i = 0; i < count; i++) {
        ids.setAtIndex(ValueLayout.JAVA_INT, i, devices.get(i).id());
      }
      MemorySegment out = arena.allocate(ValueLayout.ADDRESS, count);
      devices.getFirst().makeCurrent();
      HcclErrors.check(cann_h.HcclCommInitAll(count, ids, out), "HcclCommInitAll", -1, count, "");
      List<Communicator> made = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        devices.get(i).makeCurrent();
        made.add(
            new Communicator(devices.get(i), out.getAtIndex(ValueLayout.ADDRESS, i), true, true));
      }
      return List.copyOf(made);
    } finally {
      sorted.forEach(device -> lockOf(device).unlock());
    }
  }

  static Optional<Communicator> split(
      Communicator whole, List<Integer> ranks, long subCommId, CommunicatorOptions options) {
    Objects.requireNonNull(options, "options");
    if (ranks.isEmpty() || new HashSet<>(ranks).size() != ranks.size()) {
      throw new IllegalArgumentException("split needs at least one rank and none twice: " + ranks);
    }
    ranks.forEach(rank -> Blocks.requirePeer(rank, whole.size()));
    if (subCommId < 0 || subCommId >= NO_MEMBER) {
      throw new IllegalArgumentException(
          "subCommId must be 0 to %d, not %d".formatted(NO_MEMBER - 1, subCommId));
    }
    Threads.requirePlatform();
    int subRank = ranks.indexOf(whole.rank());
    Device device = whole.device();
    ReentrantLock lock = lockOf(device);
    lock.lock();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment comm = arena.allocateFrom(ValueLayout.ADDRESS, whole.handle());
      MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
      MemorySegment members = MemorySegment.NULL;
      if (subRank >= 0) {
        members = arena.allocate(ValueLayout.JAVA_INT, ranks.size());
        for (int i = 0; i < ranks.size(); i++) {
          members.setAtIndex(ValueLayout.JAVA_INT, i, ranks.get(i));
        }
      }
      device.makeCurrent();
      int code =
          cann_h.HcclCreateSubCommConfig(
              comm,
              ranks.size(),
              members,
              subRank < 0 ? NO_MEMBER : subCommId,
              Math.max(0, subRank),
              options.toNative(arena),
              out);
      HcclErrors.check(code, "HcclCreateSubCommConfig", whole.rank(), whole.size(), whole.name());
      return subRank < 0
          ? Optional.empty()
          : Optional.of(new Communicator(device, out.get(ValueLayout.ADDRESS, 0), true, false));
    } finally {
      lock.unlock();
    }
  }

  static int querySize(MemorySegment comm) {
    MemorySegment out = Scratch.get().first();
    HcclErrors.check(cann_h.HcclGetRankSize(comm, out), "HcclGetRankSize", -1, 0, "");
    return out.get(ValueLayout.JAVA_INT, 0);
  }

  static int queryRank(MemorySegment comm) {
    MemorySegment out = Scratch.get().first();
    HcclErrors.check(cann_h.HcclGetRankId(comm, out), "HcclGetRankId", -1, 0, "");
    return out.get(ValueLayout.JAVA_INT, 0);
  }

  static String queryName(MemorySegment comm) {
    MemorySegment out = Scratch.get().block(cann_h.COMM_NAME_MAX_LENGTH());
    HcclErrors.check(cann_h.HcclGetCommName(comm, out), "HcclGetCommName", -1, 0, "");
    return out.getString(0);
  }
}
