// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <chrono>
#include <fstream>
#include <set>

#include "hccl_ranks.hpp"

using ranks::DeviceMemory;
using ranks::OwnStream;
using ranks::Rank;

namespace {

std::string nameOf(HcclComm comm) {
  char name[COMM_NAME_MAX_LENGTH];
  CHECK_OK(HcclGetCommName(comm, name));
  return name;
}

HcclCommConfig newConfig(const char* name = "") {
  HcclCommConfig config;
  HcclCommConfigInit(&config);
  std::snprintf(config.hcclCommName, sizeof config.hcclCommName, "%s", name);
  return config;
}

// Sum over all ranks of the rank number in the world, to see who is in a communicator.
int32_t sumOf(HcclComm comm, aclrtStream stream, int32_t value) {
  DeviceMemory data(std::vector<int32_t>{value});
  CHECK_OK(HcclAllReduce(data.get(), data.get(), 1, HCCL_DATA_TYPE_INT32, HCCL_REDUCE_SUM, comm,
                         stream));
  CHECK_OK(aclrtSynchronizeStream(stream));
  return data.download<int32_t>()[0];
}

HcclComm split(HcclComm world, const std::vector<uint32_t>& members, uint64_t id, uint32_t index) {
  HcclCommConfig config = newConfig();
  std::vector<uint32_t> ids = members;
  HcclComm sub = nullptr;
  CHECK_OK(HcclCreateSubCommConfig(&world, static_cast<uint32_t>(ids.size()), ids.data(), id, index,
                                   &config, &sub));
  return sub;
}

int statusLine(const std::string& key) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind(key, 0) == 0) {
      return std::atoi(line.c_str() + key.size());
    }
  }
  return -1;
}

}  // namespace

TEST(ranks_know_their_number_size_and_common_name) {
  std::set<std::string> names;
  for (uint32_t size : ranks::sizes()) {
    std::mutex mutex;
    std::set<std::string> seen;
    ranks::run(size, [&](const Rank& r) {
      uint32_t rank = 99;
      uint32_t count = 99;
      CHECK_OK(HcclGetRankId(r.comm, &rank));
      CHECK_OK(HcclGetRankSize(r.comm, &count));
      CHECK_EQ(rank, r.rank);
      CHECK_EQ(count, size);
      HcclResult error = HCCL_E_INTERNAL;
      CHECK_OK(HcclGetCommAsyncError(r.comm, &error));
      CHECK_EQ(error, HCCL_SUCCESS);
      std::lock_guard lock(mutex);
      seen.insert(nameOf(r.comm));
    });
    CHECK_EQ(seen.size(), size_t{1});
    CHECK(!seen.begin()->empty());
    CHECK(names.insert(*seen.begin()).second);
  }
}

TEST(queries_refuse_what_is_no_communicator) {
  uint32_t number = 0;
  char name[COMM_NAME_MAX_LENGTH];
  HcclResult error = HCCL_SUCCESS;
  int local = 0;
  HcclComm unknown = &local;
  CHECK_FAILS(HCCL_E_PTR, HcclGetRankId(nullptr, &number), "comm is NULL");
  CHECK_FAILS(HCCL_E_PARA, HcclGetRankId(unknown, &number), "no live communicator");
  CHECK_FAILS(HCCL_E_PARA, HcclGetRankSize(unknown, &number), "HcclGetRankSize");
  CHECK_FAILS(HCCL_E_PARA, HcclGetCommName(unknown, name), "HcclGetCommName");
  CHECK_FAILS(HCCL_E_PARA, HcclGetCommAsyncError(unknown, &error), "HcclGetCommAsyncError");
  CHECK_FAILS(HCCL_E_PARA, HcclCommDestroy(unknown), "no live communicator");
  CHECK_OK(HcclCommDestroy(nullptr));
  CHECK_OK(aclrtSetDevice(0));
  int32_t device = 0;
  HcclComm comm = nullptr;
  CHECK_OK(HcclCommInitAll(1, &device, &comm));
  CHECK_FAILS(HCCL_E_PTR, HcclGetRankId(comm, nullptr), "rank is NULL");
  CHECK_OK(HcclCommDestroy(comm));
  CHECK_FAILS(HCCL_E_PARA, HcclCommDestroy(comm), "no live communicator");
  CHECK_FAILS(HCCL_E_PARA, HcclGetRankId(comm, &number), "no live communicator");
}

