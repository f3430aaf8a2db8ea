// SPDX-License-Identifier: Apache-2.0
#include "executor.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

#include "objects.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/host_memory.hpp"
#include "runtime/options.hpp"
#include "tensor.hpp"

using namespace cann4j;

namespace cann4j {
namespace {

constexpr uintptr_t kViewAlignment = 32;

// Notes the allocation.
aclnnStatus checkMemory(const char* op, DeviceSpan& span, int device) {
  if (span.bytes == 0) {
    return ACLNN_SUCCESS;
  }
  const int owner = deviceOf(span.begin);
  if (owner < 0) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s at %p is not device memory", op, span.name,
                span.begin);
  }
  span.allocation = allocationOf(span.begin, span.bytes);
  if (span.allocation == 0) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: %s covers %zu bytes from %p, which are not inside one live allocation", op,
                span.name, span.bytes, span.begin);
  }
  if (!canAccess(device, owner)) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s is on device %d, the stream on device %d", op,
                span.name, owner, device);
  }
  if (options().strict && reinterpret_cast<uintptr_t>(span.origin) % kViewAlignment != 0) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: %s starts at %p, which is not 32-byte aligned (CANN4J_CPU_STRICT)", op,
                span.name, span.origin);
  }
  return ACLNN_SUCCESS;
}

aclnnStatus checkTensorKept(const char* op, const DeviceSpan& span) {
  if (span.tensor == nullptr) {
    return ACLNN_SUCCESS;
  }
  if (!isLiveTensor(span.tensor)) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: the tensor %p of %s was destroyed between the two phases", op,
                static_cast<const void*>(span.tensor), span.name);
  }
  if (span.tensor->version != span.version) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: aclSetRawTensorAddr or aclInitTensor changed the tensor %p of %s, now at %p, "
                "between the two phases",
                op, static_cast<const void*>(span.tensor), span.name, span.tensor->data);
  }
  return ACLNN_SUCCESS;
}

aclnnStatus checkWorkspace(const char* op, void* workspace, uint64_t given, uint64_t needed,
                           int device, DeviceSpan* span) {
  if (workspace == nullptr && (needed > 0 || given > 0)) {
    return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: workspace is NULL, %llu bytes are needed", op,
                static_cast<unsigned long long>(std::max(needed, given)));
  }
  if (given < needed) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: the workspace has %llu bytes, %llu are needed", op,
                static_cast<unsigned long long>(given), static_cast<unsigned long long>(needed));
  }
  span->name = "workspace";
  span->begin = span->origin = workspace;
  span->bytes = needed;
  return checkMemory(op, *span, device);
}

// Before the kernel touches memory: what phase 2 found there may be freed by now.
aclError runKernel(const std::string& op, const Kernel& kernel, const Binding& binding,
                   const DeviceSpan& workspace) {
  const auto isGone = [](const DeviceSpan& span) {
    return span.bytes > 0 && allocationOf(span.begin, span.bytes) != span.allocation;
  };
  const auto gone = std::find_if(binding.spans().begin(), binding.spans().end(), isGone);
  const DeviceSpan* freed = gone != binding.spans().end() ? &*gone
                            : isGone(workspace)           ? &workspace
                                                          : nullptr;
  if (freed == nullptr) {
    for (const DeviceSpan& span : binding.spans()) {
      useHugePages(toHost(span.begin), span.bytes);
    }
    useHugePages(toHost(workspace.begin), workspace.bytes);
  }
  return freed == nullptr
             ? kernel(binding)
             : fail(ACL_ERROR_RT_AICORE_EXCEPTION,
                    "%s: %s, %zu bytes from %p, was freed before the operator ran", op.c_str(),
                    freed->name, freed->bytes, freed->begin);
}

DeviceSpan spanOf(const char* name, Use use, const aclTensor* tensor) {
  DeviceSpan span{};
  span.name = name;
  span.use = use;
  if (tensor == nullptr) {
    return span;
  }
  span.tensor = tensor;
  span.version = tensor->version;
  const uintptr_t origin = tensor->originAddress();
  span.begin = span.origin = reinterpret_cast<const void*>(origin);
  if (tensor->elements() == 0) {
    return span;
  }
  // 128 bits, so that absurd strides give an absurd span, which no allocation holds.
  __int128 lowest = 0;
  __int128 highest = 0;
  for (size_t i = 0; i < tensor->viewDims.size(); ++i) {
    const __int128 reach = static_cast<__int128>(tensor->viewDims[i] - 1) * tensor->strides[i];
    (reach < 0 ? lowest : highest) += reach;
  }
  const size_t itemSize = aclDataTypeSize(tensor->dataType);
  const __int128 reached = highest - lowest + 1;
  span.begin = reinterpret_cast<const void*>(origin + static_cast<uintptr_t>(lowest) * itemSize);
  span.bytes = reached > static_cast<__int128>(PTRDIFF_MAX / itemSize)
                   ? SIZE_MAX
                   : static_cast<size_t>(reached) * itemSize;
  return span;
}

}  // namespace

