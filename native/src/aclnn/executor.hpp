// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "aclnn/aclnn_base.h"
#include "runtime/memory.hpp"

namespace cann4j {

enum class Use { kInput, kOutput, kInPlace };

// A tensor argument of an operator and the device memory that a kernel will touch of it. Phase 2
// refuses what is not inside one live allocation, a kernel what is not any more.
struct DeviceSpan {
  const char* name;         // the parameter's
  Use use;
  const aclTensor* tensor;  // NULL for an optional argument that is not given
  uint64_t version;         // of the tensor, see aclTensor
  const void* begin;        // lowest device address of the view
  size_t bytes;             // 0: nothing is touched
  const void* origin;       // address of the view's first element
  ptrdiff_t moved = 0;      // bytes by which addresses changed since phase 1
  int64_t place = -1;       // in a list
  uint64_t allocation = 0;  // that phase 2 found the memory in
};

DeviceSpan inputSpan(const char* name, const aclTensor* tensor);
DeviceSpan outputSpan(const char* name, const aclTensor* tensor);
DeviceSpan inPlaceSpan(const char* name, const aclTensor* tensor);
// For an argument that the operator takes and leaves alone, wherever it is.
DeviceSpan untouched(DeviceSpan span);
// One span for each tensor of a list, in order.
std::vector<DeviceSpan> inputSpans(const char* name, const aclTensorList* list);

// The memory of one run of a kernel.
class Binding {
 public:
  Binding(void* workspace, std::vector<DeviceSpan> spans)
      : workspace_(workspace), spans_(std::move(spans)) {}

  void* workspace() const { return workspace_; }  // host address

  // Where the kernel finds what phase 1 saw at this device address of the tensor argument `name`,
  // or of the tensor at a place in that list. NULL if the argument was not given.
  template <class T>
  T* host(const char* name, T* address, size_t place = 0) const {
    const DeviceSpan& span = find(name, place);
    return span.tensor == nullptr
               ? nullptr
               : toHostAs<T>(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(address) +
                                                           static_cast<uintptr_t>(span.moved)));
  }

  const std::vector<DeviceSpan>& spans() const { return spans_; }

 private:
  const DeviceSpan& find(const char* name, size_t place) const;

  void* workspace_;
  std::vector<DeviceSpan> spans_;
};

using Kernel = std::function<aclError(const Binding& memory)>;

}  // namespace cann4j

struct aclOpExecutor {
  std::string op;
  uint64_t workspaceSize = 0;
  cann4j::Kernel kernel;
  std::vector<cann4j::DeviceSpan> spans;
  bool repeatable = false;
};

namespace cann4j {

// Tail of phase 1: makes the executor. `spans` are ALL tensor arguments in the order of the C
// function, also those that are NULL or untouched, because programs address them by position. The
// kernel captures plain copies (dims, strides, device addresses), because aclTensor objects may be
// destroyed after phase 2 returned, and translates the addresses with its Binding, because those of
// a repeatable executor may be changed between runs. Tensors may have NULL data in phase 1.
aclnnStatus makeExecutor(const char* op, uint64_t workspaceBytes, std::vector<DeviceSpan> spans,
                         Kernel kernel, uint64_t* workspaceSize, aclOpExecutor** executor);

// Phase 2 of every operator: checks executor, workspace, stream and spans, consumes the executor
// (unless it is repeatable) and submits the kernel.
aclnnStatus launch(const char* op, void* workspace, uint64_t workspaceSize,
                   aclOpExecutor* executor, aclrtStream stream);

}  // namespace cann4j