TEST(root_info_arguments) {
  const HcclRootInfo rootInfo = ranks::newRootInfo();
  HcclComm comm = nullptr;
  CHECK_FAILS(HCCL_E_PTR, HcclGetRootInfo(nullptr), "rootInfo is NULL");
  CHECK_FAILS(HCCL_E_PTR, HcclCommInitRootInfo(1, nullptr, 0, &comm), "rootInfo is NULL");
  CHECK_FAILS(HCCL_E_PTR, HcclCommInitRootInfo(1, &rootInfo, 0, nullptr), "comm is NULL");
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitRootInfo(0, &rootInfo, 0, &comm), "nRanks 0");
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitRootInfo(2, &rootInfo, 2, &comm), "rank 2 of nRanks 2");
  CHECK_FAILS(HCCL_E_PTR, HcclCommInitRootInfoConfig(1, &rootInfo, 0, nullptr, &comm),
              "config is NULL");
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitRootInfo(4000000000u, &rootInfo, 0, &comm),
              "nRanks is 4000000000", "CANN4J_CPU_DEVICES");
  HcclRootInfo garbage{};
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitRootInfo(1, &garbage, 0, &comm), "HcclGetRootInfo");
  HcclRootInfo foreign = rootInfo;
  foreign.internal[20] ^= 1;  // of another process, if one may believe it,
  foreign.internal[60] ^= 1;  // which does not listen
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitRootInfo(1, &foreign, 0, &comm), "used up");
  std::thread([&] {
    HcclRootInfo other;
    CHECK_FAILS(HCCL_E_RUNTIME, HcclGetRootInfo(&other), "aclrtSetDevice");
    CHECK_FAILS(HCCL_E_RUNTIME, HcclCommInitRootInfo(1, &rootInfo, 0, &comm), "aclrtSetDevice");
  }).join();
  CHECK_OK(HcclCommInitRootInfo(1, &rootInfo, 0, &comm));
  HcclComm second = nullptr;
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitRootInfo(1, &rootInfo, 0, &second), "root info of its own");
  CHECK_OK(HcclCommDestroy(comm));
}

TEST(creation_names_the_missing_ranks_on_every_rank) {
  const ranks::TimeLimit limit(1000);
  const HcclRootInfo rootInfo = ranks::newRootInfo();
  ranks::onThreads(2, [&](uint32_t rank) {
    HcclComm comm = nullptr;
    CHECK_FAILS(HCCL_E_TIMEOUT, HcclCommInitRootInfo(4, &rootInfo, rank, &comm),
                "ranks 2, 3 of 4 did not come", limit.words(), "CANN4J_CPU_HCCL_TIMEOUT_MS");
  });
  ranks::onThreads(3, [&](uint32_t rank) {
    HcclComm comm = nullptr;
    if (rank == 2) {
      CHECK_FAILS(HCCL_E_PARA, HcclCommInitRootInfo(4, &rootInfo, rank, &comm), "given up");
    }
  });
}

