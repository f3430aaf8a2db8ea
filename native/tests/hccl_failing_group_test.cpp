// SPDX-License-Identifier: Apache-2.0
// Operations whose group throws: they end once, with words, and their peers learn of it.
#include <stdexcept>

#include "hccl/communicator.hpp"
#include "hccl_ranks.hpp"
#include "runtime/context.hpp"

using namespace cann4j;
using namespace cann4j::hccl;

namespace {

enum class Trouble { kThrowAtOnce, kThrowAfterFinish, kDrop };

// A group of one rank that gets into trouble with every operation.
class TroubledGroup : public Group {
 public:
  explicit TroubledGroup(Trouble trouble) : Group("troubled", {0}, Settings()), trouble_(trouble) {}

  void offer(const Call&, const std::vector<uint32_t>&) override {}
  HcclResult await(const char*, const Call&, const std::vector<uint32_t>&) override {
    return HCCL_SUCCESS;
  }
  void fail(std::string words) override {
    ++failures;
    setFailure(std::move(words));
  }
  void post(std::vector<Posted> posts) override { meet(posts.front().waiter); }
  void arrive(uint64_t, Arrival arrival) override { meet(arrival.waiter); }
  void leave(uint32_t) override {}
  std::shared_ptr<Formation> subFormation(const char*, uint64_t, const std::vector<uint32_t>&,
                                          HcclResult*) override {
    return nullptr;
  }
  Clock::time_point expire(Clock::time_point) override { return Clock::time_point::max(); }

  std::atomic<int> failures{0};

 private:
  void meet(const std::shared_ptr<Waiter>& waiter) {
    if (trouble_ == Trouble::kThrowAfterFinish) {
      waiter->finish(nullptr);
    }
    if (trouble_ != Trouble::kDrop) {
      throw std::runtime_error("no memory for a meeting");
    }
  }

  const Trouble trouble_;
};

void submit(Communicator& communicator, bool collective, Stream& stream) {
  Work work;
  work.call.op = collective ? Op::kBarrier : Op::kSend;
  if (collective) {
    work.arrival.emplace();
    work.arrival->call = work.call;
  } else {
    work.posts.resize(1);
    work.posts[0].call = work.call;
  }
  CHECK_OK(communicator.enqueue("HcclTest", std::move(work), communicator.nextCall(), stream));
}

}  // namespace

TEST(an_operation_ends_exactly_once_whatever_the_group_does) {
  CHECK_OK(aclrtSetDevice(0));
  for (Trouble trouble : {Trouble::kThrowAtOnce, Trouble::kThrowAfterFinish, Trouble::kDrop}) {
    for (bool collective : {false, true}) {
      aclrtStream handle = nullptr;
      CHECK_OK(aclrtCreateStream(&handle));
      std::shared_ptr<Stream> stream;
      CHECK_OK(resolveStream(handle, &stream));
      auto group = std::make_shared<TroubledGroup>(trouble);
      Communicator communicator(group, 0, Origin::kWorld, std::this_thread::get_id());
      submit(communicator, collective, *stream);
      const int code = aclrtSynchronizeStream(handle);
      const std::string words = ranks::recentWords();
      // What was finished before the exception has succeeded; the communicator has not.
      CHECK_EQ(code, trouble == Trouble::kThrowAfterFinish ? ACL_SUCCESS
                                                           : ACL_ERROR_RT_AICPU_EXCEPTION);
      while (group->failure() == nullptr) {
        std::this_thread::yield();
      }
      const std::string expected =
          trouble == Trouble::kDrop ? "was given up" : "no memory for a meeting";
      CHECK(group->failure()->find(expected) != std::string::npos);
      CHECK(code == ACL_SUCCESS || words.find(expected) != std::string::npos);
      CHECK_EQ(group->failures.load(), 1);
      // Nothing is under way any more.
      CHECK(!group->isBusy(0));
      Work late;
      late.arrival.emplace();
      CHECK_FAILS(HCCL_E_REMOTE,
                  communicator.enqueue("HcclTest", std::move(late), communicator.nextCall(),
                                       *stream),
                  expected);
      CHECK_OK(aclrtDestroyStream(handle));
    }
  }
}
