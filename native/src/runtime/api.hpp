// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <new>
#include <system_error>

#include "error.hpp"

namespace cann4j {

// Whether this thread runs a callback of a stream, which must not call the runtime.
bool isInsideCallback();

aclError refuseInsideCallback(const char* function);

// The frame of an acl function: gives its name to the body, lets no exception out, and refuses
// calls from callbacks.
template <class Body>
aclError api(const char* function, const Body& body) {
  if (isInsideCallback()) {
    return refuseInsideCallback(function);
  }
  try {
    return body(function);
  } catch (const std::bad_alloc&) {
    return fail(ACL_ERROR_BAD_ALLOC, "%s: the host has no memory left", function);
  } catch (const std::system_error& e) {
    return fail(ACL_ERROR_RT_RESOURCE_ALLOC_FAIL, "%s: %s", function, e.what());
  } catch (const std::exception& e) {
    return fail(ACL_ERROR_INTERNAL_ERROR, "%s: %s", function, e.what());
  }
}

inline aclError nullArgument(const char* function, const char* name) {
  return fail(ACL_ERROR_INVALID_PARAM, "%s: %s is NULL", function, name);
}

// In milliseconds.
inline aclError checkTimeout(const char* function, int32_t timeout) {
  return timeout == -1 || timeout > 0
             ? ACL_SUCCESS
             : fail(ACL_ERROR_RT_PARAM_INVALID,
                    "%s: timeout %d; -1 waits for ever, otherwise at least 1 ms", function,
                    timeout);
}

}  // namespace cann4j
