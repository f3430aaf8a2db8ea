// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

/** What the exit codes of the sample programs mean. */
public final class ExitCode {
  /** All went well and all checks passed. */
  public static final int OK = 0;

  /** A check of the program's own numbers failed, or the run itself did. */
  public static final int FAILED = 1;

  /** The options or the data are wrong; nothing was enqueued. */
  public static final int BAD_INPUT = 2;

  /** The environment is wrong: no usable toolkit, or no permission for native access. */
  public static final int ENVIRONMENT = 3;

  /** Another rank of the job was lost; its own exit code says more. */
  public static final int OTHER_RANK_LOST = 4;

  private ExitCode() {}
}
