// SPDX-License-Identifier: Apache-2.0
#include "hccl/collective.hpp"

#include "hccl/copy.hpp"
#include "hccl/reduce.hpp"

namespace cann4j::hccl {
namespace {

std::string rankCalled(const Call& call) {
  return "rank " + std::to_string(call.rank) + " called " + describe(call);
}

// Empty if what `sender` sends to `receiver` is what that one expects.
std::string compareBlock(const Arrival& sender, const Arrival& receiver) {
  uint64_t sent = sender.sendLayout.counts[receiver.call.rank];
  uint64_t expected = receiver.receiveLayout.counts[sender.call.rank];
  if (sent == expected) {
    return {};
  }
  return "HcclAlltoAllV: rank " + std::to_string(sender.call.rank) + " sends " +
         std::to_string(sent) + " elements to rank " + std::to_string(receiver.call.rank) +
         " (sendCounts), which expects " + std::to_string(expected) + " (recvCounts)";
}

std::vector<Block> allGatherBlocks(const std::vector<Arrival>& arrivals) {
  std::vector<Block> blocks;
  for (const Arrival& target : arrivals) {
    for (const Arrival& source : arrivals) {
      size_t bytes = source.send.bytes;
      blocks.push_back(
          {source.send.host(), target.receive.host() + source.call.rank * bytes, bytes});
    }
  }
  return blocks;
}

std::vector<Block> allToAllBlocks(const std::vector<Arrival>& arrivals) {
  std::vector<Block> blocks;
  for (const Arrival& target : arrivals) {
    for (const Arrival& source : arrivals) {
      size_t bytes = source.call.count * elementSize(source.call.type);
      blocks.push_back({source.send.host() + target.call.rank * bytes,
                        target.receive.host() + source.call.rank * bytes, bytes});
    }
  }
  return blocks;
}

std::vector<Block> allToAllVBlocks(const std::vector<Arrival>& arrivals) {
  std::vector<Block> blocks;
  for (const Arrival& target : arrivals) {
    for (const Arrival& source : arrivals) {
      uint64_t count = source.sendLayout.counts[target.call.rank];
      if (count == 0) {
        continue;
      }
      size_t size = elementSize(source.call.type);
      blocks.push_back(
          {source.send.host() + source.sendLayout.displacements[target.call.rank] * size,
           target.receive.host() + target.receiveLayout.displacements[source.call.rank] * size,
           count * size});
    }
  }
  return blocks;
}

void allReduce(const std::vector<Arrival>& arrivals) {
  std::vector<const void*> sources;
  std::vector<void*> targets;
  for (const Arrival& arrival : arrivals) {
    sources.push_back(arrival.send.host());
    targets.push_back(arrival.receive.host());
  }
  const Call& call = arrivals.front().call;
  reduceToAll(sources, targets, call.count, call.type, call.reduce);
}

}  // namespace

std::string compare(const Arrival& a, const Arrival& b) {
  if (!agree(a.call, b.call)) {
    return rankCalled(a.call) + ", but " + rankCalled(b.call);
  }
  if (a.call.op != Op::kAllToAllV) {
    return {};
  }
  std::string words = compareBlock(a, b);
  return words.empty() ? compareBlock(b, a) : words;
}

void runCollective(const std::vector<Arrival>& arrivals) {
  switch (arrivals.front().call.op) {
    case Op::kAllGather:
      copyBlocks(allGatherBlocks(arrivals));
      break;
    case Op::kAllToAll:
      copyBlocks(allToAllBlocks(arrivals));
      break;
    case Op::kAllToAllV:
      copyBlocks(allToAllVBlocks(arrivals));
      break;
    case Op::kAllReduce:
      allReduce(arrivals);
      break;
    default:  // a barrier moves nothing
      break;
  }
}

}  // namespace cann4j::hccl
