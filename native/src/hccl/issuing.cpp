// SPDX-License-Identifier: Apache-2.0
#include "hccl/issuing.hpp"

#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

struct Holder {
  const char* function;
  std::thread::id thread;
  const void* meeting;
  int calls;
};

struct Holders {
  std::mutex mutex;
  std::map<int, Holder> byDevice;

  static Holders& instance() {
    static Holders& holders = *new Holders();
    return holders;
  }
};

}  // namespace

HcclResult Issuing::begin(const char* function, int device, const void* meeting) {
  Holders& holders = Holders::instance();
  const std::thread::id self = std::this_thread::get_id();
  std::lock_guard lock(holders.mutex);
  auto [entry, isFree] = holders.byDevice.try_emplace(device, Holder{function, self, meeting, 0});
  Holder& holder = entry->second;
  if (!isFree && (meeting == nullptr || meeting != holder.meeting)) {
    return fail(HCCL_E_UNAVAIL,
                "%s on device %d: %s is still inside %s on this device; HCCL calls of one device, "
                "over all its communicators, are made one after the other",
                function, device, holder.thread == self ? "this thread" : "another thread",
                holder.function);
  }
  ++holder.calls;
  device_ = device;
  return HCCL_SUCCESS;
}

void Issuing::end() {
  if (device_ < 0) {
    return;
  }
  Holders& holders = Holders::instance();
  std::lock_guard lock(holders.mutex);
  auto entry = holders.byDevice.find(std::exchange(device_, -1));
  if (--entry->second.calls == 0) {
    holders.byDevice.erase(entry);
  }
}

Issuing& Issuing::operator=(Issuing&& other) noexcept {
  end();
  device_ = std::exchange(other.device_, -1);
  return *this;
}

}  // namespace cann4j::hccl
