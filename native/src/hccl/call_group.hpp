// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hccl/communicator.hpp"

namespace cann4j::hccl {

// The calls of this thread between HcclGroupStart and HcclGroupEnd. They are checked at once and
// carried out together at the end, so that none has to return before the next is made.
class CallGroup {
 public:
  enum class Kind { kCreation, kCollective, kTransfer, kBatch };

  // An operation that waits for the end of the group.
  struct Pending {
    const char* function;
    std::shared_ptr<Communicator> communicator;
    std::shared_ptr<Stream> stream;
    Work work;
  };
  struct Creation {
    int device;
    std::function<HcclResult()> run;
  };

  // The group of this thread, open or not.
  static CallGroup& current();

  bool isOpen() const { return depth_ > 0; }
  HcclResult start();
  HcclResult end();

  // Links the ranks of all operations, then queues each.
  static HcclResult operate(std::vector<Pending> pending);

  // Whether a call of this kind may be made now.
  HcclResult admit(const char* function, Kind kind);
  // A call inside the group failed, so the group will not be carried out.
  void spoil(const char* function, HcclResult result);
  void add(Pending pending) { pending_.push_back(std::move(pending)); }
  void add(Creation creation) { creations_.push_back(std::move(creation)); }

 private:
  HcclResult carryOut();
  static HcclResult create(const std::vector<Creation>& creations);
  HcclResult operateTogether(std::vector<Pending> pending);

  int depth_ = 0;
  const char* first_ = nullptr;  // the first call, which decides the kind
  Kind kind_ = Kind::kCreation;
  HcclResult spoiled_ = HCCL_SUCCESS;
  const char* spoiler_ = nullptr;
  std::vector<Pending> pending_;
  std::vector<Creation> creations_;
};

}  // namespace cann4j::hccl
