// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The forms of instruction records. */
enum RecordForm {
  ALPACA {
    @Override
    Draft read(FieldReader record) {
      List<Message> messages = new ArrayList<>();
      List<?> history = record.list("history");
      for (int i = 0; i < history.size(); i++) {
        if (!(history.get(i) instanceof List<?> pair)
            || pair.size() != 2
            || !(pair.getFirst() instanceof String prompt)
            || !(pair.getLast() instanceof String response)) {
          throw record.wrong(
              "history[%d]".formatted(i),
              "must be a prompt and its response, two texts",
              history.get(i));
        }
        messages.add(new Message(Role.USER, prompt));
        messages.add(new Message(Role.ASSISTANT, response));
      }
      String prompt =
          Stream.of(record.requiredText("instruction"), record.text("input").orElse(""))
              .filter(text -> !text.isEmpty())
              .collect(Collectors.joining("\n"));
      messages.add(new Message(Role.USER, prompt));
      messages.add(new Message(Role.ASSISTANT, record.requiredText("output")));
      return new Draft(record.text("system"), messages, Optional.empty());
    }
  },

  SHAREGPT {
    @Override
    Draft read(FieldReader record) {
      String field = record.has("messages") ? "messages" : "conversations";
      if (!record.fields().containsKey(field)) {
        throw record.missing(field);
      }
      Optional<String> system = record.text("system");
      List<Message> messages = new ArrayList<>();
      List<?> list = record.list(field);
      for (int i = 0; i < list.size(); i++) {
        String position = "%s[%d]".formatted(field, i);
        if (!(list.get(i) instanceof Map<?, ?> map)) {
          throw record.wrong(position, "must be an object", list.get(i));
        }
        FieldReader message = new FieldReader("%s: %s".formatted(record.where(), position), map);
        boolean openAi = map.containsKey("role");
        String role = message.requiredText(openAi ? "role" : "from");
        String content = message.requiredText(openAi ? "content" : "value");
        if (role.equals("system") && i == 0) {
          system = Optional.of(content);
        } else {
          messages.add(new Message(role(message, openAi ? "role" : "from", role), content));
        }
      }
      return new Draft(system, messages, tools(record));
    }
  };

  private static final Map<String, Role> ROLES =
      Map.of(
          "human", Role.USER,
          "user", Role.USER,
          "gpt", Role.ASSISTANT,
          "assistant", Role.ASSISTANT,
          "function_call", Role.FUNCTION_CALL,
          "function", Role.FUNCTION_CALL,
          "observation", Role.OBSERVATION,
          "tool", Role.OBSERVATION);

  /** Tools are a text of JSON, or the list itself; an empty list is none. */
  private static Optional<String> tools(FieldReader record) {
    return record.fields().get("tools") instanceof List<?> list
        ? Optional.of(FunctionCalls.write(list))
        : record.text("tools");
  }

  /** What a record says, before it is known to be a conversation. */
  record Draft(Optional<String> system, List<Message> messages, Optional<String> tools) {

    Optional<ConversationReader.Skip> skip() {
      if (Conversation.wrongOrder(messages).isPresent()) {
        return Optional.of(ConversationReader.Skip.ROLE_ORDER);
      }
      return messages.stream().anyMatch(message -> message.content().isBlank())
          ? Optional.of(ConversationReader.Skip.BLANK)
          : Optional.empty();
    }

    Conversation toConversation() {
      return new Conversation(
          system.filter(text -> !text.isBlank()),
          messages,
          tools.filter(text -> !text.isBlank() && !text.strip().equals("[]")));
    }
  }

  /** Reads a record of this form. */
  abstract Draft read(FieldReader record);

  /** The form of a file, by its first record. */
  static RecordForm of(FieldReader record) {
    if (record.has("conversations") || record.has("messages")) {
      return SHAREGPT;
    }
    if (record.has("instruction") || record.has("output")) {
      return ALPACA;
    }
    throw new IllegalArgumentException(
        "%s is neither of the Alpaca form (instruction, output) nor of the ShareGPT form (conversations, messages); its fields are %s"
            .formatted(record.where(), record.fields().keySet()));
  }

  private static Role role(FieldReader message, String field, String role) {
    Role known = ROLES.get(role);
    if (known == null) {
      throw message.wrong(
          field,
          "must be one of %s, or system in the first message"
              .formatted(ROLES.keySet().stream().sorted().toList()),
          role);
    }
    return known;
  }
}
