// SPDX-License-Identifier: Apache-2.0
// Communicators whose ranks are processes, or threads of several processes: what they compute.
#include <fstream>
#include <memory>
#include <random>

#include "processes.hpp"

using processes::Process;
using processes::Shape;
using ranks::DeviceMemory;
using ranks::OwnStream;
using ranks::Rank;

namespace {

const std::vector<Shape> kShapes{{{0}, {1}}, {{0, 1}, {2, 3}}, {{2}, {0, 3}, {1}}};
constexpr auto kInt32 = HCCL_DATA_TYPE_INT32;

// What rank `source` has for rank `target`, different in every place.
int32_t element(uint32_t source, uint32_t target, uint64_t i) {
  return static_cast<int32_t>(source * 1000003 + target * 1009 + i);
}

std::vector<int32_t> elements(uint32_t source, uint32_t target, uint64_t count) {
  std::vector<int32_t> values(count);
  for (uint64_t i = 0; i < count; ++i) {
    values[i] = element(source, target, i);
  }
  return values;
}

// Blocks for all ranks, or of all ranks, one after the other.
std::vector<int32_t> outgoing(const Rank& r, uint64_t count) {
  std::vector<int32_t> all;
  for (uint32_t target = 0; target < r.size; ++target) {
    const std::vector<int32_t> block = elements(r.rank, target, count);
    all.insert(all.end(), block.begin(), block.end());
  }
  return all;
}

std::vector<int32_t> incoming(const Rank& r, uint64_t count) {
  std::vector<int32_t> all;
  for (uint32_t source = 0; source < r.size; ++source) {
    const std::vector<int32_t> block = elements(source, r.rank, count);
    all.insert(all.end(), block.begin(), block.end());
  }
  return all;
}

void onShapes(const char* test, const std::function<void(const Rank&, uint64_t)>& body) {
  for (const Shape& shape : kShapes) {
    processes::run(test, shape, [&](const Rank& r) {
      for (uint64_t count : {uint64_t{1}, uint64_t{1000}, uint64_t{100001}}) {
        body(r, count);
      }
    });
  }
}

HcclComm split(HcclComm world, std::vector<uint32_t> members, uint64_t id, uint32_t index) {
  HcclCommConfig config;
  HcclCommConfigInit(&config);
  HcclComm sub = nullptr;
  CHECK_OK(HcclCreateSubCommConfig(&world, static_cast<uint32_t>(members.size()), members.data(),
                                   id, index, &config, &sub));
  return sub;
}

int32_t sumOf(HcclComm comm, aclrtStream stream, int32_t value) {
  DeviceMemory data(std::vector<int32_t>{value});
  CHECK_OK(HcclAllReduce(data.get(), data.get(), 1, kInt32, HCCL_REDUCE_SUM, comm, stream));
  CHECK_OK(aclrtSynchronizeStream(stream));
  return data.download<int32_t>()[0];
}

}  // namespace

TEST(sends_and_receives_between_all_pairs) {
  onShapes(THIS_TEST, [](const Rank& r, uint64_t count) {
    for (uint32_t source = 0; source < r.size; ++source) {
      for (uint32_t target = 0; target < r.size; ++target) {
        if (source != target && r.rank == source) {
          DeviceMemory data(elements(source, target, count));
          CHECK_OK(HcclSend(data.get(), count, kInt32, target, r.comm, r.stream));
          r.synchronize();
        } else if (source != target && r.rank == target) {
          DeviceMemory data(count * sizeof(int32_t));
          CHECK_OK(HcclRecv(data.get(), count, kInt32, source, r.comm, r.stream));
          r.synchronize();
          CHECK(data.download<int32_t>() == elements(source, target, count));
        }
      }
    }
  });
}

