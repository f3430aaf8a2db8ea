// SPDX-License-Identifier: Apache-2.0
#include "attention/arguments.hpp"

#include <cmath>
#include <cstring>

#include "attention/checks.hpp"

namespace cann4j::attention {

namespace {

aclnnStatus checkArrays(const Arguments& a, bool packed) {
  struct Array {
    const char* name;
    const aclIntArray* array;
    bool required;
  };
  for (const Array& i : {Array{"prefix", a.prefix, false}, {"actualSeqQLen", a.actualSeqQLen, packed},
                         {"actualSeqKvLen", a.actualSeqKvLen, packed}, {"qStartIdx", a.qStartIdx, false},
                         {"kvStartIdx", a.kvStartIdx, false}}) {
    if (i.array || i.required) RETURN_IF_FAILED(checkIntArray(a.op, i.name, i.array));
  }
  return ACLNN_SUCCESS;
}

aclnnStatus readLayouts(const Arguments& a, Layout* layout, Request* r) {
  if (!a.inputLayout) return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: inputLayout is NULL", a.op);
  if (!parseLayout(a.inputLayout, a.layouts, layout)) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: inputLayout \"%s\" is not %s", a.op, a.inputLayout,
                a.layouts == Layouts::Packed  ? "TND"
                : a.layouts == Layouts::Dense ? "BSH, SBH, BSND or BNSD"
                                              : "BSH, SBH, BSND, BNSD or TND");
  }
  r->packed = *layout == Layout::TND;
  const char* name = a.backward ? "softmaxInLayout" : "softmaxOutLayout";
  if (!a.softmaxLayout) return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: %s is NULL", a.op, name);
  const bool sameAsInput = std::strcmp(a.softmaxLayout, "same_as_input") == 0;
  if (!sameAsInput && *a.softmaxLayout) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s \"%s\" is neither \"\" nor \"same_as_input\"", a.op, name,
                a.softmaxLayout);
  }
  r->problem.statisticsByToken = sameAsInput && r->packed;
  return ACLNN_SUCCESS;
}

aclnnStatus checkScale(const Arguments& a) {
  const double scale = static_cast<float>(a.scaleValue);
  if (std::isfinite(scale)) return ACLNN_SUCCESS;
  return fail(ACLNN_ERR_PARAM_INVALID, "%s: scaleValue %g is not a finite float", a.op, a.scaleValue);
}

StatisticsView statisticsView(const aclTensor& t) {
  StatisticsView view{reinterpret_cast<float*>(t.originAddress()), t.isContiguous(), {1, 1, 1}, {0, 0, 0, 0}};
  const size_t rank = t.viewDims.size();
  for (size_t d = 0; d + 1 < rank; ++d) {
    view.sizes[d + 4 - rank] = t.viewDims[d];
    view.strides[d + 4 - rank] = t.strides[d];
  }
  view.strides[3] = t.strides[rank - 1];
  return view;
}

void readViews(const Arguments& a, Layout layout, Request* r) {
  Problem& p = r->problem;
  p.heads = r->query.heads;
  p.kvHeads = r->key.heads;
  p.headDim = r->query.dim;
  p.valueDim = r->value.dim;
  p.scale = static_cast<float>(a.scaleValue);
  p.query = viewOf(layout, *a.query, p.headDim);
  p.key = viewOf(layout, *a.key, p.headDim);
  p.value = viewOf(layout, *a.value, p.valueDim);
  p.output = viewOf(layout, *a.attention, p.valueDim);
  p.softmaxMax = statisticsView(*a.softmaxMax);
  p.softmaxSum = statisticsView(*a.softmaxSum);
  if (a.queryRope) {
    p.queryRope = viewOf(layout, *a.queryRope, p.ropeDim);
    p.keyRope = viewOf(layout, *a.keyRope, p.ropeDim);
  }
  if (a.sink) {
    r->usesSink = true;
    p.sink = reinterpret_cast<const float*>(a.sink->originAddress());
    p.sinkStride = a.sink->strides[0];
  }
  if (!a.backward) return;
  p.outputGradient = viewOf(layout, *a.dy, p.valueDim);
  p.queryGradient = viewOf(layout, *a.dq, p.headDim);
  p.keyGradient = viewOf(layout, *a.dk, p.headDim);
  p.valueGradient = viewOf(layout, *a.dv, p.valueDim);
  if (a.queryRope) {
    p.queryRopeGradient = viewOf(layout, *a.dqRope, p.ropeDim);
    p.keyRopeGradient = viewOf(layout, *a.dkRope, p.ropeDim);
  }
  if (a.sink) {
    r->usesSinkGradient = true;
    p.sinkGradient = reinterpret_cast<float*>(a.dSink->originAddress());
    p.sinkGradientStride = a.dSink->strides[0];
  }
  r->needsQuerySum = p.type != ElementType::Float32 || p.queryGradient.elementStride != 1 || p.ropeDim > 0;
}

}  // namespace

aclnnStatus readArguments(const Arguments& a, Request* r) {
  r->op = a.op;
  r->backward = a.backward;
  Layout layout;
  RETURN_IF_FAILED(checkTensors(a, r));
  RETURN_IF_FAILED(readLayouts(a, &layout, r));
  RETURN_IF_FAILED(checkArrays(a, r->packed));
  RETURN_IF_FAILED(checkShapes(a, layout, r));
  RETURN_IF_FAILED(checkRope(a, layout, r));
  RETURN_IF_FAILED(checkScale(a));
  RETURN_IF_FAILED(readSequences(a, r));
  RETURN_IF_FAILED(readMask(a, r));
  RETURN_IF_FAILED(readBias(a, r));
  RETURN_IF_FAILED(readDropout(a, r));
  readViews(a, layout, r);
  const bool noGradients = a.backward && a.dq->elements() == 0 && a.dk->elements() == 0 && a.dv->elements() == 0;
  r->nothingToDo = a.backward ? noGradients && !r->usesSinkGradient : a.attention->elements() == 0;
  return ACLNN_SUCCESS;
}

}  // namespace cann4j::attention
