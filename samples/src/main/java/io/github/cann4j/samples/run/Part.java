// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

/** The inputs of attention and of its gradient. */
public enum Part {
  QUERY,
  KEY,
  VALUE,
  OUT_GRADIENT
}
