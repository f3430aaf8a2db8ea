// SPDX-License-Identifier: Apache-2.0
// The rules by which calls are made: first calls wait for peers, the calls of a device follow each
// other, and so do the operations of a communicator.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>

#include "hccl/issuing.hpp"
#include "hccl_ranks.hpp"

using ranks::DeviceMemory;
using ranks::OwnStream;
using ranks::Rank;
using namespace std::chrono_literals;

namespace {

constexpr auto kFp32 = HCCL_DATA_TYPE_FP32;

// A call that is refused for its arguments, unless the device is busy with another one.
bool isInsideCall(HcclComm comm, aclrtStream stream, std::string* words) {
  ranks::recentWords();
  const HcclResult result = HcclSend(nullptr, 1, kFp32, 1000, comm, stream);
  *words = ranks::recentWords();
  CHECK(result == HCCL_E_UNAVAIL || result == HCCL_E_PARA);
  return result == HCCL_E_UNAVAIL;
}

// Waits until another thread is inside a call on this thread's device, and looks whether it stays.
std::string expectToStayInsideCall(HcclComm comm, const std::atomic<bool>& returned) {
  OwnStream stream;
  std::string words;
  while (!isInsideCall(comm, stream, &words)) {
    CHECK(!returned);
    std::this_thread::sleep_for(1ms);
  }
  const std::string first = words;
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(1ms);
    CHECK(isInsideCall(comm, stream, &words));
    CHECK(!returned);
  }
  return first;
}

void expectWords(const std::string& words, const std::vector<std::string>& expected) {
  for (const std::string& part : expected) {
    if (words.find(part) == std::string::npos) {
      check::failed(__FILE__, __LINE__, "no \"" + part + "\" in: " + words);
    }
  }
}

// Looks from a second thread of device 0 whether the call that is made there next stays on the host.
// Where it does not, `over` is true as well, and the failure comes out of words().
class Observer {
 public:
  std::atomic<HcclComm> comm{nullptr};
  std::atomic<bool> returned{false};
  std::atomic<bool> over{false};

  std::string words() { return words_.get(); }

 private:
  std::string observe() {
    try {
      CHECK_OK(aclrtSetDevice(0));
      while (comm == nullptr) {
        CHECK(!returned);
        std::this_thread::sleep_for(1ms);
      }
      const std::string words = expectToStayInsideCall(comm, returned);
      over = true;
      return words;
    } catch (...) {
      over = true;
      throw;
    }
  }

  std::future<std::string> words_ = std::async(std::launch::async, [this] { return observe(); });
};

// Makes a call that another thread waits for with expectToStayInsideCall; that one's own calls may be
// in the way.
template <class Call>
HcclResult watched(const Call& call) {
  HcclResult result = call();
  while (result == HCCL_E_UNAVAIL) {
    result = call();
  }
  return result;
}

// Holds up a stream until it is opened.
class Gate {
 public:
  Gate() { CHECK_OK(aclrtCreateEventWithFlag(&event_, ACL_EVENT_SYNC)); }
  ~Gate() { aclrtDestroyEvent(event_); }
  void hold(aclrtStream stream) { CHECK_OK(aclrtStreamWaitEvent(stream, event_)); }
  void open() {
    OwnStream opener;
    CHECK_OK(aclrtRecordEvent(event_, opener));
  }

 private:
  aclrtEvent event_ = nullptr;
};

template <class Condition>
void waitFor(const Condition& condition) {
  while (!condition()) {
    std::this_thread::sleep_for(1ms);
  }
}

}  // namespace

TEST(a_first_call_stays_on_the_host_until_the_peer_has_called) {
  Observer observer;
  std::atomic<bool> sent{false};
  ranks::run(2, [&](const Rank& r) {
    DeviceMemory data(std::vector<float>(8, static_cast<float>(r.rank)));
    if (r.rank == 0) {
      observer.comm = r.comm;
      CHECK_OK(watched([&] { return HcclSend(data.get(), 8, kFp32, 1, r.comm, r.stream); }));
      observer.returned = true;
      CHECK(observer.over);
    } else {
      waitFor([&] { return observer.over.load(); });
      CHECK(!observer.returned);
      CHECK_OK(HcclRecv(data.get(), 8, kFp32, 0, r.comm, r.stream));
    }
    r.synchronize();
    CHECK(data.download<float>() == std::vector<float>(8, 0.0f));
    // From now on the two are linked, so that this rank need not wait for the other's call.
    if (r.rank == 1) {
      CHECK_OK(HcclSend(data.get(), 8, kFp32, 0, r.comm, r.stream));
      sent = true;
    } else {
      waitFor([&] { return sent.load(); });
      CHECK_OK(HcclRecv(data.get(), 8, kFp32, 1, r.comm, r.stream));
    }
    r.synchronize();
  });
  expectWords(observer.words(), {"another thread", "inside HcclSend"});
}

