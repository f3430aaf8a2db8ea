// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.worker;

import java.util.List;

/**
 * What a worker answers; a line of JSON on its standard output.
 *
 * @param text of a DESCRIBE, else null
 * @param seconds of a pass, else 0
 * @param samples of a sample: values per result; else null
 * @param error why the request failed, else null
 */
public record Response(String text, double seconds, List<double[]> samples, String error) {
  static Response done() {
    return new Response(null, 0, null, null);
  }

  static Response text(String text) {
    return new Response(text, 0, null, null);
  }

  static Response seconds(double seconds) {
    return new Response(null, seconds, null, null);
  }

  static Response samples(List<double[]> samples) {
    return new Response(null, 0, samples, null);
  }

  static Response error(String error) {
    return new Response(null, 0, null, error);
  }
}
