// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>

#include "hccl_ranks.hpp"

using ranks::DeviceMemory;
using ranks::OwnStream;
using ranks::Rank;

namespace {

struct Type {
  HcclDataType type;
  size_t size;
};

const std::vector<Type> kMovable{
    {HCCL_DATA_TYPE_INT8, 1},   {HCCL_DATA_TYPE_INT16, 2}, {HCCL_DATA_TYPE_INT32, 4},
    {HCCL_DATA_TYPE_FP16, 2},   {HCCL_DATA_TYPE_FP32, 4},  {HCCL_DATA_TYPE_INT64, 8},
    {HCCL_DATA_TYPE_UINT64, 8}, {HCCL_DATA_TYPE_UINT8, 1}, {HCCL_DATA_TYPE_UINT16, 2},
    {HCCL_DATA_TYPE_UINT32, 4}, {HCCL_DATA_TYPE_FP64, 8},  {HCCL_DATA_TYPE_BFP16, 2}};

std::vector<uint8_t> pattern(size_t bytes, uint32_t seed) {
  std::vector<uint8_t> values(bytes);
  uint32_t state = seed * 2654435761u + 1;
  for (uint8_t& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<uint8_t>(state >> 24);
  }
  return values;
}

HcclResult asyncError(HcclComm comm) {
  HcclResult error = HCCL_SUCCESS;
  CHECK_OK(HcclGetCommAsyncError(comm, &error));
  return error;
}

}  // namespace

TEST(send_and_receive_every_type_between_all_pairs) {
  for (uint32_t size : {2u, 3u, 5u, 8u}) {
    ranks::run(size, [](const Rank& r) {
      for (const Type& type : kMovable) {
        const uint64_t count = 1000 + type.type;
        const size_t bytes = count * type.size;
        for (uint32_t source = 0; source < r.size; ++source) {
          for (uint32_t target = 0; target < r.size; ++target) {
            const uint32_t seed = source * 100 + target;
            if (source == target) {
              continue;
            }
            if (r.rank == source) {
              DeviceMemory data(pattern(bytes, seed));
              CHECK_OK(HcclSend(data.get(), count, type.type, target, r.comm, r.stream));
              r.synchronize();
            } else if (r.rank == target) {
              DeviceMemory data(bytes);
              CHECK_OK(HcclRecv(data.get(), count, type.type, source, r.comm, r.stream));
              r.synchronize();
              CHECK(data.download<uint8_t>() == pattern(bytes, seed));
            }
          }
        }
      }
    });
  }
}

TEST(large_transfers_at_odd_offsets) {
  ranks::run(2, [](const Rank& r) {
    for (size_t bytes : {size_t{1} << 20, (size_t{40} << 20) + 13, (size_t{1} << 20) - 1}) {
      const size_t offset = r.rank == 0 ? 3 : 29;
      DeviceMemory data(bytes + 64);
      if (r.rank == 0) {
        std::vector<uint8_t> values(bytes + 64, 7);
        const std::vector<uint8_t> sent = pattern(bytes, 5);
        std::copy(sent.begin(), sent.end(), values.begin() + 3);
        data.upload(values);
        CHECK_OK(HcclSend(data.at(offset), bytes, HCCL_DATA_TYPE_UINT8, 1, r.comm, r.stream));
        r.synchronize();
      } else {
        data.upload(std::vector<uint8_t>(bytes + 64, 9));
        CHECK_OK(HcclRecv(data.at(offset), bytes, HCCL_DATA_TYPE_UINT8, 0, r.comm, r.stream));
        r.synchronize();
        const std::vector<uint8_t> received = data.download<uint8_t>();
        const std::vector<uint8_t> sent = pattern(bytes, 5);
        CHECK(std::equal(sent.begin(), sent.end(), received.begin() + 29));
        CHECK(std::all_of(received.begin(), received.begin() + 29, [](auto v) { return v == 9; }));
        CHECK(std::all_of(received.begin() + 29 + bytes, received.end(),
                          [](auto v) { return v == 9; }));
      }
    }
  });
}

TEST(pairs_match_in_order) {
  ranks::run(2, [](const Rank& r) {
    constexpr int kMessages = 50;
    std::vector<int32_t> numbers(kMessages);
    std::iota(numbers.begin(), numbers.end(), 100);
    DeviceMemory data(numbers);
    if (r.rank == 1) {
      data.upload(std::vector<int32_t>(kMessages, -1));
    }
    for (int i = 0; i < kMessages; ++i) {
      void* at = data.at(sizeof(int32_t) * i);
      CHECK_OK(r.rank == 0 ? HcclSend(at, 1, HCCL_DATA_TYPE_INT32, 1, r.comm, r.stream)
                           : HcclRecv(at, 1, HCCL_DATA_TYPE_INT32, 0, r.comm, r.stream));
    }
    r.synchronize();
    CHECK(data.download<int32_t>() == numbers);
  });
}

