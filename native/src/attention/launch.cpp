// SPDX-License-Identifier: Apache-2.0
#include "attention/launch.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include "aclnn/objects.hpp"
#include "attention/attention.hpp"
#include "runtime/error.hpp"
#include "runtime/thread_pool.hpp"

namespace cann4j::attention {

namespace {

Workers poolWorkers() {
  ThreadPool& pool = ThreadPool::instance();
  return {pool.threads(),
          [&pool](int64_t count, const std::function<void(int64_t)>& body) { pool.parallelFor(count, body); },
          [&pool] { return pool.hasWaitingJobs(); }};
}

template <class T>
void zeroRow(const TensorView& view, const Extent& extent, int64_t batch, int64_t row) {
  T* base = static_cast<T*>(view.data) + batch * view.batchStride + row * view.rowStride;
  for (int64_t head = 0; head < extent.heads; ++head) {
    T* at = base + head * view.headStride;
    if (view.elementStride == 1) {
      std::memset(at, 0, extent.dim * sizeof(T));
    } else {
      for (int64_t d = 0; d < extent.dim; ++d) at[d * view.elementStride] = 0;
    }
  }
}

void zero(const Workers& workers, ElementType type, const TensorView& view, const Extent& extent) {
  constexpr int64_t kRowsAtOnce = 256;
  const int64_t rows = extent.batches * extent.rows;
  workers.parallelFor((rows + kRowsAtOnce - 1) / kRowsAtOnce, [&](int64_t chunk) {
    const int64_t end = std::min(rows, (chunk + 1) * kRowsAtOnce);
    for (int64_t row = chunk * kRowsAtOnce; row < end; ++row) {
      if (type == ElementType::Float32) {
        zeroRow<float>(view, extent, row / extent.rows, row % extent.rows);
      } else {
        zeroRow<uint16_t>(view, extent, row / extent.rows, row % extent.rows);
      }
    }
  });
}

// Whether the kernels write the gradient of every key.
bool allKeysHaveQueries(const Request& request) {
  int64_t keys = 0;
  for (const Sequence& s : request.sequences) keys += s.qLength > 0 ? s.kvLength : 0;
  return keys == request.key.batches * request.key.rows;
}

aclError computeForward(const Kernels& kernels, const Request& request, const Binding& memory) {
  runForward(kernels, poolWorkers(), bind(request, memory), request.sequences);
  return ACL_SUCCESS;
}

aclError computeBackward(const Kernels& kernels, const Request& request, const Binding& memory) {
  const Workers workers = poolWorkers();
  const Problem p = bind(request, memory);
  auto wide = [](Extent extent, int64_t dim) {
    extent.dim = dim;
    return extent;
  };
  zero(workers, p.type, p.queryGradient, request.query);
  if (p.ropeDim > 0) zero(workers, p.type, p.queryRopeGradient, wide(request.query, p.ropeDim));
  if (!allKeysHaveQueries(request)) {
    zero(workers, p.type, p.keyGradient, request.key);
    if (p.ropeDim > 0) zero(workers, p.type, p.keyRopeGradient, wide(request.key, p.ropeDim));
    zero(workers, p.type, p.valueGradient, request.value);
  }
  if (p.convertQuerySum) {
    zero(workers, ElementType::Float32, p.querySum, wide(request.query, p.headDim + p.ropeDim));
  }
  runBackward(kernels, workers, p, request.sequences);
  return ACL_SUCCESS;
}

}  // namespace

static aclnnStatus prepareChecked(const Arguments& a, uint64_t* workspaceSize, aclOpExecutor** executor) {
  if (!workspaceSize || !executor) {
    return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: %s is NULL", a.op, workspaceSize ? "executor" : "workspaceSize");
  }
  auto request = std::make_shared<Request>();
  if (const aclnnStatus status = readArguments(a, request.get())) return status;
  std::string why;
  const Kernels* kernels = selectKernels(&why);
  if (!kernels) return fail(ACLNN_ERR_INNER_FIND_KERNEL_ERROR, "%s: %s", a.op, why.c_str());
  if (request->nothingToDo) {
    return makeExecutor(a.op, 0, request->spans, [](const Binding&) { return ACL_SUCCESS; }, workspaceSize, executor);
  }
  const bool backward = a.backward;
  return makeExecutor(
      a.op, request->workspaceBytes(), request->spans,
      [request, kernels, backward](const Binding& memory) {
        if (const aclError error = checkCompressedMask(*request, memory)) return error;
        return backward ? computeBackward(*kernels, *request, memory) : computeForward(*kernels, *request, memory);
      },
      workspaceSize, executor);
}

aclnnStatus prepare(const Arguments& a, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return whileArgumentsStay(a.op, [&] { return prepareChecked(a, workspaceSize, executor); });
}

}  // namespace cann4j::attention
