// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>

#include "hccl_ranks.hpp"

using ranks::DeviceMemory;
using ranks::OwnStream;
using ranks::Rank;

namespace {

const std::vector<std::pair<HcclDataType, size_t>> kMovable{
    {HCCL_DATA_TYPE_INT8, 1},   {HCCL_DATA_TYPE_INT16, 2}, {HCCL_DATA_TYPE_INT32, 4},
    {HCCL_DATA_TYPE_FP16, 2},   {HCCL_DATA_TYPE_FP32, 4},  {HCCL_DATA_TYPE_INT64, 8},
    {HCCL_DATA_TYPE_UINT64, 8}, {HCCL_DATA_TYPE_UINT8, 1}, {HCCL_DATA_TYPE_UINT16, 2},
    {HCCL_DATA_TYPE_UINT32, 4}, {HCCL_DATA_TYPE_FP64, 8},  {HCCL_DATA_TYPE_BFP16, 2}};

// A byte that depends on who sends it, to whom, and where it is.
uint8_t mark(uint32_t source, uint32_t target, size_t index) {
  return static_cast<uint8_t>(source * 31 + target * 7 + index * 13 + index / 251);
}

template <class T>
void allReduceIntegers(const Rank& r, HcclDataType type, uint64_t count, bool inPlace) {
  std::vector<T> values(count);
  for (uint64_t i = 0; i < count; ++i) {
    values[i] = static_cast<T>(i % 23 + r.rank * 3 - 11);
  }
  for (HcclReduceOp op : {HCCL_REDUCE_SUM, HCCL_REDUCE_PROD, HCCL_REDUCE_MAX, HCCL_REDUCE_MIN}) {
    DeviceMemory in(values);
    DeviceMemory out(std::vector<T>(count, T{77}));
    void* target = inPlace ? in.get() : out.get();
    if (type == HCCL_DATA_TYPE_INT16 && op == HCCL_REDUCE_PROD) {
      CHECK_FAILS(HCCL_E_NOT_SUPPORT,
                  HcclAllReduce(in.get(), target, count, type, op, r.comm, r.stream),
                  "HCCL_REDUCE_PROD", "HCCL_DATA_TYPE_INT16");
      continue;
    }
    CHECK_OK(HcclAllReduce(in.get(), target, count, type, op, r.comm, r.stream));
    r.synchronize();
    const std::vector<T> got = inPlace ? in.download<T>() : out.download<T>();
    for (uint64_t i = 0; i < count; ++i) {
      T expected = static_cast<T>(i % 23 - 11);
      for (uint32_t rank = 1; rank < r.size; ++rank) {
        const T next = static_cast<T>(i % 23 + rank * 3 - 11);
        switch (op) {
          case HCCL_REDUCE_SUM:
            expected =
                static_cast<T>(static_cast<uint64_t>(expected) + static_cast<uint64_t>(next));
            break;
          case HCCL_REDUCE_PROD:
            expected =
                static_cast<T>(static_cast<uint64_t>(expected) * static_cast<uint64_t>(next));
            break;
          case HCCL_REDUCE_MAX:
            expected = std::max(expected, next);
            break;
          default:
            expected = std::min(expected, next);
        }
      }
      CHECK_EQ(static_cast<int64_t>(got[i]), static_cast<int64_t>(expected));
    }
    if (!inPlace) {
      CHECK(in.download<T>() == values);
    }
  }
}

}  // namespace

TEST(all_gather_every_type) {
  for (uint32_t size : ranks::sizes()) {
    ranks::run(size, [](const Rank& r) {
      for (const auto& [type, width] : kMovable) {
        for (uint64_t count : {uint64_t{1}, uint64_t{1001}}) {
          const size_t bytes = count * width;
          std::vector<uint8_t> values(bytes);
          for (size_t i = 0; i < bytes; ++i) {
            values[i] = mark(r.rank, 0, i);
          }
          DeviceMemory in(values);
          DeviceMemory out(std::vector<uint8_t>(bytes * r.size, 0));
          CHECK_OK(HcclAllGather(in.get(), out.get(), count, type, r.comm, r.stream));
          r.synchronize();
          const std::vector<uint8_t> got = out.download<uint8_t>();
          for (uint32_t source = 0; source < r.size; ++source) {
            for (size_t i = 0; i < bytes; ++i) {
              CHECK_EQ(int{got[source * bytes + i]}, int{mark(source, 0, i)});
            }
          }
        }
      }
    });
  }
}