TEST(a_send_completes_only_when_the_peer_takes_the_data) {
  std::atomic<bool> checked{false};
  ranks::run(2, [&](const Rank& r) {
    ranks::link(r);
    DeviceMemory data(std::vector<float>(16, static_cast<float>(r.rank)));
    if (r.rank == 0) {
      CHECK_OK(HcclSend(data.get(), 16, HCCL_DATA_TYPE_FP32, 1, r.comm, r.stream));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      aclrtStreamStatus status{};
      CHECK_OK(aclrtStreamQuery(r.stream, &status));
      CHECK(status == ACL_STREAM_STATUS_NOT_READY);
      CHECK_FAILS(HCCL_E_AGAIN, HcclCommDestroy(r.comm), "under way");
      checked = true;
    } else {
      while (!checked) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      CHECK_OK(HcclRecv(data.get(), 16, HCCL_DATA_TYPE_FP32, 0, r.comm, r.stream));
    }
    r.synchronize();
    CHECK(data.download<float>() == std::vector<float>(16, 0.0f));
  });
}

TEST(work_before_and_after_is_ordered) {
  ranks::run(2, [](const Rank& r) {
    constexpr size_t kBytes = size_t{2} << 20;
    DeviceMemory data(kBytes);
    DeviceMemory copy(kBytes);
    for (int round = 0; round < 30; ++round) {
      // What is sent is written by the stream just before; what is received is read just after.
      CHECK_OK(
          aclrtMemsetAsync(data.get(), kBytes, r.rank == 0 ? round + 1 : 255, kBytes, r.stream));
      CHECK_OK(r.rank == 0
                   ? HcclSend(data.get(), kBytes, HCCL_DATA_TYPE_INT8, 1, r.comm, r.stream)
                   : HcclRecv(data.get(), kBytes, HCCL_DATA_TYPE_INT8, 0, r.comm, r.stream));
      CHECK_OK(aclrtMemcpyAsync(copy.get(), kBytes, data.get(), kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE,
                                r.stream));
      CHECK_OK(aclrtMemsetAsync(data.get(), kBytes, 254, kBytes, r.stream));
      if (round % 10 == 9) {
        r.synchronize();
        const std::vector<uint8_t> got = copy.download<uint8_t>();
        CHECK(std::all_of(got.begin(), got.end(), [&](uint8_t v) { return v == round + 1; }));
      }
    }
  });
}

TEST(batch_exchanges_with_all_peers_and_itself) {
  for (uint32_t size : ranks::sizes()) {
    ranks::run(size, [](const Rank& r) {
      for (uint64_t count : {uint64_t{1}, uint64_t{777}, uint64_t{300000}}) {
        std::vector<int32_t> values(count * r.size);
        for (size_t i = 0; i < values.size(); ++i) {
          values[i] = static_cast<int32_t>(r.rank * 1000000 + i);
        }
        DeviceMemory out(values);
        DeviceMemory in(std::vector<int32_t>(count * r.size, -1));
        std::vector<HcclSendRecvItem> items;
        for (uint32_t i = 0; i < r.size; ++i) {
          const uint32_t peer = (r.rank + i) % r.size;
          const size_t offset = peer * count * sizeof(int32_t);
          items.push_back({HCCL_SEND, out.at(offset), count, HCCL_DATA_TYPE_INT32, peer});
          items.push_back({HCCL_RECV, in.at(offset), count, HCCL_DATA_TYPE_INT32, peer});
        }
        CHECK_OK(
            HcclBatchSendRecv(items.data(), static_cast<uint32_t>(items.size()), r.comm, r.stream));
        r.synchronize();
        const std::vector<int32_t> got = in.download<int32_t>();
        for (uint32_t peer = 0; peer < r.size; ++peer) {
          for (uint64_t i = 0; i < count; ++i) {
            CHECK_EQ(got[peer * count + i],
                     static_cast<int32_t>(peer * 1000000 + r.rank * count + i));
          }
        }
      }
    });
  }
}

