// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cann4j {

// Live objects behind opaque handles. A handle is a number that is never given out again, so one
// that was destroyed is recognised and not mistaken for a newer object.
template <class T>
class Handles {
 public:
  // `kind` keeps the handles of different types apart: a stream is never taken for an event.
  explicit Handles(unsigned kind) : kind_(kind) {}

  uint64_t reserve() {
    std::lock_guard lock(mutex_);
    return (++last_ << 8) | kind_;
  }

  void* insert(uint64_t handle, std::shared_ptr<T> object) {
    std::lock_guard lock(mutex_);
    objects_.emplace(handle, std::move(object));
    return reinterpret_cast<void*>(handle);
  }

  std::shared_ptr<T> find(const void* handle) const {
    return find(reinterpret_cast<uint64_t>(handle));
  }

  std::shared_ptr<T> find(uint64_t handle) const {
    std::shared_lock lock(mutex_);
    const auto it = objects_.find(handle);
    return it == objects_.end() ? nullptr : it->second;
  }

  std::shared_ptr<T> remove(const void* handle) {
    std::lock_guard lock(mutex_);
    const auto it = objects_.find(reinterpret_cast<uint64_t>(handle));
    if (it == objects_.end()) {
      return nullptr;
    }
    auto object = std::move(it->second);
    objects_.erase(it);
    return object;
  }

  template <class Predicate>
  std::vector<std::pair<void*, std::shared_ptr<T>>> select(Predicate predicate) const {
    std::vector<std::pair<void*, std::shared_ptr<T>>> found;
    std::shared_lock lock(mutex_);
    for (const auto& [handle, object] : objects_) {
      if (predicate(*object)) {
        found.emplace_back(reinterpret_cast<void*>(handle), object);
      }
    }
    return found;
  }

 private:
  const unsigned kind_;
  mutable std::shared_mutex mutex_;
  uint64_t last_ = 0xC4;
  std::unordered_map<uint64_t, std::shared_ptr<T>> objects_;
};

}  // namespace cann4j
