// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "error.hpp"
#include "instruction_set.hpp"
#include "version.hpp"

namespace cann4j {
namespace {

constexpr int kMaxThreads = 1024;

#ifdef __SANITIZE_THREAD__
// The sanitizer leaves little address space.
constexpr uint64_t kDeviceMemory = uint64_t{8} << 30;
#else
constexpr uint64_t kDeviceMemory = uint64_t{32} << 30;
#endif

bool parseNumber(const char* text, uint64_t low, uint64_t high, bool withUnit, uint64_t* value) {
  if (*text < '0' || *text > '9') {
    return false;
  }
  char* end = nullptr;
  errno = 0;
  uint64_t number = std::strtoull(text, &end, 10);
  if (errno != 0) {
    return false;
  }
  if (withUnit && *end != '\0') {
    const char* units = "KMG";
    const char* unit = std::strchr(units, *end & ~0x20);
    if (unit == nullptr) {
      return false;
    }
    const int shift = 10 * static_cast<int>(unit - units + 1);
    if (number > (UINT64_MAX >> shift)) {
      return false;
    }
    number <<= shift;
    ++end;
  }
  if (*end != '\0' || number < low || number > high) {
    return false;
  }
  *value = number;
  return true;
}

class Reader {
 public:
  explicit Reader(Options& options) : options_(options) {}

  uint64_t number(const char* name, uint64_t fallback, uint64_t low, uint64_t high,
                  bool withUnit = false) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text == '\0') {
      return fallback;
    }
    uint64_t value = fallback;
    if (!parseNumber(text, low, high, withUnit, &value)) {
      refuse(name, text, "a number from " + std::to_string(low) + " to " + std::to_string(high) +
                             (withUnit ? ", K, M or G may follow" : ""));
    }
    return value;
  }

  bool flag(const char* name) { return number(name, 0, 0, 1) == 1; }

  void schedule() {
    const char* name = "CANN4J_CPU_SCHEDULE";
    const char* text = std::getenv(name);
    if (text == nullptr || *text == '\0' || std::strcmp(text, "fifo") == 0) {
      return;
    }
    const char* prefix = "random:";
    const size_t length = std::strlen(prefix);
    options_.randomSchedule =
        std::strncmp(text, prefix, length) == 0 &&
        parseNumber(text + length, 0, UINT64_MAX, false, &options_.scheduleSeed);
    if (!options_.randomSchedule) {
      refuse(name, text, "fifo or random:SEED with a number as seed");
    }
  }

  bool version() {
    if (chosenVersion() == Version::kUnknown) {
      refuse("CANN4J_CPU_VERSION", chosenVersionText(), "8.1 or newest");
    }
    return chosenVersion() == Version::k81;
  }

  std::string instructionSet() {
    const std::vector<std::string>& levels = instructionSets();
    const char* name = "CANN4J_CPU_ISA";
    const char* text = std::getenv(name);
    if (text == nullptr || *text == '\0') {
      return levels.back();
    }
    if (std::find(levels.begin(), levels.end(), text) != levels.end()) {
      return text;
    }
    std::string all;
    for (const std::string& level : levels) {
      all += (all.empty() ? "" : ", ") + level;
    }
    refuse(name, text, "an instruction set of this machine, which has " + all);
    return "";
  }

 private:
  void refuse(const char* name, const char* text, const std::string& expected) {
    if (!options_.error.empty()) {
      options_.error += "; ";
    }
    options_.error += std::string(name) + "=" + text + " is not " + expected;
  }

  Options& options_;
};

Options readOptions() {
  Options options;
  Reader reader(options);
  const unsigned processors = std::thread::hardware_concurrency();
  options.allDevices = static_cast<int>(reader.number("CANN4J_CPU_DEVICES", 8, 1, kMaxDevices));
  options.physicalDevices =
      visibleDevices(std::getenv("ASCEND_RT_VISIBLE_DEVICES"), options.allDevices);
  options.devices = static_cast<int>(options.physicalDevices.size());
  options.threads = static_cast<int>(
      reader.number("CANN4J_CPU_THREADS", processors == 0 ? 1 : processors, 1, kMaxThreads));
  options.deviceMemory = reader.number("CANN4J_CPU_DEVICE_MEMORY", kDeviceMemory,
                                       uint64_t{1} << 20, uint64_t{256} << 30, true);
  options.debug = reader.flag("CANN4J_CPU_DEBUG");
  options.strict = reader.flag("CANN4J_CPU_STRICT");
  options.is81 = reader.version();
  reader.schedule();
  options.instructionSet = reader.instructionSet();
  return options;
}

}  // namespace

std::vector<int> visibleDevices(const char* text, int count) {
  std::vector<int> visible;
  if (text == nullptr || *text == '\0') {
    for (int device = 0; device < count; ++device) {
      visible.push_back(device);
    }
    return visible;
  }
  for (;;) {
    char* end = nullptr;
    const bool isNumber = *text >= '0' && *text <= '9';
    const unsigned long long device = isNumber ? std::strtoull(text, &end, 10) : 0;
    const bool isWhole = isNumber && (*end == ',' || *end == '\0' || *end == ' ');
    if (!isWhole || device >= static_cast<unsigned long long>(count) ||
        (!visible.empty() && static_cast<int>(device) <= visible.back())) {
      return visible;
    }
    visible.push_back(static_cast<int>(device));
    if (*end != ',') {
      return visible;
    }
    text = end + 1;
  }
}

const Options& options() {
  static const Options& instance = *new Options(readOptions());
  return instance;
}

aclError checkOptions() {
  const std::string& error = options().error;
  return error.empty() ? ACL_SUCCESS : fail(ACL_ERROR_INVALID_PARAM, "%s", error.c_str());
}

}  // namespace cann4j