TEST(batches_between_all_pairs) {
  onShapes(THIS_TEST, [](const Rank& r, uint64_t count) {
    DeviceMemory out(outgoing(r, count));
    DeviceMemory in(std::vector<int32_t>(count * r.size, -1));
    std::vector<HcclSendRecvItem> items;
    for (uint32_t i = 0; i < r.size; ++i) {
      const uint32_t peer = (r.rank + i) % r.size;
      const size_t offset = peer * count * sizeof(int32_t);
      items.push_back({HCCL_SEND, out.at(offset), count, kInt32, peer});
      items.push_back({HCCL_RECV, in.at(offset), count, kInt32, peer});
    }
    CHECK_OK(
        HcclBatchSendRecv(items.data(), static_cast<uint32_t>(items.size()), r.comm, r.stream));
    r.synchronize();
    CHECK(in.download<int32_t>() == incoming(r, count));
  });
}

TEST(all_reduce_and_all_gather) {
  onShapes(THIS_TEST, [](const Rank& r, uint64_t count) {
    DeviceMemory in(elements(r.rank, 0, count));
    DeviceMemory sum(count * sizeof(int32_t));
    DeviceMemory all(count * r.size * sizeof(int32_t));
    CHECK_OK(
        HcclAllReduce(in.get(), sum.get(), count, kInt32, HCCL_REDUCE_SUM, r.comm, r.stream));
    CHECK_OK(HcclAllGather(in.get(), all.get(), count, kInt32, r.comm, r.stream));
    r.synchronize();
    std::vector<int32_t> expectedSum(count, 0);
    std::vector<int32_t> expected;
    for (uint32_t rank = 0; rank < r.size; ++rank) {
      const std::vector<int32_t> block = elements(rank, 0, count);
      expected.insert(expected.end(), block.begin(), block.end());
      for (uint64_t i = 0; i < count; ++i) {
        expectedSum[i] += block[i];
      }
    }
    CHECK(sum.download<int32_t>() == expectedSum);
    CHECK(all.download<int32_t>() == expected);
  });
}

TEST(all_to_all_even_and_uneven) {
  onShapes(THIS_TEST, [](const Rank& r, uint64_t count) {
    DeviceMemory out(outgoing(r, count));
    DeviceMemory in(std::vector<int32_t>(count * r.size, -1));
    CHECK_OK(HcclAlltoAll(out.get(), count, kInt32, in.get(), count, kInt32, r.comm, r.stream));
    r.synchronize();
    CHECK(in.download<int32_t>() == incoming(r, count));

    // Rank s sends (s + t) % 3 elements to rank t, if there are so many, from its usual place.
    std::vector<uint64_t> sendCounts;
    std::vector<uint64_t> receiveCounts;
    std::vector<uint64_t> displacements;
    for (uint32_t peer = 0; peer < r.size; ++peer) {
      sendCounts.push_back(std::min<uint64_t>(count, (r.rank + peer) % 3));
      receiveCounts.push_back(std::min<uint64_t>(count, (peer + r.rank) % 3));
      displacements.push_back(peer * count);
    }
    in.upload(std::vector<int32_t>(count * r.size, -1));
    CHECK_OK(HcclAlltoAllV(out.get(), sendCounts.data(), displacements.data(), kInt32, in.get(),
                           receiveCounts.data(), displacements.data(), kInt32, r.comm, r.stream));
    r.synchronize();
    std::vector<int32_t> expected = incoming(r, count);
    for (uint64_t i = 0; i < expected.size(); ++i) {
      if (i % count >= receiveCounts[i / count]) {
        expected[i] = -1;
      }
    }
    CHECK(in.download<int32_t>() == expected);
  });
}

