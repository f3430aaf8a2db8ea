// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class StreamEventTest {
  private final Device device = Device.open(3);

  @Test
  void aDeviceHasOneInstance() {
    assertSame(device, Device.open(3));
    assertEquals(3, device.id());
    assertTrue(Device.count() > 3);
    String message =
        assertThrows(IllegalArgumentException.class, () -> Device.open(Device.count()))
            .getMessage();
    assertTrue(message.contains("device " + Device.count()), message);
    assertThrows(IllegalArgumentException.class, () -> Device.open(-1));
    MemoryInfo memory = device.memory();
    assertTrue(memory.freeBytes() > 0 && memory.totalBytes() >= memory.freeBytes());
    device.synchronize();
  }

  @Test
  void aStreamIsIncompleteWhileItsWorkWaits() throws Exception {
    try (Stream stream = device.createStream();
        Event event = device.createEvent();
        Gate gate = new Gate(device, stream)) {
      assertTrue(event.isComplete(), "never recorded");
      stream.record(event);
      assertFalse(stream.isComplete());
      assertFalse(event.isComplete());
      AclException e =
          assertThrows(AclException.class, () -> stream.synchronize(Duration.ofMillis(30)));
      assertEquals("ACL_ERROR_RT_STREAM_SYNC_TIMEOUT", e.codeName());
      gate.open();
      event.synchronize();
      assertTrue(event.isComplete());
      stream.synchronize(Duration.ofMinutes(1));
      assertTrue(stream.isComplete());
    }
  }

  @Test
  void waitsForALimitedTime() throws Exception {
    try (Stream stream = device.createStream();
        Event event = device.createEvent();
        Gate gate = new Gate(device, stream)) {
      stream.record(event);
      AclException e =
          assertThrows(AclException.class, () -> event.synchronize(Duration.ofMillis(30)));
      assertEquals("ACL_ERROR_RT_EVENT_SYNC_TIMEOUT", e.codeName());
      e = assertThrows(AclException.class, () -> device.synchronize(Duration.ofMillis(30)));
      assertEquals("ACL_ERROR_RT_STREAM_SYNC_TIMEOUT", e.codeName());
      gate.open();
      event.synchronize(Duration.ofMinutes(1));
      device.synchronize(Duration.ofMinutes(1));
      assertThrows(IllegalArgumentException.class, () -> event.synchronize(Duration.ZERO));
    }
  }

  @Test
  void workThatHasNotStartedCanBeDropped() {
    try (Stream held = device.createStream();
        Stream stream = device.createStream();
        Event event = device.createEvent();
        DeviceBuffer buffer = device.allocate(4)) {
      buffer.copyFrom(MemorySegment.ofArray(new int[] {7}));
      Gate gate = new Gate(device, held);
      held.record(event);
      stream.waitFor(event);
      buffer.fillAsync(0, 4, (byte) 1, stream);
      stream.abort();
      AclException e = assertThrows(AclException.class, stream::synchronize);
      assertEquals("ACL_ERROR_RT_STREAM_ABORT", e.codeName());
      stream.synchronize();
      gate.open();
      gate.close();
      int[] value = new int[1];
      buffer.copyTo(MemorySegment.ofArray(value));
      assertEquals(7, value[0]);
    }
  }

  @Test
  void hostCodeRunsInOrder() {
    assumeTrue(Cann.toolkit().has("aclrtLaunchHostFunc"), "the toolkit has no aclrtLaunchHostFunc");
    List<Integer> order = Collections.synchronizedList(new ArrayList<>());
    try (Stream stream = device.createStream();
        Gate gate = new Gate(device, stream)) {
      for (int i = 0; i < 3; i++) {
        int number = i;
        stream.launchHostFunc(() -> order.add(number));
      }
      assertTrue(order.isEmpty());
      gate.open();
      stream.synchronize();
      assertEquals(List.of(0, 1, 2), order);
    }
  }

  @Test
  void determinismIsAnOptionOfTheDevice() {
    try {
      for (boolean wanted : new boolean[] {true, false}) {
        device.setDeterministic(wanted);
        MemorySegment value = Scratch.get().first();
        assertEquals(0, cann_h.aclrtCtxGetSysParamOpt(cann_h.ACL_OPT_DETERMINISTIC(), value));
        assertEquals(wanted ? 1 : 0, value.get(ValueLayout.JAVA_LONG, 0));
        assertEquals(0, cann_h.aclrtGetSysParamOpt(cann_h.ACL_OPT_DETERMINISTIC(), value));
        assertEquals(wanted ? 1 : 0, value.get(ValueLayout.JAVA_LONG, 0));
      }
    } finally {
      device.setDeterministic(false);
    }
  }

  @Test
  void anEventOrdersTwoStreams() {
    try (Stream writer = device.createStream();
        Stream reader = device.createStream();
        Event written = device.createEvent();
        DeviceBuffer buffer = device.allocate(4);
        PinnedBuffer in = device.allocatePinned(4);
        PinnedBuffer out = device.allocatePinned(4)) {
      for (int round = 1; round <= 3; round++) {
        in.segment().set(ValueLayout.JAVA_INT, 0, round);
        out.segment().set(ValueLayout.JAVA_INT, 0, -1);
        try (Gate gate = new Gate(device, writer)) {
          buffer.copyFromAsync(0, in, 0, 4, writer);
          // The same event again in each round.
          writer.record(written);
          reader.waitFor(written);
          buffer.copyToAsync(0, out, 0, 4, reader);
          assertFalse(reader.isComplete());
          assertEquals(-1, out.segment().get(ValueLayout.JAVA_INT, 0));
          gate.open();
          reader.synchronize();
          assertEquals(round, out.segment().get(ValueLayout.JAVA_INT, 0));
        }
      }
    }
  }

  @Test
  void timingEventsMeasure() {
    try (Stream stream = device.createStream();
        Event start = device.createTimingEvent();
        Event end = device.createTimingEvent();
        Event plain = device.createEvent();
        DeviceBuffer buffer = device.allocate(64 << 20)) {
      stream.record(start);
      buffer.fillAsync(0, 64 << 20, (byte) 1, stream);
      stream.record(end);
      stream.synchronize();
      float millis = end.millisSince(start);
      assertTrue(millis > 0 && millis < 60_000, "took " + millis);
      assertThrows(IllegalStateException.class, () -> end.millisSince(plain));
    }
  }

  @Test
  void closedHandlesAreRefused() {
    Stream stream = device.createStream();
    Event event = device.createEvent();
    stream.close();
    stream.close();
    assertThrows(IllegalStateException.class, stream::handle);
    assertThrows(IllegalStateException.class, stream::synchronize);
    assertThrows(IllegalStateException.class, () -> stream.record(event));
    event.close();
    event.close();
    assertThrows(IllegalStateException.class, event::isComplete);
    try (Stream open = device.createStream()) {
      assertThrows(IllegalStateException.class, () -> open.waitFor(event));
    }
  }

  @Test
  void badArgumentsAreRefused() {
    try (Stream stream = device.createStream();
        Event foreign = Device.open(2).createEvent()) {
      assertThrows(IllegalArgumentException.class, () -> stream.record(foreign));
      assertThrows(IllegalArgumentException.class, () -> stream.waitFor(foreign));
      assertThrows(IllegalArgumentException.class, () -> stream.synchronize(Duration.ZERO));
      assertThrows(IllegalArgumentException.class, () -> stream.synchronize(Duration.ofDays(100)));
      assertThrows(IllegalArgumentException.class, () -> Stream.wrap(device, MemorySegment.NULL));
    }
  }

  @Test
  void aWrappedStreamIsUsedButNotDestroyed() {
    try (Stream owner = device.createStream();
        DeviceBuffer buffer = device.allocate(4)) {
      Stream wrapper = Stream.wrap(device, owner.handle());
      buffer.fillAsync(0, 4, (byte) 7, wrapper);
      wrapper.synchronize();
      wrapper.close();
      assertThrows(IllegalStateException.class, wrapper::synchronize);
      owner.synchronize();
      byte[] bytes = new byte[4];
      buffer.copyTo(MemorySegment.ofArray(bytes));
      assertEquals(7, bytes[3]);
    }
  }

  @Test
  void operationsMakeTheirOwnContextCurrent() throws Exception {
    try (Stream here = device.createStream();
        Stream there = Device.open(2).createStream()) {
      // Device 2 is current on this thread now.
      here.synchronize();
      there.synchronize();
      here.synchronize();
      assertNotEquals(here.handle(), there.handle());
      Throwable[] thrown = new Throwable[1];
      Thread.ofPlatform()
          .uncaughtExceptionHandler((thread, e) -> thrown[0] = e)
          .start(here::synchronize)
          .join();
      assertNull(thrown[0]);
    }
  }

  @Test
  void virtualThreadsAreRefused() throws Exception {
    try (Stream stream = device.createStream();
        DeviceBuffer buffer = device.allocate(4)) {
      Throwable[] thrown = new Throwable[4];
      Thread.ofVirtual()
          .start(
              () -> {
                thrown[0] = assertThrows(IllegalStateException.class, stream::synchronize);
                thrown[1] = assertThrows(IllegalStateException.class, () -> device.allocate(4));
                thrown[2] =
                    assertThrows(
                        IllegalStateException.class,
                        () -> buffer.copyTo(MemorySegment.ofArray(new byte[4])));
                thrown[3] = assertThrows(IllegalStateException.class, buffer::close);
              })
          .join();
      for (Throwable one : thrown) {
        assertTrue(one != null && one.getMessage().contains("platform thread"), "" + one);
      }
      assertFalse(buffer.isClosed());
    }
  }
}
