// SPDX-License-Identifier: Apache-2.0
#include "hccl/group.hpp"

#include <cstdio>

namespace cann4j::hccl {

std::string Group::freedBuffer(const Call& call, const Buffer& buffer) {
  char address[2 + 2 * sizeof(void*) + 1];
  std::snprintf(address, sizeof address, "%p", buffer.device);
  return "rank " + std::to_string(call.rank) + " freed the " + std::to_string(buffer.bytes) +
         " bytes at " + address + " before its " + describe(call) + " was carried out";
}

}  // namespace cann4j::hccl