TEST(broadcast_scatter_and_reduce) {
  onShapes(THIS_TEST, [](const Rank& r, uint64_t count) {
    for (uint32_t root = 0; root < r.size; ++root) {
      DeviceMemory own(elements(r.rank, 7, count));
      DeviceMemory out(outgoing(r, count));
      DeviceMemory block(std::vector<int32_t>(count, -1));
      DeviceMemory sum(std::vector<int32_t>(count, -1));
      CHECK_OK(HcclReduce(own.get(), sum.get(), count, kInt32, HCCL_REDUCE_SUM, root, r.comm,
                          r.stream));
      CHECK_OK(HcclBroadcast(own.get(), count, kInt32, root, r.comm, r.stream));
      CHECK_OK(HcclScatter(r.rank == root ? out.get() : nullptr, block.get(), count, kInt32, root,
                           r.comm, r.stream));
      r.synchronize();
      CHECK(own.download<int32_t>() == elements(root, 7, count));
      CHECK(block.download<int32_t>() == elements(root, r.rank, count));
      std::vector<int32_t> expected(count, r.rank == root ? 0 : -1);
      for (uint32_t rank = 0; rank < r.size && r.rank == root; ++rank) {
        for (uint64_t i = 0; i < count; ++i) {
          expected[i] += element(rank, 7, i);
        }
      }
      CHECK(sum.download<int32_t>() == expected);
    }
  });
}

TEST(reduce_scatter_and_the_operations_with_counts_per_rank) {
  onShapes(THIS_TEST, [](const Rank& r, uint64_t count) {
    // Rank k has count + k elements in what differs by rank.
    std::vector<uint64_t> counts;
    std::vector<uint64_t> displacements;
    uint64_t total = 0;
    for (uint32_t rank = 0; rank < r.size; ++rank) {
      counts.push_back(count + rank);
      displacements.push_back(total);
      total += counts.back();
    }
    const uint64_t own = counts[r.rank];
    DeviceMemory even(outgoing(r, count));
    DeviceMemory evenSum(count * sizeof(int32_t));
    DeviceMemory mine(elements(r.rank, 0, own));
    DeviceMemory all(total * sizeof(int32_t));
    DeviceMemory uneven(elements(r.rank, 0, total));
    DeviceMemory unevenSum(own * sizeof(int32_t));
    CHECK_OK(HcclReduceScatter(even.get(), evenSum.get(), count, kInt32, HCCL_REDUCE_SUM, r.comm,
                               r.stream));
    CHECK_OK(HcclAllGatherV(mine.get(), own, all.get(), counts.data(), displacements.data(), kInt32,
                            r.comm, r.stream));
    CHECK_OK(HcclReduceScatterV(uneven.get(), counts.data(), displacements.data(), unevenSum.get(),
                                own, kInt32, HCCL_REDUCE_SUM, r.comm, r.stream));
    r.synchronize();
    std::vector<int32_t> sum(count, 0);
    std::vector<int32_t> gathered;
    std::vector<int32_t> part(own, 0);
    for (uint32_t rank = 0; rank < r.size; ++rank) {
      const std::vector<int32_t> block = elements(rank, 0, counts[rank]);
      gathered.insert(gathered.end(), block.begin(), block.end());
      for (uint64_t i = 0; i < count; ++i) {
        sum[i] += element(rank, r.rank, i);
      }
      for (uint64_t i = 0; i < own; ++i) {
        part[i] += element(rank, 0, displacements[r.rank] + i);
      }
    }
    CHECK(evenSum.download<int32_t>() == sum);
    CHECK(all.download<int32_t>() == gathered);
    CHECK(unevenSum.download<int32_t>() == part);

    // Sender s sends receiver t (s + 2 t) % 4 elements, one block after the other.
    std::vector<uint64_t> matrix(r.size * r.size);
    for (uint32_t s = 0; s < r.size; ++s) {
      for (uint32_t t = 0; t < r.size; ++t) {
        matrix[s * r.size + t] = (s + 2 * t) % 4;
      }
    }
    std::vector<int32_t> sent;
    std::vector<int32_t> expected;
    for (uint32_t peer = 0; peer < r.size; ++peer) {
      const std::vector<int32_t> to = elements(r.rank, peer, matrix[r.rank * r.size + peer]);
      const std::vector<int32_t> from = elements(peer, r.rank, matrix[peer * r.size + r.rank]);
      sent.insert(sent.end(), to.begin(), to.end());
      expected.insert(expected.end(), from.begin(), from.end());
    }
    DeviceMemory out(sent);
    DeviceMemory in(expected.size() * sizeof(int32_t));
    CHECK_OK(HcclAlltoAllVC(out.get(), matrix.data(), kInt32, in.get(), kInt32, r.comm, r.stream));
    r.synchronize();
    CHECK(in.download<int32_t>() == expected);
  });
}

