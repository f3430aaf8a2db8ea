// SPDX-License-Identifier: Apache-2.0
// Executors that run more than once, and the addresses of their tensors.
#include "executor.hpp"
#include "objects.hpp"
#include "runtime/json.hpp"
#include "runtime/options.hpp"

using namespace cann4j;

namespace {

enum class Among { kInputs, kOutputs, kAll };

const char* nameOf(Among among) {
  return among == Among::kInputs ? "inputs" : among == Among::kOutputs ? "outputs" : "tensors";
}

bool belongs(const DeviceSpan& span, Among among) {
  return among == Among::kAll || span.use == Use::kInPlace ||
         (span.use == Use::kInput) == (among == Among::kInputs);
}

// Runs body(executor).
template <class Body>
aclnnStatus onExecutor(const char* function, aclOpExecutor* handle, const Body& body) {
  if (handle == nullptr) {
    return fail(ACLNN_ERR_INNER_NULLPTR, "%s: executor is NULL", function);
  }
  return whileArgumentsStay(function, [&]() -> aclnnStatus {
    const auto status = live<aclOpExecutor>().with(handle, body);
    return status ? *status
                  : fail(ACLNN_ERR_PARAM_INVALID,
                         "%s: the executor %p was used already or never created", function,
                         static_cast<void*>(handle));
  });
}

// The argument at a position, which is a list or not; nullptr with words.
DeviceSpan* findArgument(const char* function, aclOpExecutor& executor, Among among, size_t index,
                         bool isList) {
  size_t count = 0;
  for (DeviceSpan& span : executor.spans) {
    if (!belongs(span, among) || span.place > 0 || count++ != index) {
      continue;
    }
    if ((span.place >= 0) != isList) {
      fail(ACLNN_ERR_PARAM_INVALID, "%s: number %zu of the %s of %s, %s, is %s list", function,
           index, nameOf(among), executor.op.c_str(), span.name, isList ? "no" : "a");
      return nullptr;
    }
    return &span;
  }
  fail(ACLNN_ERR_PARAM_INVALID, "%s: index %zu, but %s has %zu %s", function, index,
       executor.op.c_str(), count, nameOf(among));
  return nullptr;
}

bool lookAlike(const aclTensor& a, const aclTensor& b) {
  return a.dataType == b.dataType && a.viewDims == b.viewDims && a.strides == b.strides &&
         a.offset == b.offset;
}

// The tensor may be another object than the one of phase 1, if it describes the same view.
aclnnStatus changeAddress(const char* function, const aclOpExecutor& executor, DeviceSpan* span,
                          aclTensor* tensor, void* addr) {
  if (span->tensor == nullptr) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s of %s was NULL in phase 1", function, span->name,
                executor.op.c_str());
  }
  if (!isLiveTensor(span->tensor)) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: the tensor %p, which is %s of %s, was destroyed; the executor needs it",
                function, static_cast<const void*>(span->tensor), span->name,
                executor.op.c_str());
  }
  if (!lookAlike(*tensor, *span->tensor)) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s of %s is %s, the tensor given another view, %s",
                function, span->name, executor.op.c_str(), span->tensor->describe().c_str(),
                tensor->describe().c_str());
  }
  tensor->data = addr;
  const ptrdiff_t distance = static_cast<ptrdiff_t>(tensor->originAddress()) -
                             reinterpret_cast<ptrdiff_t>(span->origin);
  const auto move = [distance](const void* address) {
    return reinterpret_cast<const void*>(reinterpret_cast<ptrdiff_t>(address) + distance);
  };
  span->begin = move(span->begin);
  span->origin = move(span->origin);
  span->moved += distance;
  return ACLNN_SUCCESS;
}

aclnnStatus setAddress(const char* function, aclOpExecutor* handle, Among among, size_t index,
                       aclTensor* tensor, void* addr) {
  return onExecutor(function, handle, [&](aclOpExecutor& executor) -> aclnnStatus {
    if (tensor == nullptr) {
      return fail(ACLNN_ERR_INNER_NULLPTR, "%s: tensor is NULL", function);
    }
    if (const aclnnStatus status = checkTensor(function, "tensor", tensor);
        status != ACLNN_SUCCESS) {
      return status;
    }
    DeviceSpan* span = findArgument(function, executor, among, index, false);
    return span == nullptr ? ACLNN_ERR_PARAM_INVALID
                           : changeAddress(function, executor, span, tensor, addr);
  });
}

