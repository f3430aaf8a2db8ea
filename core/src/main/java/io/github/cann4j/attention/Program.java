// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import java.util.ArrayList;
import java.util.List;

/**
 * Device operations that are recorded once, with everything checked, and replayed in order. What cannot be done is thus
 * refused before the first operation is enqueued, and a replay makes no views and allocates nothing.
 */
final class Program {
  private final List<Runnable> operations = new ArrayList<>();

  void add(Runnable operation) {
    operations.add(operation);
  }

  void run() {
    for (int i = 0; i < operations.size(); i++) {
      operations.get(i).run();
    }
  }
}
