// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import io.github.cann4j.samples.cli.BadInputException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Environment variables; an empty one is as good as none. */
record Variables(Map<String, String> values) {
  Optional<String> text(String name) {
    return Optional.ofNullable(values.get(name)).map(String::strip).filter(v -> !v.isEmpty());
  }

  boolean has(String name) {
    return text(name).isPresent();
  }

  /** A whole number that is not negative. */
  Optional<Integer> number(String name) {
    return text(name)
        .map(
            text -> {
              try {
                int number = Integer.parseInt(text);
                if (number >= 0) {
                  return number;
                }
              } catch (NumberFormatException e) {
                // Said below.
              }
              throw new BadInputException(
                  "%s is '%s'; it must be a whole number, 0 or more".formatted(name, text));
            });
  }

  Optional<Integer> port(String name) {
    return number(name)
        .map(
            port -> {
              if (port < 1 || port > 65_535) {
                throw new BadInputException(
                    "%s is %d; a port is a number from 1 to 65535".formatted(name, port));
              }
              return port;
            });
  }

  /** A complaint that begins with the values of those variables that are set. */
  BadInputException bad(String complaint, String... names) {
    List<String> shown = new ArrayList<>();
    for (String name : names) {
      text(name).ifPresent(value -> shown.add(name + " is " + value));
    }
    return new BadInputException(String.join(" and ", shown) + ", " + complaint);
  }
}
