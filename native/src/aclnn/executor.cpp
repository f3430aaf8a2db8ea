// SPDX-License-Identifier: Apache-2.0
#include "executor.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "live_objects.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/json.hpp"
#include "runtime/memory.hpp"
#include "runtime/options.hpp"
#include "tensor.hpp"

using namespace cann4j;

namespace cann4j {
namespace {

constexpr uintptr_t kViewAlignment = 32;

LiveObjects<aclOpExecutor>& executors() {
  static auto& instance = *new LiveObjects<aclOpExecutor>;
  return instance;
}

aclnnStatus checkSpan(const char* op, const DeviceSpan& span, int device) {
  if (span.bytes == 0) {
    return ACLNN_SUCCESS;
  }
  const int owner = deviceOf(span.begin);
  if (owner < 0) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s at %p is not device memory", op, span.name,
                span.begin);
  }
  if (!isDeviceRange(span.begin, span.bytes)) {
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

aclnnStatus checkWorkspace(const char* op, void* workspace, uint64_t given, uint64_t needed,
                           int device) {
  if (workspace == nullptr && (needed > 0 || given > 0)) {
    return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: workspace is NULL, %llu bytes are needed", op,
                static_cast<unsigned long long>(std::max(needed, given)));
  }
  if (given < needed) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: the workspace has %llu bytes, %llu are needed", op,
                static_cast<unsigned long long>(given), static_cast<unsigned long long>(needed));
  }
  return checkSpan(op, {"workspace", workspace, needed, workspace}, device);
}

}  // namespace

DeviceSpan spanOf(const char* name, const aclTensor* tensor) {
  if (tensor == nullptr || tensor->elements() == 0) {
    return {name, nullptr, 0, nullptr};
  }
  // 128 bits, so that absurd strides give an absurd span, which no allocation holds.
  __int128 lowest = 0;
  __int128 highest = 0;
  for (size_t i = 0; i < tensor->viewDims.size(); ++i) {
    const __int128 reach = static_cast<__int128>(tensor->viewDims[i] - 1) * tensor->strides[i];
    (reach < 0 ? lowest : highest) += reach;
  }
  const __int128 itemSize = static_cast<__int128>(aclDataTypeSize(tensor->dataType));
  const __int128 bytes = (highest - lowest + 1) * itemSize;
  const uintptr_t origin = tensor->originAddress();
  const uintptr_t begin = origin + static_cast<uintptr_t>(lowest * itemSize);
  return {name, reinterpret_cast<const void*>(begin),
          bytes > PTRDIFF_MAX ? SIZE_MAX : static_cast<size_t>(bytes),
          reinterpret_cast<const void*>(origin)};
}

aclnnStatus makeExecutor(const char* op, uint64_t workspaceBytes, std::vector<DeviceSpan> spans,
                         std::function<aclError(void* hostWorkspace)> kernel,
                         uint64_t* workspaceSize, aclOpExecutor** executor) {
  if (workspaceSize == nullptr || executor == nullptr) {
    return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: %s is NULL", op,
                workspaceSize == nullptr ? "workspaceSize" : "executor");
  }
  auto made = std::make_unique<aclOpExecutor>();
  made->op = op;
  made->workspaceSize = workspaceBytes;
  made->kernel = std::move(kernel);
  made->spans = std::move(spans);
  *workspaceSize = workspaceBytes;
  *executor = executors().add(std::move(made));
  return ACLNN_SUCCESS;
}

aclnnStatus makeExecutor(const char* op, uint64_t workspaceBytes,
                         std::function<aclError(void* hostWorkspace)> kernel,
                         uint64_t* workspaceSize, aclOpExecutor** executor) {
  return makeExecutor(op, workspaceBytes, std::vector<DeviceSpan>(), std::move(kernel),
                      workspaceSize, executor);
}

static aclnnStatus launchChecked(const char* op, void* workspace, uint64_t workspaceSize,
                                 aclOpExecutor* executor, aclrtStream streamHandle) {
  if (executor == nullptr) {
    return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: executor is NULL", op);
  }
  if (!executors().contains(executor)) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: the executor %p was used already (only a repeatable one runs twice) or never "
                "created",
                op, static_cast<void*>(executor));
  }
  std::unique_ptr<aclOpExecutor> consumed;
  if (!executor->repeatable) {
    consumed = executors().take(executor);
    if (consumed == nullptr) {
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: another thread uses the executor %p", op,
                  static_cast<void*>(executor));
    }
  }
  if (executor->op != op) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: the executor is one of %s", op,
                executor->op.c_str());
  }
  std::shared_ptr<Stream> stream;
  if (resolveStream(streamHandle, &stream) != ACL_SUCCESS) {
    return fail(ACLNN_ERR_RUNTIME_ERROR, "%s: the stream is of no use", op);
  }
  if (const aclnnStatus status = checkWorkspace(op, workspace, workspaceSize,
                                                executor->workspaceSize, stream->device());
      status != ACLNN_SUCCESS) {
    return status;
  }
  for (const DeviceSpan& span : executor->spans) {
    if (const aclnnStatus status = checkSpan(op, span, stream->device());
        status != ACLNN_SUCCESS) {
      return status;
    }
  }
  void* hostWorkspace = workspace == nullptr ? nullptr : toHost(workspace);
  auto kernel = consumed != nullptr ? std::move(executor->kernel) : executor->kernel;
  stream->submitKernel([kernel = std::move(kernel), hostWorkspace] { return kernel(hostWorkspace); });
  return ACLNN_SUCCESS;
}

aclnnStatus launch(const char* op, void* workspace, uint64_t workspaceSize,
                   aclOpExecutor* executor, aclrtStream stream) {
  return guarded<aclnnStatus>(ACLNN_ERR_INNER, op, [&] {
    return launchChecked(op, workspace, workspaceSize, executor, stream);
  });
}

}  // namespace cann4j

extern "C" {

aclnnStatus aclSetAclOpExecutorRepeatable(aclOpExecutor* executor) {
  if (executor == nullptr) {
    return fail(ACLNN_ERR_INNER_NULLPTR, "aclSetAclOpExecutorRepeatable: executor is NULL");
  }
  if (!executors().contains(executor)) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "aclSetAclOpExecutorRepeatable: the executor was used already or never created");
  }
  executor->repeatable = true;
  return ACLNN_SUCCESS;
}

aclnnStatus aclDestroyAclOpExecutor(aclOpExecutor* executor) {
  if (executor == nullptr) {
    return fail(ACLNN_ERR_INNER_NULLPTR, "aclDestroyAclOpExecutor: executor is NULL");
  }
  return executors().destroy(executor)
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID,
                    "aclDestroyAclOpExecutor: the executor was used already or never created");
}

aclnnStatus aclnnInit(const char* configPath) {
  if (checkOptions() != ACL_SUCCESS) {
    return ACLNN_ERR_PARAM_INVALID;
  }
  return checkConfigFile("aclnnInit", configPath) == ACL_SUCCESS ? ACLNN_SUCCESS
                                                                 : ACLNN_ERR_PARAM_INVALID;
}

aclnnStatus aclnnFinalize(void) { return ACLNN_SUCCESS; }

}  // extern "C"