TEST(sixty_four_mebibytes_arrive_whole) {
  processes::run(THIS_TEST, {{0}, {1}, {2}}, [](const Rank& r) {
    constexpr uint64_t kCount = uint64_t{16} << 20;
    constexpr size_t kBytes = kCount * sizeof(int32_t);
    DeviceMemory data(elements(r.rank, 0, kCount));
    DeviceMemory other(kBytes);
    // From 1 to 2, of which neither is where the communicator meets; and then around.
    if (r.rank == 1) {
      CHECK_OK(HcclSend(data.get(), kCount, kInt32, 2, r.comm, r.stream));
    } else if (r.rank == 2) {
      CHECK_OK(HcclRecv(other.get(), kCount, kInt32, 1, r.comm, r.stream));
      r.synchronize();
      CHECK(other.download<int32_t>() == elements(1, 0, kCount));
    }
    HcclSendRecvItem items[] = {{HCCL_SEND, data.get(), kCount, kInt32, r.next()},
                                {HCCL_RECV, other.get(), kCount, kInt32, r.previous()}};
    CHECK_OK(HcclBatchSendRecv(items, 2, r.comm, r.stream));
    r.synchronize();
    CHECK(other.download<int32_t>() == elements(r.previous(), 0, kCount));
    CHECK_OK(
        HcclAllReduce(data.get(), data.get(), kCount, kInt32, HCCL_REDUCE_MAX, r.comm, r.stream));
    r.synchronize();
    CHECK(data.download<int32_t>() == elements(2, 0, kCount));
  });
}

TEST(sub_communicators_across_processes) {
  processes::run(THIS_TEST, {{0, 1}, {2, 3}, {4, 5}}, [](const Rank& r) {
    // Pairs inside a process, lanes across, all in reverse, and one without the world's first rank.
    const uint32_t first = r.rank / 2 * 2;
    const uint32_t lane = r.rank % 2;
    HcclComm pair = split(r.comm, {first, first + 1}, 1, lane);
    HcclComm across = split(r.comm, {lane, lane + 2, lane + 4}, 2, r.rank / 2);
    HcclComm reversed = split(r.comm, {5, 4, 3, 2, 1, 0}, 3, 5 - r.rank);
    uint32_t id = 99;
    CHECK_OK(HcclGetRankId(reversed, &id));
    CHECK_EQ(id, 5 - r.rank);
    const int32_t bit = 1 << r.rank;
    for (int round = 0; round < 5; ++round) {
      CHECK_EQ(sumOf(pair, r.stream, bit), 3 << first);
      CHECK_EQ(sumOf(across, r.stream, bit), 0x15 << lane);
      CHECK_EQ(sumOf(reversed, r.stream, bit), 63);
      CHECK_EQ(sumOf(r.comm, r.stream, bit), 63);
    }
    if (r.rank >= 3) {
      HcclComm late = split(r.comm, {5, 3, 4}, 4, (r.rank + 1) % 3);
      CHECK_EQ(sumOf(late, r.stream, bit), 56);
      CHECK_OK(HcclCommDestroy(late));
    }
    for (HcclComm comm : {pair, across, reversed}) {
      CHECK_OK(HcclCommDestroy(comm));
    }
  });
}

TEST(a_sub_communicator_outlives_its_parent) {
  processes::start(THIS_TEST, {{0}, {1}}, {}, [](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    HcclComm sub = nullptr;
    process.onThreads([&](uint32_t rank) {
      ranks::onCommunicator(2, rootInfo, rank,
                            [&](const Rank& r) { sub = split(r.comm, {0, 1}, 7, rank); });
      OwnStream stream;
      CHECK_EQ(sumOf(sub, stream, 1 << rank), 3);
      CHECK_OK(HcclCommDestroy(sub));
    });
  });
}

