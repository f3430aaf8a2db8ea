// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

/** A run that cannot go on though options and data are right; the message is one line. */
public final class FailedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public FailedException(String message) {
    super(message);
  }
}