TEST(the_first_call_waits_per_communicator_and_for_all_peers_of_a_collective) {
  Observer observer;
  ranks::run(3, [&](const Rank& r) {
    ranks::link(r);  // of the world; the sub-communicator has links of its own
    HcclCommConfig config;
    HcclCommConfigInit(&config);
    uint32_t members[] = {0, 1, 2};
    HcclComm world = r.comm;
    HcclComm sub = nullptr;
    CHECK_OK(HcclCreateSubCommConfig(&world, 3, members, 1, r.rank, &config, &sub));
    DeviceMemory data(std::vector<float>(4, static_cast<float>(r.rank)));
    if (r.rank == 0) {
      observer.comm = sub;
    } else if (r.rank == 2) {
      waitFor([&] { return observer.over.load(); });
    }
    CHECK_OK(watched([&] { return HcclBroadcast(data.get(), 4, kFp32, 1, sub, r.stream); }));
    observer.returned = observer.returned || r.rank == 0;
    r.synchronize();
    CHECK(data.download<float>() == std::vector<float>(4, 1.0f));
    CHECK_OK(HcclCommDestroy(sub));
  });
  expectWords(observer.words(), {"inside HcclBroadcast"});
}

TEST(a_peer_without_a_first_call_is_named_with_what_it_does) {
  const ranks::TimeLimit limit(1000);
  const std::string waited = "rank 0 waited " + limit.words();
  Observer observer;
  std::atomic<int> over{0};
  ranks::run(3, [&](const Rank& r) {
    DeviceMemory data(std::vector<float>(8, 1.0f));
    if (r.rank < 2) {
      if (r.rank == 0) {
        observer.comm = r.comm;
      }
      waitFor([&] { return r.rank == 0 || observer.over; });
      // Rank 0 waits for rank 1, which waits for rank 2, which does nothing: all learn the same.
      CHECK_FAILS(HCCL_E_TIMEOUT,
                  watched([&] {
                    const HcclResult result =
                        HcclSend(data.get(), 8, kFp32, r.rank + 1, r.comm, r.stream);
                    observer.returned = observer.returned || result != HCCL_E_UNAVAIL;
                    return result;
                  }),
                  waited + " (CANN4J_CPU_HCCL_TIMEOUT_MS) in HcclSend(count 8, "
                           "HCCL_DATA_TYPE_FP32) to rank 1",
                  "rank 1 waits in HcclSend(count 8, HCCL_DATA_TYPE_FP32) to rank 2 for rank 2",
                  "thread of its own");
      ++over;
    }
    waitFor([&] { return over == 2; });
    CHECK_FAILS(HCCL_E_REMOTE, HcclBarrier(r.comm, r.stream), "can only be destroyed",
                waited);
    HcclResult error = HCCL_SUCCESS;
    CHECK_OK(HcclGetCommAsyncError(r.comm, &error));
    CHECK_EQ(error, HCCL_E_REMOTE);
  });
  observer.words();
  // A rank that has called, but nothing that concerns the other; and one that has not.
  std::atomic<int> done{0};
  ranks::run(3, [&](const Rank& r) {
    DeviceMemory data(std::vector<float>(8, 1.0f));
    if (r.rank == 1) {
      CHECK_OK(HcclSend(data.get(), 8, kFp32, 2, r.comm, r.stream));
    } else if (r.rank == 2) {
      CHECK_OK(HcclRecv(data.get(), 8, kFp32, 1, r.comm, r.stream));
    } else {
      waitFor([&] { return done == 2; });
      CHECK_FAILS(HCCL_E_TIMEOUT, HcclRecv(data.get(), 8, kFp32, 1, r.comm, r.stream),
                  "rank 1 made other calls, the last of them HcclSend(count 8, "
                  "HCCL_DATA_TYPE_FP32) to rank 2, but none that concerns rank 0");
    }
    r.synchronize();
    ++done;
    waitFor([&] { return done == 3; });
  });
}

TEST(one_thread_cannot_drive_two_ranks) {
  const ranks::TimeLimit limit(300);
  int32_t devices[] = {0, 1};
  HcclComm comms[2];
  CHECK_OK(HcclCommInitAll(2, devices, comms));
  CHECK_OK(aclrtSetDevice(0));
  {
    OwnStream stream;
    CHECK_FAILS(HCCL_E_TIMEOUT, HcclBarrier(comms[0], stream), "rank 1 has made no call",
                "the thread that waits here for rank 0 also drives rank 1",
                "give every rank a thread of its own");
  }
  CHECK_OK(HcclCommDestroy(comms[0]));
  CHECK_OK(HcclCommDestroy(comms[1]));
}

