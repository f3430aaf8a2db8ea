// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "hccl/hccl.h"

namespace cann4j::hccl {

// Addresses that a rank has promised to a communicator. On hardware, operations then reach the
// memory behind them without a copy; here they always do, so they are only kept account of.
class MemoryRanges {
 public:
  // Every function records words, which begin with `subject`, when it refuses.
  HcclResult set(const std::string& subject, uintptr_t base, size_t size);
  HcclResult unset(const std::string& subject, uintptr_t base);
  HcclResult activate(const std::string& subject, uintptr_t address, size_t size);
  HcclResult deactivate(const std::string& subject, uintptr_t address);

 private:
  using Ranges = std::map<uintptr_t, size_t>;
  // The range that shares an address with the given one.
  static std::optional<Ranges::value_type> overlapping(const Ranges& ranges, uintptr_t begin,
                                                       size_t size);

  std::mutex mutex_;
  Ranges set_;
  Ranges active_;
};

}  // namespace cann4j::hccl