TEST(all_gather_in_place_and_large) {
  ranks::run(3, [](const Rank& r) {
    const uint64_t count = 700001;
    std::vector<int32_t> values(count * r.size, -1);
    for (uint64_t i = 0; i < count; ++i) {
      values[r.rank * count + i] = static_cast<int32_t>(r.rank * 1000000 + i);
    }
    DeviceMemory data(values);
    CHECK_OK(HcclAllGather(data.at(r.rank * count * 4), data.get(), count, HCCL_DATA_TYPE_INT32,
                           r.comm, r.stream));
    r.synchronize();
    const std::vector<int32_t> got = data.download<int32_t>();
    for (uint32_t source = 0; source < r.size; ++source) {
      for (uint64_t i = 0; i < count; ++i) {
        CHECK_EQ(got[source * count + i], static_cast<int32_t>(source * 1000000 + i));
      }
    }
    CHECK_FAILS(HCCL_E_PARA,
                HcclAllGather(data.at(((r.rank + 1) % r.size) * count * 4), data.get(), count,
                              HCCL_DATA_TYPE_INT32, r.comm, r.stream),
                "overlap");
  });
}

TEST(all_to_all_every_type) {
  for (uint32_t size : ranks::sizes()) {
    ranks::run(size, [](const Rank& r) {
      for (const auto& [type, width] : kMovable) {
        for (uint64_t count : {uint64_t{1}, uint64_t{1001}}) {
          const size_t bytes = count * width;
          std::vector<uint8_t> values(bytes * r.size);
          for (uint32_t target = 0; target < r.size; ++target) {
            for (size_t i = 0; i < bytes; ++i) {
              values[target * bytes + i] = mark(r.rank, target, i);
            }
          }
          DeviceMemory in(values);
          DeviceMemory out(std::vector<uint8_t>(bytes * r.size, 0));
          CHECK_OK(HcclAlltoAll(in.get(), count, type, out.get(), count, type, r.comm, r.stream));
          r.synchronize();
          const std::vector<uint8_t> got = out.download<uint8_t>();
          for (uint32_t source = 0; source < r.size; ++source) {
            for (size_t i = 0; i < bytes; ++i) {
              CHECK_EQ(int{got[source * bytes + i]}, int{mark(source, r.rank, i)});
            }
          }
          CHECK(in.download<uint8_t>() == values);
        }
      }
    });
  }
}

TEST(all_to_all_v_with_gaps_and_empty_blocks) {
  for (uint32_t size : ranks::sizes()) {
    ranks::run(size, [](const Rank& r) {
      // From s to t: (s + 2t) mod 4 times 100 elements; blocks lie in reverse order with gaps.
      const auto countOf = [](uint32_t source, uint32_t target) {
        return uint64_t{(source + 2 * target) % 4} * 100;
      };
      const uint64_t room = 310;
      std::vector<uint64_t> sendCounts, sendDispls, recvCounts, recvDispls;
      std::vector<int16_t> values(room * r.size, -5);
      for (uint32_t peer = 0; peer < r.size; ++peer) {
        sendCounts.push_back(countOf(r.rank, peer));
        recvCounts.push_back(countOf(peer, r.rank));
        sendDispls.push_back((r.size - 1 - peer) * room);
        recvDispls.push_back((r.size - 1 - peer) * room + 3);
        for (uint64_t i = 0; i < sendCounts[peer]; ++i) {
          values[sendDispls[peer] + i] = static_cast<int16_t>(r.rank * 1000 + peer * 100 + i);
        }
      }
      DeviceMemory in(values);
      DeviceMemory out(std::vector<int16_t>(room * r.size, -9));
      CHECK_OK(HcclAlltoAllV(in.get(), sendCounts.data(), sendDispls.data(), HCCL_DATA_TYPE_INT16,
                             out.get(), recvCounts.data(), recvDispls.data(), HCCL_DATA_TYPE_INT16,
                             r.comm, r.stream));
      // The arrays belong to the caller again.
      std::fill(sendCounts.begin(), sendCounts.end(), 1u << 30);
      std::fill(recvDispls.begin(), recvDispls.end(), 1u << 30);
      r.synchronize();
      std::vector<int16_t> expected(room * r.size, -9);
      for (uint32_t peer = 0; peer < r.size; ++peer) {
        for (uint64_t i = 0; i < countOf(peer, r.rank); ++i) {
          expected[(r.size - 1 - peer) * room + 3 + i] =
              static_cast<int16_t>(peer * 1000 + r.rank * 100 + i);
        }
      }
      CHECK(out.download<int16_t>() == expected);
    });
  }
}

