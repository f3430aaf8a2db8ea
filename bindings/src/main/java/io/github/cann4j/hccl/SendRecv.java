// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import io.github.cann4j.acl.Tensor;
import java.util.Objects;

/**
 * One transfer of {@link Communicator#batchSendRecv}.
 *
 * @param kind the direction
 * @param tensor what to send or fill; contiguous
 * @param peer the other rank
 */
public record SendRecv(Kind kind, Tensor tensor, int peer) {
  /** The direction of a transfer. */
  public enum Kind {
    /** To the peer. */
    SEND,
    /** From the peer. */
    RECV
  }

  /** Checks for nulls; the rest is checked against the communicator. */
  public SendRecv {
    Objects.requireNonNull(kind, "kind");
    Objects.requireNonNull(tensor, "tensor");
  }

  /**
   * Describes a send.
   *
   * @param tensor what to send
   * @param peer the receiving rank
   * @return the transfer
   */
  public static SendRecv send(Tensor tensor, int peer) {
    return new SendRecv(Kind.SEND, tensor, peer);
  }

  /**
   * Describes a receive.
   *
   * @param tensor what to fill
   * @param peer the sending rank
   * @return the transfer
   */
  public static SendRecv recv(Tensor tensor, int peer) {
    return new SendRecv(Kind.RECV, tensor, peer);
  }
}
