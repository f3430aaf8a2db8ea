// SPDX-License-Identifier: Apache-2.0
#include "hccl/settings.hpp"

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "hccl/environment.hpp"
#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

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

// Nothing behind the size that the caller's version has is touched, and no member read in place:
// version 5, of 300 bytes, need not be aligned as ours.
HcclResult copyConfig(const char* function, const HcclCommConfig* given, HcclCommConfig* config) {
  HcclCommConfigInfo info;
  std::memcpy(&info, given, sizeof info);
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

HcclResult checkTexts(const char* function, const HcclCommConfig& config) {
  const std::pair<const char*, std::string_view> texts[] = {
      {"hcclCommName", {config.hcclCommName, sizeof config.hcclCommName}},
      {"hcclUdi", {config.hcclUdi, sizeof config.hcclUdi}},
      {"hcclAlgo", {config.hcclAlgo, sizeof config.hcclAlgo}},
      {"hcclRetryEnable", {config.hcclRetryEnable, sizeof config.hcclRetryEnable}},
      {"hcclRetryParams", {config.hcclRetryParams, sizeof config.hcclRetryParams}},
      {"hcclBufferName", {config.hcclBufferName, sizeof config.hcclBufferName}}};
  for (const auto& [name, text] : texts) {
    if (text.find('\0') == text.npos) {
      return fail(HCCL_E_PARA, "%s: config.%s has no terminating zero within its %zu bytes",
                  function, name, text.size());
    }
  }
  return config.hcclAlgo[0] == '\0' || isAlgorithm(config.hcclAlgo)
             ? HCCL_SUCCESS
             : fail(HCCL_E_PARA, "%s: config.hcclAlgo is \"%s\"; set %s", function,
                    config.hcclAlgo, kAlgorithms);
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
  if (config.hcclExecTimeOut < -1) {
    return fail(HCCL_E_PARA,
                "%s: config.hcclExecTimeOut is %d; it is in seconds, 0 waits for ever", function,
                config.hcclExecTimeOut);
  }
  if (config.hcclExecTimeOut != -1 && !isSet(kOwnTimeout)) {
    settings->execTimeout = config.hcclExecTimeOut == 0
                                ? Settings::kNoLimit
                                : std::chrono::seconds(config.hcclExecTimeOut);
    settings->execTimeoutVariable = "config.hcclExecTimeOut";
  }
  const HcclResult result = checkTexts(function, config);
  if (result == HCCL_SUCCESS) {
    settings->name = config.hcclCommName;
  }
  return result;
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

}  // namespace cann4j::hccl
