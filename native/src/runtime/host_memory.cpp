// SPDX-License-Identifier: Apache-2.0
#include "host_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <system_error>

namespace cann4j {
namespace {

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

int populate(uintptr_t begin, uintptr_t end, Access access) {
  const int advice = access == Access::kRead ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;
  return madvise(reinterpret_cast<void*>(begin), end - begin, advice) == 0 ? 0 : errno;
}

// Since Linux 5.14. An emulator of programs may take every advice and do nothing.
bool canPopulate(uintptr_t page) {
  static const bool can = [page] {
    const char here = 0;
    const uintptr_t begin = reinterpret_cast<uintptr_t>(&here) / page * page;
    return populate(begin, begin + page, Access::kRead) == 0 &&
           populate(0, page, Access::kRead) != 0;
  }();
  return can;
}

// By the system's own access to a byte of every page: it is written to a pipe and, where the caller
// is going to write, read back to its place.
class Probe {
 public:
  static Probe& instance() {
    static Probe& probe = *new Probe;
    return probe;
  }

  bool isAccessible(uintptr_t address, size_t bytes, Access access, uintptr_t page) {
    std::lock_guard lock(mutex_);
    for (uintptr_t at = address; at < address + bytes; at = at / page * page + page) {
      if (write(ends_[1], reinterpret_cast<void*>(at), 1) != 1) {
        return errno != EFAULT;
      }
      char byte = 0;
      const bool isWritable =
          access == Access::kRead || read(ends_[0], reinterpret_cast<void*>(at), 1) == 1;
      if (access == Access::kRead || !isWritable) {
        [[maybe_unused]] const ssize_t rest = read(ends_[0], &byte, 1);
      }
      if (!isWritable) {
        return false;
      }
    }
    return true;
  }

 private:
  Probe() {
    if (pipe2(ends_, O_CLOEXEC | O_NONBLOCK) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe");
    }
  }

  std::mutex mutex_;
  int ends_[2] = {-1, -1};
};

}  // namespace

bool isAccessible(const void* p, size_t bytes, Access access) {
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(p);
  if (bytes == 0) {
    return true;
  }
  if (bytes > UINTPTR_MAX - page || address > UINTPTR_MAX - page - bytes) {
    return false;
  }
  const uintptr_t begin = address / page * page;
  const uintptr_t end = (address + bytes + page - 1) / page * page;
  if (canPopulate(page)) {
    // EINVAL: not with this protection. Anything else says nothing about the address.
    const int problem = populate(begin, end, access);
    return problem != ENOMEM && problem != EFAULT && problem != EINVAL;
  }
  return Probe::instance().isAccessible(address, bytes, access, page);
}

}  // namespace cann4j