aclnnStatus setAddressInList(const char* function, aclOpExecutor* handle, Among among,
                             size_t index, size_t relativeIndex, aclTensorList* tensors,
                             void* addr) {
  return onExecutor(function, handle, [&](aclOpExecutor& executor) -> aclnnStatus {
    if (tensors == nullptr) {
      return fail(ACLNN_ERR_INNER_NULLPTR, "%s: tensors is NULL", function);
    }
    if (const aclnnStatus status = checkTensorList(function, "tensors", tensors);
        status != ACLNN_SUCCESS) {
      return status;
    }
    DeviceSpan* first = findArgument(function, executor, among, index, true);
    if (first == nullptr) {
      return ACLNN_ERR_PARAM_INVALID;
    }
    const DeviceSpan* end = executor.spans.data() + executor.spans.size();
    size_t size = 1;
    while (first + size < end && first[size].place > 0) {
      ++size;
    }
    if (relativeIndex >= size || relativeIndex >= tensors->values.size()) {
      return fail(ACLNN_ERR_PARAM_INVALID,
                  "%s: relativeIndex %zu, but %s of %s has %zu tensors and the list given %zu",
                  function, relativeIndex, first->name, executor.op.c_str(), size,
                  tensors->values.size());
    }
    return changeAddress(function, executor, first + relativeIndex,
                         const_cast<aclTensor*>(tensors->values[relativeIndex]), addr);
  });
}

}  // namespace

extern "C" {

// CANN may answer 561000 for an operator that cannot run twice; all of these can.
aclnnStatus aclSetAclOpExecutorRepeatable(aclOpExecutor* executor) {
  return onExecutor("aclSetAclOpExecutorRepeatable", executor, [](aclOpExecutor& e) {
    e.repeatable = true;
    return ACLNN_SUCCESS;
  });
}

aclnnStatus aclDestroyAclOpExecutor(aclOpExecutor* executor) {
  const char* function = "aclDestroyAclOpExecutor";
  if (executor == nullptr) {
    return fail(ACLNN_ERR_INNER_NULLPTR, "%s: executor is NULL", function);
  }
  return live<aclOpExecutor>().destroy(executor)
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID,
                    "%s: the executor %p was used already or never created", function,
                    static_cast<void*>(executor));
}

#define ADDRESS_FUNCTION(name, among) \
  aclnnStatus name(aclOpExecutor* executor, const size_t index, aclTensor* tensor, void* addr) { \
    return setAddress(#name, executor, among, index, tensor, addr); \
  }
#define LIST_ADDRESS_FUNCTION(name, among) \
  aclnnStatus name(aclOpExecutor* executor, size_t irIndex, const size_t relativeIndex, \
                   aclTensorList* tensors, void* addr) { \
    return setAddressInList(#name, executor, among, irIndex, relativeIndex, tensors, addr); \
  }

ADDRESS_FUNCTION(aclSetInputTensorAddr, Among::kInputs)
ADDRESS_FUNCTION(aclSetOutputTensorAddr, Among::kOutputs)
ADDRESS_FUNCTION(aclSetTensorAddr, Among::kAll)
LIST_ADDRESS_FUNCTION(aclSetDynamicInputTensorAddr, Among::kInputs)
LIST_ADDRESS_FUNCTION(aclSetDynamicOutputTensorAddr, Among::kOutputs)
LIST_ADDRESS_FUNCTION(aclSetDynamicTensorAddr, Among::kAll)

ADDRESS_FUNCTION(AclSetInputTensorAddr, Among::kInputs)
ADDRESS_FUNCTION(AclSetOutputTensorAddr, Among::kOutputs)
ADDRESS_FUNCTION(AclSetTensorAddr, Among::kAll)
LIST_ADDRESS_FUNCTION(AclSetDynamicInputTensorAddr, Among::kInputs)
LIST_ADDRESS_FUNCTION(AclSetDynamicOutputTensorAddr, Among::kOutputs)
LIST_ADDRESS_FUNCTION(AclSetDynamicTensorAddr, Among::kAll)

aclnnStatus aclnnInit(const char* configPath) {
  return guarded<aclnnStatus>(ACLNN_ERR_INNER, "aclnnInit", [&]() -> aclnnStatus {
    const bool valid =
        checkOptions() == ACL_SUCCESS && checkConfigFile("aclnnInit", configPath) == ACL_SUCCESS;
    return valid ? ACLNN_SUCCESS : ACLNN_ERR_PARAM_INVALID;
  });
}

aclnnStatus aclnnFinalize(void) { return ACLNN_SUCCESS; }

}  // extern "C"
