// SPDX-License-Identifier: Apache-2.0
// World communicators from rank tables.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>

#include "hccl_ranks.hpp"

using ranks::DeviceMemory;
using ranks::OwnStream;

namespace {

// A file for the time of a test.
class TableFile {
 public:
  explicit TableFile(const std::string& text) {
    static std::atomic<int> last{0};
    path_ = "hccl_rank_table_" + std::to_string(getpid()) + "_" + std::to_string(++last) + ".json";
    std::ofstream(path_) << text;
  }
  TableFile(const TableFile&) = delete;
  TableFile& operator=(const TableFile&) = delete;
  ~TableFile() { std::remove(path_.c_str()); }
  const char* path() const { return path_.c_str(); }

 private:
  std::string path_;
};

// In the text, every "old" becomes "new"; it has to be there.
std::string with(std::string text, const std::string& old, const std::string& replacement) {
  const size_t at = text.find(old);
  CHECK(at != std::string::npos);
  return text.replace(at, old.size(), replacement);
}

const std::string kOneServer = R"({
  "status": "completed", "version": "1.0", "server_count": "1",
  "server_list": [{"server_id": "node_0", "host_ip": "172.16.0.100", "device": [
    {"device_id": "2", "rank_id": "0"},
    {"device_id": "0", "device_ip": "192.168.1.8", "device_port": "16667", "rank_id": "1"},
    {"device_id": "1", "host_port": "60001", "rank_id": "2"}]}]})";
constexpr uint32_t kDevices[] = {2, 0, 1};  // by rank

const std::string kTwoServers = R"({
  "status": "completed", "version": "1.2", "server_count": "2",
  "server_list": [
    {"server_id": "node_0", "device": [
      {"device_id": "0", "super_device_id": "0", "device_ip": "192.168.1.6", "rank_id": "0"},
      {"device_id": "1", "super_device_id": "1", "device_ip": "192.168.1.7",
       "backup_device_ip": "192.168.1.6", "backup_device_port": "16667", "rank_id": "1"}]},
    {"server_id": "node_1", "device": [
      {"device_id": "2", "super_device_id": "2", "device_ip": "fe80::1", "rank_id": "2"},
      {"device_id": "3", "super_device_id": "3", "device_ip": "192.168.2.7", "rank_id": "3"}]}],
  "super_pod_list": [{"super_pod_id": "0", "server_list": [
    {"server_id": "node_0"}, {"server_id": "node_1"}]}]})";

// Ranks of equal tables meet all over the host, so tests that run at the same time need tables of
// their own.
std::string ofThisProcess(std::string text) {
  const std::string own = "node_" + std::to_string(getpid()) + "_";
  for (size_t at = text.find("node_"); at != std::string::npos;
       at = text.find("node_", at + own.size())) {
    text.replace(at, 5, own);
  }
  return text;
}

void checkSum(HcclComm comm, uint32_t rank, int32_t expected) {
  OwnStream stream;
  DeviceMemory data(std::vector<int32_t>{1 << rank});
  CHECK_OK(HcclAllReduce(data.get(), data.get(), 1, HCCL_DATA_TYPE_INT32, HCCL_REDUCE_SUM, comm,
                         stream));
  CHECK_OK(aclrtSynchronizeStream(stream));
  CHECK_EQ(data.download<int32_t>()[0], expected);
}

// The rank's call on its device fails with this code and words.
void refused(const std::string& text, HcclResult code, const std::vector<std::string>& words,
             uint32_t rank = 0, int32_t device = 2) {
  TableFile table(text);
  HcclComm comm = nullptr;
  CHECK_OK(aclrtSetDevice(device));
  ranks::recentWords();
  const HcclResult result = HcclCommInitClusterInfo(table.path(), rank, &comm);
  const std::string got = ranks::recentWords();
  if (result != code) {
    check::failed(__FILE__, __LINE__, "code " + std::to_string(result) + ": " + got);
  }
  for (const std::string& part : words) {
    if (got.find(part) == std::string::npos) {
      check::failed(__FILE__, __LINE__, "no \"" + part + "\" in: " + got);
    }
  }
}

void refusedField(const std::string& old, const std::string& replacement,
                  const std::vector<std::string>& words) {
  refused(with(kOneServer, old, replacement), HCCL_E_PARA, words);
}

}  // namespace

