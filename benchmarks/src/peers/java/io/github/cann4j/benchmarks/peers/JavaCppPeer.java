// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.peers;

import io.github.cann4j.benchmarks.attention.AttentionPeer;
import io.github.cann4j.benchmarks.attention.AttentionRunner;
import java.util.Map;

/** libtorch with OpenBLAS, through its JavaCPP presets. */
public final class JavaCppPeer implements AttentionPeer {
  @Override
  public String name() {
    return "libtorch 2.10";
  }

  /** OpenBLAS is called by each of libtorch's threads, and must not start its own. */
  @Override
  public Map<String, String> environment() {
    return Map.of("OPENBLAS_NUM_THREADS", "1", "OPENBLAS_CORETYPE", "");
  }

  @Override
  public AttentionRunner open(int threads) {
    return new JavaCppAttention(threads);
  }
}
