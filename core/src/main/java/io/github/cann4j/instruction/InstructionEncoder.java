// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Writes conversations as tokens, and says which of them are trained.
 *
 * <p>Each piece of the template (slot) is encoded by itself. Targets are the responses of all turns
 * with the token that ends each of them; prompts, system text and separators are context. A sample
 * ends with one EOD: that of the template, or one that is appended, as a target.
 *
 * <p>A template's {@code eos_token} is the tokenizer's EOD, so that each turn of a conversation
 * ends with it; whoever finds documents by EOD then finds turns. Under {@code replace_eos} it is
 * the template's first stop word. Under {@code efficient_eos} a response has no end token of its
 * own: EOD follows the last one, and behind the others the next prompt's first token is a target if
 * it is a stop word of the template.
 *
 * <p>Immutable; as thread-safe as its {@link TokenEncoder}.
 */
public final class InstructionEncoder {
  private final ChatTemplate template;
  private final TokenEncoder tokenizer;
  private final Map<String, Integer> specialIds;
  private final Set<Integer> stopIds;
  private final Thinking thinking;
  private final boolean maskHistory;

  /**
   * An encoder that trains all responses, and keeps thoughts {@linkplain Thinking#AS_GIVEN as
   * given}.
   *
   * @param template the template
   * @param tokenizer makes tokens of text
   * @throws IllegalArgumentException if the tokenizer lacks a special token of the template
   */
  public InstructionEncoder(ChatTemplate template, TokenEncoder tokenizer) {
    this.template = Objects.requireNonNull(template, "template");
    this.tokenizer = Objects.requireNonNull(tokenizer, "tokenizer");
    specialIds = new HashMap<>();
    for (String token : template.specialTokens()) {
      OptionalInt id = tokenizer.specialToken(token);
      specialIds.put(
          token,
          id.orElseThrow(
              () ->
                  new IllegalArgumentException(
                      "template '%s' needs the special token %s, which the tokenizer's vocabulary of %d tokens does not have; choose another --prompt-type, or the tokenizer of the template's model"
                          .formatted(template.name(), token, tokenizer.vocabSize()))));
    }
    stopIds = new HashSet<>();
    for (String word : template.stopWords()) {
      tokenizer.specialToken(word).ifPresent(stopIds::add);
    }
    thinking = Thinking.AS_GIVEN;
    maskHistory = false;
  }

  private InstructionEncoder(InstructionEncoder other, Thinking thinking, boolean maskHistory) {
    template = other.template;
    tokenizer = other.tokenizer;
    specialIds = other.specialIds;
    stopIds = other.stopIds;
    this.thinking = Objects.requireNonNull(thinking, "thinking");
    this.maskHistory = maskHistory;
  }

  /**
   * The same encoder with another treatment of thoughts.
   *
   * @param value what to do with them
   * @return a new encoder
   */
  public InstructionEncoder withThinking(Thinking value) {
    return new InstructionEncoder(this, value, maskHistory);
  }

  /**
   * The same encoder, which trains all responses of a conversation or only the last one.
   *
   * @param value whether only the last one is trained
   * @return a new encoder
   */
  public InstructionEncoder withMaskHistory(boolean value) {
    return new InstructionEncoder(this, thinking, value);
  }

  /** {@return the template} */
  public ChatTemplate template() {
    return template;
  }

  /**
   * Encodes a conversation. Nothing is cut, however long it is. Names of special tokens in what
   * people wrote are ordinary text, but for those of thoughts and calls ({@code <think>}, {@code
   * <tool_call>} and {@code <tool_response>}).
   *
   * @param conversation the sample
   * @return its tokens and targets
   * @throws IllegalArgumentException if a function call is not the JSON that it must be
   * @throws UnsupportedOperationException if the template cannot write a part of the conversation
   */
  public EncodedSample encode(Conversation conversation) {
    TokenBuffer buffer = new TokenBuffer();
    List<ChatTemplate.Turn> turns = template.render(withoutNames(conversation), thinking);
    for (int i = 0; i < turns.size(); i++) {
      boolean trained = !maskHistory || i == turns.size() - 1;
      boolean endsResponse = template.efficientEos() && i > 0 && !maskHistory;
      int begin = buffer.length;
      append(turns.get(i).prompt(), false, buffer);
      if (endsResponse && begin < buffer.length && stopIds.contains(buffer.tokens[begin])) {
        buffer.targets[begin] = true;
      }
      append(turns.get(i).response(), trained, buffer);
    }
    if (buffer.length == 0 || buffer.tokens[buffer.length - 1] != tokenizer.eodId()) {
      buffer.add(tokenizer.eodId(), true);
    }
    return buffer.toSample();
  }

  private Conversation withoutNames(Conversation conversation) {
    return new Conversation(
        conversation.system().map(text -> SpecialNames.breakAll(text, tokenizer)),
        conversation.messages().stream()
            .map(
                message ->
                    new Message(
                        message.role(), SpecialNames.breakAll(message.content(), tokenizer)))
            .toList(),
        conversation.tools().map(text -> SpecialNames.breakAll(text, tokenizer)));
  }

  private void append(List<Slot> slots, boolean target, TokenBuffer buffer) {
    for (Slot slot : slots) {
      switch (slot) {
        case Slot.Text(String text) -> {
          if (!text.isEmpty()) {
            buffer.add(SpecialNames.encode(text, tokenizer), target);
          }
        }
        case Slot.Special(String token) -> buffer.add(specialIds.get(token), target);
        case Slot.Bos() -> tokenizer.bosId().ifPresent(id -> buffer.add(id, target));
        case Slot.Eos() ->
            buffer.add(
                template.replaceEos()
                    ? specialIds.get(template.stopWords().getFirst())
                    : tokenizer.eodId(),
                target);
      }
    }
  }

  private static final class TokenBuffer {
    private int[] tokens = new int[256];
    private boolean[] targets = new boolean[256];
    private int length;

    void add(int token, boolean target) {
      reserve(1);
      tokens[length] = token;
      targets[length++] = target;
    }

    void add(int[] more, boolean target) {
      reserve(more.length);
      System.arraycopy(more, 0, tokens, length, more.length);
      Arrays.fill(targets, length, length + more.length, target);
      length += more.length;
    }

    private void reserve(int count) {
      int needed = Math.addExact(length, count);
      if (needed > tokens.length) {
        int capacity = (int) Math.min(Integer.MAX_VALUE - 8L, Math.max(needed, 2L * length));
        tokens = Arrays.copyOf(tokens, capacity);
        targets = Arrays.copyOf(targets, capacity);
      }
    }

    EncodedSample toSample() {
      return new EncodedSample(Arrays.copyOf(tokens, length), Arrays.copyOf(targets, length));
    }
  }
}
