// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <new>
#include <optional>
#include <shared_mutex>
#include <type_traits>
#include <unordered_set>
#include <utility>

#include "handle_arena.hpp"

namespace cann4j {

// Owns objects whose handles are their addresses, and knows which are alive.
template <class T>
class LiveObjects {
  static_assert(std::is_nothrow_move_constructible_v<T>);

 public:
  T* add(T object) {
    std::lock_guard lock(mutex_);
    void* address = arena_.take();
    try {
      objects_.insert(static_cast<T*>(address));
    } catch (...) {
      arena_.give(address);
      throw;
    }
    return new (address) T(std::move(object));
  }

  bool contains(const T* object) {
    std::shared_lock lock(mutex_);
    return objects_.count(object) != 0;
  }

  bool destroy(const T* object) { return take(object).has_value(); }

  // What body(object) returns; nothing if there is no such object. Nobody else uses it meanwhile.
  template <class Body>
  auto with(const T* handle, const Body& body)
      -> std::optional<decltype(body(std::declval<T&>()))> {
    std::lock_guard lock(mutex_);
    if (objects_.count(handle) == 0) {
      return std::nullopt;
    }
    return body(*const_cast<T*>(handle));
  }

  // Destroys the object and returns what it was.
  std::optional<T> take(const T* handle) {
    return takeUnless(handle, [](const T&) { return false; });
  }

  // The same, but the object stays if it is one to keep.
  template <class Predicate>
  std::optional<T> takeUnless(const T* handle, const Predicate& keep) {
    std::lock_guard lock(mutex_);
    if (objects_.count(handle) == 0) {
      return std::nullopt;
    }
    if (keep(*handle)) {
      return *handle;
    }
    objects_.erase(handle);
    T* object = const_cast<T*>(handle);
    std::optional<T> taken(std::move(*object));
    object->~T();
    arena_.give(object);
    return taken;
  }

 private:
  std::shared_mutex mutex_;
  HandleArena arena_{sizeof(T)};
  std::unordered_set<const T*> objects_;
};

}  // namespace cann4j