TEST(a_first_call_ends_at_once_when_the_communicator_fails) {
  const auto start = std::chrono::steady_clock::now();
  std::atomic<HcclComm> comm{nullptr};
  std::atomic<bool> returned{false};
  std::atomic<bool> observed{false};
  std::thread observer([&] {
    CHECK_OK(aclrtSetDevice(0));
    waitFor([&] { return comm != nullptr; });
    expectToStayInsideCall(comm, returned);
    // The handle cannot be destroyed below the call.
    CHECK_FAILS(HCCL_E_AGAIN, HcclCommDestroy(comm), "a call of another thread");
    observed = true;
  });
  const HcclRootInfo rootInfo = ranks::newRootInfo();
  ranks::onThreads(2, [&](uint32_t rank) {
    OwnStream stream;
    HcclComm own = nullptr;
    CHECK_OK(HcclCommInitRootInfo(2, &rootInfo, rank, &own));
    DeviceMemory data(std::vector<float>(8, 1.0f));
    if (rank == 0) {
      comm = own;
      CHECK_FAILS(HCCL_E_REMOTE,
                  watched([&] { return HcclSend(data.get(), 8, kFp32, 1, own, stream); }),
                  "rank 1 destroyed its communicator", "rank 0 waits for it in HcclSend");
      returned = true;
      CHECK_OK(HcclCommDestroy(own));
    } else {
      waitFor([&] { return observed.load(); });
      CHECK_OK(HcclCommDestroy(own));
    }
  });
  observer.join();
  CHECK(std::chrono::steady_clock::now() - start < 10s);
}

TEST(calls_of_one_device_are_not_made_at_once_whichever_the_communicator) {
  std::atomic<bool> returned{false};
  std::atomic<bool> observed{false};
  std::atomic<int> ready{0};
  ranks::run(2, [&](const Rank& r) {
    int32_t device = static_cast<int32_t>(r.rank);
    HcclComm alone = nullptr;
    CHECK_OK(HcclCommInitAll(1, &device, &alone));
    DeviceMemory data(std::vector<float>(8, 1.0f));
    if (r.rank == 0) {
      std::thread observer([&] {
        CHECK_OK(aclrtSetDevice(0));
        OwnStream stream;
        waitFor([&] { return ready == 1; });
        expectWords(expectToStayInsideCall(alone, returned),
                    {"HcclSend on device 0", "another thread is still inside HcclReduce"});
        // What is no call of an operation is not concerned.
        uint32_t rank = 9;
        CHECK_OK(HcclGetRankId(alone, &rank));
        CHECK_FAILS(HCCL_E_UNAVAIL,
                    HcclAllReduce(data.get(), data.get(), 8, kFp32, HCCL_REDUCE_SUM, alone, stream),
                    "HcclAllReduce on device 0", "inside HcclReduce");
        HcclComm another = nullptr;
        HcclRootInfo rootInfo;
        CHECK_OK(HcclGetRootInfo(&rootInfo));
        CHECK_FAILS(HCCL_E_UNAVAIL, HcclCommInitRootInfo(1, &rootInfo, 0, &another),
                    "HcclCommInitRootInfo on device 0", "inside HcclReduce");
        observed = true;
      });
      ready = 1;
      CHECK_OK(watched([&] {
        return HcclReduce(data.get(), data.get(), 8, kFp32, HCCL_REDUCE_SUM, 0, r.comm, r.stream);
      }));
      returned = true;
      observer.join();
    } else {
      waitFor([&] { return observed.load(); });
      // Another device is free all the time.
      CHECK_OK(HcclAllReduce(data.get(), data.get(), 8, kFp32, HCCL_REDUCE_SUM, alone, r.stream));
      CHECK_OK(HcclReduce(data.get(), data.get(), 8, kFp32, HCCL_REDUCE_SUM, 0, r.comm, r.stream));
    }
    r.synchronize();
    CHECK(data.download<float>() == std::vector<float>(8, r.rank == 0 ? 2.0f : 1.0f));
    CHECK_OK(HcclCommDestroy(alone));
  });
}

TEST(a_call_from_within_a_call_is_refused) {
  cann4j::hccl::Issuing outer;
  cann4j::hccl::Issuing inner;
  CHECK_OK(outer.begin("HcclOuter", 3));
  CHECK_FAILS(HCCL_E_UNAVAIL, inner.begin("HcclInner", 3), "HcclInner on device 3",
              "this thread is still inside HcclOuter");
  CHECK_OK(inner.begin("HcclInner", 4));
  outer.end();
  CHECK_OK(outer.begin("HcclOuter", 3));
}