TEST(a_rank_without_items_makes_no_call) {
  ranks::run(3, [](const Rank& r) {
    DeviceMemory data(std::vector<float>(8, static_cast<float>(r.rank)));
    DeviceMemory in(std::vector<float>(8, -1.0f));
    if (r.rank != 1) {
      HcclSendRecvItem items[] = {
          {HCCL_SEND, data.get(), 8, HCCL_DATA_TYPE_FP32, 2 - r.rank},
          {HCCL_RECV, in.get(), 8, HCCL_DATA_TYPE_FP32, 2 - r.rank},
          {HCCL_SEND, nullptr, 0, HCCL_DATA_TYPE_FP32, 1},
      };
      CHECK_OK(HcclBatchSendRecv(items, 3, r.comm, r.stream));
      r.synchronize();
      CHECK(in.download<float>() == std::vector<float>(8, static_cast<float>(2 - r.rank)));
    } else {
      CHECK_OK(HcclBatchSendRecv(nullptr, 0, r.comm, r.stream));
    }
    CHECK_OK(HcclBarrier(r.comm, r.stream));
    r.synchronize();
  });
}

TEST(zero_elements_need_no_peer_and_no_buffer) {
  ranks::run(2, [](const Rank& r) {
    if (r.rank == 0) {
      CHECK_OK(HcclSend(nullptr, 0, HCCL_DATA_TYPE_FP32, 1, r.comm, r.stream));
      CHECK_OK(HcclRecv(nullptr, 0, HCCL_DATA_TYPE_FP32, 1, r.comm, r.stream));
      CHECK_OK(HcclAlltoAll(nullptr, 0, HCCL_DATA_TYPE_FP32, nullptr, 0, HCCL_DATA_TYPE_FP32,
                            r.comm, r.stream));
      r.synchronize();
    }
  });
}

TEST(bad_arguments_are_refused_before_anything_is_enqueued) {
  ranks::run(2, [](const Rank& r) {
    DeviceMemory data(std::vector<float>(64, 1.0f));
    void* p = data.get();
    const auto fp32 = HCCL_DATA_TYPE_FP32;
    std::vector<float> host(64);
    const uint32_t peer = 1 - r.rank;
    const std::string self = std::to_string(r.rank);
    CHECK_FAILS(HCCL_E_PTR, HcclSend(p, 1, fp32, peer, nullptr, r.stream), "comm is NULL");
    CHECK_FAILS(HCCL_E_PTR, HcclSend(p, 1, fp32, peer, r.comm, nullptr), "stream is NULL");
    CHECK_FAILS(HCCL_E_PTR, HcclSend(nullptr, 1, fp32, peer, r.comm, r.stream), "sendBuf is NULL");
    CHECK_FAILS(HCCL_E_PTR, HcclRecv(nullptr, 1, fp32, peer, r.comm, r.stream), "recvBuf is NULL");
    CHECK_FAILS(HCCL_E_PARA, HcclSend(p, 1, fp32, 2, r.comm, r.stream), "destRank is 2", "2 ranks");
    CHECK_FAILS(HCCL_E_PARA, HcclRecv(p, 1, fp32, 77, r.comm, r.stream), "srcRank is 77");
    CHECK_FAILS(HCCL_E_NOT_SUPPORT, HcclSend(p, 1, fp32, r.rank, r.comm, r.stream),
                "destRank is " + self);
    CHECK_FAILS(HCCL_E_NOT_SUPPORT, HcclSend(p, 1, HCCL_DATA_TYPE_INT128, peer, r.comm, r.stream),
                "HCCL_DATA_TYPE_INT128");
    CHECK_FAILS(HCCL_E_NOT_SUPPORT,
                HcclSend(p, 1, static_cast<HcclDataType>(99), peer, r.comm, r.stream), "99");
    CHECK_FAILS(HCCL_E_PARA, HcclSend(p, 0x800000000, fp32, peer, r.comm, r.stream), "34359738368");
    CHECK_FAILS(HCCL_E_PARA, HcclSend(p, 1 << 20, fp32, peer, r.comm, r.stream), "4194304 bytes");
    CHECK_FAILS(HCCL_E_PARA, HcclSend(host.data(), 4, fp32, peer, r.comm, r.stream),
                "not device memory");
    CHECK_FAILS(HCCL_E_PARA, HcclSend(p, 1, fp32, peer, r.stream, r.stream),
                "no live communicator");
    HcclSendRecvItem items[4] = {{HCCL_SEND, p, 8, fp32, peer},
                                 {HCCL_SEND, data.at(32), 8, fp32, peer},
                                 {HCCL_RECV, data.at(64), 8, fp32, peer},
                                 {HCCL_SEND_RECV_RESERVED, p, 8, fp32, peer}};
    CHECK_FAILS(HCCL_E_PARA, HcclBatchSendRecv(items, 2, r.comm, r.stream), "second send to rank",
                "item 1");
    CHECK_FAILS(HCCL_E_PARA, HcclBatchSendRecv(items + 2, 2, r.comm, r.stream), "item 1",
                "sendRecvType");
    CHECK_FAILS(HCCL_E_PTR, HcclBatchSendRecv(nullptr, 2, r.comm, r.stream), "sendRecvInfo");
    items[1] = {HCCL_SEND, nullptr, 8, fp32, r.rank};
    CHECK_FAILS(HCCL_E_PTR, HcclBatchSendRecv(items, 2, r.comm, r.stream), "item 1");
    items[1] = {HCCL_SEND, data.at(32), 8, fp32, r.rank};
    CHECK_FAILS(HCCL_E_PARA, HcclBatchSendRecv(items, 2, r.comm, r.stream), "itself", "nothing");
    items[2] = {HCCL_RECV, data.at(64), 7, fp32, r.rank};
    CHECK_FAILS(HCCL_E_PARA, HcclBatchSendRecv(items, 3, r.comm, r.stream), "count 8", "count 7");
    items[2] = {HCCL_RECV, data.at(48), 8, fp32, r.rank};
    CHECK_FAILS(HCCL_E_PARA, HcclBatchSendRecv(items, 3, r.comm, r.stream), "overlap");
    CHECK_EQ(asyncError(r.comm), HCCL_SUCCESS);
    // The communicator works on.
    CHECK_OK(HcclBarrier(r.comm, r.stream));
    r.synchronize();
  });
}

