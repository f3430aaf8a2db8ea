// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import java.util.Map;

/** Another implementation that is on the class path; found by {@link java.util.ServiceLoader}. */
public interface AttentionPeer {
  /** How the page names it. */
  String name();

  /** Variables of its process, beside those that all have. */
  Map<String, String> environment();

  /** Loads it, in its own process. */
  AttentionRunner open(int threads);
}
