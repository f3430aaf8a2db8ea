// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Fields of a JSON object, read as what they must be.
 *
 * @param where file, record and line, for messages
 * @param fields the object
 */
record FieldReader(String where, Map<?, ?> fields) {

  boolean has(String name) {
    return fields.get(name) != null;
  }

  /** A field that must be there; null counts as empty text. */
  String requiredText(String name) {
    if (!fields.containsKey(name)) {
      throw missing(name);
    }
    return text(name).orElse("");
  }

  Optional<String> text(String name) {
    Object value = fields.get(name);
    if (value != null && !(value instanceof String)) {
      throw wrong(name, "must be a text", value);
    }
    return Optional.ofNullable((String) value);
  }

  List<?> list(String name) {
    Object value = fields.get(name);
    if (value == null) {
      return List.of();
    }
    if (!(value instanceof List<?> list)) {
      throw wrong(name, "must be a list", value);
    }
    return list;
  }

  IllegalArgumentException missing(String name) {
    return new IllegalArgumentException(
        "%s has no field '%s'; its fields are %s".formatted(where, name, fields.keySet()));
  }

  IllegalArgumentException wrong(String name, String rule, Object value) {
    return new IllegalArgumentException(
        "%s: field '%s' %s, not %s".formatted(where, name, rule, JsonValues.describe(value)));
  }
}
