// SPDX-License-Identifier: Apache-2.0
#include "hccl/messages.hpp"

#include <stdexcept>

#include "runtime/options.hpp"

namespace cann4j::hccl {
namespace {

void put(ipc::Writer& writer, const Settings& settings) {
  const auto& [connectTimeout, execTimeout, connectVariable, execVariable, bufferSize,
               deterministic, name] = settings;
  writer.put(connectTimeout).put(execTimeout).put(connectVariable).put(execVariable);
  writer.put(bufferSize).put(deterministic).put(name);
}

Settings readSettings(ipc::Reader& message) {
  Settings settings;
  settings.connectTimeout = message.get<std::chrono::milliseconds>();
  settings.execTimeout = message.get<std::chrono::milliseconds>();
  settings.connectTimeoutVariable = message.getText();
  settings.execTimeoutVariable = message.getText();
  settings.bufferSizeMb = message.get<uint32_t>();
  settings.deterministic = message.get<uint32_t>();
  settings.name = message.getText();
  return settings;
}

void put(ipc::Writer& writer, const Candidate& candidate) {
  writer.put(candidate.size).put(candidate.rank).put(candidate.device);
  writer.put(options().physicalDevices[static_cast<size_t>(candidate.device)]);
  put(writer, candidate.settings);
}

Candidate readCandidate(ipc::Reader& message) {
  Candidate candidate;
  candidate.size = message.get<uint32_t>();
  candidate.rank = message.get<uint32_t>();
  candidate.device = message.get<int>();
  candidate.physicalDevice = message.get<int>();
  candidate.settings = readSettings(message);
  if (candidate.rank >= candidate.size) {
    throw std::runtime_error("no such rank");
  }
  return candidate;
}

// Whether a buffer is live is known to its owner alone.
void put(ipc::Writer& writer, const Buffer& buffer) {
  writer.put(buffer.device).put(buffer.bytes).put(!buffer.isLive());
}

Buffer readBuffer(ipc::Reader& message, const RemoteMemory& memory) {
  Buffer buffer;
  buffer.device = message.get<const void*>();
  buffer.bytes = message.get<size_t>();
  buffer.isFreed = message.get<bool>();
  if (buffer.bytes > 0) {
    buffer.mapped = memory.host(buffer.device, buffer.bytes);
    if (buffer.mapped == nullptr) {
      throw std::runtime_error("a buffer outside the device");
    }
  }
  return buffer;
}

void put(ipc::Writer& writer, const Layout& layout) {
  writer.put(layout.counts).put(layout.displacements);
}

Layout readLayout(ipc::Reader& message) {
  Layout layout;
  layout.counts = message.getList<uint64_t>();
  layout.displacements = message.getList<uint64_t>();
  return layout;
}

}  // namespace

std::string protocolName() {
  return "cann4j " CANN4J_VERSION " " + std::to_string(sizeof(Call)) + " " +
         std::to_string(sizeof(Arrival));
}

ipc::Writer write(Kind kind) {
  ipc::Writer writer;
  writer.put(kind);
  return writer;
}

ipc::Writer write(const Join& join) {
  ipc::Writer writer = write(Kind::kJoin);
  writer.put(join.protocol).put(join.key).put(join.base).put(join.span);
  put(writer, join.candidate);
  return writer;
}

Join readJoin(ipc::Reader& message) {
  Join join;
  join.protocol = message.getText();
  if (join.protocol != protocolName()) {
    return join;  // the rest may look different
  }
  join.key = message.getText();
  join.base = message.get<uintptr_t>();
  join.span = message.get<size_t>();
  join.candidate = readCandidate(message);
  return join;
}

ipc::Writer write(const JoinSub& join) {
  ipc::Writer writer = write(Kind::kJoinSub);
  writer.put(join.subCommId).put(join.ranks);
  put(writer, join.candidate);
  return writer;
}

JoinSub readJoinSub(ipc::Reader& message) {
  JoinSub join;
  join.subCommId = message.get<uint64_t>();
  join.ranks = message.getList<uint32_t>();
  join.candidate = readCandidate(message);
  return join;
}

static void put(ipc::Writer& writer, const Welcome& welcome) {
  writer.put(welcome.name).put(welcome.devices).put(welcome.processes);
}

ipc::Writer write(const Welcome& welcome) {
  ipc::Writer writer = write(Kind::kWelcome);
  put(writer, welcome);
  return writer;
}

Welcome readWelcome(ipc::Reader& message) {
  Welcome welcome;
  welcome.name = message.getText();
  welcome.devices = message.getList<int>();
  welcome.processes = message.getList<int>();
  return welcome;
}

ipc::Writer write(const Hosting& hosting) {
  ipc::Writer writer = write(Kind::kHost);
  put(writer, hosting.identity);
  put(writer, hosting.settings);
  writer.put(hosting.hasLeft);
  return writer;
}

Hosting readHosting(ipc::Reader& message) {
  Hosting hosting;
  hosting.identity = readWelcome(message);
  hosting.settings = readSettings(message);
  hosting.hasLeft = message.getList<uint8_t>();
  return hosting;
}

ipc::Writer write(uint64_t number, const std::vector<Posted>& posts) {
  ipc::Writer writer = write(Kind::kPost);
  writer.put(number).put(static_cast<uint32_t>(posts.size()));
  for (const auto& [call, ticket, buffer, waiter] : posts) {
    writer.put(call).put(ticket);
    put(writer, buffer);
  }
  return writer;
}

std::vector<Posted> readPosts(ipc::Reader& message, const RemoteMemory& memory) {
  std::vector<Posted> posts;
  for (auto count = message.get<uint32_t>(); count > 0; --count) {
    Posted& posted = posts.emplace_back();
    posted.call = message.get<Call>();
    posted.ticket = message.get<uint64_t>();
    posted.buffer = readBuffer(message, memory);
  }
  return posts;
}

ipc::Writer write(uint64_t number, uint64_t sequence, const Arrival& arrival) {
  const auto& [call, send, receive, sendLayout, receiveLayout, matrix, waiter] = arrival;
  ipc::Writer writer = write(Kind::kArrive);
  writer.put(number).put(sequence).put(call);
  put(writer, send);
  put(writer, receive);
  put(writer, sendLayout);
  put(writer, receiveLayout);
  writer.put(matrix);
  return writer;
}

Arrival readArrival(ipc::Reader& message, const RemoteMemory& memory) {
  Arrival arrival;
  arrival.call = message.get<Call>();
  arrival.send = readBuffer(message, memory);
  arrival.receive = readBuffer(message, memory);
  arrival.sendLayout = readLayout(message);
  arrival.receiveLayout = readLayout(message);
  arrival.matrix = message.getList<uint64_t>();
  return arrival;
}

ipc::Writer write(Kind kind, const std::string& words) {
  ipc::Writer writer = write(kind);
  writer.put(words);
  return writer;
}

}  // namespace cann4j::hccl
