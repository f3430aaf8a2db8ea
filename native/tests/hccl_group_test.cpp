// SPDX-License-Identifier: Apache-2.0
// Calls between HcclGroupStart and HcclGroupEnd.
#include <atomic>

#include "hccl_ranks.hpp"

using ranks::DeviceMemory;
using ranks::OwnStream;
using ranks::Rank;

namespace {

constexpr auto kFp32 = HCCL_DATA_TYPE_FP32;
constexpr auto kInt32 = HCCL_DATA_TYPE_INT32;

bool isOpen() {
  bool open = false;
  CHECK_OK(HcclGroupStatusGet(&open));
  return open;
}

HcclCommConfig newConfig() {
  HcclCommConfig config;
  HcclCommConfigInit(&config);
  return config;
}

}  // namespace

TEST(status_and_nesting) {
  CHECK(!isOpen());
  CHECK_FAILS(HCCL_E_PTR, HcclGroupStatusGet(nullptr), "isGroupEnabled is NULL");
  CHECK_FAILS(HCCL_E_PARA, HcclGroupEnd(), "no open group");
  CHECK_OK(HcclGroupStart());
  CHECK(isOpen());
  std::thread([] { CHECK(!isOpen()); }).join();
  CHECK_OK(HcclGroupStart());
  CHECK_OK(HcclGroupEnd());
  CHECK(isOpen());
  CHECK_OK(HcclGroupEnd());
  CHECK(!isOpen());
}

TEST(sends_and_receives_do_not_wait_for_each_other) {
  for (uint32_t size : {2u, 3u, 8u}) {
    ranks::run(size, [](const Rank& r) {
      for (int round = 0; round < 10; ++round) {
        DeviceMemory out(std::vector<int32_t>(50, static_cast<int32_t>(r.rank * 100 + round)));
        DeviceMemory in(std::vector<int32_t>(50, -1));
        DeviceMemory more(std::vector<int32_t>(50, -1));
        // All send before they receive, and two blocks to one peer keep their order.
        CHECK_OK(HcclGroupStart());
        CHECK_OK(HcclSend(out.get(), 50, kInt32, r.next(), r.comm, r.stream));
        CHECK_OK(HcclSend(out.get(), 10, kInt32, r.next(), r.comm, r.stream));
        CHECK_OK(HcclRecv(in.get(), 50, kInt32, r.previous(), r.comm, r.stream));
        CHECK_OK(HcclRecv(more.get(), 10, kInt32, r.previous(), r.comm, r.stream));
        // Nothing is queued before the end.
        aclrtStreamStatus status{};
        CHECK_OK(aclrtStreamQuery(r.stream, &status));
        CHECK_EQ(status, ACL_STREAM_STATUS_COMPLETE);
        CHECK_OK(HcclGroupEnd());
        r.synchronize();
        const auto sent = static_cast<int32_t>(r.previous() * 100 + round);
        CHECK(in.download<int32_t>() == std::vector<int32_t>(50, sent));
        std::vector<int32_t> expected(50, -1);
        std::fill_n(expected.begin(), 10, sent);
        CHECK(more.download<int32_t>() == expected);
      }
    });
  }
}

TEST(a_group_matches_calls_outside_of_groups_and_several_streams) {
  ranks::run(2, [](const Rank& r) {
    OwnStream other;
    DeviceMemory out(std::vector<float>(8, static_cast<float>(r.rank)));
    DeviceMemory in(std::vector<float>(8, -1.0f));
    if (r.rank == 0) {
      CHECK_OK(HcclGroupStart());
      CHECK_OK(HcclSend(out.get(), 8, kFp32, 1, r.comm, r.stream));
      CHECK_OK(HcclRecv(in.get(), 8, kFp32, 1, r.comm, other));
      CHECK_OK(HcclGroupEnd());
      CHECK_OK(aclrtSynchronizeStream(other));
    } else {
      CHECK_OK(HcclSend(out.get(), 8, kFp32, 0, r.comm, r.stream));
      CHECK_OK(HcclRecv(in.get(), 8, kFp32, 0, r.comm, r.stream));
    }
    r.synchronize();
    CHECK(in.download<float>() == std::vector<float>(8, static_cast<float>(1 - r.rank)));
    CHECK_OK(HcclBarrier(r.comm, r.stream));
    r.synchronize();
  });
}

