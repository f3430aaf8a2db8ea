// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** The README's tables have all options of their programs, and no others. */
class ReadmeOptionsTest {
  private static final Pattern OPTION = Pattern.compile("`--(?:\\[no-])?([a-z0-9-]+)");

  @Test
  void longSequence() throws IOException {
    assertEquals(options(new LongSequence()), table("## Options"));
  }

  @Test
  void longSequenceFinetune() throws IOException {
    assertEquals(options(new LongSequenceFinetune()), table("## Fine-tune a model"));
  }

  private static Set<String> options(Object program) {
    Set<String> names = new TreeSet<>();
    for (OptionSpec option : new CommandLine(program).getCommandSpec().options()) {
      if (!option.hidden() && !option.usageHelp() && !option.versionHelp()) {
        for (String name : option.names()) {
          names.add(name.replace("--", ""));
        }
      }
    }
    return names;
  }

  /** Options in the first cells of a section's table. */
  private static Set<String> table(String heading) throws IOException {
    String readme = Files.readString(Path.of("..", "README.md"));
    String section = readme.substring(readme.indexOf(heading + "\n") + heading.length());
    section = section.substring(0, section.indexOf("\n## "));
    Set<String> names = new TreeSet<>();
    for (String line : section.lines().filter(line -> line.startsWith("| `--")).toList()) {
      Matcher matcher = OPTION.matcher(line.substring(0, line.indexOf(" | ", 2)));
      while (matcher.find()) {
        names.add(matcher.group(1));
      }
    }
    return names;
  }
}
