// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "ipc/file.hpp"

namespace cann4j {

// The memory of a device of another process, mapped into this one.
class RemoteMemory {
 public:
  // Maps the same memory once, however often it is asked for; null, with words, if it cannot.
  static std::shared_ptr<RemoteMemory> map(const ipc::File& file, uintptr_t base, size_t span,
                                           std::string* words);

  RemoteMemory(const RemoteMemory&) = delete;
  RemoteMemory& operator=(const RemoteMemory&) = delete;
  ~RemoteMemory();

  // Where `bytes` at a device address of the other process are; null if they are not inside.
  char* host(const void* device, size_t bytes) const;

 private:
  RemoteMemory(char* start, uintptr_t base, size_t span)
      : start_(start), base_(base), span_(span) {}

  char* const start_;
  const uintptr_t base_;
  const size_t span_;
};

}  // namespace cann4j
