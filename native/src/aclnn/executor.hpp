// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "aclnn/aclnn_base.h"

namespace cann4j {

// Device memory that a kernel will touch; launch() refuses what is not inside one live allocation.
struct DeviceSpan {
  const char* name;
  const void* begin;   // lowest device address of the view
  size_t bytes;        // 0: nothing is touched
  const void* origin;  // address of the view's first element
};

DeviceSpan spanOf(const char* name, const aclTensor* tensor);  // NULL tensor: an empty span

}  // namespace cann4j

struct aclOpExecutor {
  std::string op;
  uint64_t workspaceSize = 0;
  std::function<aclError(void* hostWorkspace)> kernel;
  std::vector<cann4j::DeviceSpan> spans;
  bool repeatable = false;
};

namespace cann4j {

// Tail of phase 1: makes the executor. The kernel captures plain copies (dims, strides, raw
// addresses), because aclTensor objects may be destroyed after phase 2 returned. Tensors may have
// NULL data in phase 1, to ask for the workspace only: name every tensor argument in `spans` and
// phase 2 refuses the call.
aclnnStatus makeExecutor(const char* op, uint64_t workspaceBytes, std::vector<DeviceSpan> spans,
                         std::function<aclError(void* hostWorkspace)> kernel,
                         uint64_t* workspaceSize, aclOpExecutor** executor);
aclnnStatus makeExecutor(const char* op, uint64_t workspaceBytes,
                         std::function<aclError(void* hostWorkspace)> kernel,
                         uint64_t* workspaceSize, aclOpExecutor** executor);

// Phase 2 of every operator: checks executor, workspace, stream and spans, consumes the executor
// (unless it is repeatable) and submits the kernel.
aclnnStatus launch(const char* op, void* workspace, uint64_t workspaceSize,
                   aclOpExecutor* executor, aclrtStream stream);

}  // namespace cann4j
