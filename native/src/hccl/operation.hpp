// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "hccl/group.hpp"

namespace cann4j::hccl {

// The operations of one rank that have been queued and have not ended, by the number of their call.
// HCCL wants them to follow each other, on whatever streams they are.
class Order {
 public:
  struct Entry {
    Call call;
    int32_t stream;
  };

  void add(uint64_t number, const Entry& entry);
  void remove(uint64_t number);
  // Why an operation that its stream has reached overlaps an earlier one; empty if it does not.
  std::string overlap(uint64_t number, const Entry& entry) const;

 private:
  mutable std::mutex mutex_;
  std::multimap<uint64_t, Entry> open_;
};

// An operation from its call to its end. Whatever happens to the task that carries it, its peers
// learn of it: an operation that is dropped fails the communicator.
class Operation {
 public:
  // Operations with the same number belong to one call and may overlap.
  Operation(std::shared_ptr<Group> group, std::shared_ptr<Order> order, uint64_t number,
            const Order::Entry& entry);
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation();

  // The stream has reached it. Returns why it may not go on, empty if it may.
  std::string begin(Stream::Done done);
  // Only the first end counts.
  void end(aclError code);
  // It began, and could not be carried out.
  void fail(const std::string& words);

 private:
  void giveUp() noexcept;

  const std::shared_ptr<Group> group_;
  const std::shared_ptr<Order> order_;
  const uint64_t number_;
  const Order::Entry entry_;
  std::atomic<bool> ended_{false};
  Stream::Done done_;
};

}  // namespace cann4j::hccl
