// SPDX-License-Identifier: Apache-2.0
#include "ipc/mailbox.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>

namespace cann4j::ipc {
namespace {

constexpr size_t kRoom = size_t{64} << 10;
constexpr size_t kLongest = size_t{16} << 10;
constexpr std::chrono::microseconds kPatience{3};

struct Header {
  uint64_t sequence;
  uint64_t size;
};

constexpr size_t roomOf(size_t bytes) {
  return sizeof(Header) + (bytes + sizeof(Header) - 1) / sizeof(Header) * sizeof(Header);
}

}  // namespace

// Bytes are counted from the beginning on; where they lie is the remainder.
struct Mailbox::Direction {
  alignas(64) std::atomic<uint64_t> written;
  alignas(64) std::atomic<uint64_t> read;
  alignas(64) std::atomic<bool> isLookedAt;
  std::atomic<bool> isWaking;
  alignas(64) char bytes[kRoom];

  void copyIn(uint64_t at, const void* from, size_t size) {
    const size_t begin = at % kRoom;
    const size_t first = std::min(size, kRoom - begin);
    std::memcpy(bytes + begin, from, first);
    std::memcpy(bytes, static_cast<const char*>(from) + first, size - first);
  }
  void copyOut(uint64_t at, void* to, size_t size) const {
    const size_t begin = at % kRoom;
    const size_t first = std::min(size, kRoom - begin);
    std::memcpy(to, bytes + begin, first);
    std::memcpy(static_cast<char*>(to) + first, bytes, size - first);
  }
};

struct Mailbox::Shared {
  Direction directions[2];
};

static_assert(std::atomic<uint64_t>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

File Mailbox::makeFile() {
  File file(memfd_create("cann4j-mailbox", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.isOpen() || ftruncate(file.descriptor(), sizeof(Shared)) != 0 ||
      fcntl(file.descriptor(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
    return {};
  }
  return file;
}

std::unique_ptr<Mailbox> Mailbox::open(const File& file, End end) {
  struct stat status {};
  // What shrinks would end this process by a signal.
  if (fstat(file.descriptor(), &status) != 0 ||
      (fcntl(file.descriptor(), F_GET_SEALS) & F_SEAL_SHRINK) == 0 ||
      static_cast<size_t>(status.st_size) != sizeof(Shared)) {
    return nullptr;
  }
  void* start = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED,
                     file.descriptor(), 0);
  if (start == MAP_FAILED) {
    return nullptr;
  }
  madvise(start, sizeof(Shared), MADV_DONTFORK);
  return std::unique_ptr<Mailbox>(new Mailbox(static_cast<Shared*>(start), end));
}

Mailbox::Mailbox(Shared* shared, End end)
    : shared_(shared),
      in_(shared->directions[end == End::kFirst ? 0 : 1]),
      out_(shared->directions[end == End::kFirst ? 1 : 0]) {}

Mailbox::~Mailbox() { munmap(shared_, sizeof(Shared)); }

bool Mailbox::put(uint64_t sequence, const std::string& bytes) {
  const uint64_t at = out_.written.load(std::memory_order_relaxed);
  const uint64_t used = at - out_.read.load(std::memory_order_acquire);
  const size_t room = roomOf(bytes.size());
  if (bytes.size() > kLongest || used > kRoom || room > kRoom - used) {
    return false;
  }
  const Header header{sequence, bytes.size()};
  out_.copyIn(at, &header, sizeof header);
  out_.copyIn(at + sizeof header, bytes.data(), bytes.size());
  out_.written.store(at + room);
  return true;
}

// To be woken costs the other side, and this one, more than to wait until it looks by itself, as it
// soon does between two operations.
bool Mailbox::mustWake() {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  do {
    if (out_.isLookedAt.load() || out_.isWaking.load()) {
      return false;
    }
  } while (std::chrono::steady_clock::now() < end);
  return !out_.isWaking.exchange(true);
}

bool Mailbox::hasMessage() const {
  return in_.written.load(std::memory_order_acquire) != in_.read.load(std::memory_order_relaxed);
}

bool Mailbox::take(uint64_t sequence, std::string* bytes) {
  const uint64_t at = in_.read.load(std::memory_order_relaxed);
  const uint64_t size = in_.written.load() - at;
  if (size == 0) {
    return false;
  }
  Header header{};
  in_.copyOut(at, &header, sizeof header);
  if (size > kRoom || size < sizeof header || header.size > kLongest ||
      roomOf(header.size) > size) {
    throw std::runtime_error("a mailbox makes no sense");
  }
  if (header.sequence != sequence) {
    return false;
  }
  bytes->resize(header.size);
  in_.copyOut(at + sizeof header, bytes->data(), header.size);
  in_.read.store(at + roomOf(header.size), std::memory_order_release);
  return true;
}

void Mailbox::setLooking(bool looks) { in_.isLookedAt.store(looks); }

void Mailbox::woken() { in_.isWaking.store(false); }

}  // namespace cann4j::ipc
