// SPDX-License-Identifier: Apache-2.0
// Configurations of all versions, environment variables, and what can be set at a communicator.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>

#include "hccl_ranks.hpp"

using ranks::DeviceMemory;
using ranks::OwnStream;
using ranks::Rank;

namespace {

HcclCommConfig newConfig() {
  HcclCommConfig config;
  HcclCommConfigInit(&config);
  return config;
}

void setInfo(HcclCommConfig* config, size_t size, uint32_t version) {
  HcclCommConfigInfo info;
  std::memcpy(&info, config->reserved, sizeof info);
  info.configSize = size;
  info.version = version;
  std::memcpy(config->reserved, &info, sizeof info);
}

HcclResult create(const HcclCommConfig* config, HcclComm* comm) {
  const HcclRootInfo rootInfo = ranks::newRootInfo();
  return HcclCommInitRootInfoConfig(1, &rootInfo, 0, config, comm);
}

// Bytes that end where readable memory does.
class AtTheEdge {
 public:
  AtTheEdge(const void* bytes, size_t size) : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    memory_ = static_cast<char*>(mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK(memory_ != MAP_FAILED);
    CHECK_EQ(mprotect(memory_ + page_, page_, PROT_NONE), 0);
    start_ = memory_ + page_ - size;
    std::memcpy(start_, bytes, size);
  }
  AtTheEdge(const AtTheEdge&) = delete;
  AtTheEdge& operator=(const AtTheEdge&) = delete;
  ~AtTheEdge() { munmap(memory_, 2 * page_); }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(start_);
  }

 private:
  size_t page_;
  char* memory_;
  char* start_;
};

}  // namespace

TEST(configurations_of_every_version_are_read_as_far_as_they_go) {
  struct Version {
    uint32_t version;
    size_t size;
  };
  for (const auto& [version, size] :
       {Version{1, 32}, Version{4, 296}, Version{5, 300}, Version{8, 1920}, Version{10, 2240},
        Version{11, 2248}}) {
    HcclCommConfig config = newConfig();
    config.hcclBufferSize = 77;
    std::snprintf(config.hcclCommName, sizeof config.hcclCommName, "version_%u", version);
    setInfo(&config, size, version);
    AtTheEdge edge(&config, size);
    HcclComm comm = nullptr;
    CHECK_OK(create(edge.as<HcclCommConfig>(), &comm));
    char name[COMM_NAME_MAX_LENGTH];
    CHECK_OK(HcclGetCommName(comm, name));
    // The name lies behind the 32 bytes that the first version has here.
    CHECK_EQ(std::string(name) == config.hcclCommName, size > 160);
    CHECK_OK(HcclCommDestroy(comm));
  }
  for (const auto& [version, size] :
       {Version{5, 296}, Version{5, 2240}, Version{10, 300}, Version{11, 2240}, Version{12, 2256},
        Version{0, 300}, Version{4, 2240}, Version{7, 299}, Version{1, 24}}) {
    HcclCommConfig config = newConfig();
    setInfo(&config, size, version);
    HcclComm comm = nullptr;
    CHECK_FAILS(HCCL_E_PARA, create(&config, &comm),
                "config of " + std::to_string(size) + " bytes, version " + std::to_string(version),
                "is not known");
  }
}

TEST(the_initialised_configuration_has_the_defaults) {
  HcclCommConfig config;
  std::memset(&config, 0x55, sizeof config);
  HcclCommConfigInit(&config);
  HcclCommConfigInfo info;
  std::memcpy(&info, config.reserved, sizeof info);
  CHECK_EQ(info.configSize, size_t{2248});
  CHECK_EQ(info.magicWord, 0xf0f0f0f0u);
  CHECK_EQ(info.version, 11u);
  CHECK_EQ(info.reserved, uint64_t{0});
  for (uint32_t value : {config.hcclBufferSize, config.hcclDeterministic,
                         config.hcclRdmaTrafficClass, config.hcclRdmaServiceLevel, config.hcclQos,
                         config.hcclChannelSqDepth}) {
    CHECK_EQ(value, 0xffffffffu);
  }
  CHECK_EQ(config.hcclExecTimeOut, -1);
  CHECK_EQ(config.hcclOpExpansionMode, 0u);
  CHECK_EQ(config.hcclSymWinMaxMemSizePerRank, uint64_t{16});
  CHECK_EQ(config.hcclWorldRankID, 0u);
  CHECK_EQ(config.hcclJobID, uint64_t{0});
  CHECK_EQ(int{config.aclGraphZeroCopyEnable}, 0);
  for (const char* text : {config.hcclCommName, config.hcclUdi, config.hcclAlgo,
                           config.hcclRetryEnable, config.hcclRetryParams, config.hcclBufferName}) {
    CHECK_EQ(std::string(text), "");
  }
  HcclCommConfigInit(nullptr);
}