TEST(operations_of_one_communicator_on_several_streams_must_not_overlap) {
  std::atomic<int> over{0};
  ranks::run(2, [&](const Rank& r) {
    ranks::link(r);
    OwnStream other;
    Gate gate;
    DeviceMemory a(std::vector<float>(4, 1.0f));
    DeviceMemory b(std::vector<float>(4, 2.0f));
    if (r.rank == 0) {
      int32_t first = -1;
      int32_t second = -1;
      CHECK_OK(aclrtStreamGetId(r.stream, &first));
      CHECK_OK(aclrtStreamGetId(other, &second));
      gate.hold(r.stream);
      CHECK_OK(HcclSend(a.get(), 4, kFp32, 1, r.comm, r.stream));
      const HcclResult result =
          HcclAllReduce(b.get(), b.get(), 4, kFp32, HCCL_REDUCE_SUM, r.comm, other);
      CHECK_OK(result);
      CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(other),
                  "rank 0's HcclAllReduce(count 4, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM) had its "
                  "turn on stream " + std::to_string(second),
                  "while the earlier HcclSend(count 4, HCCL_DATA_TYPE_FP32) to rank 1 on stream " +
                      std::to_string(first),
                  "wait for an event");
      gate.open();
      CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(r.stream), "had its turn");
    } else {
      // The peer learns it whether it waits already or comes later.
      const HcclResult result = HcclRecv(a.get(), 4, kFp32, 0, r.comm, r.stream);
      CHECK(result == HCCL_SUCCESS || result == HCCL_E_REMOTE);
      if (result == HCCL_SUCCESS) {
        CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(r.stream),
                    "rank 0's HcclAllReduce", "had its turn");
      }
    }
    ++over;
    waitFor([&] { return over == 2; });
  });
}

TEST(operations_of_different_communicators_may_overlap) {
  ranks::run(2, [](const Rank& r) {
    HcclCommConfig config;
    HcclCommConfigInit(&config);
    uint32_t members[] = {0, 1};
    HcclComm world = r.comm;
    HcclComm sub = nullptr;
    CHECK_OK(HcclCreateSubCommConfig(&world, 2, members, 1, r.rank, &config, &sub));
    OwnStream other;
    ranks::link(r);
    ranks::link(sub, other);
    Gate gate;
    DeviceMemory data(std::vector<float>(4, 1.0f));
    gate.hold(r.stream);
    CHECK_OK(HcclBarrier(r.comm, r.stream));
    CHECK_OK(HcclAllReduce(data.get(), data.get(), 4, kFp32, HCCL_REDUCE_SUM, sub, other));
    CHECK_OK(aclrtSynchronizeStream(other));
    gate.open();
    r.synchronize();
    CHECK_OK(HcclCommDestroy(sub));
  });
}

TEST(a_stream_destroyed_by_force_with_operations_fails_the_communicator_at_once) {
  const auto start = std::chrono::steady_clock::now();
  std::atomic<int> waiting{0};
  ranks::run(3, [&](const Rank& r) {
    ranks::link(r);
    DeviceMemory data(std::vector<float>(4, 1.0f));
    if (r.rank == 1) {
      aclrtStream doomed = nullptr;
      CHECK_OK(aclrtCreateStream(&doomed));
      Gate gate;
      gate.hold(doomed);
      CHECK_OK(HcclAllReduce(data.get(), data.get(), 4, kFp32, HCCL_REDUCE_SUM, r.comm, doomed));
      waitFor([&] { return waiting == 2; });
      CHECK_OK(aclrtDestroyStreamForce(doomed));
      gate.open();
      CHECK_FAILS(HCCL_E_REMOTE, HcclBarrier(r.comm, r.stream), "destroyed by force");
      return;
    }
    CHECK_OK(HcclAllReduce(data.get(), data.get(), 4, kFp32, HCCL_REDUCE_SUM, r.comm, r.stream));
    ++waiting;
    CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(r.stream),
                "rank 1's HcclAllReduce(count 4, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM) will never "
                "be carried out",
                "destroyed by force");
    HcclResult error = HCCL_SUCCESS;
    CHECK_OK(HcclGetCommAsyncError(r.comm, &error));
    CHECK_EQ(error, HCCL_E_REMOTE);
  });
  CHECK(std::chrono::steady_clock::now() - start < 10s);
}

TEST(one_thread_of_a_device_may_follow_another) {
  ranks::run(2, [](const Rank& r) {
    DeviceMemory data(std::vector<int32_t>{1});
    for (int i = 0; i < 10; ++i) {
      std::thread([&] {
        CHECK_OK(aclrtSetDevice(static_cast<int32_t>(r.rank)));
        CHECK_OK(HcclAllReduce(data.get(), data.get(), 1, HCCL_DATA_TYPE_INT32, HCCL_REDUCE_SUM,
                               r.comm, r.stream));
      }).join();
    }
    r.synchronize();
    CHECK_EQ(data.download<int32_t>()[0], 1 << 10);
  });
}