TEST(names_sizes_and_ranks_are_common) {
  processes::start(THIS_TEST, {{0}, {1}, {2}}, {}, [](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    char name[COMM_NAME_MAX_LENGTH];
    process.onThreads([&](uint32_t rank) {
      ranks::onCommunicator(3, rootInfo, rank, [&](const Rank& r) {
        uint32_t size = 0;
        uint32_t id = 99;
        CHECK_OK(HcclGetRankSize(r.comm, &size));
        CHECK_OK(HcclGetRankId(r.comm, &id));
        CHECK_OK(HcclGetCommName(r.comm, name));
        CHECK_EQ(size, 3u);
        CHECK_EQ(id, rank);
        CHECK_OK(HcclBarrier(r.comm, r.stream));
      });
    });
    process.tell(name);
    CHECK_EQ(process.hear(), std::string(name));
    CHECK_EQ(process.hear(), std::string(name));
  });
}

TEST(a_send_completes_only_when_the_peer_takes_the_data) {
  processes::start(THIS_TEST, {{0}, {1}}, {}, [](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    process.onThreads([&](uint32_t rank) {
      ranks::onCommunicator(2, rootInfo, rank, [&](const Rank& r) {
        DeviceMemory data(elements(rank, 0, 16));
        CHECK_OK(HcclBarrier(r.comm, r.stream));
        r.synchronize();
        // Each of them sends once: one where the communicator meets, one elsewhere.
        for (uint32_t sender : {0u, 1u}) {
          if (rank == sender) {
            CHECK_OK(HcclSend(data.get(), 16, kInt32, 1 - sender, r.comm, r.stream));
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            aclrtStreamStatus status{};
            CHECK_OK(aclrtStreamQuery(r.stream, &status));
            CHECK(status == ACL_STREAM_STATUS_NOT_READY);
            CHECK_FAILS(HCCL_E_AGAIN, HcclCommDestroy(r.comm), "under way");
          }
          process.meet();
          if (rank != sender) {
            CHECK_OK(HcclRecv(data.get(), 16, kInt32, sender, r.comm, r.stream));
          }
          r.synchronize();
          CHECK(data.download<int32_t>() == elements(0, 0, 16));
        }
      });
    });
  });
}

TEST(many_operations_in_flight_keep_their_order) {
  processes::run(THIS_TEST, {{1}, {0, 2}}, [](const Rank& r) {
    constexpr int kRounds = 300;
    DeviceMemory data(std::vector<int64_t>{r.rank + int64_t{1}});
    DeviceMemory sums(kRounds * sizeof(int64_t));
    // Each round depends on the one before: x := sum of x over all ranks, modulo 2^64.
    for (int i = 0; i < kRounds; ++i) {
      CHECK_OK(HcclAllReduce(data.get(), data.get(), 1, HCCL_DATA_TYPE_INT64, HCCL_REDUCE_SUM,
                             r.comm, r.stream));
      CHECK_OK(aclrtMemcpyAsync(sums.at(i * sizeof(int64_t)), sizeof(int64_t), data.get(),
                                sizeof(int64_t), ACL_MEMCPY_DEVICE_TO_DEVICE, r.stream));
    }
    r.synchronize();
    uint64_t expected = 6;
    for (int64_t sum : sums.download<int64_t>()) {
      CHECK_EQ(static_cast<uint64_t>(sum), expected);
      expected *= 3;
    }
  });
}