TEST(fields_of_newer_versions_are_checked) {
  const auto refused = [](const HcclCommConfig& config, const std::string& words) {
    HcclComm comm = nullptr;
    CHECK_FAILS(HCCL_E_PARA, create(&config, &comm), words);
  };
  HcclCommConfig config = newConfig();
  config.hcclExecTimeOut = -2;
  refused(config, "hcclExecTimeOut is -2");
  config = newConfig();
  std::snprintf(config.hcclAlgo, sizeof config.hcclAlgo, "ring");
  refused(config, "hcclAlgo is \"ring\"");
  config = newConfig();
  std::memset(config.hcclBufferName, 'x', sizeof config.hcclBufferName);
  refused(config, "hcclBufferName has no terminating zero within its 128 bytes");
  config = newConfig();
  std::snprintf(config.hcclAlgo, sizeof config.hcclAlgo, "level0:NA;level1:H-D_R");
  config.hcclExecTimeOut = 0;
  HcclComm comm = nullptr;
  CHECK_OK(create(&config, &comm));
  CHECK_OK(HcclCommDestroy(comm));
}

TEST(the_time_of_the_configuration_replaces_that_of_the_environment) {
  ranks::Variable own("CANN4J_CPU_HCCL_TIMEOUT_MS", nullptr);
  ranks::Variable exec("HCCL_EXEC_TIMEOUT", "600");
  const HcclRootInfo rootInfo = ranks::newRootInfo();
  std::atomic<bool> over{false};
  ranks::onThreads(2, [&](uint32_t rank) {
    HcclCommConfig config = newConfig();
    config.hcclExecTimeOut = 1;
    HcclComm comm = nullptr;
    CHECK_OK(HcclCommInitRootInfoConfig(2, &rootInfo, rank, &config, &comm));
    OwnStream stream;
    ranks::link(comm, stream);
    if (rank == 0) {
      CHECK_OK(HcclBarrier(comm, stream));
      CHECK_FAILS(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(stream),
                  "1000 ms (config.hcclExecTimeOut)", "rank 1 is missing");
      over = true;
    }
    while (!over) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    CHECK_OK(HcclCommDestroy(comm));
  });
}

TEST(environment_variables_that_a_real_system_would_refuse) {
  const auto refused = [](const char* variable, const char* value) {
    ranks::Variable set(variable, value);
    HcclComm comm = nullptr;
    const HcclCommConfig config = newConfig();
    CHECK_FAILS(HCCL_E_PARA, create(&config, &comm), variable,
                "\"" + std::string(value) + "\"", "unset it");
  };
  const auto taken = [](const char* variable, const char* value) {
    ranks::Variable set(variable, value);
    HcclComm comm = nullptr;
    const HcclCommConfig config = newConfig();
    CHECK_OK(create(&config, &comm));
    CHECK_OK(HcclCommDestroy(comm));
  };
  refused("HCCL_OP_EXPANSION_MODE", "FAST");
  taken("HCCL_OP_EXPANSION_MODE", "AI_CPU");
  taken("HCCL_OP_EXPANSION_MODE", "CCU_SCHED");
  refused("HCCL_ALGO", "ring");
  refused("HCCL_ALGO", "level0:NA;level9:ring");
  refused("HCCL_ALGO", "level0:NA;level1:");
  refused("HCCL_ALGO", "allreduce=level0:NA/");
  taken("HCCL_ALGO", "level0:NA;level1:H-D_R");
  taken("HCCL_ALGO", "allreduce=level0:NA;level1:ring/others=level0:NA;level1:NHR_V1");
  refused("HCCL_IF_IP", "somewhere");
  taken("HCCL_IF_IP", "10.0.0.1");
  taken("HCCL_IF_IP", "fe80::1");
  refused("HCCL_SOCKET_FAMILY", "AF_UNIX");
  refused("HCCL_IF_BASE_PORT", "65530");
  refused("HCCL_RDMA_TC", "130");
  refused("HCCL_RDMA_TC", "256");
  refused("HCCL_RDMA_SL", "8");
  refused("HCCL_WHITELIST_DISABLE", "no");
  refused("HCCL_INTRA_ROCE_ENABLE", "2");
  refused("HCCL_CONNECT_TIMEOUT", "7201");
  refused("HCCL_EXEC_TIMEOUT", "long");
  refused("HCCL_BUFFSIZE", "-1");
  refused("HCCL_DETERMINISTIC", "TRUE");
  taken("HCCL_DETERMINISTIC", "");
  taken("HCCL_SOME_FUTURE_VARIABLE", "?");
}

