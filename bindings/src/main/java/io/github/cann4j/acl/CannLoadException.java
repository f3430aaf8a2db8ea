// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

/** No usable CANN toolkit: the message says what was tried, what is wrong and what to do. */
public class CannLoadException extends CannException {
  private static final long serialVersionUID = 1L;

  /**
   * Describes a failure without a C result code.
   *
   * @param message what is wrong and what to do
   * @param cause what led to it, or null
   */
  public CannLoadException(String message, Throwable cause) {
    this(message, "dlopen", 0, "LOAD_FAILED", "", cause);
  }

  /**
   * Describes a failure that a C function reported.
   *
   * @param message what is wrong and what to do
   * @param function the C function
   * @param code its raw result
   * @param codeName the name of {@code code}
   * @param nativeMessage the dynamic linker's or CANN's own text, empty if there was none
   * @param cause what led to it, or null
   */
  public CannLoadException(
      String message,
      String function,
      int code,
      String codeName,
      String nativeMessage,
      Throwable cause) {
    super(message, function, code, codeName, nativeMessage, cause);
  }
}
