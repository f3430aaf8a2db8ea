// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import io.github.cann4j.acl.CannLoadException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/** System properties, each with an environment variable as its second source. */
enum Settings {
  BACKEND("cann4j.backend", "CANN4J_BACKEND"),
  HOME("cann4j.home", "CANN4J_HOME"),
  CACHE("cann4j.cache", "CANN4J_CACHE");

  private final String property;
  private final String variable;

  Settings(String property, String variable) {
    this.property = property;
    this.variable = variable;
  }

  /** Null if neither is set; an empty value counts as not set. */
  String value() {
    String value = System.getProperty(property);
    if (value == null || value.isBlank()) {
      value = System.getenv(variable);
    }
    return value == null || value.isBlank() ? null : value.strip();
  }

  /** Where the value comes from, for messages. */
  String source() {
    String value = System.getProperty(property);
    return value == null || value.isBlank() ? variable : "-D" + property;
  }

  Path path() {
    String value = value();
    try {
      return value == null ? null : Path.of(value).toAbsolutePath().normalize();
    } catch (InvalidPathException e) {
      throw new CannLoadException(source() + "=" + value + " is not a path: " + e.getReason(), e);
    }
  }
}
