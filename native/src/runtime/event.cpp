// SPDX-License-Identifier: Apache-2.0
#include "event.hpp"

#include <utility>

#include "api.hpp"
#include "context.hpp"

namespace cann4j {

void Capture::complete(aclError code) {
  std::vector<std::function<void(aclError)>> actions;
  {
    std::lock_guard lock(mutex_);
    if (complete_) {
      return;
    }
    complete_ = true;
    code_ = code;
    time_ = Clock::now();
    actions.swap(actions_);
    completed_.notify_all();
  }
  for (const auto& action : actions) {
    action(code);
  }
}

bool Capture::isComplete() {
  std::lock_guard lock(mutex_);
  return complete_;
}

aclError Capture::code() {
  std::lock_guard lock(mutex_);
  return code_;
}

Capture::Clock::time_point Capture::time() {
  std::lock_guard lock(mutex_);
  return time_;
}

void Capture::whenComplete(std::function<void(aclError)> action) {
  {
    std::lock_guard lock(mutex_);
    if (!complete_) {
      actions_.push_back(std::move(action));
      return;
    }
  }
  action(code_);
}

bool Capture::wait(int32_t timeout) {
  std::unique_lock lock(mutex_);
  const auto isDone = [this] { return complete_; };
  if (timeout < 0) {
    completed_.wait(lock, isDone);
    return true;
  }
  return completed_.wait_for(lock, std::chrono::milliseconds(timeout), isDone);
}

Handles<Event>& events() {
  constexpr unsigned kEventKind = 0x30;
  static Handles<Event>& instance = *new Handles<Event>(kEventKind);
  return instance;
}

aclError resolveEvent(const char* function, aclrtEvent handle, std::shared_ptr<Event>* event) {
  if (handle == nullptr) {
    return nullArgument(function, "event");
  }
  *event = events().find(handle);
  if (*event == nullptr) {
    return fail(ACL_ERROR_RT_INVALID_HANDLE, "%s: %p is not a live event", function, handle);
  }
  return contexts().find((*event)->context) != nullptr
             ? ACL_SUCCESS
             : fail(ACL_ERROR_RT_INVALID_HANDLE,
                    "%s: the context of event %p, on device %d, was destroyed", function, handle,
                    (*event)->device);
}

aclError refuseEx(const char* function, const Event& event) {
  return event.kind == EventKind::kExWithFlag
             ? fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                    "%s: not for events made by aclrtCreateEventExWithFlag", function)
             : ACL_SUCCESS;
}

}  // namespace cann4j