TEST(a_suspended_communicator_takes_no_operations) {
  ranks::run(2, [](const Rank& r) {
    ranks::link(r);
    CHECK_FAILS(HCCL_E_PTR, HcclCommSuspend(nullptr), "comm is NULL");
    CHECK_FAILS(HCCL_E_PARA, HcclCommResume(r.stream), "no live communicator");
    CHECK_OK(HcclCommSuspend(r.comm));
    CHECK_OK(HcclCommSuspend(r.comm));
    CHECK_FAILS(HCCL_E_SUSPENDING, HcclBarrier(r.comm, r.stream), "is suspended",
                "HcclCommResume");
    DeviceMemory data(std::vector<float>(4, 1.0f));
    CHECK_FAILS(HCCL_E_SUSPENDING,
                HcclSend(data.get(), 4, HCCL_DATA_TYPE_FP32, r.next(), r.comm, r.stream),
                "is suspended");
    uint32_t rank = 9;
    CHECK_OK(HcclGetRankId(r.comm, &rank));
    CHECK_OK(HcclCommResume(r.comm));
    CHECK_OK(HcclBarrier(r.comm, r.stream));
    r.synchronize();
  });
}

TEST(memory_ranges_are_set_activated_and_taken_back_in_order) {
  int32_t device = 0;
  HcclComm comm = nullptr;
  CHECK_OK(aclrtSetDevice(0));
  CHECK_OK(HcclCommInitAll(1, &device, &comm));
  const auto at = [](uintptr_t address) { return reinterpret_cast<void*>(address); };
  const uintptr_t base = uintptr_t{1} << 40;
  void* handle = &device;
  const auto set = [&](uintptr_t begin, size_t size, size_t alignment, uint64_t flags) {
    return HcclCommSetMemoryRange(comm, at(begin), size, alignment, flags);
  };
  CHECK_FAILS(HCCL_E_PTR, HcclCommSetMemoryRange(nullptr, at(base), 64, 0, 0), "comm is NULL");
  CHECK_FAILS(HCCL_E_PTR, set(0, 64, 0, 0), "baseVirPtr is NULL");
  CHECK_FAILS(HCCL_E_PARA, set(base, 0, 0, 0), "size is 0");
  CHECK_FAILS(HCCL_E_PARA, set(base, SIZE_MAX, 0, 0), "no range of addresses");
  CHECK_FAILS(HCCL_E_PARA, set(base, 64, 0, 1), "flags is 0x1");
  CHECK_FAILS(HCCL_E_PARA, set(base, 64, 3, 0), "alignment 3");
  CHECK_FAILS(HCCL_E_PARA, set(base + 64, 64, 4096, 0), "alignment 4096");
  CHECK_OK(set(base, 4096, 4096, 0));
  CHECK_FAILS(HCCL_E_PARA, set(base + 4095, 1, 0, 0), "overlap a range");
  CHECK_FAILS(HCCL_E_PARA, set(base - 64, 65, 0, 0), "overlap a range");
  CHECK_OK(set(base + 4096, 4096, 0, 0));

  const auto activate = [&](uintptr_t begin, size_t size, size_t offset, void* memory,
                            uint64_t flags) {
    return HcclCommActivateCommMemory(comm, at(begin), size, offset, memory, flags);
  };
  CHECK_FAILS(HCCL_E_PTR, activate(base, 64, 0, nullptr, 0), "handle is NULL");
  CHECK_FAILS(HCCL_E_PARA, activate(base, 64, 64, handle, 0), "offset is 64");
  CHECK_FAILS(HCCL_E_PARA, activate(base, 64, 0, handle, 2), "flags is 0x2");
  CHECK_FAILS(HCCL_E_PARA, activate(base + 4000, 200, 0, handle, 0), "do not lie in one range");
  CHECK_FAILS(HCCL_E_PARA, activate(base + 8192, 64, 0, handle, 0), "do not lie in one range");
  CHECK_OK(activate(base + 1024, 1024, 0, handle, 0));
  CHECK_FAILS(HCCL_E_PARA, activate(base, 1025, 0, handle, 0), "are active already");
  CHECK_FAILS(HCCL_E_PARA, HcclCommUnsetMemoryRange(comm, at(base)), "still active",
              "HcclCommDeactivateCommMemory");
  CHECK_FAILS(HCCL_E_NOT_FOUND, HcclCommDeactivateCommMemory(comm, at(base)), "no active memory");
  CHECK_OK(HcclCommDeactivateCommMemory(comm, at(base + 1024)));
  CHECK_FAILS(HCCL_E_NOT_FOUND, HcclCommUnsetMemoryRange(comm, at(base + 64)), "no range");
  CHECK_OK(HcclCommUnsetMemoryRange(comm, at(base)));
  CHECK_FAILS(HCCL_E_NOT_FOUND, HcclCommUnsetMemoryRange(comm, at(base)), "no range");
  CHECK_OK(HcclCommDestroy(comm));
}

