// SPDX-License-Identifier: Apache-2.0
#include "hccl/communicator.hpp"

#include <shared_mutex>
#include <unordered_map>
#include <utility>

#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

struct Registry {
  std::shared_mutex mutex;
  std::unordered_map<uintptr_t, std::shared_ptr<Communicator>> live;
  uintptr_t next = 0x48434c00;

  static Registry& instance() {
    static Registry& registry = *new Registry();
    return registry;
  }
};

}  // namespace

Communicator::Communicator(std::shared_ptr<Group> group, uint32_t rank, Origin origin)
    : group_(std::move(group)),
      rank_(rank),
      origin_(origin),
      nextSend_(group_->size()),
      nextReceive_(group_->size()) {}

HcclResult Communicator::checkUsable(const char* function) const {
  if (closed_) {
    return fail(HCCL_E_PARA, "%s: communicator %s was destroyed", function, name().c_str());
  }
  if (const std::string* failure = group_->failure()) {
    return fail(HCCL_E_REMOTE,
                "%s: communicator %s, rank %u, has failed and can only be destroyed: %s", function,
                name().c_str(), rank_, failure->c_str());
  }
  return HCCL_SUCCESS;
}

HcclResult Communicator::submit(const char* function, std::vector<Posted> posts, Stream& stream) {
  std::lock_guard lock(mutex_);
  HcclResult result = checkUsable(function);
  if (result != HCCL_SUCCESS) {
    return result;
  }
  auto waiter = std::make_shared<TaskWaiter>(group_, rank_, static_cast<uint32_t>(posts.size()));
  for (Posted& posted : posts) {
    posted.call.rank = rank_;
    auto& next = isSend(posted.call) ? nextSend_ : nextReceive_;
    posted.ticket = next[posted.call.peer]++;
    posted.waiter = waiter;
  }
  stream.submit([group = group_, waiter, posts = std::move(posts)](Stream::Done done) mutable {
    waiter->start(std::move(done));
    waiter.reset();
    group->post(std::move(posts));
  });
  return HCCL_SUCCESS;
}

HcclResult Communicator::submit(const char* function, Arrival arrival, Stream& stream) {
  std::lock_guard lock(mutex_);
  HcclResult result = checkUsable(function);
  if (result != HCCL_SUCCESS) {
    return result;
  }
  arrival.call.rank = rank_;
  auto waiter = std::make_shared<TaskWaiter>(group_, rank_, 1);
  arrival.waiter = waiter;
  uint64_t sequence = nextCollective_++;
  stream.submit(
      [group = group_, sequence, waiter, arrival = std::move(arrival)](Stream::Done done) mutable {
        waiter->start(std::move(done));
        waiter.reset();
        group->arrive(sequence, std::move(arrival));
      });
  return HCCL_SUCCESS;
}

HcclResult Communicator::close(const char* function) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) {
      return fail(HCCL_E_PARA, "%s: communicator %s was destroyed already", function,
                  name().c_str());
    }
    if (group_->isBusy(rank_)) {
      return fail(HCCL_E_AGAIN,
                  "%s: communicator %s, rank %u, still has operations under way; synchronize the "
                  "streams it was used on, then call again",
                  function, name().c_str(), rank_);
    }
    closed_ = true;
  }
  group_->leave(rank_);
  return HCCL_SUCCESS;
}

HcclComm publish(std::shared_ptr<Communicator> communicator) {
  Registry& registry = Registry::instance();
  std::lock_guard lock(registry.mutex);
  uintptr_t handle = registry.next++;
  registry.live.emplace(handle, std::move(communicator));
  return reinterpret_cast<HcclComm>(handle);
}

std::shared_ptr<Communicator> findCommunicator(const char* function, HcclComm handle) {
  Registry& registry = Registry::instance();
  {
    std::shared_lock lock(registry.mutex);
    auto found = registry.live.find(reinterpret_cast<uintptr_t>(handle));
    if (found != registry.live.end()) {
      return found->second;
    }
  }
  fail(HCCL_E_PARA, "%s: comm %p is no live communicator", function, handle);
  return nullptr;
}

HcclResult destroyCommunicator(const char* function, HcclComm handle) {
  std::shared_ptr<Communicator> communicator = findCommunicator(function, handle);
  if (communicator == nullptr) {
    return HCCL_E_PARA;
  }
  HcclResult result = communicator->close(function);
  if (result == HCCL_SUCCESS) {
    Registry& registry = Registry::instance();
    std::lock_guard lock(registry.mutex);
    registry.live.erase(reinterpret_cast<uintptr_t>(handle));
  }
  return result;
}

bool isNameTaken(int device, const std::string& name) {
  Registry& registry = Registry::instance();
  std::shared_lock lock(registry.mutex);
  for (const auto& [handle, communicator] : registry.live) {
    if (communicator->device() == device && communicator->name() == name) {
      return true;
    }
  }
  return false;
}

}  // namespace cann4j::hccl
