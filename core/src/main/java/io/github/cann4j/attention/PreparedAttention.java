// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import java.util.Optional;

/**
 * Context-parallel attention of one plan, bound to this rank's tensors: everything is checked, and running it allocates
 * nothing on the device. One object per layer and batch in flight, since it keeps the softmax statistics (and with
 * Ulysses the head-split q, k, v and output) between {@link #forward} and {@link #backward}.
 *
 * <p>Both calls are collective: every rank makes them in the same order over all of its prepared objects, from the
 * thread that issues all HCCL calls of its device. They submit work and return; errors of the device appear when the
 * compute stream is synchronized. The bound tensors must stay alive, and q, k, v and out unchanged between the calls.
 */
public final class PreparedAttention implements AutoCloseable {
  private final BufferPool.Lease buffers;
  private final Program forward;
  private final Optional<Program> backward;
  private boolean forwarded;
  private boolean closed;

  PreparedAttention(BufferPool.Lease buffers, Program forward, Optional<Program> backward) {
    this.buffers = buffers;
    this.forward = forward;
    this.backward = backward;
  }

  /**
   * Submits the computation of {@code out}. Padding rows become 0.
   *
   * @throws IllegalStateException if closed
   */
  public void forward() {
    requireOpen();
    forward.run();
    forwarded = true;
  }

  /**
   * Submits the computation of dq, dk and dv from dOut, for the last {@link #forward}. Gradients are not divided by
   * anything, and padding rows become 0.
   *
   * @throws IllegalStateException if closed, not run forward yet, or prepared without gradients
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
