// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

/** The results of attention and of its gradient. */
public enum OutputPart {
  OUT("out", Part.QUERY),
  QUERY_GRADIENT("dq", Part.QUERY),
  KEY_GRADIENT("dk", Part.KEY),
  VALUE_GRADIENT("dv", Part.VALUE);

  private final String label;
  private final Part shapedLike;

  OutputPart(String label, Part shapedLike) {
    this.label = label;
    this.shapedLike = shapedLike;
  }

  /** Its short name in tables. */
  public String label() {
    return label;
  }

  /** The input that has the same shape. */
  Part shapedLike() {
    return shapedLike;
  }
}
