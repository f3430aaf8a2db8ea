// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hccl/hccl.h"

namespace cann4j::hccl {

// Which device every rank is on, as a file of version 1.0 or 1.2 says.
struct RankTable {
  struct Device {
    std::string server;
    uint32_t device = 0;
  };

  std::string version;
  std::vector<Device> ranks;  // by rank_id

  // The same for all tables with the same devices, however these are numbered: so ranks with
  // tables that contradict each other meet and find out.
  std::string key() const;
};

// Records words, naming the field, when it refuses.
HcclResult readRankTable(const char* function, const char* path, RankTable* table);

}  // namespace cann4j::hccl
