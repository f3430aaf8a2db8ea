// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "hccl/hccl.h"

namespace cann4j::hccl {

// What a communicator was asked to be, from its configuration and the environment at the time of
// its creation.
struct Settings {
  static constexpr std::chrono::milliseconds kNoLimit = std::chrono::milliseconds::max();

  std::chrono::milliseconds connectTimeout{};
  std::chrono::milliseconds execTimeout{};  // kNoLimit: waits forever
  // The variable to change when the time was too short, for messages.
  std::string connectTimeoutVariable;
  std::string execTimeoutVariable;
  uint32_t bufferSizeMb = 0;
  uint32_t deterministic = 0;
  std::string name;  // empty: to be chosen

  // What all ranks have to agree on.
  bool agrees(const Settings& other) const;
  std::string describe() const;
};

// `config` may be null. On failure the words are recorded.
HcclResult readSettings(const char* function, const HcclCommConfig* config, Settings* settings);

// The determinism that HcclSetConfig chose; without a choice the one of HCCL_DETERMINISTIC.
// Reductions have one fixed order here in any case.
HcclResult deterministicLevel(const char* function, uint32_t* level);
void setDeterministicLevel(uint32_t level);

}  // namespace cann4j::hccl
