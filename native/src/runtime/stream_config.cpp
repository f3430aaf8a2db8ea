// SPDX-License-Identifier: Apache-2.0
#include "stream_config.hpp"

#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "api.hpp"
#include "memory.hpp"

namespace cann4j {
namespace {

// Callers see the structure behind a handle, so that handles are addresses here. One that was
// destroyed is known as such until its memory is used again, which is late.
struct Configs {
  static constexpr size_t kRemembered = 1024;

  std::mutex mutex;
  std::unordered_map<const void*, std::unique_ptr<aclrtStreamConfigHandle>> live;
  std::deque<std::unique_ptr<aclrtStreamConfigHandle>> destroyed;
};

Configs& configs() {
  static Configs& instance = *new Configs;
  return instance;
}

aclError find(const char* function, const aclrtStreamConfigHandle* handle,
              aclrtStreamConfigHandle** config) {
  if (handle == nullptr) {
    return nullArgument(function, "handle");
  }
  const auto found = configs().live.find(handle);
  if (found == configs().live.end()) {
    return fail(ACL_ERROR_RT_INVALID_HANDLE,
                "%s: %p is not a live handle of aclrtCreateStreamConfigHandle", function,
                static_cast<const void*>(handle));
  }
  *config = found->second.get();
  return ACL_SUCCESS;
}

template <class Value>
aclError assign(const char* function, Value* value, const void* attrValue, size_t valueSize) {
  if (valueSize != sizeof(Value)) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: valueSize %zu, but this attribute has %zu bytes",
                function, valueSize, sizeof(Value));
  }
  std::memcpy(value, attrValue, sizeof(Value));
  return ACL_SUCCESS;
}

}  // namespace

aclError readStreamConfig(const char* function, const aclrtStreamConfigHandle* handle,
                          aclrtStreamConfigHandle* config) {
  {
    std::lock_guard lock(configs().mutex);
    aclrtStreamConfigHandle* found = nullptr;
    if (const aclError error = find(function, handle, &found); error != ACL_SUCCESS) {
      return error;
    }
    *config = *found;
  }
  if (config->workptr != nullptr && !isDeviceRange(config->workptr, config->workSize)) {
    return fail(ACL_ERROR_RT_PARAM_INVALID,
                "%s: ACL_RT_STREAM_WORK_ADDR_PTR %p with %zu bytes is not inside one live allocation "
                "of a device",
                function, config->workptr, config->workSize);
  }
  return ACL_SUCCESS;
}

}  // namespace cann4j

using namespace cann4j;

extern "C" {

aclrtStreamConfigHandle* aclrtCreateStreamConfigHandle(void) {
  aclrtStreamConfigHandle* handle = nullptr;
  api("aclrtCreateStreamConfigHandle", [&](const char*) {
    auto config = std::make_unique<aclrtStreamConfigHandle>();
    std::lock_guard lock(configs().mutex);
    auto* address = config.get();
    configs().live.emplace(address, std::move(config));
    handle = address;
    return ACL_SUCCESS;
  });
  return handle;
}

aclError aclrtSetStreamConfigOpt(aclrtStreamConfigHandle* handle, aclrtStreamConfigAttr attr,
                                 const void* attrValue, size_t valueSize) {
  return api("aclrtSetStreamConfigOpt", [&](const char* function) -> aclError {
    if (attrValue == nullptr) {
      return nullArgument(function, "attrValue");
    }
    std::lock_guard lock(configs().mutex);
    aclrtStreamConfigHandle* config = nullptr;
    if (const aclError error = find(function, handle, &config); error != ACL_SUCCESS) {
      return error;
    }
    switch (attr) {
      case ACL_RT_STREAM_WORK_ADDR_PTR:
        return assign(function, &config->workptr, attrValue, valueSize);
      case ACL_RT_STREAM_WORK_SIZE:
        return assign(function, &config->workSize, attrValue, valueSize);
      case ACL_RT_STREAM_FLAG:
        return assign(function, &config->flag, attrValue, valueSize);
      case ACL_RT_STREAM_PRIORITY:
        return assign(function, &config->priority, attrValue, valueSize);
      default:
        return fail(ACL_ERROR_INVALID_PARAM, "%s: there is no attribute %d", function,
                    static_cast<int>(attr));
    }
  });
}

aclError aclrtDestroyStreamConfigHandle(aclrtStreamConfigHandle* handle) {
  return api("aclrtDestroyStreamConfigHandle", [&](const char* function) -> aclError {
    std::lock_guard lock(configs().mutex);
    aclrtStreamConfigHandle* config = nullptr;
    if (const aclError error = find(function, handle, &config); error != ACL_SUCCESS) {
      return error;
    }
    const auto found = configs().live.find(handle);
    configs().destroyed.push_back(std::move(found->second));
    configs().live.erase(found);
    if (configs().destroyed.size() > Configs::kRemembered) {
      configs().destroyed.pop_front();
    }
    return ACL_SUCCESS;
  });
}

}  // extern "C"