DeviceSpan inputSpan(const char* name, const aclTensor* tensor) {
  return spanOf(name, Use::kInput, tensor);
}

DeviceSpan outputSpan(const char* name, const aclTensor* tensor) {
  return spanOf(name, Use::kOutput, tensor);
}

DeviceSpan inPlaceSpan(const char* name, const aclTensor* tensor) {
  return spanOf(name, Use::kInPlace, tensor);
}

DeviceSpan untouched(DeviceSpan span) {
  span.bytes = 0;
  return span;
}

std::vector<DeviceSpan> inputSpans(const char* name, const aclTensorList* list) {
  std::vector<DeviceSpan> spans;
  for (const aclTensor* tensor : list->values) {
    spans.push_back(inputSpan(name, tensor));
    spans.back().place = static_cast<int64_t>(spans.size()) - 1;
  }
  return spans;
}

const DeviceSpan& Binding::find(const char* name, size_t place) const {
  for (size_t i = 0; i < spans_.size(); ++i) {
    if (std::strcmp(spans_[i].name, name) == 0) {
      return spans_.at(i + place);  // those of a list stand together
    }
  }
  throw std::logic_error(std::string("the operator has no tensor argument ") + name);
}

aclnnStatus makeExecutor(const char* op, uint64_t workspaceBytes, std::vector<DeviceSpan> spans,
                         Kernel kernel, uint64_t* workspaceSize, aclOpExecutor** executor) {
  if (workspaceSize == nullptr || executor == nullptr) {
    return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: %s is NULL", op,
                workspaceSize == nullptr ? "workspaceSize" : "executor");
  }
  for (const auto& [name, result] : {std::pair<const char*, const void*>{"workspaceSize", workspaceSize},
                                     {"executor", executor}}) {
    if (const aclnnStatus status =
            checkOnHost<aclnnStatus>(ACLNN_ERR_PARAM_INVALID, op, name, result);
        status != ACLNN_SUCCESS) {
      return status;
    }
  }
  aclOpExecutor made;
  made.op = op;
  made.workspaceSize = workspaceBytes;
  made.kernel = std::move(kernel);
  made.spans = std::move(spans);
  *executor = live<aclOpExecutor>().add(std::move(made));
  *workspaceSize = workspaceBytes;
  return ACLNN_SUCCESS;
}

static aclnnStatus launchChecked(const char* op, void* workspace, uint64_t workspaceSize,
                                 aclOpExecutor* handle, aclrtStream streamHandle) {
  if (handle == nullptr) {
    return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: executor is NULL", op);
  }
  auto executor = live<aclOpExecutor>().takeUnless(
      handle, [](const aclOpExecutor& e) { return e.repeatable; });
  if (!executor) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: the executor %p was used already (only a repeatable one runs twice) or never "
                "created",
                op, static_cast<void*>(handle));
  }
  if (executor->op != op) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: the executor is one of %s", op, executor->op.c_str());
  }
  std::shared_ptr<Stream> stream;
  if (resolveStream(streamHandle, &stream) != ACL_SUCCESS) {
    return fail(ACLNN_ERR_RUNTIME_ERROR, "%s: the stream is of no use", op);
  }
  DeviceSpan workspaceSpan{};
  if (const aclnnStatus status =
          checkWorkspace(op, workspace, workspaceSize, executor->workspaceSize, stream->device(),
                         &workspaceSpan);
      status != ACLNN_SUCCESS) {
    return status;
  }
  {
    std::shared_lock tensorsStay(reading());
    for (DeviceSpan& span : executor->spans) {
      aclnnStatus status = checkTensorKept(op, span);
      if (status == ACLNN_SUCCESS) {
        status = checkMemory(op, span, stream->device());
      }
      if (status != ACLNN_SUCCESS) {
        return status;
      }
    }
  }
  Binding binding(workspace == nullptr ? nullptr : toHost(workspace), std::move(executor->spans));
  stream->submitKernel([op = std::move(executor->op), kernel = std::move(executor->kernel),
                        binding = std::move(binding), workspaceSpan] {
    return runKernel(op, kernel, binding, workspaceSpan);
  });
  return ACLNN_SUCCESS;
}

aclnnStatus launch(const char* op, void* workspace, uint64_t workspaceSize,
                   aclOpExecutor* executor, aclrtStream stream) {
  return guarded<aclnnStatus>(ACLNN_ERR_INNER, op, [&] {
    return launchChecked(op, workspace, workspaceSize, executor, stream);
  });
}

}  // namespace cann4j