TEST(memory_and_streams_of_another_device_are_refused) {
  std::atomic<void*> foreign{nullptr};
  std::atomic<int> arrived{0};
  ranks::run(2, [&](const Rank& r) {
    DeviceMemory data(std::vector<float>(8, 1.0f));
    if (r.rank == 1) {
      foreign = data.get();
    }
    ++arrived;
    while (arrived < 2) {
      std::this_thread::yield();
    }
    if (r.rank == 0) {
      CHECK_FAILS(HCCL_E_PARA, HcclSend(foreign, 8, HCCL_DATA_TYPE_FP32, 1, r.comm, r.stream),
                  "memory of device 1", "on device 0");
      CHECK_OK(aclrtSetDevice(1));
      {
        OwnStream other;
        CHECK_FAILS(HCCL_E_PARA, HcclSend(data.get(), 8, HCCL_DATA_TYPE_FP32, 1, r.comm, other),
                    "of device 1", "on device 0");
      }
      CHECK_OK(aclrtSetDevice(0));
    }
    CHECK_OK(HcclBarrier(r.comm, r.stream));
    r.synchronize();
  });
}

TEST(sides_that_disagree_both_get_an_error) {
  struct Case {
    uint64_t count;
    HcclDataType type;
  };
  for (const Case& wrong : {Case{9, HCCL_DATA_TYPE_FP32}, Case{10, HCCL_DATA_TYPE_INT32}}) {
    for (bool batch : {false, true}) {
      std::atomic<int> failed{0};
      ranks::run(3, [&](const Rank& r) {
        DeviceMemory data(std::vector<float>(16, static_cast<float>(r.rank)));
        if (r.rank == 0) {
          CHECK_OK(HcclSend(data.get(), 10, HCCL_DATA_TYPE_FP32, 1, r.comm, r.stream));
        } else if (r.rank == 1 && !batch) {
          CHECK_OK(HcclRecv(data.get(), wrong.count, wrong.type, 0, r.comm, r.stream));
        } else if (r.rank == 1) {
          HcclSendRecvItem item{HCCL_RECV, data.get(), wrong.count, wrong.type, 0};
          CHECK_OK(HcclBatchSendRecv(&item, 1, r.comm, r.stream));
        }
        if (r.rank < 2) {
          CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(r.stream),
                      "rank 0 called HcclSend(count 10, HCCL_DATA_TYPE_FP32) to rank 1",
                      "rank 1 called", "count " + std::to_string(wrong.count));
          CHECK(asyncError(r.comm) != HCCL_SUCCESS);
          ++failed;
        }
        while (failed < 2) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        // The third rank learns it as well, and nothing was written.
        CHECK_FAILS(HCCL_E_REMOTE, HcclBarrier(r.comm, r.stream), "rank 0 called HcclSend");
        CHECK(data.download<float>() == std::vector<float>(16, static_cast<float>(r.rank)));
      });
    }
  }
}

