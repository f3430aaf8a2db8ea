// SPDX-License-Identifier: Apache-2.0
#include "hccl/waiter.hpp"

#include <utility>

#include "hccl/group.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {

TaskWaiter::TaskWaiter(std::shared_ptr<Group> group, uint32_t rank, uint32_t parts)
    : group_(std::move(group)), rank_(rank), parts_(parts) {
  group_->addInFlight(rank_);
}

TaskWaiter::~TaskWaiter() {
  if (group_ != nullptr) {
    group_->removeInFlight(rank_);
  }
}

void TaskWaiter::start(Stream::Done done) { done_ = std::move(done); }

void TaskWaiter::finish(const std::string* failure) {
  if (failure != nullptr) {
    failure_ = failure;
  }
  if (--parts_ > 0) {
    return;
  }
  // Who synchronises after this may destroy the communicator at once, so it must not be busy any
  // more.
  std::shared_ptr<Group> group = std::move(group_);
  group->removeInFlight(rank_);
  Stream::Done done = std::move(done_);
  const std::string* reason = failure_;
  if (reason == nullptr) {
    done(ACL_SUCCESS);
  } else {
    done(fail(ACL_ERROR_RT_AICPU_EXCEPTION, "communicator %s, rank %u: %s", group->name().c_str(),
              rank_, reason->c_str()));
  }
}

}  // namespace cann4j::hccl
