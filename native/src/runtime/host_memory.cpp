// SPDX-License-Identifier: Apache-2.0
#include "host_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

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

// The same, slowly.
bool isMapped(uintptr_t begin, uintptr_t end, Access access) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; begin < end && std::getline(maps, line);) {
    unsigned long long first = 0;
    unsigned long long last = 0;
    char mayRead = '-';
    char mayWrite = '-';
    if (std::sscanf(line.c_str(), "%llx-%llx %c%c", &first, &last, &mayRead, &mayWrite) == 4 &&
        first <= begin && begin < last) {
      if ((access == Access::kRead ? mayRead : mayWrite) == '-') {
        return false;
      }
      begin = last;
    }
  }
  return begin >= end;
}

}  // namespace

bool isAccessible(const void* p, size_t bytes, Access access) {
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(p);
  if (bytes == 0) {
    return true;
  }
  if (bytes > UINTPTR_MAX - page - address) {
    return false;
  }
  const uintptr_t begin = address / page * page;
  const uintptr_t end = (address + bytes + page - 1) / page * page;
  if (canPopulate(page)) {
    // EINVAL: not with this protection. Anything else says nothing about the address.
    const int problem = populate(begin, end, access);
    return problem != ENOMEM && problem != EFAULT && problem != EINVAL;
  }
  return isMapped(begin, end, access);
}

}  // namespace cann4j
