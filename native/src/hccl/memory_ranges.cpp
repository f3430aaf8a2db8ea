// SPDX-License-Identifier: Apache-2.0
#include "hccl/memory_ranges.hpp"

#include <algorithm>

#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

HcclResult refuse(HcclResult code, const std::string& subject, uintptr_t begin, size_t size,
                  const char* why) {
  return fail(code, "%s: the %zu bytes at 0x%llx %s", subject.c_str(), size,
              static_cast<unsigned long long>(begin), why);
}

HcclResult refuseUnknown(const std::string& subject, uintptr_t address, const char* what) {
  return fail(HCCL_E_NOT_FOUND, "%s: no %s begins at 0x%llx", subject.c_str(), what,
              static_cast<unsigned long long>(address));
}

}  // namespace

std::optional<MemoryRanges::Ranges::value_type> MemoryRanges::overlapping(const Ranges& ranges,
                                                                          uintptr_t begin,
                                                                          size_t size) {
  auto next = ranges.lower_bound(begin);
  if (next != ranges.end() && next->first < begin + size) {
    return *next;
  }
  if (next != ranges.begin()) {
    auto previous = std::prev(next);
    if (previous->first + previous->second > begin) {
      return *previous;
    }
  }
  return std::nullopt;
}

HcclResult MemoryRanges::set(const std::string& subject, uintptr_t base, size_t size) {
  std::lock_guard lock(mutex_);
  if (overlapping(set_, base, size).has_value()) {
    return refuse(HCCL_E_PARA, subject, base, size, "overlap a range that was set before");
  }
  set_.emplace(base, size);
  return HCCL_SUCCESS;
}

HcclResult MemoryRanges::unset(const std::string& subject, uintptr_t base) {
  std::lock_guard lock(mutex_);
  auto found = set_.find(base);
  if (found == set_.end()) {
    return refuseUnknown(subject, base, "range that was set");
  }
  if (auto active = overlapping(active_, base, found->second)) {
    return refuse(HCCL_E_PARA, subject, active->first, active->second,
                  "in this range are still active; call HcclCommDeactivateCommMemory first");
  }
  set_.erase(found);
  return HCCL_SUCCESS;
}

HcclResult MemoryRanges::activate(const std::string& subject, uintptr_t address, size_t size) {
  std::lock_guard lock(mutex_);
  auto range = overlapping(set_, address, size);
  if (!range.has_value() || address < range->first ||
      address + size > range->first + range->second) {
    return refuse(HCCL_E_PARA, subject, address, size,
                  "do not lie in one range that HcclCommSetMemoryRange has set");
  }
  if (overlapping(active_, address, size).has_value()) {
    return refuse(HCCL_E_PARA, subject, address, size, "are active already, at least in part");
  }
  active_.emplace(address, size);
  return HCCL_SUCCESS;
}

HcclResult MemoryRanges::deactivate(const std::string& subject, uintptr_t address) {
  std::lock_guard lock(mutex_);
  return active_.erase(address) > 0 ? HCCL_SUCCESS
                                    : refuseUnknown(subject, address, "active memory");
}

}  // namespace cann4j::hccl
