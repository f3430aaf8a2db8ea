// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Plans by what they were made of: documents, padding, mask, grid, sharding, pattern and limits. As
 * plans keep the steps that were asked for, a batch that comes again is planned only once. Holds so
 * many plans as it was told, those used last. Thread-safe; threads that ask for the same plan
 * together get the same one, made by the first of them.
 */
public final class PlanCache {
  private final int capacity;
  private final Map<Object, CompletableFuture<ContextParallelPlan>> plans =
      new LinkedHashMap<>(16, 0.75f, true);

  /**
   * An empty cache.
   *
   * @param capacity most plans that it holds, at least 1
   * @throws IllegalArgumentException if that is less
   */
  public PlanCache(int capacity) {
    if (capacity < 1) {
      throw new IllegalArgumentException("a cache of plans holds at least 1 plan, not " + capacity);
    }
    this.capacity = capacity;
  }

  /**
   * The plan that a builder makes, a known one if there is one of the same content.
   *
   * @param builder the options; not changed, and not kept
   * @return the plan
   * @throws IllegalArgumentException as {@link ContextParallelPlan.Builder#build()}; nothing is
   *     kept then
   */
  public ContextParallelPlan get(ContextParallelPlan.Builder builder) {
    Object key = builder.content();
    CompletableFuture<ContextParallelPlan> own = new CompletableFuture<>();
    CompletableFuture<ContextParallelPlan> plan;
    synchronized (plans) {
      plan = plans.get(key);
      if (plan == null) {
        plan = own;
        plans.put(key, own);
        if (plans.size() > capacity) {
          plans.remove(plans.keySet().iterator().next());
        }
      }
    }
    if (plan == own) {
      try {
        own.complete(builder.build());
      } catch (Throwable e) {
        own.completeExceptionally(e);
        synchronized (plans) {
          plans.remove(key, own);
        }
        throw e;
      }
    }
    try {
      return plan.join();
    } catch (CompletionException e) {
      // The same options fail the same way, with a stack trace of this thread.
      return builder.build();
    }
  }

  /** {@return number of plans held} */
  public int size() {
    synchronized (plans) {
      return plans.size();
    }
  }

  /** Forgets all plans. */
  public void clear() {
    synchronized (plans) {
      plans.clear();
    }
  }
}
