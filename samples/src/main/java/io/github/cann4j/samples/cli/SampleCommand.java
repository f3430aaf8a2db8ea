// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.acl.CannException;
import io.github.cann4j.acl.CannLoadException;
import io.github.cann4j.samples.launch.LostRankException;
import io.github.cann4j.samples.run.RankFailedException;
import java.io.PrintWriter;
import java.util.List;
import picocli.CommandLine;

/** How every sample program starts, and how it ends when something is wrong: with one line. */
public final class SampleCommand {
  private SampleCommand() {}

  /** Runs a picocli command on the console; returns its exit code. */
  public static int run(Object command, String... args) {
    return run(command, new PrintWriter(System.out, true), new PrintWriter(System.err, true), args);
  }

  /** Runs a picocli command that writes to the given places; returns its exit code. */
  public static int run(Object command, PrintWriter out, PrintWriter err, String... args) {
    CommandLine line = new CommandLine(command);
    line.setOverwrittenOptionsAllowed(true);
    line.setOut(out);
    line.setErr(err);
    line.setParameterExceptionHandler(
        (e, arguments) -> {
          CommandLine failed = e.getCommandLine();
          complain(failed, e.getMessage() + nearest(e));
          return ExitCode.BAD_INPUT;
        });
    line.setExecutionExceptionHandler((e, failed, parsed) -> exitCode(e, failed));
    return line.execute(args);
  }

  /**
   * Fails as loading the toolkit does where native access is denied. Some constants are read
   * through native layouts, so that without permission even checking the options would fail
   * obscurely.
   */
  public static void requireNativeAccess() {
    if (!Cann.class.getModule().isNativeAccessEnabled()) {
      Cann.ensureAvailable();
    }
  }

  private static int exitCode(Exception e, CommandLine line) {
    switch (e) {
      case BadInputException bad -> {
        complain(line, bad.getMessage());
        return ExitCode.BAD_INPUT;
      }
      case CannLoadException load -> {
        complain(line, load.getMessage());
        return ExitCode.ENVIRONMENT;
      }
      case LostRankException lost -> {
        if (!lost.isReported()) {
          complain(line, lost.getMessage());
        }
        return ExitCode.OTHER_RANK_LOST;
      }
      case RankFailedException failed when failed.getCause() instanceof CannException -> {
        complain(line, failed.getMessage());
        return ExitCode.FAILED;
      }
      case CannException failed -> {
        complain(line, failed.getMessage());
        return ExitCode.FAILED;
      }
      case FailedException failed -> {
        complain(line, failed.getMessage());
        return ExitCode.FAILED;
      }
      default -> {
        complain(line, e.toString());
        e.printStackTrace(line.getErr());
        return ExitCode.FAILED;
      }
    }
  }

  /** The options that an unknown one may have meant. */
  private static String nearest(CommandLine.ParameterException e) {
    if (!(e instanceof CommandLine.UnmatchedArgumentException unmatched)
        || !unmatched.isUnknownOption()) {
      return "";
    }
    List<String> suggestions = unmatched.getSuggestions();
    return suggestions.isEmpty()
        ? "; --help lists the options"
        : "; did you mean " + String.join(" or ", suggestions) + "?";
  }

  private static void complain(CommandLine line, String message) {
    String oneLine = message.strip().replaceAll("\\s*\\R\\s*", " ");
    line.getErr().println(line.getCommandName() + ": " + oneLine);
    line.getErr().flush();
  }

  /** The version of this build, for {@code --version}. */
  public static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      // Class files outside a jar have no manifest to say it.
      String version = SampleCommand.class.getPackage().getImplementationVersion();
      return new String[] {"cann4j " + (version == null ? "(development build)" : version)};
    }
  }
}
