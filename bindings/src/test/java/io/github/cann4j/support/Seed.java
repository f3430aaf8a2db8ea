// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.support;

import java.util.Random;

/** Random numbers of tests; the seed is printed, and given again with -Dcann4j.test.seed. */
public final class Seed {
  private Seed() {}

  /** A generator for one test. */
  public static Random random(String test) {
    long seed = Long.getLong("cann4j.test.seed", System.nanoTime());
    System.out.printf("%s: -Dcann4j.test.seed=%d%n", test, seed);
    return new Random(seed);
  }
}
