// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * Context-parallel attention of one plan, bound to this rank's tensors: everything is checked, and running it allocates
 * nothing on the device. One object per layer and batch in flight, since it keeps the softmax statistics (and with
 * Ulysses the head-split q, k, v and output) between {@link #forward} and {@link #backward}.
 *
 * <p>Both calls are collective: every rank makes them in the same order over all of its prepared objects, from the
 * thread that issues all HCCL calls of its device. They submit work and return; errors of the device appear when the
 * compute stream is synchronized. The bound tensors must stay alive, and q, k, v and out unchanged between the calls.
 * A rank that leaves a call out, or whose call throws, keeps the others waiting on their streams until HCCL's timeout.
 */
public final class PreparedAttention implements AutoCloseable {
  private final ContextParallelAttention attention;
  private final BufferPool.Lease buffers;
  private final Program forward;
  private final Optional<Program> backward;
  private final List<Tensor> bound;
  private boolean forwarded;
  private boolean closed;

  PreparedAttention(
      ContextParallelAttention attention,
      BufferPool.Lease buffers,
      Program forward,
      Optional<Program> backward,
      List<Tensor> bound) {
    this.attention = attention;
    this.buffers = buffers;
    this.forward = forward;
    this.backward = backward;
    this.bound = bound;
  }

  /**
   * Submits the computation of {@code out}. Padding rows become 0.
   *
   * @throws IllegalStateException if this object, its attention, a stream, a communicator or the buffer of a bound
   *     tensor is closed; nothing is submitted then
   */
  public void forward() {
    requireOpen();
    forwarded = false;
    forward.run();
    forwarded = true;
  }

  /**
   * Submits the computation of dq, dk and dv from dOut, for the last {@link #forward}. Gradients are not divided by
   * anything, and padding rows become 0.
   *
   * @throws IllegalStateException if not run forward yet, prepared without gradients, or something is closed as with
   *     {@link #forward}; nothing is submitted then
   */
  public void backward() {
    requireOpen();
    Program program =
        backward.orElseThrow(
            () ->
                new IllegalStateException(
                    "backward of an attention that was prepared without gradient tensors"));
    if (!forwarded) {
      throw new IllegalStateException("backward before forward");
    }
    program.run();
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the prepared attention is closed");
    }
    attention.requireOpen();
    for (int i = 0; i < bound.size(); i++) {
      if (bound.get(i).buffer().isClosed()) {
        throw new IllegalStateException(
            "the buffer of the bound tensor %s is closed; prepare again with live ones"
                .formatted(bound.get(i)));
      }
    }
  }

  /** Gives the buffers back to the attention object for the next one; does not wait. Idempotent. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      buffers.release();
    }
  }
}
