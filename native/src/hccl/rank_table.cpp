// SPDX-License-Identifier: Apache-2.0
#include "hccl/rank_table.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>

#include "runtime/error.hpp"
#include "runtime/json.hpp"

namespace cann4j::hccl {
namespace {

constexpr size_t kLongestPath = 4096;
constexpr size_t kLongestServerId = 64;

// What is wrong with a table; begins with the field.
struct BadTable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A part of the table and where it is, for words.
struct Node {
  const Json* json;
  std::string where;

  bool has(const char* name) const { return json->find(name) != nullptr; }

  Node at(const char* name) const {
    const Json* member = json->find(name);
    const std::string path = where.empty() ? name : where + "." + name;
    if (member == nullptr) {
      throw BadTable(path + " is missing");
    }
    return {member, path};
  }

  std::string text(const char* name) const {
    const Node node = at(name);
    const std::string* text = node.json->string();
    if (text == nullptr) {
      throw BadTable(node.where + " is not a string; all values are, numbers too");
    }
    if (text->empty()) {
      throw BadTable(node.where + " is empty");
    }
    return *text;
  }

  uint32_t number(const char* name, uint32_t least, uint32_t most) const {
    const std::string value = text(name);
    const bool digits = std::all_of(value.begin(), value.end(), [](unsigned char c) {
      return std::isdigit(c) != 0;
    });
    const unsigned long number = digits && value.size() <= 9 ? std::stoul(value) : 0;
    if (!digits || value.size() > 9 || number < least || number > most) {
      throw BadTable(at(name).where + " is \"" + value + "\", not a whole number from " +
                     std::to_string(least) + " to " + std::to_string(most));
    }
    return static_cast<uint32_t>(number);
  }

  void checkAddress(const char* name) const {
    if (!has(name)) {
      return;
    }
    const std::string value = text(name);
    char parsed[sizeof(in6_addr)];
    if (inet_pton(AF_INET, value.c_str(), parsed) != 1 &&
        inet_pton(AF_INET6, value.c_str(), parsed) != 1) {
      throw BadTable(at(name).where + " is \"" + value + "\", not an IP address");
    }
  }

  void checkPort(const char* name) const {
    if (has(name)) {
      number(name, 1, 65535);
    }
  }

  std::vector<Node> list(const char* name) const {
    const Node node = at(name);
    if (node.json->kind() != Json::Kind::kArray || node.json->items().empty()) {
      throw BadTable(node.where + " is not a list with at least one element");
    }
    std::vector<Node> elements;
    for (const Json& item : node.json->items()) {
      elements.push_back({&item, node.where + "[" + std::to_string(elements.size()) + "]"});
      if (!item.isObject()) {
        throw BadTable(elements.back().where + " is not an object");
      }
    }
    return elements;
  }
};

constexpr uint32_t kMostRanks = 1U << 20;

class Reader {
 public:
  explicit Reader(const Json& json) : root_{&json, ""} {}

  RankTable read() {
    if (!root_.json->isObject()) {
      throw BadTable("the whole is not an object");
    }
    if (root_.has("group_list")) {
      throw BadTable("group_list is of the old format of Atlas training cards, which is not "
                     "supported; write version 1.0 with server_list");
    }
    if (const std::string status = root_.text("status"); status != "completed") {
      throw BadTable("status is \"" + status + "\", not \"completed\"");
    }
    table_.version = root_.text("version");
    if (table_.version != "1.0" && table_.version != "1.2") {
      throw BadTable("version is \"" + table_.version + "\"; known are \"1.0\" and \"1.2\"");
    }
    const std::vector<Node> servers = root_.list("server_list");
    const uint32_t count = root_.number("server_count", 1, kMostRanks);
    if (count != servers.size()) {
      throw BadTable("server_count is \"" + std::to_string(count) + "\", but server_list has " +
                     std::to_string(servers.size()) + " servers");
    }
    for (const Node& server : servers) {
      readServer(server, servers.size() > 1);
    }
    takeRanks();
    if (table_.version == "1.2") {
      readPods();
    }
    return table_;
  }

 private:
  struct Place {
    RankTable::Device device;
    std::string where;
  };

