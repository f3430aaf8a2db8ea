// SPDX-License-Identifier: Apache-2.0
#include "hccl/operation.hpp"

#include <exception>
#include <utility>

#include "runtime/error.hpp"

namespace cann4j::hccl {

void Order::add(uint64_t number, const Entry& entry) {
  std::lock_guard lock(mutex_);
  open_.emplace(number, entry);
}

void Order::remove(uint64_t number) {
  std::lock_guard lock(mutex_);
  open_.erase(open_.find(number));
}

std::string Order::overlap(uint64_t number, const Entry& entry) const {
  std::lock_guard lock(mutex_);
  const auto& [earliest, first] = *open_.begin();
  if (earliest >= number) {
    return {};
  }
  return "rank " + std::to_string(entry.call.rank) + "'s " + describe(entry.call) + " had its turn on stream " + std::to_string(entry.stream) +
         " while the earlier " + describe(first.call) + " on stream " +
         std::to_string(first.stream) +
         " had not ended; operations of one communicator must not overlap, so let the later stream "
         "wait for an event that the earlier one records, or use one stream";
}

Operation::Operation(std::shared_ptr<Group> group, std::shared_ptr<Order> order, uint64_t number,
                     const Order::Entry& entry)
    : group_(std::move(group)), order_(std::move(order)), number_(number), entry_(entry) {
  order_->add(number_, entry_);
}

Operation::~Operation() {
  if (!ended_) {
    giveUp();
  }
}

void Operation::giveUp() noexcept {
  try {
    const std::string call =
        "rank " + std::to_string(entry_.call.rank) + "'s " + describe(entry_.call);
    if (done_ != nullptr) {
      fail(call + " was given up");
      return;
    }
    order_->remove(number_);
    group_->fail(call + " will never be carried out, because its stream " +
                 std::to_string(entry_.stream) + " was destroyed by force or aborted");
  } catch (const std::exception&) {  // no memory for words
    end(ACL_ERROR_RT_AICPU_EXCEPTION);
  }
}

std::string Operation::begin(Stream::Done done) {
  done_ = std::move(done);
  return order_->overlap(number_, entry_);
}

void Operation::end(aclError code) {
  if (ended_.exchange(true)) {
    return;
  }
  // Before the stream learns of it: who synchronises may issue the next operation on another one.
  order_->remove(number_);
  Stream::Done done = std::move(done_);
  done(code);
}

void Operation::fail(const std::string& words) {
  group_->fail(words);
  end(cann4j::fail(ACL_ERROR_RT_AICPU_EXCEPTION, "communicator %s, rank %u: %s",
                   group_->name().c_str(), entry_.call.rank, words.c_str()));
}

}  // namespace cann4j::hccl