TEST(windows_of_device_memory) {
  int32_t device = 0;
  HcclComm comm = nullptr;
  CHECK_OK(aclrtSetDevice(0));
  CHECK_OK(HcclCommInitAll(1, &device, &comm));
  DeviceMemory data(size_t{4096});
  std::vector<char> host(64);
  HcclCommSymWindow window = nullptr;
  HcclCommSymWindow found = nullptr;
  size_t offset = 0;
  CHECK_FAILS(HCCL_E_PTR, HcclCommSymWinRegister(comm, nullptr, 64, &window, 0), "addr is NULL");
  CHECK_FAILS(HCCL_E_PTR, HcclCommSymWinRegister(comm, data.get(), 64, nullptr, 0), "winHandle");
  CHECK_FAILS(HCCL_E_PARA, HcclCommSymWinRegister(comm, data.get(), 0, &window, 0), "size is 0");
  CHECK_FAILS(HCCL_E_PARA, HcclCommSymWinRegister(comm, host.data(), 64, &window, 0),
              "one live allocation of device 0");
  CHECK_FAILS(HCCL_E_PARA, HcclCommSymWinRegister(comm, data.get(), 1 << 20, &window, 0),
              "one live allocation of device 0");
  CHECK_OK(HcclCommSymWinRegister(comm, data.at(64), 1024, &window, 0));
  CHECK_FAILS(HCCL_E_PARA, HcclCommSymWinRegister(comm, data.get(), 65, &found, 0), "overlap");
  CHECK_OK(HcclCommSymWinGet(comm, data.at(100), 16, &found, &offset));
  CHECK(found == window);
  CHECK_EQ(offset, size_t{36});
  CHECK_FAILS(HCCL_E_NOT_FOUND, HcclCommSymWinGet(comm, data.at(1080), 16, &found, &offset),
              "in no window");
  CHECK_FAILS(HCCL_E_PTR, HcclCommSymWinGet(comm, data.at(100), 16, &found, nullptr), "offset");
  CHECK_OK(HcclCommSymWinDeregister(window));
  CHECK_FAILS(HCCL_E_PARA, HcclCommSymWinDeregister(window), "no live window");
  CHECK_FAILS(HCCL_E_PTR, HcclCommSymWinDeregister(nullptr), "winHandle is NULL");
  CHECK_FAILS(HCCL_E_NOT_FOUND, HcclCommSymWinGet(comm, data.at(100), 16, &found, &offset), "");

  uint32_t ranks[] = {0, 1};
  bool useBackup[] = {false, false};
  CHECK_OK(HcclCommWorkingDevNicSet(comm, ranks, useBackup, 1));
  CHECK_FAILS(HCCL_E_PARA, HcclCommWorkingDevNicSet(comm, ranks, useBackup, 2), "ranks[1] is 1");
  useBackup[0] = true;
  CHECK_FAILS(HCCL_E_NOT_SUPPORT, HcclCommWorkingDevNicSet(comm, ranks, useBackup, 1),
              "useBackup[0] is true");
  CHECK_FAILS(HCCL_E_PTR, HcclCommWorkingDevNicSet(comm, nullptr, useBackup, 1), "ranks is NULL");
  CHECK_OK(HcclCommDestroy(comm));
}

TEST(a_communicator_is_found_by_its_name_on_its_device) {
  ranks::run(2, [](const Rank& r) {
    char name[COMM_NAME_MAX_LENGTH];
    CHECK_OK(HcclGetCommName(r.comm, name));
    HcclComm found = nullptr;
    CHECK_OK(HcclCommGetHandleWithName(name, &found));
    CHECK(found == r.comm);
    CHECK_FAILS(HCCL_E_NOT_FOUND, HcclCommGetHandleWithName("nobody", &found), "named nobody",
                "device " + std::to_string(r.rank));
    CHECK_FAILS(HCCL_E_PTR, HcclCommGetHandleWithName(nullptr, &found), "commName is NULL");
    CHECK_FAILS(HCCL_E_PTR, HcclCommGetHandleWithName(name, nullptr), "comm is NULL");
  });
}

TEST(capabilities_are_all_below_the_answer) {
  const char* version = std::getenv("CANN4J_CPU_VERSION");
  const bool is81 = version != nullptr && std::string(version) == "8.1";
  CHECK_EQ(HcclGetCommConfigCapability(),
           uint32_t{is81 ? HCCL_COMM_CONFIG_SUPPORT_INIT_BY_ENV : HCCL_COMM_CONFIG_BUFFER_NAME} + 1);
}
