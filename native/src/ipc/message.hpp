// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace cann4j::ipc {

// The bytes of a message, written and read in the same order by two processes on one machine.
class Writer {
 public:
  template <class T>
  Writer& put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Writer& put(const std::string& text) {
    put(static_cast<uint32_t>(text.size()));
    bytes_ += text;
    return *this;
  }
  template <class T>
  Writer& put(const std::vector<T>& values) {
    put(static_cast<uint32_t>(values.size()));
    for (const T& value : values) {
      put(value);
    }
    return *this;
  }

  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Throws when the message is shorter than what is asked for.
class Reader {
 public:
  Reader(const char* bytes, size_t size) : at_(bytes), end_(bytes + size) {}

  template <class T>
  T get() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, next(sizeof value), sizeof value);
    return value;
  }
  std::string getText() {
    const auto size = get<uint32_t>();
    const char* first = next(size);
    return std::string(first, size);
  }
  template <class T>
  std::vector<T> getList() {
    const auto size = get<uint32_t>();
    std::vector<T> values;
    for (uint32_t i = 0; i < size; ++i) {
      values.push_back(get<T>());
    }
    return values;
  }

 private:
  const char* next(size_t size) {
    if (static_cast<size_t>(end_ - at_) < size) {
      throw std::runtime_error("a message is too short");
    }
    return std::exchange(at_, at_ + size);
  }

  const char* at_;
  const char* end_;
};

}  // namespace cann4j::ipc
