// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Event;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.attention.ContextParallelAttention;
import io.github.cann4j.attention.ContextParallelGroups;
import io.github.cann4j.attention.PreparedAttention;
import io.github.cann4j.plan.ContextParallelPlan;
import java.util.ArrayList;
import java.util.List;

/**
 * Attention of all layers of one rank for a framework on the host: its arrays go through pinned
 * memory to the device and back. Memory is kept from batch to batch while the number of rows stays.
 */
final class AttentionBridge implements AutoCloseable {
  private final AttentionConfig config;
  private final int layers;
  private final Device device;
  private final StepClock clock;
  private final ExitGate gate;
  private final Stream stream;
  private final ContextParallelAttention attention;
  private final Event begun;
  private final Event done;
  private final List<PreparedAttention> prepared = new ArrayList<>();
  private AttentionBuffers buffers;

  /** Gradients of what attention takes, as {@link #forward} had it. */
  record Gradients(NDArray q, NDArray k, NDArray v) {}

  AttentionBridge(
      AttentionConfig config,
      int layers,
      ContextParallelGroups groups,
      StepClock clock,
      ExitGate gate) {
    this.config = config;
    this.layers = layers;
    this.clock = clock;
    this.gate = gate;
    device = groups.device();
    stream = device.createStream();
    attention = ContextParallelAttention.create(config, groups, stream);
    begun = device.createTimingEvent();
    done = device.createTimingEvent();
  }

  /** Begins a batch; collective. */
  void begin(ContextParallelPlan plan) {
    long rows = plan.localRows();
    if (buffers == null || buffers.rows() != rows) {
      if (buffers != null) {
        buffers.close();
      }
      buffers = new AttentionBuffers(device, config, layers, rows);
    }
    for (int layer = 0; layer < layers; layer++) {
      prepared.add(
          attention.prepare(
              plan,
              buffers.q(layer),
              buffers.k(layer),
              buffers.v(layer),
              buffers.out(layer),
              buffers.dOut(),
              buffers.dq(),
              buffers.dk(),
              buffers.dv()));
    }
  }

  /** Ends the batch: its layers cannot run again. */
  void end() {
    prepared.forEach(PreparedAttention::close);
    prepared.clear();
  }

  /** Computes the attention of a layer; the result is a new array. */
  NDArray forward(int layer, NDArray q, NDArray k, NDArray v) {
    clock.enter(StepClock.Part.COPIES);
    buffers.upload(
        List.of(q, k, v), List.of(buffers.q(layer), buffers.k(layer), buffers.v(layer)), stream);
    stream.record(begun);
    prepared.get(layer).forward();
    stream.record(done);
    NDArray out = array(q.getManager(), config.heads());
    buffers.submitDownload(List.of(buffers.out(layer)), stream);
    gate.outside(stream::synchronize);
    buffers.take(List.of(out));
    leave();
    return out;
  }

  /** Computes the gradients of a layer's inputs from that of its output. */
  Gradients backward(int layer, NDArray dOut) {
    clock.enter(StepClock.Part.COPIES);
    buffers.upload(List.of(dOut), List.of(buffers.dOut()), stream);
    stream.record(begun);
    prepared.get(layer).backward();
    stream.record(done);
    NDManager manager = dOut.getManager();
    Gradients gradients =
        new Gradients(
            array(manager, config.heads()),
            array(manager, config.kvHeads()),
            array(manager, config.kvHeads()));
    buffers.submitDownload(List.of(buffers.dq(), buffers.dk(), buffers.dv()), stream);
    gate.outside(stream::synchronize);
    buffers.take(List.of(gradients.q, gradients.k, gradients.v));
    leave();
    return gradients;
  }

  /** Copies and attention are submitted together: how long each took is asked afterwards. */
  private void leave() {
    clock.move(StepClock.Part.COPIES, StepClock.Part.ATTENTION, done.millisSince(begun) * 1e-3);
    clock.enter(StepClock.Part.MODEL);
  }

  private NDArray array(NDManager manager, int heads) {
    return manager.create(new Shape(buffers.rows(), heads, config.headDim()));
  }

  @Override
  public void close() {
    end();
    attention.close();
    if (buffers != null) {
      buffers.close();
    }
    begun.close();
    done.close();
    stream.close();
  }
}
