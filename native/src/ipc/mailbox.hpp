// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "ipc/file.hpp"

namespace cann4j::ipc {

// Memory that two processes share, in which each leaves messages for the other. Who looks for them
// needs no system call; who does not has to be woken by other means.
class Mailbox {
 public:
  enum class End { kFirst, kSecond };

  // The file of a new one; not open if the system gives none.
  static File makeFile();
  // Null if the file is none or cannot be mapped.
  static std::unique_ptr<Mailbox> open(const File& file, End end);

  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox();

  // By one thread at a time: leaves a message, unless there is no room. Then `mustWake` tells
  // whether the other side has to be woken.
  bool put(uint64_t sequence, const std::string& bytes);
  bool mustWake();

  // Whether there may be a message; by any thread.
  bool hasMessage() const;
  // By one thread at a time: the first message, if it has this number. Throws on nonsense.
  bool take(uint64_t sequence, std::string* bytes);
  // The other side need not wake this one meanwhile. After the end one looks once more.
  void setLooking(bool looks);
  // The other side has woken this one, which now looks.
  void woken();

 private:
  struct Shared;
  struct Direction;

  Mailbox(Shared* shared, End end);

  Shared* const shared_;
  Direction& in_;
  Direction& out_;
};

}  // namespace cann4j::ipc
