// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.Objects;

/**
 * One message of a conversation.
 *
 * @param role who says it
 * @param content its text; of a {@link Role#FUNCTION_CALL} JSON, an object with {@code name} and
 *     {@code arguments} or a list of these
 */
public record Message(Role role, String content) {
  /** Refuses null. */
  public Message {
    Objects.requireNonNull(role, "role");
    Objects.requireNonNull(content, "content");
  }
}
