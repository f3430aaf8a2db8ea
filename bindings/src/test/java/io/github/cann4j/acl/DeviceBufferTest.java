// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.support.Seed;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DeviceBufferTest {
  private Device device;
  private Stream stream;

  @BeforeEach
  void open() {
    device = Device.open(5);
    stream = device.createStream();
  }

  @AfterEach
  void close() {
    stream.close();
  }

  @Test
  void copiesHeapAndNativeMemoryBothWays() {
    // More than one stage of the copy through native memory.
    byte[] bytes = new byte[9 << 20];
    Seed.random("copiesHeapAndNativeMemoryBothWays").nextBytes(bytes);
    try (DeviceBuffer buffer = device.allocate(bytes.length);
        Arena arena = Arena.ofConfined()) {
      buffer.copyFrom(MemorySegment.ofArray(bytes).asReadOnly());
      byte[] back = new byte[bytes.length];
      buffer.copyTo(MemorySegment.ofArray(back));
      assertArrayEquals(bytes, back);
      MemorySegment host = arena.allocate(1000);
      buffer.copyTo(12345, host);
      assertEquals(-1, host.mismatch(MemorySegment.ofArray(bytes).asSlice(12345, 1000)));
      buffer.copyFrom(7, host);
      buffer.copyTo(7, MemorySegment.ofArray(back).asSlice(0, 1000));
      assertArrayEquals(Arrays.copyOfRange(bytes, 12345, 13345), Arrays.copyOf(back, 1000));
      buffer.copyFrom(MemorySegment.ofArray(new byte[0]));
    }
  }

  @Test
  void copiesAndFillsInStreamOrder() {
    int count = 100_000;
    try (DeviceBuffer first = device.allocate(4L * count);
        DeviceBuffer second = device.allocate(4L * count);
        PinnedBuffer in = device.allocatePinned(4L * count);
        PinnedBuffer out = device.allocatePinned(4L * count)) {
      for (int i = 0; i < count; i++) {
        in.segment().setAtIndex(ValueLayout.JAVA_INT, i, i);
      }
      first.copyFromAsync(0, in, 0, 4L * count, stream);
      second.fillAsync(0, 4L * count, (byte) 0x80, stream);
      second.copyFromAsync(400, first, 800, 4000, stream);
      second.copyToAsync(0, out, 0, 4L * count, stream);
      stream.synchronize();
      for (int i = 0; i < count; i++) {
        int expected = i >= 100 && i < 1100 ? i + 100 : 0x80808080;
        assertEquals(expected, out.segment().getAtIndex(ValueLayout.JAVA_INT, i));
      }
    }
  }

  @Test
  void refusesRangesOutsideAndOverlaps() {
    try (DeviceBuffer buffer = device.allocate(100);
        PinnedBuffer pinned = device.allocatePinned(50)) {
      MemorySegment host = MemorySegment.ofArray(new byte[60]);
      String message =
          assertThrows(IllegalArgumentException.class, () -> buffer.copyFrom(41, host))
              .getMessage();
      assertTrue(message.contains("60 bytes at offset 41") && message.contains("100"), message);
      assertThrows(IllegalArgumentException.class, () -> buffer.copyTo(-1, host));
      assertThrows(IllegalArgumentException.class, () -> buffer.copyTo(0, host.asReadOnly()));
      assertThrows(
          IllegalArgumentException.class, () -> buffer.copyFromAsync(0, pinned, 10, 41, stream));
      assertThrows(
          IllegalArgumentException.class,
          () -> buffer.copyFromAsync(Long.MAX_VALUE, pinned, 0, 1, stream));
      assertThrows(
          IllegalArgumentException.class, () -> buffer.copyFromAsync(10, buffer, 0, 20, stream));
      assertThrows(IllegalArgumentException.class, () -> buffer.fillAsync(99, 2, (byte) 0, stream));
      assertThrows(IllegalArgumentException.class, () -> device.allocate(0));
      assertThrows(IllegalArgumentException.class, () -> device.allocatePinned(-1));
    }
  }

  @Test
  void refusesStreamsOfOtherDevices() {
    try (DeviceBuffer buffer = device.allocate(100);
        Stream other = Device.open(4).createStream()) {
      String message =
          assertThrows(
                  IllegalArgumentException.class, () -> buffer.fillAsync(0, 1, (byte) 0, other))
              .getMessage();
      assertTrue(message.contains("device 4") && message.contains("device 5"), message);
      assertThrows(IllegalArgumentException.class, () -> buffer.closeAfter(other));
      try (DeviceBuffer remote = Device.open(4).allocate(100)) {
        assertThrows(
            IllegalArgumentException.class, () -> buffer.copyFromAsync(0, remote, 0, 1, stream));
      }
    }
  }

  @Test
  void closingTwiceIsFineAndUseAfterCloseIsNot() {
    DeviceBuffer buffer = device.allocate(100);
    PinnedBuffer pinned = device.allocatePinned(100);
    MemorySegment segment = pinned.segment();
    Tensor tensor = Tensor.of(buffer, DataType.FLOAT, 25);
    tensor.handle();
    for (int i = 0; i < 2; i++) {
      buffer.close();
      pinned.close();
    }
    buffer.closeAfter(stream);
    assertTrue(buffer.isClosed());
    assertThrows(IllegalStateException.class, buffer::address);
    assertThrows(
        IllegalStateException.class, () -> buffer.copyTo(MemorySegment.ofArray(new byte[1])));
    assertThrows(IllegalStateException.class, () -> buffer.fillAsync(0, 1, (byte) 0, stream));
    assertThrows(IllegalStateException.class, tensor::handle);
    assertThrows(IllegalStateException.class, tensor::address);
    assertThrows(IllegalStateException.class, pinned::segment);
    assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
  }

  @Test
  void countsBytesAndPeak() {
    long before = device.allocatedBytes();
    device.resetPeakAllocatedBytes();
    DeviceBuffer a = device.allocate(1000);
    DeviceBuffer b = device.allocate(500);
    assertEquals(before + 1500, device.allocatedBytes());
    a.close();
    assertEquals(before + 500, device.allocatedBytes());
    assertEquals(before + 1500, device.peakAllocatedBytes());
    device.resetPeakAllocatedBytes();
    assertEquals(before + 500, device.peakAllocatedBytes());
    b.close();
    assertEquals(before, device.allocatedBytes());
  }

  @Test
  void closeAfterFreesOnlyOnceTheStreamHasPassed() throws Exception {
    try (Gate gate = new Gate(device, stream)) {
      long before = device.allocatedBytes();
      DeviceBuffer buffer = device.allocate(1 << 20);
      buffer.fillAsync(0, 1 << 20, (byte) 1, stream);
      long start = System.nanoTime();
      buffer.closeAfter(stream);
      assertTrue(System.nanoTime() - start < 5_000_000_000L, "closeAfter waited");
      assertFalse(stream.isComplete());
      device.allocate(16).closeAfter(stream);
      assertEquals(before + (1 << 20) + 16, device.allocatedBytes());
      gate.open();
      stream.synchronize();
      // Any later allocation frees what has passed.
      device.allocate(16).close();
      assertEquals(before, device.allocatedBytes());
    }
  }

  /** Closing waits for work that another thread still has to release, with an allocation. */
  @Test
  void closingDoesNotBlockOtherAllocations() throws Exception {
    Gate gate = new Gate(device, stream);
    DeviceBuffer buffer = device.allocate(64);
    buffer.fillAsync(0, 64, (byte) 1, stream);
    Thread closer = Thread.ofPlatform().daemon().start(buffer::close);
    closer.join(50);
    assertTrue(closer.isAlive(), "the device is not done");
    Thread allocator =
        Thread.ofPlatform().daemon().start(() -> device.allocate(64).closeAfter(stream));
    allocator.join(30_000);
    assertFalse(allocator.isAlive(), "an allocation waits for a close");
    gate.open();
    closer.join(30_000);
    assertFalse(closer.isAlive());
    gate.close();
  }

  @Test
  void rowsOfDifferentPitch() {
    try (Stream stream = device.createStream();
        PinnedBuffer host = device.allocatePinned(64);
        DeviceBuffer buffer = device.allocate(64)) {
      for (int i = 0; i < 64; i++) {
        host.segment().set(ValueLayout.JAVA_BYTE, i, (byte) i);
      }
      buffer.fillAsync(0, 64, (byte) -1, stream);
      buffer.copyFromAsync(1, 5, host, 2, 10, 3, 4, stream);
      stream.synchronize();
      byte[] bytes = new byte[20];
      buffer.copyTo(MemorySegment.ofArray(bytes));
      byte[] expected = {
        -1, 2, 3, 4, -1, -1, 12, 13, 14, -1, -1, 22, 23, 24, -1, -1, 32, 33, 34, -1
      };
      assertArrayEquals(expected, bytes);
      buffer.copyToAsync(1, 5, host, 40, 3, 3, 4, stream);
      stream.synchronize();
      byte[] packed = host.segment().asSlice(40, 12).toArray(ValueLayout.JAVA_BYTE);
      assertArrayEquals(new byte[] {2, 3, 4, 12, 13, 14, 22, 23, 24, 32, 33, 34}, packed);
      assertThrows(
          IllegalArgumentException.class,
          () -> buffer.copyFromAsync(0, 2, host, 0, 10, 3, 4, stream));
      assertThrows(
          IllegalArgumentException.class,
          () -> buffer.copyFromAsync(0, 20, host, 0, 10, 10, 4, stream));
    }
  }

  @Test
  void aWrapperLeavesTheMemoryAlone() {
    try (DeviceBuffer owner = device.allocate(64)) {
      owner.copyFrom(MemorySegment.ofArray(new byte[] {1, 2, 3, 4}));
      long before = device.allocatedBytes();
      DeviceBuffer wrapper = DeviceBuffer.wrap(device, owner.address() + 2, 62);
      byte[] two = new byte[2];
      wrapper.copyTo(MemorySegment.ofArray(two));
      assertArrayEquals(new byte[] {3, 4}, two);
      wrapper.close();
      assertThrows(IllegalStateException.class, wrapper::address);
      assertEquals(before, device.allocatedBytes());
      owner.copyTo(MemorySegment.ofArray(two));
      assertArrayEquals(new byte[] {1, 2}, two);
    }
    assertThrows(IllegalArgumentException.class, () -> DeviceBuffer.wrap(device, 0, 10));
    assertThrows(IllegalArgumentException.class, () -> DeviceBuffer.wrap(device, 64, 0));
  }

  @Test
  void lackOfMemoryCarriesTheToolkitsWords() {
    AclException e = assertThrows(AclException.class, () -> device.allocate(Long.MAX_VALUE / 2));
    assertEquals("aclrtMalloc", e.function());
    assertTrue(e.code() != 0 && !e.codeName().equals("UNKNOWN"), e.getMessage());
    assertFalse(e.nativeMessage().isEmpty());
    assertTrue(e.getMessage().contains(e.nativeMessage()), e.getMessage());
    assertTrue(e.getMessage().contains("device 5"), e.getMessage());
  }
}