TEST(a_rank_table_brings_processes_together) {
  std::string path = "rank_table_" + std::to_string(getpid()) + ".json";
  if (const char* made = std::getenv("CANN4J_TEST_RANK_TABLE")) {
    path = made;
  } else {
    std::ofstream(path) << R"({"status": "completed", "version": "1.0", "server_count": "1",
      "server_list": [{"server_id": "10.0.0.1", "device": [
        {"device_id": "2", "rank_id": "0"}, {"device_id": "0", "rank_id": "1"},
        {"device_id": "5", "rank_id": "2"}]}]})";
  }
  ranks::Variable table("CANN4J_TEST_RANK_TABLE", path.c_str());
  processes::start(THIS_TEST, {{1}, {0, 2}}, {}, [&](const Process& process) {
    process.onThreads([&](uint32_t rank) {
      const int32_t devices[] = {2, 0, 5};
      CHECK_OK(aclrtSetDevice(devices[rank]));
      // Rank 0 comes last; the others look for it. Twice, as for a second training run.
      for (int round = 0; round < 2; ++round) {
        if (rank == 0) {
          std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
        HcclComm comm = nullptr;
        CHECK_OK(HcclCommInitClusterInfo(path.c_str(), rank, &comm));
        OwnStream stream;
        CHECK_EQ(sumOf(comm, stream, 1 << rank), 7);
        CHECK_OK(HcclCommDestroy(comm));
      }
    });
    process.meet();
  });
  if (std::getenv(processes::kIndex) == nullptr) {
    unlink(path.c_str());
  }
}

TEST(processes_that_see_one_device_each) {
  const auto body = [](const Process& process) {
    CHECK_OK(aclrtSetDevice(0));
    HcclRootInfo rootInfo;
    if (process.index() == 0) {
      CHECK_OK(HcclGetRootInfo(&rootInfo));
      process.tell(&rootInfo, sizeof rootInfo);
    } else {
      std::memcpy(&rootInfo, process.hear().data(), sizeof rootInfo);
    }
    const auto rank = static_cast<uint32_t>(process.index());
    ranks::onCommunicator(3, rootInfo, rank, [&](const Rank& r) {
      CHECK_EQ(sumOf(r.comm, r.stream, 1 << rank), 7);
    });
    process.meet();
  };
  const std::string visible = "ASCEND_RT_VISIBLE_DEVICES=";
  processes::start(THIS_TEST, {{0}, {1}, {2}}, {}, body,
                   {visible + "4", visible + "0", visible + "2,3"});
}

TEST(a_chain_goes_on_when_its_first_processes_have_ended) {
  processes::run(THIS_TEST, {{0}, {1}, {2}, {3, 4}, {5}}, [](const Rank& r) {
    constexpr int kMessages = 20;
    DeviceMemory data(elements(0, 0, 1000));
    for (int i = 0; i < kMessages; ++i) {
      if (r.rank > 0) {
        CHECK_OK(HcclRecv(data.get(), 1000, kInt32, r.rank - 1, r.comm, r.stream));
      }
      if (r.rank + 1 < r.size) {
        CHECK_OK(HcclSend(data.get(), 1000, kInt32, r.rank + 1, r.comm, r.stream));
      }
    }
    r.synchronize();
    CHECK(data.download<int32_t>() == elements(0, 0, 1000));
    HcclResult error = HCCL_E_INTERNAL;
    CHECK_OK(HcclGetCommAsyncError(r.comm, &error));
    CHECK_EQ(error, HCCL_SUCCESS);
  });
}