TEST(all_to_all_v_of_nothing_needs_no_buffers) {
  ranks::run(3, [](const Rank& r) {
    // Ranks 0 and 1 exchange, rank 2 has nothing.
    std::vector<uint64_t> counts(3, 0);
    std::vector<uint64_t> displs(3, 0);
    DeviceMemory in(std::vector<float>(4, static_cast<float>(r.rank)));
    DeviceMemory out(std::vector<float>(4, -1.0f));
    if (r.rank < 2) {
      counts[1 - r.rank] = 4;
    }
    const bool idle = r.rank == 2;
    CHECK_OK(HcclAlltoAllV(idle ? nullptr : in.get(), counts.data(), displs.data(),
                           HCCL_DATA_TYPE_FP32, idle ? nullptr : out.get(), counts.data(),
                           displs.data(), HCCL_DATA_TYPE_FP32, r.comm, r.stream));
    r.synchronize();
    const float expected = idle ? -1.0f : static_cast<float>(1 - r.rank);
    CHECK(out.download<float>() == std::vector<float>(4, expected));
  });
}

TEST(all_reduce_integers) {
  for (uint32_t size : ranks::sizes()) {
    ranks::run(size, [](const Rank& r) {
      for (uint64_t count : {uint64_t{1}, uint64_t{2049}}) {
        for (bool inPlace : {false, true}) {
          allReduceIntegers<int8_t>(r, HCCL_DATA_TYPE_INT8, count, inPlace);
          allReduceIntegers<int16_t>(r, HCCL_DATA_TYPE_INT16, count, inPlace);
          allReduceIntegers<int32_t>(r, HCCL_DATA_TYPE_INT32, count, inPlace);
          allReduceIntegers<int64_t>(r, HCCL_DATA_TYPE_INT64, count, inPlace);
        }
      }
    });
  }
}

TEST(all_reduce_is_the_sum_in_rank_order_and_the_same_everywhere) {
  for (uint32_t size : ranks::sizes()) {
    ranks::run(size, [](const Rank& r) {
      for (uint64_t count : {uint64_t{5}, uint64_t{200003}}) {
        const auto valueOf = [](uint32_t rank, uint64_t i) {
          return static_cast<float>((i * 7919 + rank * 104729) % 10007) * 1.0e-3f +
                 (i % 5 == 0 ? 1.0e5f : 0.0f);
        };
        std::vector<float> values(count);
        for (uint64_t i = 0; i < count; ++i) {
          values[i] = valueOf(r.rank, i);
        }
        DeviceMemory in(values);
        DeviceMemory out(count * sizeof(float));
        CHECK_OK(HcclAllReduce(in.get(), out.get(), count, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM,
                               r.comm, r.stream));
        r.synchronize();
        const std::vector<float> got = out.download<float>();
        for (uint64_t i = 0; i < count; ++i) {
          float expected = valueOf(0, i);
          for (uint32_t rank = 1; rank < r.size; ++rank) {
            expected += valueOf(rank, i);
          }
          CHECK_EQ(got[i], expected);
        }
      }
    });
  }
}

