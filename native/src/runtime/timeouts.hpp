// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>

namespace cann4j {

// Set by the process, for what is submitted from then on; zero: no limit.
struct Timeouts {
  std::atomic<std::chrono::milliseconds> wait{std::chrono::milliseconds(0)};
  std::atomic<std::chrono::milliseconds> execute{std::chrono::milliseconds(0)};
};

Timeouts& timeouts();

}  // namespace cann4j
