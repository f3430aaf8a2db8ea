// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How a conversation with a model is written as text and special tokens. Comes from {@link
 * ChatTemplates}; {@link InstructionEncoder} applies it. Immutable and thread-safe.
 */
public final class ChatTemplate {
  private final String name;
  private final TemplateClass templateClass;
  private final TemplateFormats formats;
  private final String defaultSystem;
  private final List<String> stopWords;
  private final boolean efficientEos;
  private final boolean replaceEos;
  private final Thoughts thoughts;

  /** A prompt and its response, each as pieces that are encoded one by one. */
  record Turn(List<Slot> prompt, List<Slot> response) {}

  ChatTemplate(
      String name,
      TemplateClass templateClass,
      TemplateFormats formats,
      String defaultSystem,
      List<String> stopWords,
      boolean efficientEos,
      boolean replaceEos,
      Thoughts thoughts) {
    this.name = name;
    this.templateClass = templateClass;
    this.formats = formats;
    this.defaultSystem = defaultSystem;
    this.stopWords = List.copyOf(stopWords);
    this.efficientEos = efficientEos;
    this.replaceEos = replaceEos;
    this.thoughts = thoughts;
  }

  /** {@return its name, as in {@code --prompt-type}} */
  public String name() {
    return name;
  }

  /** {@return system text of a conversation without its own; empty for none} */
  public String defaultSystem() {
    return defaultSystem;
  }

  /** {@return tokens that end a response, beside the tokenizer's EOD} */
  public List<String> stopWords() {
    return stopWords;
  }

  /** {@return whether only the last response of a conversation is followed by EOD} */
  public boolean efficientEos() {
    return efficientEos;
  }

  /** {@return whether the first stop word takes the place of EOD at the end of a response} */
  public boolean replaceEos() {
    return replaceEos;
  }

  /**
   * Special tokens that a tokenizer must have for this template. Such names inside of text are not
   * among them.
   *
   * @return their names, each once
   */
  public List<String> specialTokens() {
    List<Slot> slots = new ArrayList<>();
    for (Format format :
        List.of(
            formats.prefix(),
            formats.system(),
            formats.user(),
            formats.assistant(),
            formats.function(),
            formats.observation(),
            formats.separator())) {
      slots.addAll(format.slots());
    }
    List<String> tokens = new ArrayList<>();
    for (Slot slot : slots) {
      if (slot instanceof Slot.Special(String token)) {
        tokens.add(token);
      } else if (slot instanceof Slot.Eos && replaceEos) {
        tokens.add(stopWords.getFirst());
      }
    }
    return tokens.stream().distinct().toList();
  }

  /** The turns of a conversation. */
  List<Turn> render(Conversation conversation, Thinking thinking) {
    Conversation shown = withoutThoughts(conversation, thinking);
    List<Turn> turns = new ArrayList<>(shown.turns());
    for (int turn = 0; turn < shown.turns(); turn++) {
      Message prompt = shown.messages().get(2 * turn);
      Message response = shown.messages().get(2 * turn + 1);
      List<Slot> before = prompt(shown, prompt, turn);
      List<Slot> after = new ArrayList<>(response(response));
      if (templateClass == TemplateClass.REASONING && thoughts.missingIn(response.content())) {
        Slot empty = new Slot.Text(thoughts.empty());
        if (thinking == Thinking.ENABLED) {
          after.addFirst(empty);
        } else {
          before.addLast(empty);
        }
      }
      turns.add(new Turn(before, after));
    }
    return turns;
  }

  private Conversation withoutThoughts(Conversation conversation, Thinking thinking) {
    boolean strip =
        switch (templateClass) {
          case REASONING -> thinking == Thinking.DISABLED;
          case DEEPSEEK4 -> {
            if (thinking == Thinking.ENABLED) {
              throw new UnsupportedOperationException(
                  "template '%s' (%s) is rendered without thoughts only; choose %s or %s"
                      .formatted(name, templateClass, Thinking.AS_GIVEN, Thinking.DISABLED));
            }
            yield true;
          }
          case SEPARATED, PLAIN, SYSTEM_IN_PROMPT -> false;
        };
    if (!strip) {
      return conversation;
    }
    List<Message> messages = new ArrayList<>();
    for (Message message : conversation.messages()) {
      messages.add(
          message.role().isResponse()
              ? new Message(message.role(), thoughts.strip(message.content()))
              : message);
    }
    return new Conversation(conversation.system(), messages, conversation.tools());
  }

  private List<Slot> prompt(Conversation conversation, Message message, int turn) {
    List<Slot> slots = new ArrayList<>();
    String content = message.content();
    if (turn == 0) {
      slots.addAll(formats.prefix().slots());
      String system =
          conversation.system().filter(text -> !text.isEmpty()).orElse(defaultSystem)
              + tools(conversation);
      if (!system.isEmpty()) {
        Map<String, String> values = Map.of("content", system);
        if (templateClass == TemplateClass.SYSTEM_IN_PROMPT) {
          content = formats.system().applyAsText(values) + content;
        } else {
          slots.addAll(formats.system().apply(values));
        }
      }
    } else if (templateClass != TemplateClass.PLAIN) {
      slots.addAll(formats.separator().slots());
    }
    Format format = formats.user();
    if (message.role() == Role.OBSERVATION) {
      requireFunctions(message.role());
      format = formats.observation();
    }
    slots.addAll(format.apply(Map.of("content", content, "idx", Integer.toString(turn))));
    return slots;
  }

  private List<Slot> response(Message message) {
    if (message.role() == Role.FUNCTION_CALL) {
      requireFunctions(message.role());
      return FunctionCalls.render(formats.function(), message.content());
    }
    return formats.assistant().apply(Map.of("content", message.content()));
  }

  private void requireFunctions(Role role) {
    if (templateClass == TemplateClass.DEEPSEEK4) {
      throw new UnsupportedOperationException(
          "template '%s' (%s) is rendered without functions; it has no %s"
              .formatted(name, templateClass, role));
    }
  }

  private String tools(Conversation conversation) {
    Optional<String> tools = conversation.tools().filter(text -> !text.isBlank());
    if (tools.isEmpty()) {
      return "";
    }
    Format format =
        formats
            .tools()
            .orElseThrow(
                () ->
                    new UnsupportedOperationException(
                        "template '%s' has no format_tools with slots, but the conversation has tools; give it slots such as \"{{content}}\", or describe the tools in the system text"
                            .formatted(name)));
    return format.applyAsText(Map.of("content", tools.get()));
  }

  @Override
  public String toString() {
    return "ChatTemplate[" + name + "]";
  }
}