TEST(all_reduce_refuses_what_it_cannot_do) {
  ranks::run(2, [](const Rank& r) {
    DeviceMemory data(std::vector<float>(64, 1.0f));
    for (HcclDataType type : {HCCL_DATA_TYPE_UINT8, HCCL_DATA_TYPE_UINT16, HCCL_DATA_TYPE_UINT32,
                              HCCL_DATA_TYPE_UINT64, HCCL_DATA_TYPE_FP64, HCCL_DATA_TYPE_INT128}) {
      CHECK_FAILS(HCCL_E_NOT_SUPPORT,
                  HcclAllReduce(data.get(), data.get(), 1, type, HCCL_REDUCE_SUM, r.comm, r.stream),
                  "not supported");
    }
    CHECK_FAILS(HCCL_E_NOT_SUPPORT,
                HcclAllReduce(data.get(), data.get(), 1, HCCL_DATA_TYPE_BFP16, HCCL_REDUCE_PROD,
                              r.comm, r.stream),
                "HCCL_REDUCE_PROD");
    CHECK_FAILS(HCCL_E_NOT_SUPPORT,
                HcclAllReduce(data.get(), data.get(), 1, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_RESERVED,
                              r.comm, r.stream),
                "255");
    CHECK_FAILS(HCCL_E_PARA,
                HcclAllReduce(data.get(), data.at(4), 8, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM,
                              r.comm, r.stream),
                "overlap");
    CHECK_FAILS(HCCL_E_PTR,
                HcclAllReduce(nullptr, data.get(), 8, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM, r.comm,
                              r.stream),
                "sendBuf is NULL");
    CHECK_FAILS(HCCL_E_PTR,
                HcclAllReduce(data.get(), nullptr, 8, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM, r.comm,
                              r.stream),
                "recvBuf is NULL");
  });
}

TEST(exchange_arguments) {
  ranks::run(2, [](const Rank& r) {
    DeviceMemory a(std::vector<float>(64, 1.0f));
    DeviceMemory b(std::vector<float>(64, 1.0f));
    const auto fp32 = HCCL_DATA_TYPE_FP32;
    const auto bf16 = HCCL_DATA_TYPE_BFP16;
    CHECK_FAILS(HCCL_E_PARA, HcclAlltoAll(a.get(), 8, fp32, b.get(), 7, fp32, r.comm, r.stream),
                "sendCount is 8 but recvCount is 7");
    CHECK_FAILS(HCCL_E_PARA, HcclAlltoAll(a.get(), 8, fp32, b.get(), 8, bf16, r.comm, r.stream),
                "sendType", "HCCL_DATA_TYPE_BFP16");
    CHECK_FAILS(HCCL_E_PARA, HcclAlltoAll(a.get(), 8, fp32, a.get(), 8, fp32, r.comm, r.stream),
                "in-place");
    CHECK_FAILS(HCCL_E_PARA, HcclAlltoAll(a.get(), 8, fp32, a.at(32), 8, fp32, r.comm, r.stream),
                "overlap");
    CHECK_FAILS(HCCL_E_PARA, HcclAlltoAll(a.get(), 65, fp32, b.get(), 65, fp32, r.comm, r.stream),
                "520 bytes");
    const uint64_t counts[] = {4, 4};
    const uint64_t displs[] = {0, 4};
    const uint64_t colliding[] = {0, 3};
    const uint64_t uneven[] = {4, 5};
    const auto exchange = [&](const void* in, const void* sendCounts, const void* out,
                              const void* recvCounts, const void* recvDispls) {
      return HcclAlltoAllV(in, sendCounts, displs, fp32, out, recvCounts, recvDispls, fp32, r.comm,
                           r.stream);
    };
    CHECK_FAILS(HCCL_E_PTR, exchange(a.get(), nullptr, b.get(), counts, displs), "sendCounts");
    CHECK_FAILS(HCCL_E_PTR, exchange(a.get(), counts, b.get(), counts, nullptr), "rdispls");
    CHECK_FAILS(HCCL_E_PTR, exchange(nullptr, counts, b.get(), counts, displs), "sendBuf");
    CHECK_FAILS(HCCL_E_PARA, exchange(a.get(), counts, a.get(), counts, displs), "in-place");
    CHECK_FAILS(HCCL_E_PARA, exchange(a.get(), counts, b.get(), counts, colliding), "overlap");
    if (r.rank == 1) {
      CHECK_FAILS(HCCL_E_PARA, exchange(a.get(), counts, b.get(), uneven, displs), "itself");
    }
    CHECK_OK(exchange(a.get(), counts, b.get(), counts, displs));
    r.synchronize();
  });
}

TEST(a_barrier_holds_streams_not_hosts) {
  std::atomic<int> entered{0};
  std::atomic<bool> go{false};
  ranks::run(3, [&](const Rank& r) {
    ranks::link(r);
    if (r.rank == 2) {
      while (entered < 2) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      go = true;
    }
    CHECK_OK(HcclBarrier(r.comm, r.stream));
    ++entered;
    if (r.rank != 2) {
      aclrtStreamStatus status{};
      CHECK_OK(aclrtStreamQuery(r.stream, &status));
      CHECK(go || status == ACL_STREAM_STATUS_NOT_READY);
    }
    r.synchronize();
    CHECK(go);
  });
}

