// SPDX-License-Identifier: Apache-2.0
#include <mutex>

#include "acl/acl.h"
#include "api.hpp"
#include "context.hpp"
#include "json.hpp"
#include "options.hpp"

using namespace cann4j;

namespace {

struct Initialisation {
  std::mutex mutex;
  uint64_t uses = 0;
};

Initialisation& initialisation() {
  static Initialisation& instance = *new Initialisation;
  return instance;
}

// Of the keys that CANN knows, dumps and profiles have no meaning here.
struct Settings {
  int defaultDevice = -1;
  bool sharesFailures = false;
};

aclError readSettings(const char* function, const Json& config, Settings* settings) {
  if (const Json* mode = config.find("err_msg_mode")) {
    const auto value = mode->integer();
    if (!value || *value < 0 || *value > 1) {
      return fail(ACL_ERROR_INVALID_PARAM,
                  "%s: err_msg_mode must be 0 (messages of the thread) or 1 (of the process)",
                  function);
    }
    settings->sharesFailures = *value == 1;
  }
  const Json* section = config.find("defaultDevice");
  if (section == nullptr) {
    return ACL_SUCCESS;
  }
  const Json* device = section->find("default_device");
  const auto id = device == nullptr ? std::nullopt : device->integer();
  if (!id || *id < 0 || *id > INT32_MAX) {
    return fail(ACL_ERROR_INVALID_PARAM,
                "%s: defaultDevice needs default_device with the number of a device", function);
  }
  settings->defaultDevice = static_cast<int>(*id);
  return checkDevice(function, settings->defaultDevice);
}

void apply(const Settings& settings) {
  setDefaultDevice(settings.defaultDevice);
  shareFailures(settings.sharesFailures);
}

aclError finalize(const char* function, bool all, uint64_t* left) {
  std::lock_guard lock(initialisation().mutex);
  uint64_t& uses = initialisation().uses;
  if (uses == 0) {
    return fail(ACL_ERROR_REPEAT_FINALIZE, "%s: not initialised, or finalised already", function);
  }
  uses = all ? 0 : uses - 1;
  if (left != nullptr) {
    *left = uses;
  }
  if (uses == 0) {
    apply({});
  }
  return ACL_SUCCESS;
}

}  // namespace

extern "C" {

aclError aclInit(const char* configPath) {
  return api("aclInit", [&](const char* function) -> aclError {
    if (const aclError error = checkOptions(); error != ACL_SUCCESS) {
      return error;
    }
    Json config;
    Settings settings;
    aclError error = readConfigFile(function, configPath, &config);
    if (error == ACL_SUCCESS) {
      error = readSettings(function, config, &settings);
    }
    if (error != ACL_SUCCESS) {
      return error;
    }
    std::lock_guard lock(initialisation().mutex);
    if (++initialisation().uses > 1) {
      return fail(ACL_ERROR_REPEAT_INITIALIZE, "%s: already initialised, %llu uses now", function,
                  static_cast<unsigned long long>(initialisation().uses));
    }
    apply(settings);
    return ACL_SUCCESS;
  });
}

aclError aclFinalize(void) {
  return api("aclFinalize", [](const char* function) { return finalize(function, true, nullptr); });
}

aclError aclFinalizeReference(uint64_t* refCount) {
  return api("aclFinalizeReference", [&](const char* function) {
    return finalize(function, false, refCount);
  });
}

}  // extern "C"
