// SPDX-License-Identifier: Apache-2.0
// Embedding, EmbeddingDenseBackward.
#include "aclnnop/aclnn_embedding.h"
#include "aclnnop/aclnn_embedding_dense_backward.h"
#include "arguments.hpp"
#include "index.hpp"

using namespace cann4j;

namespace {

std::vector<int64_t> withColumns(std::vector<int64_t> shape, int64_t columns) {
  shape.push_back(columns);
  return shape;
}

aclnnStatus prepareForward(const Call& call, const aclTensor* weight, const aclTensor* indices,
                           const aclTensor* out) {
  RETURN_IF_FAILED(checkNumeric(call.op, "weight", weight));
  RETURN_IF_FAILED(checkType(call.op, "indices", indices, kIndices));
  RETURN_IF_FAILED(checkSameType(call.op, "out", out, weight->dataType));
  if (weight->viewDims.size() != 2) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: weight has the shape %s, not two dimensions",
                call.op, shapeText(weight->viewDims).c_str());
  }
  const int64_t rows = weight->viewDims[0];
  const int64_t columns = weight->viewDims[1];
  RETURN_IF_FAILED(checkSameShape(call.op, "out", out, withColumns(indices->viewDims, columns)));
  return call.make(
      {inputSpan("weight", weight), inputSpan("indices", indices), outputSpan("out", out)},
      [=, op = call.op, table = FlatView("weight", *weight), which = FlatView("indices", *indices),
       result = FlatView("out", *out)](const Binding& memory) -> aclError {
        std::vector<int64_t> index;
        if (const aclError error = readIndices(op, "indices", which.bound(memory), rows,
                                               std::nullopt, &index);
            error != ACL_SUCCESS) {
          return error;
        }
        const FlatView from = table.bound(memory), to = result.bound(memory);
        forEachRange(which.size(), columns, [&](int64_t first, int64_t last) {
          for (int64_t i = first; i < last; ++i) {
            copyElements(from, index[static_cast<size_t>(i)] * columns, to, i * columns, columns);
          }
        });
        return ACL_SUCCESS;
      });
}

// The places of each index, in order: those of index w are order[begins[w]] up to begins[w + 1].
struct Places {
  Places(const std::vector<int64_t>& indices, int64_t limit)
      : begins(static_cast<size_t>(limit) + 1), order(indices.size()) {
    for (const int64_t index : indices) {
      ++begins[static_cast<size_t>(index) + 1];
    }
    for (size_t w = 1; w < begins.size(); ++w) {
      begins[w] += begins[w - 1];
    }
    std::vector<int64_t> next(begins.begin(), begins.end() - 1);
    for (size_t i = 0; i < indices.size(); ++i) {
      order[static_cast<size_t>(next[static_cast<size_t>(indices[i])]++)] =
          static_cast<int64_t>(i);
    }
  }

  std::vector<int64_t> begins;
  std::vector<int64_t> order;
};

// Each row of the result is the work of one thread, which adds in the order of the indices.
void sumGradients(const FlatView& grad, const Places& places, uint64_t paddingIdx,
                  bool scaleByFrequency, int64_t columns, const FlatView& out) {
  const auto weights = static_cast<int64_t>(places.begins.size()) - 1;
  forEachRange(weights, columns, [&](int64_t first, int64_t last) {
    std::vector<float> sum(static_cast<size_t>(columns));
    std::vector<float> row(static_cast<size_t>(columns));
    for (int64_t w = first; w < last; ++w) {
      const int64_t begin = places.begins[static_cast<size_t>(w)];
      const int64_t end = places.begins[static_cast<size_t>(w) + 1];
      std::fill(sum.begin(), sum.end(), 0.0f);
      if (static_cast<uint64_t>(w) != paddingIdx) {
        for (int64_t i = begin; i < end; ++i) {
          grad.load(places.order[static_cast<size_t>(i)] * columns, columns, row.data());
          for (size_t c = 0; c < sum.size(); ++c) {
            sum[c] += row[c];
          }
        }
      }
      if (scaleByFrequency && end - begin > 1) {
        for (float& value : sum) {
          value /= static_cast<float>(end - begin);
        }
      }
      out.store(w * columns, columns, sum.data());
    }
  });
}

aclnnStatus prepareBackward(const Call& call, const aclTensor* grad, const aclTensor* indices,
                            uint64_t numWeights, uint64_t paddingIdx, bool scaleGradByFreq,
                            const aclTensor* out) {
  RETURN_IF_FAILED(checkType(call.op, "grad", grad, kFloats));
  RETURN_IF_FAILED(checkType(call.op, "indices", indices, kIndices));
  RETURN_IF_FAILED(checkSameType(call.op, "out", out, grad->dataType));
  if (out->viewDims.size() != 2 || static_cast<uint64_t>(out->viewDims[0]) != numWeights) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: out has the shape %s, not numWeights = %llu rows",
                call.op, shapeText(out->viewDims).c_str(),
                static_cast<unsigned long long>(numWeights));
  }
  const int64_t columns = out->viewDims[1];
  RETURN_IF_FAILED(
      checkSameShape(call.op, "grad", grad, withColumns(indices->viewDims, columns)));
  const auto weights = static_cast<int64_t>(numWeights);
  return call.make(
      {inputSpan("grad", grad), inputSpan("indices", indices), outputSpan("out", out)},
      [=, op = call.op, rows = FlatView("grad", *grad), which = FlatView("indices", *indices),
       result = FlatView("out", *out)](const Binding& memory) -> aclError {
        std::vector<int64_t> index;
        if (const aclError error = readIndices(op, "indices", which.bound(memory), weights,
                                               std::nullopt, &index);
            error != ACL_SUCCESS) {
          return error;
        }
        sumGradients(rows.bound(memory), Places(index, weights), paddingIdx, scaleGradByFreq,
                     columns, result.bound(memory));
        return ACL_SUCCESS;
      });
}

}  // namespace

extern "C" {

aclnnStatus aclnnEmbeddingGetWorkspaceSize(const aclTensor* weight, const aclTensor* indices,
                                           const aclTensor* out, uint64_t* workspaceSize,
                                           aclOpExecutor** executor) {
  return phaseOne("aclnnEmbedding", workspaceSize, executor, [&](const Call& call) {
    return prepareForward(call, weight, indices, out);
  });
}
PHASE_TWO(aclnnEmbedding)

aclnnStatus aclnnEmbeddingDenseBackwardGetWorkspaceSize(
    const aclTensor* grad, const aclTensor* indices, uint64_t numWeights, uint64_t paddingIdx,
    bool scaleGradByFreq, const aclTensor* out, uint64_t* workspaceSize,
    aclOpExecutor** executor) {
  return phaseOne("aclnnEmbeddingDenseBackward", workspaceSize, executor, [&](const Call& call) {
    return prepareBackward(call, grad, indices, numWeights, paddingIdx, scaleGradByFreq, out);
  });
}
PHASE_TWO(aclnnEmbeddingDenseBackward)

}  // extern "C"
