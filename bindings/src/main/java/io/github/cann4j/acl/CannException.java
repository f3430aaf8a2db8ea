// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

/**
 * A CANN function failed. Bad arguments that the bindings find themselves are {@link
 * IllegalArgumentException}s instead, and nothing was enqueued then.
 */
public class CannException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** The C function that failed. */
  private final String function;

  /** Its raw result. */
  private final int code;

  /** The name of the result. */
  private final String codeName;

  /** CANN's own text, empty if there was none. */
  private final String nativeMessage;

  /**
   * Describes a failed call.
   *
   * @param message the whole text
   * @param function the C function
   * @param code its raw result
   * @param codeName the name of {@code code} in CANN's headers, or {@code UNKNOWN}
   * @param nativeMessage CANN's own text, empty if there was none
   * @param cause what led to it, or null
   */
  public CannException(
      String message,
      String function,
      int code,
      String codeName,
      String nativeMessage,
      Throwable cause) {
    super(message, cause);
    this.function = function;
    this.code = code;
    this.codeName = codeName;
    this.nativeMessage = nativeMessage;
  }

  /**
   * Returns the C function that failed.
   *
   * @return its name
   */
  public String function() {
    return function;
  }

  /**
   * Returns the raw result of the C function.
   *
   * @return the code, as CANN gave it
   */
  public int code() {
    return code;
  }

  /**
   * Returns the name of {@link #code()} in CANN's headers.
   *
   * @return the name, {@code UNKNOWN} for a code that the bindings do not know
   */
  public String codeName() {
    return codeName;
  }

  /**
   * Returns CANN's own text.
   *
   * @return the text, empty if CANN gave none
   */
  public String nativeMessage() {
    return nativeMessage;
  }
}
