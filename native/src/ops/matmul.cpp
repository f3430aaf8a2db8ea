// SPDX-License-Identifier: Apache-2.0
// Matmul, Mm, BatchMatMul.
#include <algorithm>
#include <string>
#include <utility>

#include "aclnnop/aclnn_batch_matmul.h"
#include "aclnnop/aclnn_matmul.h"
#include "aclnnop/aclnn_mm.h"
#include "arguments.hpp"
#include "gemm.hpp"
#include "walk.hpp"

using namespace cann4j;

namespace {

enum CubeMathType : int8_t { kKeepType, kAllowLess, kUseHalf, kUseHf32, kAddInFloat };

// A tensor with the dimensions [batch...][outer][inner].
struct Factor {
  std::vector<int64_t> batch, batchStrides;
  int64_t outer = 1, outerStride = 0;
  int64_t inner = 1, innerStride = 0;
};

// What is missing of the last two dimensions has the size 1.
Factor factorOf(const aclTensor& tensor, bool hasOuter, bool hasInner) {
  Factor f;
  f.batch = tensor.viewDims;
  f.batchStrides = tensor.strides;
  const auto take = [&](bool has, int64_t* size, int64_t* stride) {
    if (has) {
      *size = f.batch.back();
      *stride = f.batchStrides.back();
      f.batch.pop_back();
      f.batchStrides.pop_back();
    }
  };
  take(hasInner, &f.inner, &f.innerStride);
  take(hasOuter, &f.outer, &f.outerStride);
  return f;
}

// Stretches the batch dimensions.
void broadcastBatch(const std::vector<int64_t>& shape, Factor* f) {
  std::vector<int64_t> strides(shape.size());
  for (size_t i = 1; i <= f->batch.size(); ++i) {
    if (f->batch[f->batch.size() - i] != 1) {
      strides[shape.size() - i] = f->batchStrides[f->batch.size() - i];
    }
  }
  f->batch = shape;
  f->batchStrides = std::move(strides);
}

// Merges dimensions where the strides allow it.
gemm::Index indexOf(const std::vector<int64_t>& dims, const std::vector<int64_t>& strides) {
  gemm::Index index;
  for (size_t d = 0; d < dims.size(); ++d) {
    int64_t reach = 0;
    if (dims[d] == 1) {
      continue;
    }
    if (!index.dims.empty() && !__builtin_mul_overflow(dims[d], strides[d], &reach) &&
        index.strides.back() == reach) {
      index.dims.back() *= dims[d];
      index.strides.back() = strides[d];
    } else {
      index.dims.push_back(dims[d]);
      index.strides.push_back(strides[d]);
    }
  }
  return index;
}

gemm::Matrix matrixOf(const aclTensor& tensor, Factor f, bool foldsBatch) {
  gemm::Matrix m{};
  m.dataType = tensor.dataType;
  m.origin = tensor.originAddress();
  m.inner = f.innerStride;
  std::vector<int64_t> outer, outerStrides;
  if (foldsBatch) {
    outer = std::exchange(f.batch, {});
    outerStrides = std::exchange(f.batchStrides, {});
  }
  outer.push_back(f.outer);
  outerStrides.push_back(f.outerStride);
  m.batch = indexOf(f.batch, f.batchStrides);
  m.outer = indexOf(outer, outerStrides);
  return m;
}

aclnnStatus checkTypes(const char* op, const aclTensor* self, const aclTensor* mat2,
                       const aclTensor* out, int8_t cubeMathType) {
  RETURN_IF_FAILED(checkType(op, "self", self, kFloats));
  RETURN_IF_FAILED(checkType(op, "mat2", mat2, kFloats));
  RETURN_IF_FAILED(checkType(op, "out", out, kFloats));
  if (cubeMathType < kKeepType || cubeMathType > kAddInFloat) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: cubeMathType is %d, which is not in [0, 4]", op,
                cubeMathType);
  }
  const aclDataType computed = promote(self->dataType, mat2->dataType);
  return cubeMathType == kKeepType && computed == ACL_FLOAT && out->dataType != ACL_FLOAT
             ? fail(ACLNN_ERR_PARAM_INVALID,
                    "%s: cubeMathType 0 keeps a product of type FLOAT, out is %s", op,
                    dataTypeName(out->dataType))
             : ACLNN_SUCCESS;
}