TEST(the_ranks_of_a_table_form_the_world) {
  TableFile table(ofThisProcess(kOneServer));
  for (bool named : {false, true}) {
    ranks::onThreads(3, [&](uint32_t rank) {
      CHECK_OK(aclrtSetDevice(static_cast<int32_t>(kDevices[rank])));
      HcclComm comm = nullptr;
      HcclCommConfig config;
      HcclCommConfigInit(&config);
      std::snprintf(config.hcclCommName, sizeof config.hcclCommName, "%s", named ? "mine" : "");
      CHECK_OK(named ? HcclCommInitClusterInfoConfig(table.path(), rank, &config, &comm)
                     : HcclCommInitClusterInfo(table.path(), rank, &comm));
      uint32_t id = 99;
      uint32_t size = 0;
      char name[COMM_NAME_MAX_LENGTH];
      CHECK_OK(HcclGetRankId(comm, &id));
      CHECK_OK(HcclGetRankSize(comm, &size));
      CHECK_OK(HcclGetCommName(comm, name));
      CHECK_EQ(id, rank);
      CHECK_EQ(size, 3u);
      CHECK_EQ(std::string(name), named ? "mine" : "hccl_world_group");
      HcclComm found = nullptr;
      CHECK_OK(HcclCommGetHandleWithName(name, &found));
      CHECK(found == comm);
      checkSum(comm, rank, 7);
      // A second world on this device, before the first is gone.
      HcclComm second = nullptr;
      CHECK_FAILS(HCCL_E_PARA, HcclCommInitClusterInfo(table.path(), rank, &second),
                  "already has the world communicator");
      // It is a global communicator, of which others can be made.
      HcclComm sub = nullptr;
      HcclCommConfigInit(&config);
      uint32_t members[] = {2, 1, 0};
      CHECK_OK(HcclCreateSubCommConfig(&comm, 3, members, 4, 2 - rank, &config, &sub));
      checkSum(sub, rank, 7);
      CHECK_OK(HcclCommDestroy(sub));
      CHECK_OK(HcclCommDestroy(comm));
    });
  }
}

TEST(tables_of_several_servers_and_super_pods) {
  TableFile table(ofThisProcess(kTwoServers));
  TableFile copy(ofThisProcess(kTwoServers));
  ranks::onThreads(4, [&](uint32_t rank) {
    HcclComm comm = nullptr;
    CHECK_OK(HcclCommInitClusterInfo(rank % 2 == 0 ? table.path() : copy.path(), rank, &comm));
    checkSum(comm, rank, 15);
    CHECK_OK(HcclCommDestroy(comm));
  });
}

TEST(arguments_and_files) {
  CHECK_OK(aclrtSetDevice(2));
  TableFile table(kOneServer);
  HcclComm comm = nullptr;
  CHECK_FAILS(HCCL_E_PTR, HcclCommInitClusterInfo(nullptr, 0, &comm), "clusterInfo is NULL");
  CHECK_FAILS(HCCL_E_PTR, HcclCommInitClusterInfo(table.path(), 0, nullptr), "comm is NULL");
  CHECK_FAILS(HCCL_E_PTR, HcclCommInitClusterInfoConfig(table.path(), 0, nullptr, &comm),
              "config is NULL");
  CHECK_FAILS(HCCL_E_INTERNAL, HcclCommInitClusterInfo("no/such/table.json", 0, &comm),
              "no/such/table.json", "No such file");
  CHECK_FAILS(HCCL_E_INTERNAL, HcclCommInitClusterInfo(".", 0, &comm), "directory");
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitClusterInfo(std::string(4097, 'x').c_str(), 0, &comm),
              "more than 4096");
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitClusterInfo(table.path(), 3, &comm), "rank is 3", "3 ranks");
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitClusterInfo(table.path(), 1, &comm),
              "rank 1 on device_id 0 of server node_0", "device is 2");
  HcclCommConfig blank{};
  CHECK_FAILS(HCCL_E_PARA, HcclCommInitClusterInfoConfig(table.path(), 0, &blank, &comm),
              "HcclCommConfigInit");
  std::thread([&] {
    CHECK_FAILS(HCCL_E_RUNTIME, HcclCommInitClusterInfo(table.path(), 0, &comm), "aclrtSetDevice");
  }).join();
  refused("{\"status\": ", HCCL_E_INTERNAL, {"is not JSON, see its byte"});
}

