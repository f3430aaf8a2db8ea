// SPDX-License-Identifier: Apache-2.0
// The C functions that query, configure, suspend and destroy communicators.
#include <cstring>
#include <iterator>

#include "hccl/creation.hpp"
#include "runtime/error.hpp"
#include "runtime/options.hpp"

namespace cann4j::hccl {
namespace {

// Runs `answer` with the communicator; `out` is where the answer goes.
template <class Answer>
HcclResult query(const char* function, HcclComm comm, const char* outName, const void* out,
                 const Answer& answer) {
  return guarded(HCCL_E_INTERNAL, function, [&] {
    HcclResult result = requirePointer(function, "comm", comm);
    if (result == HCCL_SUCCESS) {
      result = requireOnHost(function, outName, out);
    }
    if (result != HCCL_SUCCESS) {
      return result;
    }
    std::shared_ptr<Communicator> communicator = findCommunicator(function, comm);
    if (communicator == nullptr) {
      return HCCL_E_PARA;
    }
    answer(*communicator);
    return HCCL_SUCCESS;
  });
}

HcclResult requireKnownConfig(const char* function, HcclConfig config) {
  return config == HCCL_DETERMINISTIC
             ? HCCL_SUCCESS
             : fail(HCCL_E_PARA, "%s: config %d is unknown; only HCCL_DETERMINISTIC (0) is",
                    function, static_cast<int>(config));
}

HcclResult getHandleWithName(const char* commName, HcclComm* comm) {
  const char* function = "HcclCommGetHandleWithName";
  int device = -1;
  HcclResult result = requireOnHost(function, "commName", commName);
  if (result == HCCL_SUCCESS) {
    result = requireOnHost(function, "comm", comm);
  }
  if (result == HCCL_SUCCESS) {
    result = requireDevice(function, &device);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  // Ranks of one process share the name; each is told apart by its device.
  HcclComm found = findByName(device, std::string(commName, strnlen(commName, COMM_NAME_MAX_LENGTH)));
  if (found == nullptr) {
    return fail(HCCL_E_NOT_FOUND, "%s: device %d has no communicator named %.*s", function, device,
                COMM_NAME_MAX_LENGTH, commName);
  }
  *comm = found;
  return HCCL_SUCCESS;
}

}  // namespace
}  // namespace cann4j::hccl

using namespace cann4j;
using namespace cann4j::hccl;

extern "C" {

HcclResult HcclCommDestroy(HcclComm comm) {
  return comm == nullptr ? HCCL_SUCCESS : guarded(HCCL_E_INTERNAL, "HcclCommDestroy", [&] {
    return destroyCommunicator("HcclCommDestroy", comm);
  });
}

HcclResult HcclSetConfig(HcclConfig config, HcclConfigValue configValue) {
  const HcclResult result = requireKnownConfig("HcclSetConfig", config);
  if (result != HCCL_SUCCESS) {
    return result;
  }
  if (configValue.value < 0 || configValue.value > 2) {
    return fail(HCCL_E_PARA, "HcclSetConfig: value %d; use 0 (off), 1 (on) or 2 (strict)",
                configValue.value);
  }
  setDeterministicLevel(static_cast<uint32_t>(configValue.value));
  return HCCL_SUCCESS;
}

HcclResult HcclGetConfig(HcclConfig config, HcclConfigValue* configValue) {
  uint32_t level = 0;
  HcclResult result = requireOnHost("HcclGetConfig", "configValue", configValue);
  if (result == HCCL_SUCCESS) {
    result = requireKnownConfig("HcclGetConfig", config);
  }
  if (result == HCCL_SUCCESS) {
    result = deterministicLevel("HcclGetConfig", &level);
  }
  if (result == HCCL_SUCCESS) {
    configValue->value = static_cast<int32_t>(level);
  }
  return result;
}

HcclResult HcclGetCommName(HcclComm comm, char* commName) {
  return query("HcclGetCommName", comm, "commName", commName, [&](const Communicator& found) {
    std::memset(commName, 0, COMM_NAME_MAX_LENGTH);
    found.name().copy(commName, COMM_NAME_MAX_LENGTH - 1);
  });
}

HcclResult HcclCommGetHandleWithName(const char* commName, HcclComm* comm) {
  return guarded(HCCL_E_INTERNAL, "HcclCommGetHandleWithName",
                 [&] { return getHandleWithName(commName, comm); });
}

HcclResult HcclGetRankSize(HcclComm comm, uint32_t* rankSize) {
  return query("HcclGetRankSize", comm, "rankSize", rankSize,
               [&](const Communicator& found) { *rankSize = found.size(); });
}

HcclResult HcclGetRankId(HcclComm comm, uint32_t* rank) {
  return query("HcclGetRankId", comm, "rank", rank,
               [&](const Communicator& found) { *rank = found.rank(); });
}

HcclResult HcclGetCommAsyncError(HcclComm comm, HcclResult* asyncError) {
  return query("HcclGetCommAsyncError", comm, "asyncError", asyncError,
               [&](const Communicator& found) {
                 *asyncError = found.group()->failure() == nullptr ? HCCL_SUCCESS : HCCL_E_REMOTE;
               });
}

HcclResult HcclCommSuspend(HcclComm comm) {
  return query("HcclCommSuspend", comm, "comm", comm,
               [](Communicator& found) { found.suspend(); });
}

HcclResult HcclCommResume(HcclComm comm) {
  return query("HcclCommResume", comm, "comm", comm, [](Communicator& found) { found.resume(); });
}

const char* HcclGetErrorString(HcclResult code) {
  static constexpr const char* kTexts[] = {"success",
                                           "invalid parameter",
                                           "null pointer",
                                           "memory failure",
                                           "internal error",
                                           "not supported",
                                           "not found",
                                           "resource unavailable",
                                           "system call failed",
                                           "timed out",
                                           "cannot open file",
                                           "TCP connection failed",
                                           "RoCE connection failed",
                                           "TCP transfer failed",
                                           "RoCE transfer failed",
                                           "runtime call failed",
                                           "driver call failed",
                                           "profiling call failed",
                                           "CCE call failed",
                                           "network failure",
                                           "busy, try again",
                                           "remote rank or transfer failed",
                                           "communicator is suspending",
                                           "retrying the operation failed",
                                           "out of device memory"};
  if (code == HCCL_E_IN_STATUS) {
    return "communicator is in a state that forbids this";
  }
  auto index = static_cast<unsigned>(code);
  return index < std::size(kTexts) ? kTexts[index] : "unknown error";
}

uint32_t HcclGetCommConfigCapability(void) {
  // What CANN 8.1 calls RESERVED has another meaning since.
  return options().is81 ? HCCL_COMM_CONFIG_WORLD_RANKID : HCCL_COMM_CONFIG_RESERVED;
}

}  // extern "C"
