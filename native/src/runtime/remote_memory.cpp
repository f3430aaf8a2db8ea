// SPDX-License-Identifier: Apache-2.0
#include "remote_memory.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <tuple>

namespace cann4j {
namespace {

struct Mappings {
  using Key = std::tuple<dev_t, ino_t, uintptr_t>;
  std::mutex mutex;
  std::map<Key, std::weak_ptr<RemoteMemory>> known;

  static Mappings& instance() {
    static Mappings& mappings = *new Mappings();
    return mappings;
  }
};

}  // namespace

std::shared_ptr<RemoteMemory> RemoteMemory::map(const ipc::File& file, uintptr_t base, size_t span,
                                                std::string* words) {
  struct stat status {};
  if (fstat(file.descriptor(), &status) != 0) {
    *words = std::string("no memory file came along: ") + std::strerror(errno);
    return nullptr;
  }
  // What shrinks would end this process by a signal when it copies.
  const int seals = fcntl(file.descriptor(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || static_cast<uint64_t>(status.st_size) < span) {
    *words = "the file that came along is no device memory";
    return nullptr;
  }
  Mappings& mappings = Mappings::instance();
  std::lock_guard lock(mappings.mutex);
  std::erase_if(mappings.known, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<RemoteMemory>& known = mappings.known[{status.st_dev, status.st_ino, base}];
  if (std::shared_ptr<RemoteMemory> memory = known.lock()) {
    return memory;
  }
  void* start = mmap(nullptr, span, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                     file.descriptor(), 0);
  if (start == MAP_FAILED) {
    *words = "cannot map the " + std::to_string(span) + " bytes of its device: " +
             std::strerror(errno) + "; lower CANN4J_CPU_DEVICE_MEMORY or raise the limit on " +
             "virtual memory";
    return nullptr;
  }
  madvise(start, span, MADV_DONTFORK);
  madvise(start, span, MADV_DONTDUMP);
  std::shared_ptr<RemoteMemory> memory(new RemoteMemory(static_cast<char*>(start), base, span));
  known = memory;
  return memory;
}

RemoteMemory::~RemoteMemory() { munmap(start_, span_); }

char* RemoteMemory::host(const void* device, size_t bytes) const {
  const size_t offset = reinterpret_cast<uintptr_t>(device) - base_;
  return offset <= span_ && bytes <= span_ - offset ? start_ + offset : nullptr;
}

}  // namespace cann4j
