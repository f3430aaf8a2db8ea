// SPDX-License-Identifier: Apache-2.0
#include "hccl/call_group.hpp"

#include <map>
#include <set>
#include <thread>
#include <utility>

#include "hccl/issuing.hpp"
#include "hccl/request.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

constexpr char kEnd[] = "HcclGroupEnd";

const char* nameOf(CallGroup::Kind kind) {
  switch (kind) {
    case CallGroup::Kind::kCreation:
      return "creations of communicators";
    case CallGroup::Kind::kCollective:
      return "collective operations";
    default:
      return "sends and receives";
  }
}

// Holds the devices and communicators of all operations of a group.
class Hold {
 public:
  ~Hold() {
    for (const auto& communicator : entered_) {
      communicator->leaveCall();
    }
  }

  HcclResult take(const CallGroup::Pending& pending) {
    const std::shared_ptr<Communicator>& communicator = pending.communicator;
    if (devices_.insert(communicator->device()).second) {
      const HcclResult result = issuing_.emplace_back().begin(kEnd, communicator->device());
      if (result != HCCL_SUCCESS) {
        return result;
      }
    }
    const HcclResult result = communicator->enterCall(pending.function);
    if (result == HCCL_SUCCESS) {
      entered_.push_back(communicator);
    }
    return result;
  }

 private:
  std::set<int> devices_;
  std::vector<Issuing> issuing_;
  std::vector<std::shared_ptr<Communicator>> entered_;
};

// Sends and receives of one communicator on one stream become one task, so that they do not wait
// for each other.
std::vector<CallGroup::Pending> merge(std::vector<CallGroup::Pending> all) {
  std::vector<CallGroup::Pending> merged;
  std::map<std::pair<Communicator*, Stream*>, size_t> places;
  for (CallGroup::Pending& pending : all) {
    const auto [place, isNew] =
        places.try_emplace({pending.communicator.get(), pending.stream.get()}, merged.size());
    if (isNew) {
      merged.push_back(std::move(pending));
      continue;
    }
    merged[place->second].function = kEnd;
    Work& work = merged[place->second].work;
    for (Posted& posted : pending.work.posts) {
      work.posts.push_back(std::move(posted));
    }
    work.call = {.op = Op::kGroup, .rank = work.call.rank, .count = work.posts.size()};
  }
  return merged;
}

}  // namespace

CallGroup& CallGroup::current() {
  thread_local CallGroup group;
  return group;
}

HcclResult CallGroup::start() {
  ++depth_;
  return HCCL_SUCCESS;
}

HcclResult CallGroup::admit(const char* function, Kind kind) {
  if (!isOpen()) {
    return HCCL_SUCCESS;
  }
  HcclResult result = HCCL_SUCCESS;
  if (kind == Kind::kBatch) {
    result = fail(HCCL_E_NOT_SUPPORT,
                  "%s: not between HcclGroupStart and HcclGroupEnd; use HcclSend and HcclRecv there",
                  function);
  } else if (first_ == nullptr) {
    first_ = function;
    kind_ = kind;
  } else if (kind != kind_) {
    result = fail(HCCL_E_NOT_SUPPORT,
                  "%s: this group began with %s, so it takes only %s until HcclGroupEnd", function,
                  first_, nameOf(kind_));
  }
  if (result != HCCL_SUCCESS) {
    spoil(function, result);
  }
  return result;
}

void CallGroup::spoil(const char* function, HcclResult result) {
  if (isOpen() && spoiled_ == HCCL_SUCCESS) {
    spoiled_ = result;
    spoiler_ = function;
  }
}

HcclResult CallGroup::end() {
  if (!isOpen()) {
    return fail(HCCL_E_PARA, "%s: this thread has no open group; call HcclGroupStart first", kEnd);
  }
  if (--depth_ > 0) {
    return HCCL_SUCCESS;  // an inner group is carried out with the outermost one
  }
  CallGroup group;
  std::swap(group, *this);
  return group.carryOut();
}

