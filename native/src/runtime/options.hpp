// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "acl/acl_base.h"

namespace cann4j {

inline constexpr int kMaxDevices = 64;

// The environment, read once.
struct Options {
  int allDevices = 8;                           // CANN4J_CPU_DEVICES
  int devices = 8;                              // those of them that are visible
  std::vector<int> physicalDevices;             // of each of them: ASCEND_RT_VISIBLE_DEVICES
  int threads = 1;                              // CANN4J_CPU_THREADS, default: all processors
  uint64_t deviceMemory = 0;                    // CANN4J_CPU_DEVICE_MEMORY, default 32G
  bool debug = false;                           // CANN4J_CPU_DEBUG: undefined memory holds 0xFF bytes
  bool strict = false;                          // CANN4J_CPU_STRICT: views must be 32-byte aligned
  bool randomSchedule = false;                  // CANN4J_CPU_SCHEDULE=random:SEED
  uint64_t scheduleSeed = 0;
  bool is81 = false;                            // CANN4J_CPU_VERSION=8.1
  std::string instructionSet;                   // CANN4J_CPU_ISA, default: the best; empty if it is none
  std::string error;                            // what is wrong with them, empty if nothing
};

const Options& options();

// Which of `count` devices a process may use, as CANN reads ASCEND_RT_VISIBLE_DEVICES: numbers that
// ascend, up to the first thing that is something else. NULL or empty: all.
std::vector<int> visibleDevices(const char* text, int count);

// ACL_ERROR_INVALID_PARAM, with words, if an environment variable has a value that makes no sense.
aclError checkOptions();

}  // namespace cann4j
