// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

/** Which elements of a head a rotary position embedding turns into each other. */
public enum RotaryMode {
  /** Half against half: rotate(x) = (−x₂, x₁). */
  HALF(2),
  /** Each element and its neighbour: rotate(x) = (−x₁, x₀, −x₃, x₂, …). */
  INTERLEAVE(2),
  /** Quarter against quarter: rotate(x) = (−x₂, x₁, −x₄, x₃). */
  QUARTER(4),
  /** As {@link #HALF}, of the elements at even places followed by those at odd places. */
  INTERLEAVE_HALF(2);

  private final int parts;

  RotaryMode(int parts) {
    this.parts = parts;
  }

  /** Returns what the head size must be a multiple of. */
  int parts() {
    return parts;
  }

  long code() {
    return ordinal();
  }
}