HcclResult CallGroup::carryOut() {
  if (spoiled_ != HCCL_SUCCESS) {
    return fail(spoiled_, "%s: the group is dropped with its %zu good calls, because %s in it failed",
                kEnd, pending_.size() + creations_.size(), spoiler_);
  }
  return kind_ == Kind::kCreation ? create(creations_) : operateTogether(std::move(pending_));
}

HcclResult CallGroup::create(const std::vector<Creation>& creations) {
  struct Outcome {
    HcclResult result = HCCL_SUCCESS;
    std::string words;
  };
  // Those of one device come one after the other, those of several wait for each other.
  std::map<int, std::vector<const Creation*>> byDevice;
  for (const Creation& creation : creations) {
    byDevice[creation.device].push_back(&creation);
  }
  std::map<int, Outcome> outcomes;
  std::vector<std::thread> threads;
  for (const auto& [device, own] : byDevice) {
    Outcome* outcome = &outcomes[device];
    threads.emplace_back([outcome, mine = &own] {
      for (const Creation* creation : *mine) {
        outcome->result = guarded(HCCL_E_INTERNAL, kEnd, creation->run);
        if (outcome->result != HCCL_SUCCESS) {
          outcome->words = takeFailures();
          return;
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  HcclResult first = HCCL_SUCCESS;
  for (const auto& [device, outcome] : outcomes) {
    if (outcome.result != HCCL_SUCCESS) {
      fail(outcome.result, "%s: a communicator on device %d was not created: %s", kEnd, device,
           outcome.words.c_str());
      first = first == HCCL_SUCCESS ? outcome.result : first;
    }
  }
  return first;
}

HcclResult CallGroup::operateTogether(std::vector<Pending> pending) {
  Hold hold;
  if (kind_ == Kind::kTransfer) {
    pending = merge(std::move(pending));
  }
  for (const Pending& each : pending) {
    HcclResult result = hold.take(each);
    if (result == HCCL_SUCCESS) {
      result = checkItems(kEnd, each.work.posts);
    }
    if (result != HCCL_SUCCESS) {
      return result;
    }
  }
  return operate(std::move(pending));
}

HcclResult CallGroup::operate(std::vector<Pending> pending) {
  for (const Pending& each : pending) {
    const HcclResult result = each.communicator->checkUsable(each.function);
    if (result != HCCL_SUCCESS) {
      return result;
    }
  }
  for (const Pending& each : pending) {
    each.communicator->offerLinks(each.work);
  }
  for (const Pending& each : pending) {
    const HcclResult result = each.communicator->awaitLinks(each.function, each.work);
    if (result != HCCL_SUCCESS) {
      return result;
    }
  }
  std::map<Communicator*, uint64_t> callNumbers;  // of transfers: the group is one call
  for (Pending& each : pending) {
    Communicator& communicator = *each.communicator;
    uint64_t& number = callNumbers[&communicator];
    if (number == 0 || each.work.arrival.has_value()) {
      number = communicator.nextCall();
    }
    const HcclResult result =
        communicator.enqueue(each.function, std::move(each.work), number, *each.stream);
    if (result != HCCL_SUCCESS) {
      return result;
    }
  }
  return HCCL_SUCCESS;
}

}  // namespace cann4j::hccl

using namespace cann4j::hccl;

extern "C" {

HcclResult HcclGroupStart(void) { return CallGroup::current().start(); }

HcclResult HcclGroupEnd(void) {
  return cann4j::guarded(HCCL_E_INTERNAL, kEnd, [] { return CallGroup::current().end(); });
}

HcclResult HcclGroupStatusGet(bool* isGroupEnabled) {
  if (isGroupEnabled == nullptr) {
    return cann4j::fail(HCCL_E_PTR, "HcclGroupStatusGet: isGroupEnabled is NULL");
  }
  *isGroupEnabled = CallGroup::current().isOpen();
  return HCCL_SUCCESS;
}

}  // extern "C"
