// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

/** Who says a message. System text is no message: it belongs to the {@link Conversation}. */
public enum Role {
  /** The human; a prompt. */
  USER,
  /** The model; a response. */
  ASSISTANT,
  /** The model, calling functions instead of answering; a response. */
  FUNCTION_CALL,
  /** What a called function returned; a prompt. */
  OBSERVATION;

  /** {@return whether the model says it, so that it is trained} */
  public boolean isResponse() {
    return this == ASSISTANT || this == FUNCTION_CALL;
  }
}
