// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A sample of instruction data: prompts and responses in turn, at least one of each. Immutable.
 *
 * @param system system text, if the sample has its own
 * @param messages prompts ({@link Role#USER}, {@link Role#OBSERVATION}) at even positions,
 *     responses ({@link Role#ASSISTANT}, {@link Role#FUNCTION_CALL}) at odd ones
 * @param tools descriptions of the functions that the model may call, as JSON
 */
public record Conversation(
    Optional<String> system, List<Message> messages, Optional<String> tools) {

  /**
   * Checks the order of the messages.
   *
   * @throws IllegalArgumentException if there is no message, if prompts and responses do not
   *     alternate, or if the last message is no response
   */
  public Conversation {
    Objects.requireNonNull(system, "system");
    Objects.requireNonNull(tools, "tools");
    messages = List.copyOf(messages);
    Optional<String> wrong = wrongOrder(messages);
    if (wrong.isPresent()) {
      throw new IllegalArgumentException(wrong.get());
    }
  }

  /**
   * A conversation without tools.
   *
   * @param system system text, if the sample has its own
   * @param messages prompts and responses in turn
   */
  public Conversation(Optional<String> system, List<Message> messages) {
    this(system, messages, Optional.empty());
  }

  /**
   * One prompt and its response.
   *
   * @param prompt what the user says
   * @param response what the model is to answer
   * @return the conversation
   */
  public static Conversation of(String prompt, String response) {
    return new Conversation(
        Optional.empty(),
        List.of(new Message(Role.USER, prompt), new Message(Role.ASSISTANT, response)));
  }

  /** {@return number of responses} */
  public int turns() {
    return messages.size() / 2;
  }

  /** What is wrong with an order of messages. */
  static Optional<String> wrongOrder(List<Message> messages) {
    for (int i = 0; i < messages.size(); i++) {
      Role role = messages.get(i).role();
      if (role.isResponse() != (i % 2 == 1)) {
        return Optional.of(
            "message %d of %d is %s; prompts (USER, OBSERVATION) and responses (ASSISTANT, FUNCTION_CALL) must alternate, a prompt first"
                .formatted(i + 1, messages.size(), role));
      }
    }
    if (messages.isEmpty() || messages.size() % 2 == 1) {
      return Optional.of(
          "a conversation of %d messages does not end with a response".formatted(messages.size()));
    }
    return Optional.empty();
  }
}
