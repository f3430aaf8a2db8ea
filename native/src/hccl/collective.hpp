// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hccl/call.hpp"
#include "hccl/waiter.hpp"
#include "runtime/memory.hpp"

namespace cann4j::hccl {

// A range of device memory.
struct Buffer {
  const void* device = nullptr;  // as its owner addresses it
  size_t bytes = 0;
  char* mapped = nullptr;  // if the owner is another process: where its memory is mapped here,
  bool isFreed = false;    // and whether it says that it has freed the buffer

  char* host() const { return mapped != nullptr ? mapped : static_cast<char*>(toHost(device)); }
  bool isLive() const {
    return bytes == 0 || (mapped != nullptr ? !isFreed : isDeviceRange(device, bytes));
  }
};

// Where in a buffer the block for or from each rank lies, in elements. AlltoAllV and AlltoAllVC have
// one for each side, AllGatherV for receiving, ReduceScatterV for sending.
struct Layout {
  std::vector<uint64_t> counts;
  std::vector<uint64_t> displacements;
};

// What one rank brings to a collective operation.
struct Arrival {
  Call call;
  Buffer send;
  Buffer receive;
  Layout sendLayout;
  Layout receiveLayout;
  std::vector<uint64_t> matrix;  // of AlltoAllVC: counts by sender and receiver
  std::shared_ptr<Waiter> waiter;
};

// Why two ranks' parts do not belong to the same operation; empty if they do.
std::string compare(const Arrival& a, const Arrival& b);

// Moves the data of an operation to which all ranks have come; arrivals[r] is that of rank r.
void runCollective(const std::vector<Arrival>& arrivals);

}  // namespace cann4j::hccl
