// SPDX-License-Identifier: Apache-2.0
// What the functions on tensors, scalars, arrays and lists share.
#pragma once

#include <mutex>
#include <shared_mutex>

#include "live_objects.hpp"
#include "runtime/error.hpp"
#include "tensor.hpp"

namespace cann4j {

// All live objects of a type; never destroyed, because programs end with objects left.
template <class T>
LiveObjects<T>& live() {
  static auto& instance = *new LiveObjects<T>;
  return instance;
}

// Whoever reads a tensor, scalar, array or list that a caller names holds this shared, so that no other thread destroys
// it between the check that it is alive and the reading.
inline std::shared_mutex& reading() {
  static auto& instance = *new std::shared_mutex;
  return instance;
}

// Returns what body() does, meanwhile nothing that it reads is destroyed; exceptions become a code.
template <class Body>
aclnnStatus whileArgumentsStay(const char* function, const Body& body) {
  return guarded<aclnnStatus>(ACLNN_ERR_INNER, function, [&]() -> aclnnStatus {
    std::shared_lock stay(reading());
    return body();
  });
}

template <class T>
aclnnStatus checkLive(const char* function, const char* name, const T* object) {
  if (object == nullptr) {
    return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: %s is NULL", function, name);
  }
  return live<T>().contains(object)
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID, "%s: %s %p was destroyed or never created", function,
                    name, static_cast<const void*>(object));
}

template <class T>
aclnnStatus destroy(const char* function, const T* object) {
  if (object == nullptr) {
    return ACLNN_SUCCESS;
  }
  std::lock_guard nobodyReads(reading());
  if (live<T>().destroy(object)) {
    return ACLNN_SUCCESS;
  }
  return fail(ACLNN_ERR_PARAM_INVALID, "%s: %p was destroyed or never created", function,
              static_cast<const void*>(object));
}

// What `create` returns; NULL with words when it throws.
template <class T, class Create>
T* created(const char* function, const Create& create) {
  T* object = nullptr;
  guarded<aclnnStatus>(ACLNN_ERR_INNER, function, [&] {
    object = create();
    return ACLNN_SUCCESS;
  });
  return object;
}

template <class T, class Result, class Read>
aclnnStatus query(const char* function, const T* object, Result* result, const Read& read) {
  std::shared_lock stays(reading());
  if (const aclnnStatus status = checkLive(function, "the argument", object);
      status != ACLNN_SUCCESS) {
    return status;
  }
  if (result == nullptr) {
    return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: the result pointer is NULL", function);
  }
  *result = read(*object);
  return ACLNN_SUCCESS;
}

}  // namespace cann4j
