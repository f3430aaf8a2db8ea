// SPDX-License-Identifier: Apache-2.0
// Every HCCL operation between threads of one process, a device each, on communicators made in every way.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "collectives.h"

namespace {

uint32_t ranks = 0;

// Runs on a thread per rank, with its device and a stream.
void onEveryRank(const std::function<void(uint32_t, aclrtStream)>& body) {
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([rank, &body] {
      aclrtStream stream = nullptr;
      TRY(aclrtSetDevice(static_cast<int32_t>(rank)));
      TRY(aclrtCreateStream(&stream));
      body(rank, stream);
      TRY(aclrtDestroyStream(stream));
      TRY(aclrtResetDevice(static_cast<int32_t>(rank)));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void initAll() {
  std::vector<int32_t> devices(ranks);
  for (uint32_t rank = 0; rank < ranks; ++rank) devices[rank] = static_cast<int32_t>(rank);
  std::vector<HcclComm> comms(ranks);
  HCCL_TRY(HcclCommInitAll(ranks, devices.data(), comms.data()));
  onEveryRank([&](uint32_t rank, aclrtStream stream) {
    const member m = {comms[rank], rank, ranks, stream};
    all_operations(&m);
    HCCL_TRY(HcclCommDestroy(comms[rank]));
  });
}

void rootInfo(bool configured) {
  HcclRootInfo root;
  TRY(aclrtSetDevice(0));
  HCCL_TRY(HcclGetRootInfo(&root));
  onEveryRank([&](uint32_t rank, aclrtStream stream) {
    member m = {nullptr, rank, ranks, stream};
    if (configured) {
      HcclCommConfig config;
      HcclCommConfigInit(&config);
      config.hcclBufferSize = 64;
      config.hcclDeterministic = 1;
      std::snprintf(config.hcclCommName, sizeof(config.hcclCommName), "named_by_the_client");
      HCCL_TRY(HcclCommInitRootInfoConfig(ranks, &root, rank, &config, &m.comm));
      char name[COMM_NAME_MAX_LENGTH];
      HCCL_TRY(HcclGetCommName(m.comm, name));
      REQUIRE(strcmp(name, config.hcclCommName) == 0, name);
    } else {
      HCCL_TRY(HcclCommInitRootInfo(ranks, &root, rank, &m.comm));
    }
    all_operations(&m);
    sub_communicator(&m);
    all_operations(&m);
    HCCL_TRY(HcclCommDestroy(m.comm));
  });
  TRY(aclrtResetDevice(0));
}

// The ranks are in a file, all of them on this server.
void clusterInfo(bool configured) {
  std::string name = (std::filesystem::temp_directory_path() / "rank_table_XXXXXX").string();
  const int file = mkstemp(name.data());
  const char *path = name.c_str();
  REQUIRE(file >= 0, path);
  std::string table = R"({"status": "completed", "version": "1.0", "server_count": "1", "server_list": [)"
                      R"({"server_id": "127.0.0.1", "device": [)";
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    const std::string number = std::to_string(rank);
    table += (rank == 0 ? "" : ", ") + (R"({"device_id": ")" + number) + R"(", "rank_id": ")" + number + "\"}";
  }
  table += "]}]}";
  REQUIRE(write(file, table.data(), table.size()) == static_cast<ssize_t>(table.size()), path);
  close(file);
  onEveryRank([&](uint32_t rank, aclrtStream stream) {
    member m = {nullptr, rank, ranks, stream};
    if (configured) {
      HcclCommConfig config;
      HcclCommConfigInit(&config);
      HCCL_TRY(HcclCommInitClusterInfoConfig(path, rank, &config, &m.comm));
    } else {
      HCCL_TRY(HcclCommInitClusterInfo(path, rank, &m.comm));
    }
    all_operations(&m);
    HCCL_TRY(HcclCommSuspend(m.comm));
    HCCL_TRY(HcclCommResume(m.comm));
    HCCL_TRY(HcclBarrier(m.comm, stream));
    TRY(aclrtSynchronizeStream(stream));
    HCCL_TRY(HcclCommDestroy(m.comm));
  });
  unlink(path);
}

void settings() {
  union HcclConfigValue value;
  value.value = 1;
  HCCL_TRY(HcclSetConfig(HCCL_DETERMINISTIC, value));
  value.value = 0;
  HCCL_TRY(HcclGetConfig(HCCL_DETERMINISTIC, &value));
  REQUIRE(value.value == 1, "HcclGetConfig");
  value.value = 0;
  HCCL_TRY(HcclSetConfig(HCCL_DETERMINISTIC, value));
  REQUIRE(HcclGetCommConfigCapability() > HCCL_COMM_CONFIG_COMM_NAME, "no names of communicators");
  REQUIRE(strlen(HcclGetErrorString(HCCL_E_PARA)) > 0, "HcclGetErrorString");
}

}  // namespace

int main() {
  uint32_t devices = 0;
  TRY(aclInit(nullptr));
  TRY(aclrtGetDeviceCount(&devices));
  REQUIRE(devices > 0, "no device");
  ranks = devices < 8 ? devices : 8;
  settings();
  initAll();
  rootInfo(false);
  rootInfo(true);
  clusterInfo(false);
  clusterInfo(true);
  TRY(aclFinalize());
  std::printf("%u ranks as threads: all collectives right\n", ranks);
}