TEST(a_peer_that_never_comes_is_named) {
  const ranks::TimeLimit limit(1000);
  std::atomic<int> over{0};
  ranks::run(3, [&](const Rank& r) {
    ranks::link(r);
    DeviceMemory data(std::vector<float>(16, static_cast<float>(r.rank)));
    if (r.rank == 0) {
      const auto start = std::chrono::steady_clock::now();
      CHECK_OK(HcclRecv(data.get(), 16, HCCL_DATA_TYPE_FP32, 2, r.comm, r.stream));
      CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(r.stream),
                  "rank 0's HcclRecv(count 16, HCCL_DATA_TYPE_FP32) from rank 2 was not complete",
                  "rank 2 is missing", limit.words(), "CANN4J_CPU_HCCL_TIMEOUT_MS");
      CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(999));
      CHECK(asyncError(r.comm) != HCCL_SUCCESS);
      CHECK_FAILS(HCCL_E_REMOTE, HcclSend(data.get(), 1, HCCL_DATA_TYPE_FP32, 1, r.comm, r.stream),
                  "can only be destroyed", "rank 2 is missing");
    }
    ++over;
    while (over < 3) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
}

TEST(two_ranks_that_send_first_are_reported_but_not_in_a_batch) {
  {
    const ranks::TimeLimit limit(1000);
    ranks::run(2, [](const Rank& r) {
      DeviceMemory out(std::vector<float>(16, static_cast<float>(r.rank)));
      DeviceMemory in(std::vector<float>(16, -1.0f));
      const uint32_t peer = 1 - r.rank;
      CHECK_OK(HcclSend(out.get(), 16, HCCL_DATA_TYPE_FP32, peer, r.comm, r.stream));
      const HcclResult second = HcclRecv(in.get(), 16, HCCL_DATA_TYPE_FP32, peer, r.comm, r.stream);
      CHECK(second == HCCL_SUCCESS || second == HCCL_E_REMOTE);
      CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(r.stream), "both send first",
                  "HcclBatchSendRecv");
      CHECK(in.download<float>() == std::vector<float>(16, -1.0f));
    });
  }
  ranks::run(2, [](const Rank& r) {
    DeviceMemory out(std::vector<float>(16, static_cast<float>(r.rank)));
    DeviceMemory in(std::vector<float>(16, -1.0f));
    const uint32_t peer = 1 - r.rank;
    HcclSendRecvItem items[] = {{HCCL_SEND, out.get(), 16, HCCL_DATA_TYPE_FP32, peer},
                                {HCCL_RECV, in.get(), 16, HCCL_DATA_TYPE_FP32, peer}};
    CHECK_OK(HcclBatchSendRecv(items, 2, r.comm, r.stream));
    r.synchronize();
    CHECK(in.download<float>() == std::vector<float>(16, static_cast<float>(peer)));
  });
}

TEST(a_peer_that_destroyed_its_communicator_is_not_waited_for) {
  const HcclRootInfo rootInfo = ranks::newRootInfo();
  const auto start = std::chrono::steady_clock::now();
  std::atomic<bool> sent{false};
  ranks::onThreads(2, [&](uint32_t rank) {
    OwnStream stream;
    HcclComm comm = nullptr;
    CHECK_OK(HcclCommInitRootInfo(2, &rootInfo, rank, &comm));
    ranks::link(comm, stream);
    DeviceMemory data(std::vector<float>(4, 1.0f));
    if (rank == 0) {
      CHECK_OK(HcclSend(data.get(), 4, HCCL_DATA_TYPE_FP32, 1, comm, stream));
      sent = true;
      CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(stream), "destroyed",
                  "rank 1");
    } else {
      while (!sent) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    CHECK_OK(HcclCommDestroy(comm));
  });
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}

TEST(memory_freed_before_the_transfer_is_an_error_not_a_crash) {
  std::atomic<bool> freed{false};
  ranks::run(2, [&](const Rank& r) {
    ranks::link(r);
    void* buffer = nullptr;
    CHECK_OK(aclrtMalloc(&buffer, 4096, ACL_MEM_MALLOC_HUGE_FIRST));
    if (r.rank == 0) {
      CHECK_OK(HcclSend(buffer, 1024, HCCL_DATA_TYPE_FP32, 1, r.comm, r.stream));
      CHECK_OK(aclrtFree(buffer));
      freed = true;
    } else {
      while (!freed) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      CHECK_OK(HcclRecv(buffer, 1024, HCCL_DATA_TYPE_FP32, 0, r.comm, r.stream));
    }
    CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(r.stream),
                "rank 0 freed the 4096 bytes");
    if (r.rank == 1) {
      CHECK_OK(aclrtFree(buffer));
    }
  });
}