TEST(what_waits_moves_when_the_process_ends_where_it_waited) {
  processes::start(THIS_TEST, {{0}, {1}, {2}, {3}}, {}, [](const Process& process) {
    const HcclRootInfo rootInfo = process.rootInfo();
    process.onThreads([&](uint32_t rank) {
      ranks::onCommunicator(4, rootInfo, rank, [&](const Rank& r) {
        CHECK_OK(HcclBarrier(r.comm, r.stream));
        r.synchronize();
        if (rank == 0) {
          process.meet();
          return;
        }
        // A batch of which one half is carried out before the move, the other after it, twice.
        DeviceMemory out(outgoing(r, 100));
        DeviceMemory in(std::vector<int32_t>(400, -1));
        const auto exchange = [&](std::vector<uint32_t> peers, aclrtStream stream) {
          std::vector<HcclSendRecvItem> items;
          for (uint32_t peer : peers) {
            items.push_back({HCCL_SEND, out.at(peer * 400), 100, kInt32, peer});
            items.push_back({HCCL_RECV, in.at(peer * 400), 100, kInt32, peer});
          }
          CHECK_OK(HcclBatchSendRecv(items.data(), static_cast<uint32_t>(items.size()), r.comm,
                                     stream));
        };
        OwnStream other;
        if (rank == 1) {
          exchange({2, 3}, r.stream);
        } else if (rank == 2) {
          exchange({1}, other);
          CHECK_OK(aclrtSynchronizeStream(other));
        }
        process.meet();
        std::this_thread::sleep_for(std::chrono::milliseconds(rank == 3 ? 100 : 0));
        if (rank == 2) {
          exchange({3}, r.stream);
        } else if (rank == 3) {
          exchange({1, 2}, r.stream);
        }
        r.synchronize();
        std::vector<int32_t> expected = incoming(r, 100);
        std::fill(expected.begin(), expected.begin() + 100, -1);
        std::fill(expected.begin() + rank * 100, expected.begin() + rank * 100 + 100, -1);
        CHECK(in.download<int32_t>() == expected);
        HcclComm sub = split(r.comm, {3, 2, 1}, 4, 3 - rank);
        CHECK_EQ(sumOf(sub, r.stream, 1 << rank), 14);
        CHECK_OK(HcclCommDestroy(sub));
      });
    });
  });
}

TEST(random_transfers_while_one_process_after_the_other_ends) {
  // Drawn once, and the same in all processes.
  const char* chosen = std::getenv("CANN4J_TEST_SEED");
  const uint32_t seed = chosen != nullptr ? static_cast<uint32_t>(std::stoul(chosen))
                                          : static_cast<uint32_t>(std::random_device()());
  ranks::Variable pass("CANN4J_TEST_SEED", std::to_string(seed).c_str());
  if (std::getenv(processes::kIndex) == nullptr) {
    std::printf("        CANN4J_TEST_SEED=%u hccl_process_test %s\n", seed, THIS_TEST);
  }
  processes::run(THIS_TEST, {{0}, {4, 1}, {2}, {3}, {5}}, [seed](const Rank& r) {
    struct Transfer {
      uint32_t source;
      uint32_t target;
      uint64_t count;
      bool synchronized;  // or in a row with those that follow
    };
    std::mt19937 random(seed);
    std::vector<Transfer> transfers;
    for (int i = 0; i < 240; ++i) {
      // The later, the fewer ranks still take part, and each of them may be the first to end.
      const uint32_t left = std::max(2u, r.size - i / 40);
      const uint32_t offset = seed % r.size;
      const uint32_t a = random() % left;
      const uint32_t b = (a + 1 + random() % (left - 1)) % left;
      transfers.push_back({(a + offset) % r.size, (b + offset) % r.size, 1 + random() % 5000,
                           random() % 3 == 0});
    }
    std::vector<std::unique_ptr<DeviceMemory>> received;
    std::vector<std::vector<int32_t>> expected;
    DeviceMemory own(elements(r.rank, 0, 5000));
    for (const Transfer& t : transfers) {
      if (t.source == r.rank) {
        CHECK_OK(HcclSend(own.get(), t.count, kInt32, t.target, r.comm, r.stream));
      } else if (t.target == r.rank) {
        received.push_back(std::make_unique<DeviceMemory>(t.count * sizeof(int32_t)));
        expected.push_back(elements(t.source, 0, t.count));
        CHECK_OK(HcclRecv(received.back()->get(), t.count, kInt32, t.source, r.comm, r.stream));
      } else {
        continue;
      }
      if (t.synchronized) {
        r.synchronize();
      }
    }
    r.synchronize();
    for (size_t i = 0; i < received.size(); ++i) {
      CHECK(received[i]->download<int32_t>() == expected[i]);
    }
  });
}