TEST(ranks_that_contradict_each_other_all_fail) {
  struct Difference {
    uint32_t sizeOfLast;
    uint32_t rankOfLast;
    int32_t deviceOfLast;
    uint32_t bufferSizeOfLast;
    std::vector<std::string> words;
  };
  const std::vector<Difference> differences{
      {3, 1, 1, 200, {"number of ranks", "2 and 3"}},
      {2, 0, 1, 200, {"the same rank"}},
      {2, 1, 0, 200, {"the same device"}},
      {2, 1, 1, 300, {"configuration", "buffer size 300 MB"}},
  };
  for (const Difference& difference : differences) {
    const HcclRootInfo rootInfo = ranks::newRootInfo();
    std::atomic<int> turn{0};
    ranks::onThreads(2, [&](uint32_t rank) {
      HcclCommConfig config = newConfig();
      HcclComm comm = nullptr;
      config.hcclBufferSize = 200;
      std::string words;
      if (rank == 0) {
        turn = 1;
        CHECK_EQ(HcclCommInitRootInfoConfig(2, &rootInfo, 0, &config, &comm), HCCL_E_PARA);
        words = ranks::recentWords();
      } else {
        while (turn == 0) {
          std::this_thread::yield();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        CHECK_OK(aclrtSetDevice(difference.deviceOfLast));
        config.hcclBufferSize = difference.bufferSizeOfLast;
        CHECK_EQ(HcclCommInitRootInfoConfig(difference.sizeOfLast, &rootInfo, difference.rankOfLast,
                                            &config, &comm),
                 HCCL_E_PARA);
        words = ranks::recentWords();
      }
      for (const std::string& expected : difference.words) {
        if (words.find(expected) == std::string::npos) {
          check::failed(__FILE__, __LINE__, "no \"" + expected + "\" in: " + words);
        }
      }
    });
  }
}

TEST(configurations_are_checked_and_names_taken) {
  CHECK_OK(aclrtSetDevice(0));
  const auto refused = [](const HcclCommConfig& config, const std::string& words) {
    const HcclRootInfo rootInfo = ranks::newRootInfo();
    HcclComm comm = nullptr;
    CHECK_FAILS(HCCL_E_PARA, HcclCommInitRootInfoConfig(1, &rootInfo, 0, &config, &comm), words);
  };
  HcclCommConfig config{};
  refused(config, "HcclCommConfigInit");
  config = newConfig();
  config.reserved[0] = 1;
  refused(config, "not known");
  config = newConfig();
  config.hcclBufferSize = 0;
  refused(config, "hcclBufferSize is 0");
  config = newConfig();
  config.hcclDeterministic = 3;
  refused(config, "hcclDeterministic is 3");
  config = newConfig();
  config.hcclOpExpansionMode = 9;
  refused(config, "hcclOpExpansionMode is 9");
  config = newConfig();
  config.hcclRdmaTrafficClass = 131;
  refused(config, "hcclRdmaTrafficClass is 131");
  config = newConfig();
  config.hcclRdmaServiceLevel = 8;
  refused(config, "hcclRdmaServiceLevel is 8");
  config = newConfig();
  std::memset(config.hcclCommName, 'x', sizeof config.hcclCommName);
  refused(config, "terminating zero");

  config = newConfig("my_world");
  config.hcclBufferSize = 64;
  config.hcclDeterministic = 1;
  config.hcclOpExpansionMode = 2;
  config.hcclRdmaTrafficClass = 132;
  config.hcclRdmaServiceLevel = 4;
  const HcclRootInfo rootInfo = ranks::newRootInfo();
  HcclComm comm = nullptr;
  CHECK_OK(HcclCommInitRootInfoConfig(1, &rootInfo, 0, &config, &comm));
  CHECK_EQ(nameOf(comm), std::string("my_world"));
  refused(config, "already has a communicator named my_world");
  CHECK_OK(HcclCommDestroy(comm));
  const HcclRootInfo another = ranks::newRootInfo();
  CHECK_OK(HcclCommInitRootInfoConfig(1, &another, 0, &config, &comm));
  CHECK_OK(HcclCommDestroy(comm));
}

TEST(environment_is_checked) {
  const auto refused = [](const char* variable, const char* value) {
    ranks::Variable set(variable, value);
    const HcclRootInfo rootInfo = ranks::newRootInfo();
    HcclComm comm = nullptr;
    CHECK_FAILS(HCCL_E_PARA, HcclCommInitRootInfo(1, &rootInfo, 0, &comm), variable, value);
  };
  refused("CANN4J_CPU_HCCL_TIMEOUT_MS", "soon");
  refused("CANN4J_CPU_HCCL_TIMEOUT_MS", "0");
  refused("HCCL_CONNECT_TIMEOUT", "119");
  refused("HCCL_EXEC_TIMEOUT", "-1");
  refused("HCCL_BUFFSIZE", "0");
  refused("HCCL_DETERMINISTIC", "yes");
  ranks::Variable own("CANN4J_CPU_HCCL_TIMEOUT_MS", nullptr);
  ranks::Variable connect("HCCL_CONNECT_TIMEOUT", "300");
  ranks::Variable exec("HCCL_EXEC_TIMEOUT", "0");
  ranks::Variable buffer("HCCL_BUFFSIZE", "20");
  ranks::Variable deterministic("HCCL_DETERMINISTIC", "strict");
  ranks::run(2, [](const Rank& r) { CHECK_EQ(sumOf(r.comm, r.stream, 1), 2); });
}

TEST(exec_timeout_of_hccl_counts_without_our_own) {
  ranks::Variable own("CANN4J_CPU_HCCL_TIMEOUT_MS", nullptr);
  ranks::Variable exec("HCCL_EXEC_TIMEOUT", "1");
  std::atomic<bool> over{false};
  ranks::run(2, [&](const Rank& r) {
    ranks::link(r);
    if (r.rank == 0) {
      CHECK_OK(HcclBarrier(r.comm, r.stream));
      CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(r.stream),
                  "rank 1 is missing", "1000 ms", "HCCL_EXEC_TIMEOUT");
      over = true;
    }
    while (!over) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
}

TEST(init_all_makes_one_communicator_per_device) {
  int32_t devices[] = {3, 1, 2};
  HcclComm comms[3];
  CHECK_OK(HcclCommInitAll(3, devices, comms));
  ranks::onThreads(3, [&](uint32_t rank) {
    CHECK_OK(aclrtSetDevice(devices[rank]));
    uint32_t id = 99;
    CHECK_OK(HcclGetRankId(comms[rank], &id));
    CHECK_EQ(id, rank);
    OwnStream stream;
    CHECK_EQ(sumOf(comms[rank], stream, 1 << rank), 7);
    CHECK_OK(HcclCommDestroy(comms[rank]));
  });
  int32_t repeated[] = {0, 1, 0};
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitAll(3, repeated, comms), "devices[2] repeats device 0");
  int32_t outside[] = {0, 1000};
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitAll(2, outside, comms), "devices[1] is 1000");
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitAll(0, devices, comms), "ndev is 0");
  CHECK_FAILS(HCCL_E_PTR, HcclCommInitAll(1, nullptr, comms), "devices is NULL");
  CHECK_FAILS(HCCL_E_PTR, HcclCommInitAll(1, devices, nullptr), "comms is NULL");
}

