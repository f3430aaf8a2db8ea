// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import io.github.cann4j.acl.Device;
import io.github.cann4j.hccl.CommunicatorOptions;
import java.time.Duration;
import java.util.List;

/**
 * A program of several ranks: {@code RANKS [RANK exit|leave|throw|wait|stop]}. All add up, then one
 * does what the arguments say while the others wait for it in a collective operation. Without a
 * launcher it launches itself.
 */
final class RankProgram {
  static final String NAME = "rank-program";

  private RankProgram() {}

  public static void main(String[] args) throws Exception {
    LocalLauncher.endWithLauncher();
    RankEnvironment environment = RankEnvironment.read().orElse(null);
    if (environment == null) {
      System.out.println("launcher here");
      System.exit(
          LocalLauncher.run(NAME, RankProgram.class, List.of(args), Integer.parseInt(args[0])));
    }
    int special = args.length > 1 ? Integer.parseInt(args[1]) : -1;
    CommunicatorOptions options = CommunicatorOptions.builder().bufferSizeMb(1).build();
    try (RankSession session =
        RankSession.join(
            environment,
            Device.open(environment.deviceId()),
            options,
            Duration.ofSeconds(60),
            special >= 0 && args[2].equals("stop")
                ? Duration.ofSeconds(1)
                : RankSession.LOST_AFTER)) {
      session.onLost(lost -> ProcessEnd.afterLoss(NAME, environment, lost));
      session.call(
          () -> {
            float sum = RankSum.of(session.world());
            // In one piece: the lines of several processes come together.
            System.out.println(
                "rank %d of %d by %s, sum %.0f, threads %s, pid %d"
                    .formatted(
                        environment.rank(),
                        environment.worldSize(),
                        environment.source(),
                        sum,
                        System.getenv("CANN4J_CPU_THREADS"),
                        ProcessHandle.current().pid()));
            if (environment.rank() == special) {
              switch (args[2]) {
                case "exit" -> Runtime.getRuntime().halt(7);
                case "leave" -> Runtime.getRuntime().halt(0);
                case "stop" ->
                    new ProcessBuilder("kill", "-STOP", "" + ProcessHandle.current().pid())
                        .start()
                        .waitFor();
                case "throw" -> throw new IllegalStateException("no more");
                default -> Thread.sleep(Duration.ofMinutes(2));
              }
            }
            return special < 0 ? 0 : RankSum.of(session.world());
          });
    }
  }
}
