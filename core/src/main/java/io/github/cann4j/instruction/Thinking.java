// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

/**
 * What a template of a reasoning model ({@code template_class} {@code ReasoningTemplate}) does with
 * thoughts; the three values of {@code --enable-thinking}. Other templates know no thoughts and
 * leave responses as they are.
 */
public enum Thinking {
  /** Responses keep their thoughts; one without any is preceded by empty ones, not trained. */
  AS_GIVEN,
  /** Responses keep their thoughts; one without any begins with empty ones, trained. */
  ENABLED,
  /** Thoughts are taken out of responses; each is preceded by empty ones, not trained. */
  DISABLED
}
