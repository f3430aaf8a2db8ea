// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <initializer_list>
#include <new>
#include <system_error>
#include <utility>

#include "error.hpp"
#include "host_memory.hpp"

namespace cann4j {

// Whether this thread runs a callback of a stream, which must not call the runtime.
bool isInsideCallback();

aclError refuseInsideCallback(const char* function);

// The frame of an acl function: gives its name to the body, lets no exception out, and refuses
// calls from callbacks and in children of fork.
template <class Body>
aclError api(const char* function, const Body& body) {
  if (isInsideCallback()) {
    return refuseInsideCallback(function);
  }
  if (isForked()) {
    return fail(ACL_ERROR_INTERNAL_ERROR, "%s: %s", function, kForked);
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

using Result = std::pair<const char*, const void*>;

// Where the host is to find results.
inline aclError checkResults(const char* function, std::initializer_list<Result> results) {
  for (const auto& [name, p] : results) {
    if (p == nullptr) {
      return nullArgument(function, name);
    }
    if (const aclError error = checkOnHost(ACL_ERROR_INVALID_PARAM, function, name, p);
        error != ACL_SUCCESS) {
      return error;
    }
  }
  return ACL_SUCCESS;
}

inline aclError checkResult(const char* function, const char* name, const void* p) {
  return checkResults(function, {{name, p}});
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
