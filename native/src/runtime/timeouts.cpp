// SPDX-License-Identifier: Apache-2.0
#include "timeouts.hpp"

#include "acl/acl_rt.h"
#include "api.hpp"

namespace cann4j {

Timeouts& timeouts() {
  static Timeouts& instance = *new Timeouts;
  return instance;
}

}  // namespace cann4j

using namespace cann4j;

extern "C" {

aclError aclrtSetOpWaitTimeout(uint32_t timeout) {
  return api("aclrtSetOpWaitTimeout", [&](const char*) -> aclError {
    timeouts().wait = std::chrono::seconds(timeout);
    return ACL_SUCCESS;
  });
}

aclError aclrtSetOpExecuteTimeOut(uint32_t timeout) {
  return api("aclrtSetOpExecuteTimeOut", [&](const char*) -> aclError {
    timeouts().execute = std::chrono::seconds(timeout);
    return ACL_SUCCESS;
  });
}

aclError aclrtSetOpExecuteTimeOutWithMs(uint32_t timeout) {
  return api("aclrtSetOpExecuteTimeOutWithMs", [&](const char*) -> aclError {
    timeouts().execute = std::chrono::milliseconds(timeout);
    return ACL_SUCCESS;
  });
}

}  // extern "C"