TEST(more_waiting_streams_than_threads) {
  // Nothing may wait on a thread of the pool: all but the last rank park 40 streams each.
  std::atomic<uint32_t> ready{0};
  ranks::run(8, [&](const Rank& r) {
    constexpr int kStreams = 5;
    std::vector<HcclComm> comms;
    for (uint64_t id = 0; id < kStreams; ++id) {
      HcclCommConfig config;
      HcclCommConfigInit(&config);
      uint32_t members[] = {0, 1, 2, 3, 4, 5, 6, 7};
      HcclComm world = r.comm;
      HcclComm sub = nullptr;
      CHECK_OK(HcclCreateSubCommConfig(&world, 8, members, id, r.rank, &config, &sub));
      comms.push_back(sub);
    }
    std::vector<OwnStream> streams(kStreams);
    std::vector<std::unique_ptr<DeviceMemory>> data;
    for (int i = 0; i < kStreams; ++i) {
      ranks::link(comms[i], streams[i]);
      data.push_back(std::make_unique<DeviceMemory>(std::vector<int32_t>{1 << r.rank}));
    }
    if (r.rank == 7) {
      while (ready < 7) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    for (int i = 0; i < kStreams; ++i) {
      const int at = r.rank == 7 ? kStreams - 1 - i : i;
      CHECK_OK(HcclAllReduce(data[at]->get(), data[at]->get(), 1, HCCL_DATA_TYPE_INT32,
                             HCCL_REDUCE_SUM, comms[at], streams[at]));
    }
    ++ready;
    for (int i = 0; i < kStreams; ++i) {
      CHECK_OK(aclrtSynchronizeStream(streams[i]));
      CHECK_EQ(data[i]->download<int32_t>()[0], 255);
      CHECK_OK(HcclCommDestroy(comms[i]));
    }
  });
}

TEST(operations_may_change_streams_if_events_order_them) {
  ranks::run(2, [](const Rank& r) {
    OwnStream other;
    aclrtEvent event = nullptr;
    CHECK_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
    const std::vector<aclrtStream> streams{r.stream, other};
    DeviceMemory data(std::vector<int32_t>{1});
    for (int i = 0; i < 20; ++i) {
      const aclrtStream stream = streams[i % 2];
      CHECK_OK(HcclAllReduce(data.get(), data.get(), 1, HCCL_DATA_TYPE_INT32, HCCL_REDUCE_SUM,
                             r.comm, stream));
      CHECK_OK(aclrtRecordEvent(event, stream));
      CHECK_OK(aclrtStreamWaitEvent(streams[(i + 1) % 2], event));
    }
    CHECK_OK(aclrtSynchronizeStream(other));
    r.synchronize();
    CHECK_EQ(data.download<int32_t>()[0], 1 << 20);
    CHECK_OK(aclrtDestroyEvent(event));
  });
}

TEST(collectives_that_disagree_end_on_all_ranks_with_both_calls) {
  struct Case {
    std::function<HcclResult(const Rank&, DeviceMemory&)> last;
    std::vector<std::string> words;
  };
  const auto fp32 = HCCL_DATA_TYPE_FP32;
  const std::vector<Case> cases{
      {[=](const Rank& r, DeviceMemory& d) {
         return HcclAllReduce(d.get(), d.get(), 5, fp32, HCCL_REDUCE_SUM, r.comm, r.stream);
       },
       {"HcclAllReduce(count 5, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM)"}},
      {[=](const Rank& r, DeviceMemory& d) {
         return HcclAllReduce(d.get(), d.get(), 4, HCCL_DATA_TYPE_INT32, HCCL_REDUCE_SUM, r.comm,
                              r.stream);
       },
       {"HCCL_DATA_TYPE_INT32"}},
      {[=](const Rank& r, DeviceMemory& d) {
         return HcclAllReduce(d.get(), d.get(), 4, fp32, HCCL_REDUCE_MAX, r.comm, r.stream);
       },
       {"HCCL_REDUCE_MAX"}},
      {[=](const Rank& r, DeviceMemory&) { return HcclBarrier(r.comm, r.stream); },
       {"HcclBarrier()"}},
      {[=](const Rank& r, DeviceMemory& d) {
         return HcclAllGather(d.get(), d.at(64), 4, fp32, r.comm, r.stream);
       },
       {"HcclAllGather(count 4, HCCL_DATA_TYPE_FP32)"}},
  };
  for (const Case& c : cases) {
    ranks::run(3, [&](const Rank& r) {
      DeviceMemory data(std::vector<float>(64, 1.0f));
      // A good one first: only the second differs.
      CHECK_OK(HcclBarrier(r.comm, r.stream));
      r.synchronize();
      const HcclResult result = r.rank == 2 ? c.last(r, data)
                                            : HcclAllReduce(data.get(), data.get(), 4, fp32,
                                                            HCCL_REDUCE_SUM, r.comm, r.stream);
      if (result == HCCL_E_REMOTE) {
        return;  // the others had found out before this one came
      }
      CHECK_OK(result);
      std::vector<std::string> words = c.words;
      words.push_back("HcclAllReduce(count 4, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM)");
      words.push_back("rank 2 called");
      words.push_back("number 1");
      const int code = aclrtSynchronizeStream(r.stream);
      const std::string text = ranks::recentWords();
      CHECK_EQ(code, ACL_ERROR_RT_AICPU_EXCEPTION);
      for (const std::string& word : words) {
        if (text.find(word) == std::string::npos) {
          check::failed(__FILE__, __LINE__, "no \"" + word + "\" in: " + text);
        }
      }
      HcclResult error = HCCL_SUCCESS;
      CHECK_OK(HcclGetCommAsyncError(r.comm, &error));
      CHECK(error != HCCL_SUCCESS);
      CHECK(data.download<float>() == std::vector<float>(64, 1.0f));
    });
  }
}

TEST(all_to_all_v_counts_that_disagree_are_named) {
  ranks::run(3, [](const Rank& r) {
    DeviceMemory in(std::vector<float>(64, 1.0f));
    DeviceMemory out(std::vector<float>(64, 2.0f));
    const uint64_t displs[] = {0, 16, 32};
    const uint64_t counts[] = {8, 8, 8};
    const uint64_t wrong[] = {8, 9, 8};
    const HcclResult result =
        HcclAlltoAllV(in.get(), counts, displs, HCCL_DATA_TYPE_FP32, out.get(),
                      r.rank == 2 ? wrong : counts, displs, HCCL_DATA_TYPE_FP32, r.comm, r.stream);
    if (result == HCCL_E_REMOTE) {
      return;
    }
    CHECK_OK(result);
    CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(r.stream),
                "rank 1 sends 8 elements to rank 2", "expects 9");
    CHECK(out.download<float>() == std::vector<float>(64, 2.0f));
  });
}

