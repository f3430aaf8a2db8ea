// SPDX-License-Identifier: Apache-2.0
// Gather, IndexSelect: elements of self that an index along one dimension names.
#include <cstring>
#include <utility>

#include "aclnnop/aclnn_gather.h"
#include "aclnnop/aclnn_index_select.h"
#include "arguments.hpp"
#include "index.hpp"
#include "walk.hpp"

using namespace cann4j;

namespace {

// The walk has out, index and self, the latter at the place 0 of the dimension everywhere.
struct Selection {
  const char* op;
  Walk walk;
  size_t dim;
  int64_t size;    // of the dimension of self
  int64_t stride;
};

template <class Unit>
void copyRun(Unit* out, int64_t outStride, const Unit* from, int64_t fromStride, int64_t n) {
  if (outStride == 1 && fromStride == 1) {
    std::memmove(out, from, static_cast<size_t>(n) * sizeof(Unit));
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    out[i * outStride] = from[i * fromStride];
  }
}

template <class Unit, class Index>
aclError select(const Selection& s, const Walk& walk) {
  const int64_t outStride = walk.innerStrides()[0];
  const int64_t indexStride = walk.innerStrides()[1];
  const int64_t selfStride = walk.innerStrides()[2];
  BadIndex bad;
  forEachPiece(walk, [&](const auto& offsets, int64_t n) {
    Unit* out = static_cast<Unit*>(walk.at(0, offsets[0]));
    const Index* index = static_cast<const Index*>(walk.at(1, offsets[1]));
    const Unit* self = static_cast<const Unit*>(walk.at(2, offsets[2]));
    const bool isOneRun = indexStride == 0;
    for (int64_t i = 0; i < (isOneRun ? 1 : n); ++i) {
      const int64_t place = index[i * indexStride];
      if (!isPlace(place, s.size)) {
        bad.note(offsets[1] + i * indexStride, place);
      } else if (isOneRun) {
        copyRun(out, outStride, self + place * s.stride, selfStride, n);
      } else {
        out[i * outStride] = self[i * selfStride + place * s.stride];
      }
    }
  });
  return bad.report(s.op, s.dim, s.size);
}

template <class Index>
aclError selectBySize(const Selection& s, const Walk& walk) {
  switch (walk.views[0].itemSize) {
    case 1:
      return select<uint8_t, Index>(s, walk);
    case 2:
      return select<uint16_t, Index>(s, walk);
    case 4:
      return select<uint32_t, Index>(s, walk);
    default:
      return select<uint64_t, Index>(s, walk);
  }
}

// `index` has the shape of out, as has `self` but for its dimension dim.
aclnnStatus finish(const Call& call, const aclTensor* self, size_t dim, const aclTensor* index,
                   const aclTensor& indexView, const aclTensor* out, const aclTensor& outView) {
  aclTensor places = atLeastOneDim(*self);
  Selection selection{call.op, {}, dim, places.viewDims[dim], places.strides[dim]};
  places.viewDims = outView.viewDims;
  places.strides[dim] = 0;
  selection.walk = makeWalk({{"out", &outView}, {"index", &indexView}, {"self", &places}});
  return call.make({inputSpan("self", self), inputSpan("index", index), outputSpan("out", out)},
                   [selection = std::move(selection)](const Binding& memory) {
                     const Walk walk = selection.walk.bound(memory);
                     return visitIndexType(walk.views[1].dataType, [&]<class Index>() {
                       return selectBySize<Index>(selection, walk);
                     });
                   });
}

aclnnStatus prepareGather(const Call& call, const aclTensor* self, int64_t dim,
                          const aclTensor* index, const aclTensor* out) {
  RETURN_IF_FAILED(checkNumeric(call.op, "self", self));
  RETURN_IF_FAILED(checkSameType(call.op, "out", out, self->dataType));
  RETURN_IF_FAILED(checkType(call.op, "index", index, kIndices));
  size_t along = 0;
  RETURN_IF_FAILED(checkDim(call.op, dim, self->viewDims.size(), &along));
  RETURN_IF_FAILED(checkSameShape(call.op, "out", out, index->viewDims));
  const aclTensor source = atLeastOneDim(*self);
  const aclTensor indexView = atLeastOneDim(*index);
  bool fits = source.viewDims.size() == indexView.viewDims.size();
  for (size_t d = 0; fits && d < source.viewDims.size(); ++d) {
    fits = d == along || indexView.viewDims[d] <= source.viewDims[d];
  }
  if (!fits) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: index %s is larger than self %s in another dimension than %zu, or of another "
                "rank",
                call.op, shapeText(index->viewDims).c_str(), shapeText(self->viewDims).c_str(),
                along);
  }
  return finish(call, self, along, index, indexView, out, atLeastOneDim(*out));
}

aclnnStatus prepareIndexSelect(const Call& call, const aclTensor* self, int64_t dim,
                               const aclTensor* index, const aclTensor* out) {
  RETURN_IF_FAILED(checkNumeric(call.op, "self", self));
  RETURN_IF_FAILED(checkSameType(call.op, "out", out, self->dataType));
  RETURN_IF_FAILED(checkIndexList(call.op, index));
  size_t along = 0;
  RETURN_IF_FAILED(checkDim(call.op, dim, self->viewDims.size(), &along));
  const aclTensor list = atLeastOneDim(*index);
  std::vector<int64_t> expected = atLeastOneDim(*self).viewDims;
  expected[along] = list.viewDims[0];
  const aclTensor outView = atLeastOneDim(*out);
  RETURN_IF_FAILED(checkSameShape(call.op, "out", &outView, expected));
  aclTensor indexView = *index;
  indexView.viewDims = outView.viewDims;
  indexView.strides.assign(outView.viewDims.size(), 0);
  indexView.strides[along] = list.strides[0];
  return finish(call, self, along, index, indexView, out, outView);
}

}  // namespace

extern "C" {

aclnnStatus aclnnGatherGetWorkspaceSize(const aclTensor* self, const int64_t dim,
                                        const aclTensor* index, aclTensor* out,
                                        uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnGather", workspaceSize, executor, [&](const Call& call) {
    return prepareGather(call, self, dim, index, out);
  });
}
PHASE_TWO(aclnnGather)

aclnnStatus aclnnIndexSelectGetWorkspaceSize(const aclTensor* self, int64_t dim,
                                             const aclTensor* index, aclTensor* out,
                                             uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnIndexSelect", workspaceSize, executor, [&](const Call& call) {
    return prepareIndexSelect(call, self, dim, index, out);
  });
}
PHASE_TWO(aclnnIndexSelect)

}  // extern "C"