TEST(one_thread_creates_and_drives_all_ranks_in_groups) {
  constexpr int kSize = 4;
  HcclComm comms[kSize] = {};
  const HcclRootInfo rootInfo = ranks::newRootInfo();
  HcclCommConfig config = newConfig();
  CHECK_OK(HcclGroupStart());
  for (int32_t rank = 0; rank < kSize; ++rank) {
    CHECK_OK(aclrtSetDevice(rank));
    HcclRootInfo copy = rootInfo;
    CHECK_OK(HcclCommInitRootInfoConfig(kSize, &copy, static_cast<uint32_t>(rank), &config,
                                        &comms[rank]));
    CHECK(comms[rank] == nullptr);
    std::memset(&copy, 0, sizeof copy);
  }
  CHECK_OK(HcclGroupEnd());
  std::vector<aclrtStream> streams;
  std::vector<std::unique_ptr<DeviceMemory>> data;
  std::vector<std::unique_ptr<DeviceMemory>> gathered;
  for (int32_t rank = 0; rank < kSize; ++rank) {
    CHECK_OK(aclrtSetDevice(rank));
    uint32_t id = 99;
    CHECK_OK(HcclGetRankId(comms[rank], &id));
    CHECK_EQ(id, static_cast<uint32_t>(rank));
    CHECK_OK(aclrtCreateStream(&streams.emplace_back()));
    data.push_back(std::make_unique<DeviceMemory>(std::vector<int32_t>{1 << rank}));
    gathered.push_back(std::make_unique<DeviceMemory>(std::vector<int32_t>(kSize, -1)));
  }
  CHECK_OK(HcclGroupStart());
  for (int32_t rank = 0; rank < kSize; ++rank) {
    CHECK_OK(aclrtSetDevice(rank));
    void* own = data[rank]->get();
    CHECK_OK(HcclAllReduce(own, own, 1, kInt32, HCCL_REDUCE_SUM, comms[rank], streams[rank]));
    CHECK_OK(HcclAllGather(own, gathered[rank]->get(), 1, kInt32, comms[rank], streams[rank]));
  }
  CHECK_OK(HcclGroupEnd());
  for (int32_t rank = 0; rank < kSize; ++rank) {
    CHECK_OK(aclrtSetDevice(rank));
    CHECK_OK(aclrtSynchronizeStream(streams[rank]));
    CHECK_EQ(data[rank]->download<int32_t>()[0], 15);
    CHECK(gathered[rank]->download<int32_t>() == std::vector<int32_t>(kSize, 15));
  }
  // A sub-communicator of two of them, in a group as well.
  HcclComm subs[2] = {};
  uint32_t members[] = {1, 3};
  CHECK_OK(HcclGroupStart());
  for (uint32_t i = 0; i < 2; ++i) {
    CHECK_OK(aclrtSetDevice(static_cast<int32_t>(members[i])));
    CHECK_OK(HcclCreateSubCommConfig(&comms[members[i]], 2, members, 7, i, &config, &subs[i]));
  }
  CHECK_OK(HcclGroupEnd());
  for (HcclComm sub : subs) {
    uint32_t count = 0;
    CHECK_OK(HcclGetRankSize(sub, &count));
    CHECK_EQ(count, 2u);
    CHECK_OK(HcclCommDestroy(sub));
  }
  for (int32_t rank = 0; rank < kSize; ++rank) {
    CHECK_OK(aclrtSetDevice(rank));
    CHECK_OK(aclrtDestroyStream(streams[rank]));
    CHECK_OK(HcclCommDestroy(comms[rank]));
  }
}

