// SPDX-License-Identifier: Apache-2.0
#include "hccl/environment.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "runtime/error.hpp"

namespace cann4j::hccl {
namespace {

constexpr int64_t kUnset = -1;

std::atomic<int64_t> chosenDeterminism{kUnset};

HcclResult refuse(const char* function, const char* variable, const std::string& expected) {
  return fail(HCCL_E_PARA, "%s: environment variable %s is \"%s\"; set %s, or unset it", function,
              variable, std::getenv(variable), expected.c_str());
}

// kUnset if the variable is absent or empty.
HcclResult readNumber(const char* function, const char* variable, int64_t least, int64_t most,
                      int64_t* value) {
  *value = kUnset;
  if (!isSet(variable)) {
    return HCCL_SUCCESS;
  }
  char* end = nullptr;
  errno = 0;
  const long long number = std::strtoll(std::getenv(variable), &end, 10);
  if (errno != 0 || *end != '\0' || number < least || number > most) {
    return refuse(function, variable,
                  "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  *value = number;
  return HCCL_SUCCESS;
}

HcclResult checkChoice(const char* function, const char* variable,
                       const std::vector<std::string_view>& choices) {
  if (!isSet(variable) ||
      std::find(choices.begin(), choices.end(), std::getenv(variable)) != choices.end()) {
    return HCCL_SUCCESS;
  }
  std::string list;
  for (const std::string_view choice : choices) {
    list += (list.empty() ? "" : " or ") + std::string(choice);
  }
  return refuse(function, variable, list);
}

HcclResult checkExpansionMode(const char* function) {
  const char* variable = "HCCL_OP_EXPANSION_MODE";
  const bool isOfLaterProducts =
      isSet(variable) && std::strncmp(std::getenv(variable), "CCU_", 4) == 0;
  return isOfLaterProducts ? HCCL_SUCCESS
                           : checkChoice(function, variable, {"AI_CPU", "AIV", "HOST", "HOST_TS"});
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == text.npos) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

bool isWord(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
}

HcclResult checkAlgorithm(const char* function) {
  const char* variable = "HCCL_ALGO";
  return !isSet(variable) || isAlgorithm(std::getenv(variable))
             ? HCCL_SUCCESS
             : refuse(function, variable, kAlgorithms);
}

HcclResult checkAddress(const char* function) {
  const char* variable = "HCCL_IF_IP";
  if (!isSet(variable)) {
    return HCCL_SUCCESS;
  }
  char parsed[sizeof(in6_addr)];
  const char* text = std::getenv(variable);
  return inet_pton(AF_INET, text, parsed) == 1 || inet_pton(AF_INET6, text, parsed) == 1
             ? HCCL_SUCCESS
             : refuse(function, variable, "an IP address");
}

HcclResult checkNetwork(const char* function) {
  int64_t value = 0;
  HcclResult result = readNumber(function, "HCCL_IF_BASE_PORT", 1024, 65520, &value);
  if (result == HCCL_SUCCESS) {
    result = readNumber(function, "HCCL_RDMA_SL", 0, 7, &value);
  }
  if (result == HCCL_SUCCESS) {
    result = readNumber(function, "HCCL_RDMA_TC", 0, 255, &value);
  }
  if (result == HCCL_SUCCESS && value != kUnset && value % 4 != 0) {
    result = refuse(function, "HCCL_RDMA_TC", "a multiple of 4 from 0 to 252");
  }
  if (result == HCCL_SUCCESS) {
    result = checkChoice(function, "HCCL_SOCKET_FAMILY", {"AF_INET", "AF_INET6"});
  }
  if (result == HCCL_SUCCESS) {
    result = checkChoice(function, "HCCL_WHITELIST_DISABLE", {"0", "1"});
  }
  for (const char* variable : {"HCCL_INTRA_ROCE_ENABLE", "HCCL_INTRA_PCIE_ENABLE"}) {
    if (result == HCCL_SUCCESS) {
      result = checkChoice(function, variable, {"0", "1"});
    }
  }
  return result == HCCL_SUCCESS ? checkAddress(function) : result;
}

HcclResult readTimes(const char* function, Settings* settings) {
  int64_t own = 0;
  int64_t connect = 0;
  int64_t exec = 0;
  HcclResult result = readNumber(function, kOwnTimeout, 1, INT32_MAX, &own);
  if (result == HCCL_SUCCESS) {
    result = readNumber(function, "HCCL_CONNECT_TIMEOUT", 120, 7200, &connect);
  }
  if (result == HCCL_SUCCESS) {
    result = readNumber(function, "HCCL_EXEC_TIMEOUT", 0, INT32_MAX, &exec);
  }
  if (result != HCCL_SUCCESS) {
    return result;
  }
  if (own != kUnset) {
    settings->connectTimeout = settings->execTimeout = std::chrono::milliseconds(own);
    settings->connectTimeoutVariable = settings->execTimeoutVariable = kOwnTimeout;
    return HCCL_SUCCESS;
  }
  settings->connectTimeout = std::chrono::seconds(connect == kUnset ? 120 : connect);
  settings->connectTimeoutVariable = "HCCL_CONNECT_TIMEOUT";
  settings->execTimeout =
      exec == 0 ? Settings::kNoLimit : std::chrono::seconds(exec == kUnset ? 1836 : exec);
  settings->execTimeoutVariable = "HCCL_EXEC_TIMEOUT";
  return HCCL_SUCCESS;
}

}  // namespace

bool isSet(const char* variable) {
  const char* text = std::getenv(variable);
  return text != nullptr && *text != '\0';
}

bool isAlgorithm(std::string_view text) {
  for (std::string_view part : split(text, '/')) {
    const size_t equals = part.find('=');
    if (equals != part.npos && !isWord(part.substr(0, equals))) {
      return false;
    }
    for (const std::string_view level :
         split(equals == part.npos ? part : part.substr(equals + 1), ';')) {
      const size_t colon = level.find(':');
      if (colon != 6 || level.substr(0, 5) != "level" || level[5] < '0' || level[5] > '3' ||
          !isWord(level.substr(7))) {
        return false;
      }
    }
  }
  return true;
}

HcclResult readEnvironment(const char* function, Settings* settings) {
  int64_t bufferSize = 0;
  HcclResult result = readTimes(function, settings);
  if (result == HCCL_SUCCESS) {
    result = readNumber(function, "HCCL_BUFFSIZE", 1, UINT32_MAX - 1, &bufferSize);
  }
  if (result == HCCL_SUCCESS) {
    settings->bufferSizeMb = bufferSize == kUnset ? 200 : static_cast<uint32_t>(bufferSize);
    result = deterministicLevel(function, &settings->deterministic);
  }
  if (result == HCCL_SUCCESS) {
    result = checkExpansionMode(function);
  }
  if (result == HCCL_SUCCESS) {
    result = checkAlgorithm(function);
  }
  return result == HCCL_SUCCESS ? checkNetwork(function) : result;
}

HcclResult deterministicLevel(const char* function, uint32_t* level) {
  static constexpr const char* kLevels[] = {"false", "true", "strict"};
  const char* variable = "HCCL_DETERMINISTIC";
  const int64_t chosen = chosenDeterminism.load();
  *level = 0;
  if (chosen != kUnset) {
    *level = static_cast<uint32_t>(chosen);
    return HCCL_SUCCESS;
  }
  if (!isSet(variable)) {
    return HCCL_SUCCESS;
  }
  for (; *level < 3; ++*level) {
    if (std::strcmp(std::getenv(variable), kLevels[*level]) == 0) {
      return HCCL_SUCCESS;
    }
  }
  return refuse(function, variable, "false, true or strict");
}

void setDeterministicLevel(uint32_t level) { chosenDeterminism = level; }

}  // namespace cann4j::hccl