TEST(sub_communicators_of_ring_and_ulysses_in_turn) {
  ranks::run(8, [](const Rank& r) {
    // Ulysses inside (pairs of neighbours), ring outside, and one in reverse order.
    const uint32_t first = r.rank / 2 * 2;
    HcclComm ulysses = split(r.comm, {first, first + 1}, 1, r.rank % 2);
    const uint32_t lane = r.rank % 2;
    HcclComm ring = split(r.comm, {lane, lane + 2, lane + 4, lane + 6}, 2, r.rank / 2);
    HcclComm reversed = split(r.comm, {7, 6, 5, 4, 3, 2, 1, 0}, 3, 7 - r.rank);
    uint32_t id = 99;
    CHECK_OK(HcclGetRankId(reversed, &id));
    CHECK_EQ(id, 7 - r.rank);
    CHECK_EQ(nameOf(ring), nameOf(r.comm) + "_sub_2");
    OwnStream ulyssesStream;
    OwnStream ringStream;
    const int32_t bit = 1 << r.rank;
    const int32_t pair = 3 << first;
    const int32_t ringMembers = 0x55 << lane;
    for (int round = 0; round < 20; ++round) {
      DeviceMemory a(std::vector<int32_t>{bit});
      DeviceMemory b(std::vector<int32_t>{bit});
      DeviceMemory c(std::vector<int32_t>{bit});
      const auto add = [](DeviceMemory& data, HcclComm comm, aclrtStream stream) {
        CHECK_OK(HcclAllReduce(data.get(), data.get(), 1, HCCL_DATA_TYPE_INT32, HCCL_REDUCE_SUM,
                               comm, stream));
      };
      add(a, ulysses, ulyssesStream);
      add(b, ring, ringStream);
      add(c, r.comm, r.stream);
      CHECK_OK(aclrtSynchronizeStream(ulyssesStream));
      CHECK_OK(aclrtSynchronizeStream(ringStream));
      r.synchronize();
      CHECK_EQ(a.download<int32_t>()[0], pair);
      CHECK_EQ(b.download<int32_t>()[0], ringMembers);
      CHECK_EQ(c.download<int32_t>()[0], 255);
    }
    CHECK_EQ(sumOf(reversed, r.stream, bit), 255);
    HcclCommConfig config = newConfig();
    uint32_t ids[] = {0, 1};
    HcclComm sub = nullptr;
    CHECK_FAILS(HCCL_E_NOT_SUPPORT,
                HcclCreateSubCommConfig(&ring, 2, ids, 9, id % 2, &config, &sub),
                "itself a sub-communicator");
    for (HcclComm comm : {ulysses, ring, reversed}) {
      CHECK_OK(HcclCommDestroy(comm));
    }
  });
}

