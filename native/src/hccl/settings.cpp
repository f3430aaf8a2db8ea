// SPDX-License-Identifier: Apache-2.0
#include "hccl/settings.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kUnset = -1;
constexpr char kOwnTimeout[] = "CANN4J_CPU_HCCL_TIMEOUT_MS";

std::atomic<int64_t> chosenDeterminism{kUnset};

// kUnset if the variable is absent or empty.
HcclResult readNumber(const char* function, const char* variable, int64_t least, int64_t most,
                      int64_t* value) {
  const char* text = std::getenv(variable);
  *value = kUnset;
  if (text == nullptr || *text == '\0') {
    return HCCL_SUCCESS;
  }
  char* end = nullptr;
  errno = 0;
  long long number = std::strtoll(text, &end, 10);
  if (errno != 0 || *end != '\0' || number < least || number > most) {
    return fail(
        HCCL_E_PARA,
        "%s: environment variable %s is \"%s\"; set a whole number from %lld to %lld, or unset it",
        function, variable, text, static_cast<long long>(least), static_cast<long long>(most));
  }
  *value = number;
  return HCCL_SUCCESS;
}

HcclResult readEnvironment(const char* function, Settings* settings) {
  int64_t own = 0;
  int64_t connect = 0;
  int64_t exec = 0;
  int64_t bufferSize = 0;
  HcclResult result = readNumber(function, kOwnTimeout, 1, INT32_MAX, &own);
  if (result == HCCL_SUCCESS) {
    result = readNumber(function, "HCCL_CONNECT_TIMEOUT", 120, 7200, &connect);
  }
  if (result == HCCL_SUCCESS) {
    result = readNumber(function, "HCCL_EXEC_TIMEOUT", 0, INT32_MAX, &exec);
  }
  if (result == HCCL_SUCCESS) {
    result = readNumber(function, "HCCL_BUFFSIZE", 1, UINT32_MAX - 1, &bufferSize);
  }
  if (result == HCCL_SUCCESS) {
    result = deterministicLevel(function, &settings->deterministic);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  settings->bufferSizeMb = bufferSize == kUnset ? 200 : static_cast<uint32_t>(bufferSize);
  if (own != kUnset) {
    settings->connectTimeout = milliseconds(own);
    settings->execTimeout = milliseconds(own);
    settings->connectTimeoutVariable = kOwnTimeout;
    settings->execTimeoutVariable = kOwnTimeout;
    return HCCL_SUCCESS;
  }
  settings->connectTimeout = std::chrono::seconds(connect == kUnset ? 120 : connect);
  settings->connectTimeoutVariable = "HCCL_CONNECT_TIMEOUT";
  if (exec == 0) {
    settings->execTimeout = Settings::kNoLimit;
  } else {
    settings->execTimeout = std::chrono::seconds(exec == kUnset ? 1836 : exec);
  }
  settings->execTimeoutVariable = "HCCL_EXEC_TIMEOUT";
  return HCCL_SUCCESS;
}

// What a version of HcclCommConfig may measure. The versions between 5 and 10 added one field after
// the other; those before 5 are shorter, in ways that are not public.
bool isKnownLayout(const HcclCommConfigInfo& info) {
  constexpr size_t kVersion5 = offsetof(HcclCommConfig, hcclWorldRankID);
  constexpr size_t kVersion10 = offsetof(HcclCommConfig, hcclChannelSqDepth);
  switch (info.version) {
    case 5:
      return info.configSize == kVersion5;
    case 10:
      return info.configSize == kVersion10;
    case 11:
      return info.configSize == sizeof(HcclCommConfig);
    default:
      return info.version < 5 ? info.version > 0 && info.configSize > sizeof info &&
                                    info.configSize <= kVersion5
                              : info.version < 10 && info.configSize >= kVersion5 &&
                                    info.configSize <= kVersion10;
  }
}

// Nothing behind the size that the caller's version has is touched.
HcclResult copyConfig(const char* function, const HcclCommConfig* given, HcclCommConfig* config) {
  HcclCommConfigInfo info;
  std::memcpy(&info, given->reserved, sizeof info);
  if (info.magicWord != HCCL_COMM_CONFIG_MAGIC_WORD) {
    return fail(
        HCCL_E_PARA,
        "%s: config was not initialised (magic word 0x%x instead of 0x%x); call HcclCommConfigInit",
        function, info.magicWord, HCCL_COMM_CONFIG_MAGIC_WORD);
  }
  if (!isKnownLayout(info)) {
    return fail(HCCL_E_PARA,
                "%s: config of %zu bytes, version %u, is not known; version 5 has 300 bytes, 10 has "
                "2240 and 11 has 2248",
                function, info.configSize, info.version);
  }
  HcclCommConfigInit(config);
  std::memcpy(config, given, info.configSize);
  return HCCL_SUCCESS;
}

HcclResult readConfig(const char* function, const HcclCommConfig& config, Settings* settings) {
  if (config.hcclBufferSize == 0) {
    return fail(HCCL_E_PARA, "%s: config.hcclBufferSize is 0; it is in megabytes, at least 1",
                function);
  }
  if (config.hcclBufferSize != HCCL_COMM_BUFFSIZE_CONFIG_NOT_SET) {
    settings->bufferSizeMb = config.hcclBufferSize;
  }
  if (config.hcclDeterministic != HCCL_COMM_DETERMINISTIC_CONFIG_NOT_SET) {
    if (config.hcclDeterministic > 2) {
      return fail(HCCL_E_PARA,
                  "%s: config.hcclDeterministic is %u; use 0 (off), 1 (on) or 2 (strict)", function,
                  config.hcclDeterministic);
    }
    settings->deterministic = config.hcclDeterministic;
  }
  if (config.hcclOpExpansionMode > 6) {
    return fail(HCCL_E_PARA, "%s: config.hcclOpExpansionMode is %u; use 0 (default) to 6", function,
                config.hcclOpExpansionMode);
  }
  uint32_t trafficClass = config.hcclRdmaTrafficClass;
  if (trafficClass != HCCL_COMM_TRAFFIC_CLASS_CONFIG_NOT_SET &&
      (trafficClass > 255 || trafficClass % 4 != 0)) {
    return fail(HCCL_E_PARA,
                "%s: config.hcclRdmaTrafficClass is %u; use a multiple of 4 from 0 to 252",
                function, trafficClass);
  }
  uint32_t serviceLevel = config.hcclRdmaServiceLevel;
  if (serviceLevel != HCCL_COMM_SERVICE_LEVEL_CONFIG_NOT_SET && serviceLevel > 7) {
    return fail(HCCL_E_PARA, "%s: config.hcclRdmaServiceLevel is %u; use 0 to 7", function,
                serviceLevel);
  }
  size_t length = strnlen(config.hcclCommName, COMM_NAME_MAX_LENGTH);
  if (length == COMM_NAME_MAX_LENGTH) {
    return fail(HCCL_E_PARA, "%s: config.hcclCommName has no terminating zero within its %d bytes",
                function, COMM_NAME_MAX_LENGTH);
  }
  settings->name.assign(config.hcclCommName, length);
  return HCCL_SUCCESS;
}

}  // namespace

