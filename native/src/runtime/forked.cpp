// SPDX-License-Identifier: Apache-2.0
#include "forked.hpp"

#include <pthread.h>

#include <atomic>

namespace cann4j {
namespace {

std::atomic<bool> forked{false};

}  // namespace

const char* const kForked =
    "this process was made by fork from one that used devices already, whose threads it does not "
    "have; fork before the first call that uses a device, or let the child start a program";

void expectForks() {
  [[maybe_unused]] static const int registered =
      pthread_atfork(nullptr, nullptr, [] { forked = true; });
}

bool isForked() { return forked.load(std::memory_order_relaxed); }

}  // namespace cann4j