TEST(sub_communicator_arguments) {
  ranks::run(2, [](const Rank& r) {
    HcclComm world = r.comm;
    HcclComm sub = nullptr;
    HcclCommConfig config = newConfig();
    HcclCommConfig blank{};
    uint32_t both[] = {0, 1};
    uint32_t outside[] = {r.rank, 2};
    uint32_t repeated[] = {r.rank, r.rank};
    const uint64_t none = 0xFFFFFFFF;
    CHECK_OK(HcclCreateSubCommConfig(&world, 0, nullptr, none, 0, &config, &sub));
    CHECK(sub == nullptr);
    CHECK_FAILS(HCCL_E_PARA, HcclCreateSubCommConfig(&world, 2, nullptr, 5, 0, &config, &sub),
                "rankIds is NULL");
    CHECK_FAILS(HCCL_E_PARA, HcclCreateSubCommConfig(&world, 2, both, none, 0, &config, &sub),
                "0xffffffff");
    CHECK_FAILS(HCCL_E_PTR, HcclCreateSubCommConfig(nullptr, 2, both, 5, 0, &config, &sub),
                "comm is NULL");
    CHECK_FAILS(HCCL_E_PTR, HcclCreateSubCommConfig(&world, 2, both, 5, r.rank, nullptr, &sub),
                "config is NULL");
    CHECK_FAILS(HCCL_E_PTR, HcclCreateSubCommConfig(&world, 2, both, 5, r.rank, &config, nullptr),
                "subComm is NULL");
    CHECK_FAILS(HCCL_E_PARA, HcclCreateSubCommConfig(&world, 2, both, 5, r.rank, &blank, &sub),
                "not initialised");
    CHECK_FAILS(HCCL_E_PARA, HcclCreateSubCommConfig(&world, 2, both, 5, 2, &config, &sub),
                "subCommRankId 2");
    CHECK_FAILS(HCCL_E_PARA, HcclCreateSubCommConfig(&world, 2, both, 5, 1 - r.rank, &config, &sub),
                "the caller is rank");
    CHECK_FAILS(HCCL_E_PARA, HcclCreateSubCommConfig(&world, 2, outside, 5, 0, &config, &sub),
                "rankIds[1] is 2");
    CHECK_FAILS(HCCL_E_PARA,
                HcclCreateSubCommConfig(&world, 4000000000u, both, 5, 0, &config, &sub),
                "rankNum is 4000000000");
    CHECK_FAILS(HCCL_E_PARA, HcclCreateSubCommConfig(&world, 2, repeated, 5, 0, &config, &sub),
                "repeats");
    sub = split(world, {0, 1}, 5, r.rank);
    HcclComm again = nullptr;
    CHECK_FAILS(HCCL_E_PARA, HcclCreateSubCommConfig(&world, 2, both, 5, r.rank, &config, &again),
                "already has a communicator named");
    CHECK_EQ(sumOf(sub, r.stream, 1), 2);
    CHECK_OK(HcclCommDestroy(sub));
    // Disjoint groups may have the same number.
    HcclComm alone = split(world, {r.rank}, 5, 0);
    CHECK_EQ(sumOf(alone, r.stream, 7), 7);
    CHECK_OK(HcclCommDestroy(alone));
  });
}

