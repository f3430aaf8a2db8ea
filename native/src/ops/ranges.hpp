// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "runtime/thread_pool.hpp"

namespace cann4j {

// Calls body(first, last) for ranges that cover [0, items), spread over the pool. `elements` says
// how much work an item is. The ranges do not depend on the number of threads.
template <class Body>
void forEachRange(int64_t items, int64_t elements, const Body& body) {
  constexpr int64_t kElementsPerJob = 16384;
  if (items <= 0) {
    return;
  }
  const int64_t perJob = std::max<int64_t>(1, kElementsPerJob / std::max<int64_t>(1, elements));
  const int64_t jobs = (items + perJob - 1) / perJob;
  if (jobs == 1) {
    body(int64_t{0}, items);
    return;
  }
  ThreadPool::instance().parallelFor(jobs, [&](int64_t job) {
    body(job * perJob, std::min(items, (job + 1) * perJob));
  });
}

}  // namespace cann4j