  void readServer(const Node& server, bool several) {
    const std::string id = server.text("server_id");
    if (id.size() > kLongestServerId) {
      throw BadTable(server.where + ".server_id has " + std::to_string(id.size()) +
                     " characters; at most " + std::to_string(kLongestServerId));
    }
    if (!servers_.insert(id).second) {
      throw BadTable(server.where + ".server_id repeats \"" + id + "\"");
    }
    server.checkAddress("host_ip");
    std::map<uint32_t, std::string> devices;
    uint32_t lowest = UINT32_MAX;
    uint32_t highest = 0;
    for (const Node& device : server.list("device")) {
      const uint32_t rank = readDevice(device, id, several, &devices);
      lowest = std::min(lowest, rank);
      highest = std::max(highest, rank);
    }
    if (highest - lowest + 1 != devices.size()) {
      throw BadTable(server.where + ".device has the rank_id \"" + std::to_string(lowest) +
                     "\" to \"" + std::to_string(highest) + "\" on " +
                     std::to_string(devices.size()) +
                     " devices; the ranks of one server follow each other");
    }
  }

  uint32_t readDevice(const Node& device, const std::string& server, bool several,
                      std::map<uint32_t, std::string>* devices) {
    const uint32_t id = device.number("device_id", 0, 1023);
    const uint32_t rank = device.number("rank_id", 0, kMostRanks - 1);
    const auto [other, isNew] = devices->emplace(id, device.where);
    if (!isNew) {
      throw BadTable(device.where + ".device_id repeats \"" + std::to_string(id) + "\" of " +
                     other->second);
    }
    if (several) {
      device.text("device_ip");  // wanted as soon as there are several servers
    }
    for (const char* name : {"device_ip", "backup_device_ip"}) {
      device.checkAddress(name);
    }
    for (const char* name : {"device_port", "host_port", "backup_device_port"}) {
      device.checkPort(name);
    }
    if (table_.version == "1.2") {
      device.text("super_device_id");
    }
    const auto [place, isFirst] = places_.emplace(rank, Place{{server, id}, device.where});
    if (!isFirst) {
      throw BadTable(device.where + ".rank_id repeats \"" + std::to_string(rank) + "\" of " +
                     place->second.where);
    }
    return rank;
  }

  void takeRanks() {
    for (const auto& [rank, place] : places_) {
      if (rank != table_.ranks.size()) {
        throw BadTable("rank_id \"" + std::to_string(table_.ranks.size()) +
                       "\" is missing; the " + std::to_string(places_.size()) +
                       " ranks are numbered from 0 without gaps");
      }
      table_.ranks.push_back(place.device);
    }
  }

  void readPods() {
    std::set<std::string> seen;
    std::set<std::string> pods;
    for (const Node& pod : root_.list("super_pod_list")) {
      const std::string id = pod.text("super_pod_id");
      if (!pods.insert(id).second) {
        throw BadTable(pod.where + ".super_pod_id repeats \"" + id + "\"");
      }
      for (const Node& server : pod.list("server_list")) {
        const std::string serverId = server.text("server_id");
        if (servers_.count(serverId) == 0) {
          throw BadTable(server.where + ".server_id \"" + serverId +
                         "\" is not in the server_list of the table");
        }
        if (!seen.insert(serverId).second) {
          throw BadTable(server.where + ".server_id \"" + serverId +
                         "\" is in the super_pod_list twice");
        }
      }
    }
    for (const std::string& server : servers_) {
      if (seen.count(server) == 0) {
        throw BadTable("super_pod_list lacks the server_id \"" + server + "\"");
      }
    }
  }

  const Node root_;
  RankTable table_;
  std::set<std::string> servers_;
  std::map<uint32_t, Place> places_;
};

}  // namespace

std::string RankTable::key() const {
  std::set<std::string> devices;
  for (const Device& device : ranks) {
    devices.insert(device.server + '/' + std::to_string(device.device));
  }
  std::string key = "rank table " + version;
  for (const std::string& device : devices) {
    key += ' ' + device;
  }
  return key;
}

HcclResult readRankTable(const char* function, const char* path, RankTable* table) {
  if (strnlen(path, kLongestPath + 1) > kLongestPath) {
    return fail(HCCL_E_PARA, "%s: clusterInfo is a path of more than %zu characters", function,
                kLongestPath);
  }
  std::string text;
  if (!readFile(path, &text)) {
    return fail(HCCL_E_INTERNAL, "%s: cannot read the rank table %s: %s", function, path,
                std::strerror(errno));
  }
  size_t position = 0;
  const std::optional<Json> json = Json::parse(text, &position);
  if (!json.has_value()) {
    return fail(HCCL_E_INTERNAL, "%s: the rank table %s is not JSON, see its byte %zu", function,
                path, position);
  }
  try {
    *table = Reader(*json).read();
    return HCCL_SUCCESS;
  } catch (const BadTable& bad) {
    return fail(HCCL_E_PARA, "%s: rank table %s: %s", function, path, bad.what());
  }
}

}  // namespace cann4j::hccl
