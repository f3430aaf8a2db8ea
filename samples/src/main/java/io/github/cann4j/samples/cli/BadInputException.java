// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

import java.util.function.Supplier;

/** Options or data that a program cannot work with; the message is one line for its user. */
public final class BadInputException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public BadInputException(String message) {
    super(message);
  }

  public BadInputException(String message, Throwable cause) {
    super(message, cause);
  }

  /** Does a check of the user's input, whose complaints are the user's to read. */
  public static <T> T check(Supplier<T> work) {
    try {
      return work.get();
    } catch (IllegalArgumentException | UnsupportedOperationException e) {
      throw new BadInputException(e.getMessage(), e);
    }
  }

  /** As {@link #check(Supplier)} for a check without a result. */
  public static void check(Runnable work) {
    check(
        () -> {
          work.run();
          return null;
        });
  }
}