// The shapes as torch.matmul has them.
aclnnStatus prepare(const Call& call, const aclTensor* self, const aclTensor* mat2,
                    const aclTensor* out, int8_t cubeMathType) {
  const bool hasRows = self->viewDims.size() > 1;
  const bool hasColumns = mat2->viewDims.size() > 1;
  Factor a = factorOf(*self, hasRows, true);
  Factor b = factorOf(*mat2, true, hasColumns);
  std::swap(b.outer, b.inner);
  std::swap(b.outerStride, b.innerStride);
  std::vector<int64_t> batch;
  if (a.inner != b.inner || !broadcastShape(a.batch, b.batch, &batch)) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: self %s and mat2 %s do not multiply", call.op,
                shapeText(self->viewDims).c_str(), shapeText(mat2->viewDims).c_str());
  }
  std::vector<int64_t> expected = batch;
  if (hasRows) {
    expected.push_back(a.outer);
  }
  if (hasColumns) {
    expected.push_back(b.outer);
  }
  Factor c;
  // A scalar may have a dimension.
  if (!expected.empty() || out->viewDims != std::vector<int64_t>{1}) {
    RETURN_IF_FAILED(checkSameShape(call.op, "out", out, expected));
    c = factorOf(*out, hasRows, hasColumns);
  }
  broadcastBatch(batch, &a);
  broadcastBatch(batch, &b);
  const bool foldsBatch = std::all_of(b.batchStrides.begin(), b.batchStrides.end(),
                                      [](int64_t stride) { return stride == 0; });
  const int64_t columns = b.outer;
  const int64_t depth = a.inner;
  gemm::Matrix product = matrixOf(*out, std::move(c), foldsBatch);
  gemm::Matrix left = matrixOf(*self, std::move(a), foldsBatch);
  if (foldsBatch) {
    b.batch.clear();
    b.batchStrides.clear();
  }
  gemm::Matrix right = matrixOf(*mat2, std::move(b), false);
  // FLOAT is as exact where HF32 is allowed or asked for.
  left.throughHalf = cubeMathType == kUseHalf && self->dataType == ACL_FLOAT;
  right.throughHalf = cubeMathType == kUseHalf && mat2->dataType == ACL_FLOAT;
  std::string why;
  const gemm::Tile* tile = gemm::selectTile(&why);
  if (tile == nullptr) {
    return fail(ACLNN_ERR_INNER_FIND_KERNEL_ERROR, "%s: %s", call.op, why.c_str());
  }
  return call.make(
      {inputSpan("self", self), inputSpan("mat2", mat2), outputSpan("out", out)},
      [=](const Binding& memory) -> aclError {
        const auto bound = [&](const char* name, gemm::Matrix matrix) {
          matrix.origin = reinterpret_cast<uintptr_t>(
              memory.host(name, reinterpret_cast<void*>(matrix.origin)));
          return matrix;
        };
        gemm::multiply(*tile, bound("self", left), bound("mat2", right), columns, depth,
                       bound("out", product));
        return ACL_SUCCESS;
      });
}

// Phase 1 for factors whose number of dimensions is in a range.
aclnnStatus prepareRanks(const char* op, size_t fewest, size_t most, const aclTensor* self,
                         const aclTensor* mat2, const aclTensor* out, int8_t cubeMathType,
                         uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne(op, workspaceSize, executor, [&](const Call& call) -> aclnnStatus {
    RETURN_IF_FAILED(checkTypes(op, self, mat2, out, cubeMathType));
    for (const aclTensor* factor : {self, mat2}) {
      if (factor->viewDims.size() < fewest || factor->viewDims.size() > most) {
        const std::string range = fewest == most ? "" : " to " + std::to_string(most);
        return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has the shape %s, not %zu%s dimensions", op,
                    factor == self ? "self" : "mat2", shapeText(factor->viewDims).c_str(), fewest,
                    range.c_str());
      }
    }
    return prepare(call, self, mat2, out, cubeMathType);
  });
}

}  // namespace

extern "C" {

aclnnStatus aclnnMatmulGetWorkspaceSize(const aclTensor* self, const aclTensor* mat2,
                                        aclTensor* out, int8_t cubeMathType,
                                        uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareRanks("aclnnMatmul", 1, 6, self, mat2, out, cubeMathType, workspaceSize, executor);
}
PHASE_TWO(aclnnMatmul)

aclnnStatus aclnnMmGetWorkspaceSize(const aclTensor* self, const aclTensor* mat2, aclTensor* out,
                                    int8_t cubeMathType, uint64_t* workspaceSize,
                                    aclOpExecutor** executor) {
  return prepareRanks("aclnnMm", 2, 2, self, mat2, out, cubeMathType, workspaceSize, executor);
}
PHASE_TWO(aclnnMm)

aclnnStatus aclnnBatchMatMulGetWorkspaceSize(const aclTensor* self, const aclTensor* mat2,
                                             aclTensor* out, int8_t cubeMathType,
                                             uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareRanks("aclnnBatchMatMul", 3, 3, self, mat2, out, cubeMathType, workspaceSize,
                      executor);
}
PHASE_TWO(aclnnBatchMatMul)

}  // extern "C"
