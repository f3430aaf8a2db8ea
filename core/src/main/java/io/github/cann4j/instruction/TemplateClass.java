// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.Arrays;
import java.util.Optional;

/** The {@code template_class} of a template: how its formats are put together. */
enum TemplateClass {
  /** Prefix and system text before the first prompt, the separator before each later one. */
  SEPARATED("Template"),
  /** As {@link #SEPARATED} without separators. */
  PLAIN("LFDefaultTemplate"),
  /** System text is part of the first prompt's content. */
  SYSTEM_IN_PROMPT("Llama2Template"),
  /** As {@link #SEPARATED}, with {@link Thinking}. */
  REASONING("ReasoningTemplate"),
  /** DeepSeek-V4's own format, which a definition only names; here without thoughts and tools. */
  DEEPSEEK4("DeepSeek4Template");

  private final String word;

  TemplateClass(String word) {
    this.word = word;
  }

  static Optional<TemplateClass> of(String word) {
    return Arrays.stream(values()).filter(value -> value.word.equals(word)).findFirst();
  }

  @Override
  public String toString() {
    return word;
  }
}