TEST(sub_communicator_members_must_agree_and_come) {
  const ranks::TimeLimit limit(1000);
  std::atomic<int> turn{0};
  ranks::run(3, [&](const Rank& r) {
    HcclComm world = r.comm;
    HcclComm sub = nullptr;
    HcclCommConfig config = newConfig();
    uint32_t forward[] = {0, 1};
    uint32_t backward[] = {1, 0};
    if (r.rank == 0) {
      turn = 1;
      CHECK_FAILS(HCCL_E_PARA, HcclCreateSubCommConfig(&world, 2, forward, 4, 0, &config, &sub),
                  "[0, 1] and [1, 0]");
      CHECK_FAILS(HCCL_E_TIMEOUT, HcclCreateSubCommConfig(&world, 2, forward, 6, 0, &config, &sub),
                  "rank 1 of 2 did not come");
      turn = 2;
    } else if (r.rank == 1) {
      while (turn == 0) {
        std::this_thread::yield();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      CHECK_FAILS(HCCL_E_PARA, HcclCreateSubCommConfig(&world, 2, backward, 4, 0, &config, &sub),
                  "[0, 1] and [1, 0]");
    }
    while (turn != 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    CHECK_OK(HcclBarrier(world, r.stream));
    r.synchronize();
  });
}

TEST(a_sub_communicator_outlives_its_parent) {
  const HcclRootInfo rootInfo = ranks::newRootInfo();
  ranks::onThreads(2, [&](uint32_t rank) {
    OwnStream stream;
    HcclComm world = nullptr;
    CHECK_OK(HcclCommInitRootInfo(2, &rootInfo, rank, &world));
    HcclComm sub = split(world, {0, 1}, 1, rank);
    CHECK_OK(HcclCommDestroy(world));
    CHECK_EQ(sumOf(sub, stream, 3), 6);
    CHECK_OK(HcclCommDestroy(sub));
  });
}

TEST(global_configuration_and_texts) {
  HcclConfigValue value{-1};
  CHECK_OK(HcclGetConfig(HCCL_DETERMINISTIC, &value));
  CHECK_EQ(value.value, 0);
  CHECK_OK(HcclSetConfig(HCCL_DETERMINISTIC, HcclConfigValue{2}));
  CHECK_OK(HcclGetConfig(HCCL_DETERMINISTIC, &value));
  CHECK_EQ(value.value, 2);
  CHECK_FAILS(HCCL_E_PARA, HcclSetConfig(HCCL_DETERMINISTIC, HcclConfigValue{3}), "value 3");
  CHECK_FAILS(HCCL_E_PARA, HcclSetConfig(HCCL_CONFIG_RESERVED, HcclConfigValue{1}), "config 1");
  CHECK_FAILS(HCCL_E_PTR, HcclGetConfig(HCCL_DETERMINISTIC, nullptr), "NULL");
  CHECK_OK(HcclSetConfig(HCCL_DETERMINISTIC, HcclConfigValue{0}));
  std::set<std::string> texts;
  for (int code = 0; code <= HCCL_E_OOM; ++code) {
    texts.insert(HcclGetErrorString(static_cast<HcclResult>(code)));
  }
  texts.insert(HcclGetErrorString(HCCL_E_IN_STATUS));
  CHECK_EQ(texts.size(), size_t{HCCL_E_OOM + 2});
  CHECK(texts.count("unknown error") == 0);
  CHECK_EQ(std::string(HcclGetErrorString(HCCL_E_RESERVED)), "unknown error");
  CHECK_EQ(std::string(HcclGetErrorString(static_cast<HcclResult>(500))), "unknown error");
  CHECK_EQ(std::string(HcclGetErrorString(static_cast<HcclResult>(-1))), "unknown error");
  CHECK(HcclGetCommConfigCapability() > HCCL_COMM_CONFIG_COMM_NAME);
}

TEST(creating_and_destroying_leaves_nothing) {
  const auto round = [](int times) {
    for (int i = 0; i < times; ++i) {
      ranks::run(2, [](const Rank& r) {
        HcclComm sub = split(r.comm, {0, 1}, 1, r.rank);
        CHECK_EQ(sumOf(sub, r.stream, 1), 2);
        CHECK_OK(HcclCommDestroy(sub));
      });
    }
  };
  round(50);
  const int threads = statusLine("Threads:");
  const int memory = statusLine("VmRSS:");
  round(400);
  while (statusLine("Threads:") > threads) {  // a joined thread may still be on its way out
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK_EQ(statusLine("Threads:"), threads);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  CHECK(statusLine("VmRSS:") < memory + 2048 || check::isEmulated());
#else
  (void)memory;
#endif
}