TEST(missing_ranks_are_named_on_every_rank_that_waits) {
  const ranks::TimeLimit limit(1000);
  std::atomic<int> over{0};
  ranks::run(5, [&](const Rank& r) {
    ranks::link(r);
    DeviceMemory data(std::vector<float>(4, 1.0f));
    if (r.rank == 3) {
      // Waits for something else meanwhile, and is said to.
      CHECK_OK(HcclRecv(data.get(), 4, HCCL_DATA_TYPE_FP32, 4, r.comm, r.stream));
    } else if (r.rank != 4) {
      CHECK_OK(HcclAllReduce(data.get(), data.get(), 4, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM,
                             r.comm, r.stream));
    }
    if (r.rank != 4) {
      const int code = aclrtSynchronizeStream(r.stream);
      const std::string words = ranks::recentWords();
      CHECK_EQ(code, ACL_ERROR_RT_AICPU_EXCEPTION);
      CHECK(words.find(limit.words()) != std::string::npos);
      CHECK(words.find("rank 4 is missing") != std::string::npos);
      const bool collective = words.find("HcclAllReduce(count 4") != std::string::npos;
      CHECK(!collective ||
            words.find("rank 3 is missing, it waits in HcclRecv(count 4, HCCL_DATA_TYPE_FP32) "
                       "from rank 4") != std::string::npos);
      ++over;
    }
    while (over < 4) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    CHECK_FAILS(HCCL_E_REMOTE, HcclBarrier(r.comm, r.stream), "rank 4 is missing");
  });
}
