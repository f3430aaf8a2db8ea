// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import io.github.cann4j.acl.CannException;

/** An HCCL function ({@code Hccl*}) failed. */
public class HcclException extends CannException {
  private static final long serialVersionUID = 1L;

  /** The rank that called, −1 if it is not known yet. */
  private final int rank;

  /** The communicator's name, empty if there is none yet. */
  private final String communicator;

  /**
   * Describes a failed call.
   *
   * @param message the whole text
   * @param function the C function
   * @param code the raw {@code HcclResult}
   * @param codeName the name of {@code code}
   * @param nativeMessage CANN's own text, empty if there was none
   * @param rank the rank that called, −1 if it is not known yet
   * @param communicator the communicator's name, empty if there is none yet
   */
  public HcclException(
      String message,
      String function,
      int code,
      String codeName,
      String nativeMessage,
      int rank,
      String communicator) {
    super(message, function, code, codeName, nativeMessage, null);
    this.rank = rank;
    this.communicator = communicator;
  }

  /**
   * Returns the rank that called.
   *
   * @return the rank, −1 if it is not known yet
   */
  public int rank() {
    return rank;
  }

  /**
   * Returns the communicator.
   *
   * @return its name, empty if there is none yet
   */
  public String communicator() {
    return communicator;
  }
}
