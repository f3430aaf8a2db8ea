// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.worker;

/** A worker could not do what it was asked for. */
public final class WorkerException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public WorkerException(String message) {
    super(message);
  }
}
