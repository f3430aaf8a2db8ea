// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

/** A function of the acl runtime ({@code acl*}, {@code aclrt*}) failed. */
public class AclException extends CannException {
  private static final long serialVersionUID = 1L;

  /**
   * Describes a failed call.
   *
   * @param message the whole text
   * @param function the C function
   * @param code the raw {@code aclError}
   * @param codeName the name of {@code code}
   * @param nativeMessage CANN's own text, empty if there was none
   */
  public AclException(
      String message, String function, int code, String codeName, String nativeMessage) {
    super(message, function, code, codeName, nativeMessage, null);
  }
}