bool Settings::agrees(const Settings& other) const {
  return bufferSizeMb == other.bufferSizeMb && deterministic == other.deterministic &&
         name == other.name;
}

std::string Settings::describe() const {
  return "buffer size " + std::to_string(bufferSizeMb) + " MB, deterministic " +
         std::to_string(deterministic) + ", name \"" + name + "\"";
}

HcclResult readSettings(const char* function, const HcclCommConfig* config, Settings* settings) {
  HcclResult result = readEnvironment(function, settings);
  if (result != HCCL_SUCCESS || config == nullptr) {
    return result;
  }
  HcclCommConfig whole;
  result = copyConfig(function, config, &whole);
  return result == HCCL_SUCCESS ? readConfig(function, whole, settings) : result;
}

HcclResult deterministicLevel(const char* function, uint32_t* level) {
  int64_t chosen = chosenDeterminism.load();
  const char* text = std::getenv("HCCL_DETERMINISTIC");
  if (chosen != kUnset) {
    *level = static_cast<uint32_t>(chosen);
  } else if (text == nullptr || *text == '\0' || std::strcmp(text, "false") == 0) {
    *level = 0;
  } else if (std::strcmp(text, "true") == 0) {
    *level = 1;
  } else if (std::strcmp(text, "strict") == 0) {
    *level = 2;
  } else {
    return fail(HCCL_E_PARA,
                "%s: environment variable HCCL_DETERMINISTIC is \"%s\"; use false, true or strict",
                function, text);
  }
  return HCCL_SUCCESS;
}

void setDeterministicLevel(uint32_t level) { chosenDeterminism = level; }

}  // namespace cann4j::hccl
