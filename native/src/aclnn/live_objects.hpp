// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

namespace cann4j {

// Owns objects whose handles are their addresses, and knows which are alive.
template <class T>
class LiveObjects {
 public:
  T* add(std::unique_ptr<T> object) {
    T* address = object.get();
    std::lock_guard lock(mutex_);
    objects_.emplace(address, std::move(object));
    return address;
  }

  bool contains(const T* object) {
    std::shared_lock lock(mutex_);
    return objects_.count(object) != 0;
  }

  bool destroy(const T* object) { return take(object) != nullptr; }

  std::unique_ptr<T> take(const T* object) {
    std::lock_guard lock(mutex_);
    const auto it = objects_.find(object);
    if (it == objects_.end()) {
      return nullptr;
    }
    auto taken = std::move(it->second);
    objects_.erase(it);
    return taken;
  }

 private:
  std::shared_mutex mutex_;
  std::unordered_map<const T*, std::unique_ptr<T>> objects_;
};

}  // namespace cann4j