TEST(every_field_of_a_table_is_checked) {
  refused("[]", HCCL_E_PARA, {"not an object"});
  refusedField("\"status\": \"completed\", ", "", {"status is missing"});
  refusedField("\"completed\"", "\"initializing\"", {"status is \"initializing\""});
  refusedField("\"completed\"", "1", {"status is not a string"});
  refusedField("\"version\": \"1.0\"", "\"version\": \"2.0\"", {"version is \"2.0\"", "1.2"});
  refusedField("\"version\": \"1.0\"", "\"version\": 1.0", {"version is not a string"});
  refusedField("\"server_count\": \"1\"", "\"server_count\": \"2\"",
               {"server_count is \"2\"", "1 servers"});
  refusedField("\"server_count\": \"1\"", "\"server_count\": \"one\"", {"server_count is \"one\""});
  refusedField("\"server_list\"", "\"servers\"", {"server_list is missing"});
  refusedField("\"server_id\": \"node_0\", ", "", {"server_list[0].server_id is missing"});
  refusedField("node_0", std::string(65, 'x'), {"server_list[0].server_id has 65 characters"});
  refusedField("node_0", "", {"server_list[0].server_id is empty"});
  refusedField("172.16.0.100", "172.16.0.999", {"server_list[0].host_ip", "not an IP address"});
  refusedField("\"device\": [", "\"device\": [], \"other\": [",
               {"server_list[0].device is not a list with at least one element"});
  refusedField("{\"device_id\": \"2\", \"rank_id\": \"0\"}", "\"x\"",
               {"server_list[0].device[0] is not an object"});
  refusedField("\"device_id\": \"2\", ", "", {"server_list[0].device[0].device_id is missing"});
  refusedField("\"device_id\": \"2\"", "\"device_id\": 2",
               {"server_list[0].device[0].device_id is not a string"});
  refusedField("\"device_id\": \"2\"", "\"device_id\": \"-2\"", {"device_id is \"-2\""});
  refusedField("\"device_id\": \"0\"", "\"device_id\": \"2\"",
               {"server_list[0].device[1].device_id repeats \"2\"", "device[0]"});
  refusedField("192.168.1.8", "192.168.1", {"server_list[0].device[1].device_ip"});
  refusedField("16667", "70000", {"server_list[0].device[1].device_port is \"70000\""});
  refusedField("60001", "x", {"server_list[0].device[2].host_port is \"x\""});
  refusedField(", \"rank_id\": \"0\"", "", {"server_list[0].device[0].rank_id is missing"});
  refusedField("\"rank_id\": \"1\"", "\"rank_id\": \"2\"",
               {"server_list[0].device", "rank_id"});
  refusedField("\"rank_id\": \"2\"", "\"rank_id\": \"3\"", {"rank_id"});
  refused(R"({"group_count": "1", "group_list": []})", HCCL_E_PARA, {"group_list", "old format"});
}

TEST(rules_between_servers_are_checked) {
  const auto bad = [](const std::string& old, const std::string& replacement,
                      const std::vector<std::string>& words) {
    refused(with(kTwoServers, old, replacement), HCCL_E_PARA, words, 0, 0);
  };
  bad("\"server_id\": \"node_1\", \"device\"", "\"server_id\": \"node_0\", \"device\"",
      {"server_list[1].server_id repeats \"node_0\""});
  bad("\"device_ip\": \"192.168.1.6\", ", "", {"server_list[0].device[0].device_ip is missing"});
  bad("\"super_device_id\": \"2\", ", "", {"server_list[1].device[0].super_device_id is missing"});
  bad("\"192.168.1.7\",\n       \"backup_device_ip\": \"192.168.1.6\"",
      "\"192.168.1.7\", \"backup_device_ip\": \"none\"", {"backup_device_ip is \"none\""});
  bad("\"rank_id\": \"1\"", "\"rank_id\": \"2\"", {"rank_id"});
  // Ranks of the servers in turn.
  std::string mixed = with(kTwoServers, "\"rank_id\": \"1\"", "\"rank_id\": \"x\"");
  mixed = with(mixed, "\"rank_id\": \"2\"", "\"rank_id\": \"1\"");
  mixed = with(mixed, "\"rank_id\": \"x\"", "\"rank_id\": \"2\"");
  refused(mixed, HCCL_E_PARA, {"server_list[0].device has the rank_id", "follow each other"}, 0, 0);
  bad("\"super_pod_list\"", "\"super_pods\"", {"super_pod_list is missing"});
  bad("{\"server_id\": \"node_0\"}, ", "", {"super_pod_list lacks the server_id \"node_0\""});
  bad("{\"server_id\": \"node_1\"}]", "{\"server_id\": \"node_7\"}]",
      {"super_pod_list[0].server_list[1].server_id \"node_7\" is not in the server_list"});
  bad("{\"server_id\": \"node_1\"}]", "{\"server_id\": \"node_0\"}]",
      {"super_pod_list[0].server_list[1].server_id \"node_0\" is in the super_pod_list twice"});
}

TEST(ranks_with_contradicting_tables_and_missing_ranks) {
  // Both think to be rank 1.
  const std::string own = ofThisProcess(kOneServer);
  TableFile table(own);
  std::string other = with(own, "\"rank_id\": \"1\"", "\"rank_id\": \"x\"");
  other = with(other, "\"rank_id\": \"2\"", "\"rank_id\": \"1\"");
  TableFile swapped(with(other, "\"rank_id\": \"x\"", "\"rank_id\": \"2\""));
  const ranks::TimeLimit limit(2000);
  ranks::onThreads(3, [&](uint32_t rank) {
    const uint32_t device = rank == 0 ? 2 : rank - 1;
    CHECK_OK(aclrtSetDevice(static_cast<int32_t>(device)));
    HcclComm comm = nullptr;
    CHECK_FAILS(HCCL_E_PARA,
                HcclCommInitClusterInfo(rank == 2 ? swapped.path() : table.path(),
                                        rank == 0 ? 0 : 1, &comm),
                "are the same rank");
  });
  ranks::onThreads(2, [&](uint32_t rank) {
    CHECK_OK(aclrtSetDevice(static_cast<int32_t>(kDevices[rank])));
    HcclComm comm = nullptr;
    CHECK_FAILS(HCCL_E_TIMEOUT, HcclCommInitClusterInfo(table.path(), rank, &comm),
                "rank 2 of 3 did not come");
  });
}
