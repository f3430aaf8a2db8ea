// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.peers;

import io.github.cann4j.benchmarks.attention.AttentionPeer;
import io.github.cann4j.benchmarks.attention.AttentionRunner;
import java.util.Map;

/** libtorch with MKL, as DJL ships it. */
public final class DjlPeer implements AttentionPeer {
  @Override
  public String name() {
    return "libtorch 2.7 MKL";
  }

  @Override
  public Map<String, String> environment() {
    return Map.of("OPT_OUT_TRACKING", "true", "DJL_OFFLINE", "true");
  }

  @Override
  public AttentionRunner open(int threads) {
    return new DjlAttention(threads);
  }
}
