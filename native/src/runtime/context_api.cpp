// SPDX-License-Identifier: Apache-2.0
#include "acl/acl_rt.h"
#include "api.hpp"
#include "context.hpp"
#include "options.hpp"

namespace cann4j {
namespace {

struct ProcessOptions {
  std::mutex mutex;
  std::array<std::optional<int64_t>, kSysParamOpts> values;
};

ProcessOptions& processOptions() {
  static ProcessOptions& instance = *new ProcessOptions;
  return instance;
}

aclError checkOption(const char* function, aclSysParamOpt opt) {
  const int index = static_cast<int>(opt);
  const int count = options().is81 ? ACL_OPT_STRONG_CONSISTENCY : kSysParamOpts;
  return index >= 0 && index < count
             ? ACL_SUCCESS
             : fail(ACL_ERROR_INVALID_PARAM, "%s: there is no option %d", function, index);
}

aclError checkContextOption(const char* function, aclSysParamOpt opt) {
  const aclError error = checkOption(function, opt);
  return error != ACL_SUCCESS || opt != ACL_OPT_ENABLE_KERNEL_EARLY_START
             ? error
             : fail(ACL_ERROR_INVALID_PARAM,
                    "%s: ACL_OPT_ENABLE_KERNEL_EARLY_START is an option of the process only",
                    function);
}

}  // namespace

bool isDeterministic() {
  const auto on = [](const std::optional<int64_t>& value) { return value.value_or(0) != 0; };
  {
    std::lock_guard lock(processOptions().mutex);
    if (on(processOptions().values[ACL_OPT_DETERMINISTIC])) {
      return true;
    }
  }
  if (currentDevice() < 0) {
    return false;
  }
  const auto context = currentContext("isDeterministic");
  if (context == nullptr) {
    return false;
  }
  std::lock_guard lock(context->mutex);
  return on(context->options[ACL_OPT_DETERMINISTIC]);
}

}  // namespace cann4j

using namespace cann4j;

extern "C" {

aclError aclrtGetSysParamOpt(aclSysParamOpt opt, int64_t* value) {
  return api("aclrtGetSysParamOpt", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "value", value); error != ACL_SUCCESS) {
      return error;
    }
    if (const aclError error = checkOption(function, opt); error != ACL_SUCCESS) {
      return error;
    }
    std::lock_guard lock(processOptions().mutex);
    *value = processOptions().values[opt].value_or(0);
    return ACL_SUCCESS;
  });
}

aclError aclrtSetSysParamOpt(aclSysParamOpt opt, int64_t value) {
  return api("aclrtSetSysParamOpt", [&](const char* function) -> aclError {
    if (const aclError error = checkOption(function, opt); error != ACL_SUCCESS) {
      return error;
    }
    std::lock_guard lock(processOptions().mutex);
    processOptions().values[opt] = value;
    return ACL_SUCCESS;
  });
}

aclError aclrtCtxGetSysParamOpt(aclSysParamOpt opt, int64_t* value) {
  return api("aclrtCtxGetSysParamOpt", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "value", value); error != ACL_SUCCESS) {
      return error;
    }
    if (const aclError error = checkContextOption(function, opt); error != ACL_SUCCESS) {
      return error;
    }
    const auto context = currentContext(function);
    if (context == nullptr) {
      return ACL_ERROR_RT_CONTEXT_NULL;
    }
    std::lock_guard lock(context->mutex);
    if (!context->options[opt]) {
      return fail(ACL_ERROR_RT_SYSPARAMOPT_NOT_SET,
                  "%s: option %d was not set in this context", function, opt);
    }
    *value = *context->options[opt];
    return ACL_SUCCESS;
  });
}

aclError aclrtCtxSetSysParamOpt(aclSysParamOpt opt, int64_t value) {
  return api("aclrtCtxSetSysParamOpt", [&](const char* function) -> aclError {
    if (const aclError error = checkContextOption(function, opt); error != ACL_SUCCESS) {
      return error;
    }
    const auto context = currentContext(function);
    if (context == nullptr) {
      return ACL_ERROR_RT_CONTEXT_NULL;
    }
    std::lock_guard lock(context->mutex);
    context->options[opt] = value;
    return ACL_SUCCESS;
  });
}

aclError aclrtCreateContext(aclrtContext* context, int32_t deviceId) {
  return api("aclrtCreateContext", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "context", context); error != ACL_SUCCESS) {
      return error;
    }
    std::shared_ptr<Context> made;
    aclError error = checkDevice(function, deviceId);
    if (error == ACL_SUCCESS) {
      error = createContext(function, deviceId, false, &made);
    }
    if (error == ACL_SUCCESS) {
      makeCurrent(*made);
      *context = reinterpret_cast<void*>(made->handle);
    }
    return error;
  });
}

static aclError resolveContext(const char* function, aclrtContext handle,
                               std::shared_ptr<Context>* context) {
  if (handle == nullptr) {
    return nullArgument(function, "context");
  }
  *context = contexts().find(handle);
  return *context != nullptr ? ACL_SUCCESS
                             : fail(ACL_ERROR_RT_INVALID_HANDLE, "%s: %p is not a live context",
                                    function, handle);
}

aclError aclrtDestroyContext(aclrtContext context) {
  return api("aclrtDestroyContext", [&](const char* function) -> aclError {
    std::shared_ptr<Context> found;
    if (const aclError error = resolveContext(function, context, &found); error != ACL_SUCCESS) {
      return error;
    }
    if (found->isDefault) {
      return fail(ACL_ERROR_RT_PARAM_INVALID,
                  "%s: %p is the default context of device %d; aclrtResetDevice destroys it",
                  function, context, found->device);
    }
    return destroyContext(found->handle)
               ? ACL_SUCCESS
               : fail(ACL_ERROR_RT_INVALID_HANDLE, "%s: another thread destroys %p", function,
                      context);
  });
}

aclError aclrtSetCurrentContext(aclrtContext context) {
  return api("aclrtSetCurrentContext", [&](const char* function) -> aclError {
    std::shared_ptr<Context> found;
    const aclError error = resolveContext(function, context, &found);
    if (error == ACL_SUCCESS) {
      makeCurrent(*found);
    }
    return error;
  });
}

aclError aclrtGetCurrentContext(aclrtContext* context) {
  return api("aclrtGetCurrentContext", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "context", context); error != ACL_SUCCESS) {
      return error;
    }
    const auto current = currentContext(function);
    if (current == nullptr) {
      return ACL_ERROR_RT_CONTEXT_NULL;
    }
    *context = reinterpret_cast<void*>(current->handle);
    return ACL_SUCCESS;
  });
}

aclError aclrtCtxGetCurrentDefaultStream(aclrtStream* stream) {
  return api("aclrtCtxGetCurrentDefaultStream", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "stream", stream); error != ACL_SUCCESS) {
      return error;
    }
    const auto context = currentContext(function);
    if (context == nullptr) {
      return ACL_ERROR_RT_CONTEXT_NULL;
    }
    *stream = context->defaultStream;
    return ACL_SUCCESS;
  });
}

}  // extern "C"
