// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.CannException;

/** An operator ({@code aclnn*}) was refused in its first phase or could not be submitted. */
public class AclnnException extends CannException {
  private static final long serialVersionUID = 1L;

  /**
   * Describes a failed call.
   *
   * @param message the whole text
   * @param function the C function of the phase that failed
   * @param code the raw {@code aclnnStatus}
   * @param codeName the name of {@code code}
   * @param nativeMessage CANN's own text, empty if there was none
   */
  public AclnnException(
      String message, String function, int code, String codeName, String nativeMessage) {
    super(message, function, code, codeName, nativeMessage, null);
  }
}
