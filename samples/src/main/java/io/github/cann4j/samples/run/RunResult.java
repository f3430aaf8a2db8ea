// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import java.util.List;

/**
 * What one algorithm did.
 *
 * @param name the algorithm, as options call it, or {@code one device}
 * @param ranks how many took part
 * @param forwardMillis mean wall time of a forward pass, until the last rank is done
 * @param backwardMillis mean wall time of a backward pass
 * @param teraFlops floating-point operations of allowed pairs per second, both passes, in 10^12
 * @param peakBytes device memory that a rank had in use at once, the largest of all ranks
 * @param sentBytes what a rank sent to others in one forward and backward pass, the largest
 * @param checks comparison of out, dq, dk and dv; empty if none was asked for
 */
public record RunResult(
    String name,
    int ranks,
    double forwardMillis,
    double backwardMillis,
    double teraFlops,
    long peakBytes,
    long sentBytes,
    List<PartCheck> checks) {

  public RunResult {
    checks = List.copyOf(checks);
  }

  /** What is wrong, one sentence each; empty if nothing is. */
  public List<String> complaints() {
    return checks.stream()
        .flatMap(check -> check.complaints().stream())
        .map(complaint -> name + ": " + complaint)
        .toList();
  }
}