TEST(what_a_group_refuses) {
  ranks::run(2, [](const Rank& r) {
    DeviceMemory data(std::vector<float>(16, static_cast<float>(r.rank)));
    void* p = data.get();
    const uint32_t peer = 1 - r.rank;
    // No batch, whatever it holds.
    HcclSendRecvItem item{HCCL_SEND, p, 1, kFp32, peer};
    CHECK_OK(HcclGroupStart());
    CHECK_FAILS(HCCL_E_NOT_SUPPORT, HcclBatchSendRecv(&item, 1, r.comm, r.stream),
                "HcclBatchSendRecv: not between HcclGroupStart and HcclGroupEnd");
    CHECK_FAILS(HCCL_E_NOT_SUPPORT, HcclGroupEnd(), "the group is dropped",
                "HcclBatchSendRecv in it failed");
    // No mixing.
    CHECK_OK(HcclGroupStart());
    CHECK_OK(HcclSend(p, 1, kFp32, peer, r.comm, r.stream));
    CHECK_FAILS(HCCL_E_NOT_SUPPORT,
                HcclAllReduce(p, p, 1, kFp32, HCCL_REDUCE_SUM, r.comm, r.stream),
                "began with HcclSend", "only sends and receives");
    CHECK_FAILS(HCCL_E_NOT_SUPPORT, HcclGroupEnd(), "its 1 good calls",
                "HcclAllReduce in it failed");
    CHECK_OK(HcclGroupStart());
    CHECK_OK(HcclBarrier(r.comm, r.stream));
    CHECK_FAILS(HCCL_E_NOT_SUPPORT, HcclRecv(p, 1, kFp32, peer, r.comm, r.stream),
                "began with HcclBarrier", "only collective operations");
    CHECK_FAILS(HCCL_E_NOT_SUPPORT, HcclGroupEnd(), "HcclRecv in it failed");
    HcclComm comm = nullptr;
    int32_t device = static_cast<int32_t>(r.rank);
    CHECK_OK(HcclGroupStart());
    CHECK_OK(HcclSend(p, 1, kFp32, peer, r.comm, r.stream));
    CHECK_FAILS(HCCL_E_NOT_SUPPORT, HcclCommInitAll(1, &device, &comm), "began with HcclSend");
    CHECK_FAILS(HCCL_E_NOT_SUPPORT, HcclGroupEnd(), "HcclCommInitAll in it failed");
    // A call that is wrong by itself is refused at once, and the group with it.
    CHECK_OK(HcclGroupStart());
    CHECK_OK(HcclSend(p, 1, kFp32, peer, r.comm, r.stream));
    CHECK_FAILS(HCCL_E_PARA, HcclSend(p, 1, kFp32, 5, r.comm, r.stream), "destRank is 5");
    CHECK_FAILS(HCCL_E_PARA, HcclGroupEnd(), "its 1 good calls", "HcclSend in it failed");
    // Buffers that would be written and read at once.
    CHECK_OK(HcclGroupStart());
    CHECK_OK(HcclSend(p, 4, kFp32, peer, r.comm, r.stream));
    CHECK_OK(HcclRecv(data.at(8), 4, kFp32, peer, r.comm, r.stream));
    CHECK_FAILS(HCCL_E_PARA, HcclGroupEnd(), "overlap");
    // After all that, nothing was sent and the communicator works.
    r.synchronize();
    CHECK_OK(HcclBarrier(r.comm, r.stream));
    r.synchronize();
    CHECK(data.download<float>() == std::vector<float>(16, static_cast<float>(r.rank)));
  });
}

TEST(a_creation_that_fails_in_a_group_says_so) {
  const ranks::TimeLimit limit(300);
  const HcclRootInfo rootInfo = ranks::newRootInfo();
  HcclComm comms[2] = {};
  CHECK_OK(HcclGroupStart());
  for (uint32_t rank = 0; rank < 2; ++rank) {
    CHECK_OK(aclrtSetDevice(static_cast<int32_t>(rank)));
    CHECK_OK(HcclCommInitRootInfo(3, &rootInfo, rank, &comms[rank]));
  }
  CHECK_FAILS(HCCL_E_TIMEOUT, HcclGroupEnd(), "a communicator on device 0 was not created",
              "a communicator on device 1 was not created", "rank 2 of 3 did not come");
  CHECK(comms[0] == nullptr && comms[1] == nullptr);
  // Two of one device are made one after the other.
  const HcclRootInfo first = ranks::newRootInfo();
  const HcclRootInfo second = ranks::newRootInfo();
  CHECK_OK(HcclGroupStart());
  CHECK_OK(HcclCommInitRootInfo(1, &first, 0, &comms[0]));
  CHECK_OK(HcclCommInitRootInfo(1, &second, 0, &comms[1]));
  CHECK_OK(HcclGroupEnd());
  CHECK_OK(HcclCommDestroy(comms[0]));
  CHECK_OK(HcclCommDestroy(comms[1]));
}

TEST(a_missing_peer_of_a_group_is_named) {
  const ranks::TimeLimit limit(300);
  std::atomic<bool> over{false};
  ranks::run(3, [&](const Rank& r) {
    DeviceMemory data(std::vector<float>(16, 1.0f));
    if (r.rank == 0) {
      CHECK_OK(HcclGroupStart());
      CHECK_OK(HcclSend(data.get(), 4, kFp32, 1, r.comm, r.stream));
      CHECK_OK(HcclRecv(data.at(32), 4, kFp32, 2, r.comm, r.stream));
      CHECK_FAILS(HCCL_E_TIMEOUT, HcclGroupEnd(), "in HcclGroupEnd(2 items)",
                  "rank 1 has made no call; rank 2 has made no call");
      over = true;
    }
    while (!over) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
}
