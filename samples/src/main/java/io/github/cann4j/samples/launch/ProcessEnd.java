// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import io.github.cann4j.samples.cli.ExitCode;
import io.github.cann4j.samples.launch.RankEnvironment.Source;
import java.time.Duration;

/**
 * How a process ends that cannot go on although threads of it wait for what will not come: first in
 * order, then by force.
 */
public final class ProcessEnd {
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private ProcessEnd() {}

  /**
   * Ends this process because another rank was lost. One process tells the user where the outputs
   * of all come together, each one where they do not: the lowest rank that is left, unless {@link
   * LocalLauncher} sees the end of the lost one itself.
   *
   * @param program what the user started
   */
  public static void afterLoss(String program, RankEnvironment environment, LostRank lost) {
    if (reports(environment, lost)) {
      System.err.println(program + ": " + lost.message());
    }
    exit(ExitCode.OTHER_RANK_LOST);
  }

  static boolean reports(RankEnvironment environment, LostRank lost) {
    boolean launched = LocalLauncher.startedThis();
    if (launched && lost.how() != LostRank.How.UNHEARD) {
      return false;
    }
    boolean together =
        launched || environment.source() == Source.OPEN_MPI || environment.source() == Source.SLURM;
    return !together || environment.rank() == (lost.rank() == 0 ? 1 : 0);
  }

  /** Ends this process; shutdown hooks that hang are left behind. */
  public static void exit(int code) {
    Thread.ofPlatform()
        .daemon()
        .name("process-end")
        .start(
            () -> {
              try {
                Thread.sleep(PATIENCE);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
              Runtime.getRuntime().halt(code);
            });
    System.exit(code);
  }
}
