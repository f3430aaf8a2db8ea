// SPDX-License-Identifier: Apache-2.0
#include "attention/arguments.hpp"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstring>
#include <string>

#include "aclnn/tensor.hpp"
#include "attention/layout.hpp"
#include "runtime/error.hpp"

namespace cann4j::attention {

namespace {

constexpr int64_t kMaxHeadDim = 768;
constexpr int64_t kMaxHeads = 256;
constexpr int64_t kMaxBatches = int64_t{2} << 20;
constexpr int64_t kCompressedMask = 2048;
constexpr size_t kMaxViewDims = 4;
constexpr const char* kAttention[] = {"attentionOut", "attentionIn"};  // forward, backward

const char* text(const std::string& s) { return s.c_str(); }

aclnnStatus checkPresence(const Arguments& a) {
  struct Required {
    const char* name;
    const aclTensor* tensor;
  };
  std::vector<Required> required = {{"query", a.query}, {"key", a.key}, {"value", a.value}};
  if (a.backward) {
    for (const Required& r : {Required{"dy", a.dy}, {"softmaxMax", a.softmaxMax}, {"softmaxSum", a.softmaxSum},
                              {"attentionIn", a.attention}, {"dq", a.dq}, {"dk", a.dk}, {"dv", a.dv}}) {
      required.push_back(r);
    }
  } else {
    for (const Required& r : {Required{"softmaxMaxOut", a.softmaxMax}, {"softmaxSumOut", a.softmaxSum},
                              {"attentionOut", a.attention}}) {
      required.push_back(r);
    }
  }
  for (const Required& r : required) {
    if (const aclnnStatus status = checkTensor(a.op, r.name, r.tensor)) return status;
  }
  if (!a.inputLayout) return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: inputLayout is NULL", a.op);
  for (const Required& r : {Required{"pseShift", a.pse}, {"dropMask", a.dropMask}, {"paddingMask", a.paddingMask},
                            {"attenMask", a.attenMask}, {a.backward ? "softmaxIn" : "softmaxOut", a.softmaxOut},
                            {"dpse", a.dpse}}) {
    if (const aclnnStatus status = checkOptionalTensor(a.op, r.name, r.tensor)) return status;
  }
  if (a.layouts == Layouts::Packed) {
    if (const aclnnStatus status = checkIntArray(a.op, "actualSeqQLen", a.actualSeqQLen)) return status;
    if (const aclnnStatus status = checkIntArray(a.op, "actualSeqKvLen", a.actualSeqKvLen)) return status;
  }
  return ACLNN_SUCCESS;
}

aclnnStatus checkTypes(const Arguments& a, ElementType* type) {
  switch (a.query->dataType) {
    case ACL_FLOAT: *type = ElementType::Float32; break;
    case ACL_FLOAT16: *type = ElementType::Float16; break;
    case ACL_BF16: *type = ElementType::BFloat16; break;
    default:
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: query is %s; FLOAT16, BF16 and FLOAT are supported", a.op,
                  dataTypeName(a.query->dataType));
  }
  struct Same {
    const char* name;
    const aclTensor* tensor;
  };
  const char* attention = a.backward ? "attentionIn" : "attentionOut";
  for (const Same& s : {Same{"key", a.key}, {"value", a.value}, {attention, a.attention}, {"dy", a.dy}, {"dq", a.dq},
                        {"dk", a.dk}, {"dv", a.dv}}) {
    if (s.tensor && s.tensor->dataType != a.query->dataType) {
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s is %s but query is %s", a.op, s.name,
                  dataTypeName(s.tensor->dataType), dataTypeName(a.query->dataType));
    }
  }
  for (const Same& s : {Same{"softmaxMax", a.softmaxMax}, {"softmaxSum", a.softmaxSum}}) {
    if (s.tensor->dataType != ACL_FLOAT) {
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s is %s, not FLOAT", a.op, s.name, dataTypeName(s.tensor->dataType));
    }
  }
  return ACLNN_SUCCESS;
}

// Refuses what this toolkit does not compute, by name, so that nothing is ignored.
aclnnStatus checkFeatures(const Arguments& a) {
  if (!(a.keepProb > 0 && a.keepProb <= 1)) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: keepProb %g is not in (0, 1]", a.op, a.keepProb);
  }
  if (a.keepProb != 1 || a.dropMask) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR,
                "%s: dropout (keepProb %g, dropMask %s) is not supported; pass keepProb 1 and dropMask NULL", a.op,
                a.keepProb, a.dropMask ? "given" : "NULL");
  }
  if (a.pse) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: positional bias (pse %s) is not supported; pass NULL", a.op,
                text(a.pse->describe()));
  }
  if (a.pseType != 0 && a.pseType != 1) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: pseType %" PRId64 " is not supported; pass 1 and no pse", a.op,
                a.pseType);
  }
  if (a.needsRope) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: rotary parts are not supported; concatenate them to query and key",
                a.op);
  }
  if (!a.softmaxLayout || std::strcmp(a.softmaxLayout, "") != 0) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: the softmax layout %s is not supported; pass \"\"", a.op,
                a.softmaxLayout ? a.softmaxLayout : "NULL");
  }
  if (a.paddingMask) return fail(ACLNN_ERR_PARAM_INVALID, "%s: paddingMask is reserved; pass NULL", a.op);
  if (a.innerPrecise < 0 || a.innerPrecise > 2) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: innerPrecise %" PRId64 " is not 0, 1 or 2", a.op, a.innerPrecise);
  }
  if (!std::isfinite(a.scaleValue)) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: scaleValue %g is not finite", a.op, a.scaleValue);
  }
  if (!a.attenMask) return ACLNN_SUCCESS;  // then sparseMode has no effect
  if (a.sparseMode < 0 || a.sparseMode > 8) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: sparseMode %" PRId64 " is not in 0..8", a.op, a.sparseMode);
  }
  if (a.sparseMode != 2 && a.sparseMode != 3) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR,
                "%s: sparseMode %" PRId64 " with attenMask %s is not supported; supported are no mask, 2 (left-up "
                "causal) and 3 (right-down causal)",
                a.op, a.sparseMode, text(a.attenMask->describe()));
  }
  if (a.attenMask->dataType != ACL_BOOL && a.attenMask->dataType != ACL_UINT8) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: attenMask is %s, not BOOL or UINT8", a.op,
                dataTypeName(a.attenMask->dataType));
  }
  if (a.attenMask->viewDims != std::vector<int64_t>{kCompressedMask, kCompressedMask}) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: sparseMode %" PRId64 " needs attenMask [2048, 2048], got %s", a.op,
                a.sparseMode, text(shapeText(a.attenMask->viewDims)));
  }
  return ACLNN_SUCCESS;
}

aclnnStatus checkShapes(const Arguments& a, Layout layout, Request* r) {
  const Extent& q = r->query;
  const Extent& k = r->key;
  const Extent& v = r->value;
  if (q.heads != a.headNum) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: headNum is %" PRId64 " but query %s in %s has %" PRId64 " heads", a.op,
                a.headNum, text(shapeText(a.query->viewDims)), a.inputLayout, q.heads);
  }
  if (q.dim != k.dim || q.dim < 1 || q.dim > kMaxHeadDim || v.dim < 1 || v.dim > q.dim) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: head sizes of query %" PRId64 ", key %" PRId64 ", value %" PRId64
                "; query and key must agree, be in 1..768, and value must not be larger",
                a.op, q.dim, k.dim, v.dim);
  }
  if (k.heads != v.heads || k.batches != v.batches || k.rows != v.rows) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: key %s and value %s differ in more than the head size", a.op,
                text(shapeText(a.key->viewDims)), text(shapeText(a.value->viewDims)));
  }
  if (k.heads < 1 || q.heads > kMaxHeads || q.heads % k.heads != 0) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: %" PRId64 " query heads and %" PRId64 " key heads; at most 256, and a multiple of the key heads",
                a.op, q.heads, k.heads);
  }
  if (q.batches != k.batches) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: query %s and key %s have %" PRId64 " and %" PRId64 " batches", a.op,
                text(shapeText(a.query->viewDims)), text(shapeText(a.key->viewDims)), q.batches, k.batches);
  }
  // Batches of no rows need no memory of the device, but a list of sequences here.
  if (q.batches > kMaxBatches) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: query %s has %" PRId64 " batches; at most %" PRId64, a.op,
                text(shapeText(a.query->viewDims)), q.batches, kMaxBatches);
  }
  std::vector<int64_t> statistics =
      a.layouts == Layouts::Packed ? std::vector<int64_t>{q.rows, q.heads, 8} : std::vector<int64_t>{q.batches, q.heads, q.rows, 8};
  const std::vector<int64_t> attention = shapeOf(layout, {q.batches, q.rows, q.heads, v.dim});
  struct Expected {
    const char* name;
    const aclTensor* tensor;
    const std::vector<int64_t>& dims;
  };
  for (const Expected& e : {Expected{"softmaxMax", a.softmaxMax, statistics},
                            Expected{"softmaxSum", a.softmaxSum, statistics},
                            Expected{a.backward ? "attentionIn" : "attentionOut", a.attention, attention},
                            Expected{"dy", a.dy, attention}, Expected{"dq", a.dq, a.query->viewDims},
                            Expected{"dk", a.dk, a.key->viewDims}, Expected{"dv", a.dv, a.value->viewDims}}) {
    if (e.tensor && e.tensor->viewDims != e.dims) {
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has shape %s, expected %s", a.op, e.name,
                  text(shapeText(e.tensor->viewDims)), text(shapeText(e.dims)));
    }
  }
  return ACLNN_SUCCESS;
}

int64_t diagonalOf(const Arguments& a, int64_t qLength, int64_t kvLength) {
  if (!a.attenMask) return kvLength;
  return a.sparseMode == 2 ? 0 : kvLength - qLength;
}

// CANN reads an end below its predecessor as a sequence of length 0.
int64_t lengthAt(const std::vector<int64_t>& ends, size_t n) {
  int64_t length = 0;
  if (__builtin_sub_overflow(ends[n], n ? ends[n - 1] : 0, &length)) return ends[n] < 0 ? 0 : INT64_MAX;
  return std::max<int64_t>(0, length);
}

aclnnStatus readSequences(const Arguments& a, Request* r) {
  if (a.layouts == Layouts::Dense) {
    for (int64_t b = 0; b < r->query.batches; ++b) {
      r->sequences.push_back({b, 0, 0, r->query.rows, r->key.rows, b * r->query.heads * r->query.rows,
                              diagonalOf(a, r->query.rows, r->key.rows)});
    }
    return ACLNN_SUCCESS;
  }
  const std::vector<int64_t>& qEnds = a.actualSeqQLen->values;
  const std::vector<int64_t>& kvEnds = a.actualSeqKvLen->values;
  if (qEnds.empty() || qEnds.size() != kvEnds.size()) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: actualSeqQLen has %zu entries and actualSeqKvLen %zu; one end per sequence in each", a.op,
                qEnds.size(), kvEnds.size());
  }
  int64_t qRow = 0, kvRow = 0;
  for (size_t n = 0; n < qEnds.size(); ++n) {
    const int64_t qLength = lengthAt(qEnds, n);
    const int64_t kvLength = lengthAt(kvEnds, n);
    if (qLength > r->query.rows - qRow || kvLength > r->key.rows - kvRow) {
      return fail(ACLNN_ERR_PARAM_INVALID,
                  "%s: sequence %zu ends at query row %" PRId64 " of %" PRId64 " and key row %" PRId64 " of %" PRId64,
                  a.op, n, qEnds[n], r->query.rows, kvEnds[n], r->key.rows);
    }
    if (a.attenMask && a.sparseMode == 3 && qLength > kvLength && kvLength > 0) {
      return fail(ACLNN_ERR_INNER_TILING_ERROR,
                  "%s: sparseMode 3 needs no more queries than keys in every sequence; sequence %zu has %" PRId64
                  " and %" PRId64,
                  a.op, n, qLength, kvLength);
    }
    r->sequences.push_back({0, qRow, kvRow, qLength, kvLength, qRow * r->query.heads,
                            diagonalOf(a, qLength, kvLength)});
    qRow += qLength;
    kvRow += kvLength;
  }
  return ACLNN_SUCCESS;
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

// All tensor arguments in the order of the C function.
std::vector<DeviceSpan> spansOf(const Arguments& a) {
  std::vector<DeviceSpan> spans;
  const auto add = [&spans](const DeviceSpan& span) { spans.push_back(span); };
  add(inputSpan("query", a.query));
  if (a.needsRope) add(inputSpan("queryRope", a.queryRope));
  add(inputSpan("key", a.key));
  if (a.needsRope) add(inputSpan("keyRope", a.keyRope));
  add(inputSpan("value", a.value));
  if (a.backward) add(inputSpan("dy", a.dy));
  add(inputSpan("pseShift", a.pse));
  add(inputSpan("dropMask", a.dropMask));
  add(inputSpan("paddingMask", a.paddingMask));
  add(inputSpan("attenMask", a.attenMask));
  if (a.backward) {
    add(inputSpan("softmaxMax", a.softmaxMax));
    add(inputSpan("softmaxSum", a.softmaxSum));
    add(untouched(inputSpan("softmaxIn", a.softmaxOut)));
    add(inputSpan(kAttention[a.backward], a.attention));
    add(outputSpan("dq", a.dq));
    if (a.needsRope) add(outputSpan("dqRope", a.dqRope));
    add(outputSpan("dk", a.dk));
    if (a.needsRope) add(outputSpan("dkRope", a.dkRope));
    add(outputSpan("dv", a.dv));
    add(untouched(outputSpan("dpse", a.dpse)));
  } else {
    add(outputSpan("softmaxMax", a.softmaxMax));
    add(outputSpan("softmaxSum", a.softmaxSum));
    add(untouched(outputSpan("softmaxOut", a.softmaxOut)));
    add(outputSpan(kAttention[a.backward], a.attention));
  }
  return spans;
}

void readViews(const Arguments& a, Layout layout, Request* r) {
  Problem& p = r->problem;
  const Extent& q = r->query;
  r->spans = spansOf(a);
  p.heads = q.heads;
  p.kvHeads = r->key.heads;
  p.headDim = q.dim;
  p.valueDim = r->value.dim;
  p.scale = static_cast<float>(a.scaleValue);
  p.query = viewOf(layout, *a.query, q.dim);
  p.key = viewOf(layout, *a.key, q.dim);
  p.value = viewOf(layout, *a.value, p.valueDim);
  p.output = viewOf(layout, *a.attention, p.valueDim);
  p.softmaxMax = statisticsView(*a.softmaxMax);
  p.softmaxSum = statisticsView(*a.softmaxSum);
  if (!a.backward) return;
  p.outputGradient = viewOf(layout, *a.dy, p.valueDim);
  p.queryGradient = viewOf(layout, *a.dq, q.dim);
  p.keyGradient = viewOf(layout, *a.dk, q.dim);
  p.valueGradient = viewOf(layout, *a.dv, p.valueDim);
  r->needsQuerySum = p.type != ElementType::Float32 || p.queryGradient.elementStride != 1;
}

}  // namespace

uint64_t Request::workspaceBytes() const {
  if (!needsQuerySum) return 0;
  return static_cast<uint64_t>(query.batches) * query.rows * query.heads * query.dim * sizeof(float);
}

aclnnStatus readArguments(const Arguments& a, Request* r) {
  r->backward = a.backward;
  if (const aclnnStatus status = checkPresence(a)) return status;
  Layout layout;
  if (!parseLayout(a.inputLayout, a.layouts, &layout)) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: inputLayout \"%s\" is not %s", a.op, a.inputLayout,
                a.layouts == Layouts::Packed ? "TND" : "BSH, SBH, BSND or BNSD");
  }
  if (a.headNum <= 0) return fail(ACLNN_ERR_PARAM_INVALID, "%s: headNum %" PRId64 " is not positive", a.op, a.headNum);
  struct Input {
    const char* name;
    const aclTensor* tensor;
  };
  for (const Input& in : {Input{"query", a.query}, {"key", a.key}, {"value", a.value}}) {
    const size_t rank = rankOf(layout);
    if (in.tensor->viewDims.size() != rank || rank > kMaxViewDims) {
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has shape %s; %s needs %zu dimensions", a.op, in.name,
                  text(shapeText(in.tensor->viewDims)), a.inputLayout, rank);
    }
  }
  if (const aclnnStatus status = checkTypes(a, &r->problem.type)) return status;
  if (!extentsOf(layout, *a.query, *a.key, *a.value, a.headNum, &r->query, &r->key, &r->value)) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: query %s, key %s, value %s in %s do not divide into headNum %" PRId64
                " query heads and whole key and value heads",
                a.op, text(shapeText(a.query->viewDims)), text(shapeText(a.key->viewDims)),
                text(shapeText(a.value->viewDims)), a.inputLayout, a.headNum);
  }
  if (const aclnnStatus status = checkShapes(a, layout, r)) return status;
  if (const aclnnStatus status = checkFeatures(a)) return status;
  if (const aclnnStatus status = readSequences(a, r)) return status;
  readViews(a, layout, r);
  r->nothingToDo = a.backward ? a.dq->elements() == 0 && a.dk->elements() == 0 && a.dv->elements() == 0
                              : a.attention->elements() == 0;
  return ACLNN_SUCCESS;
}

Problem bind(const Request& r, const Binding& memory) {
  Problem p = r.problem;
  p.sequences = r.sequences.data();
  const auto translate = [&memory](const char* argument, auto* view) {
    view->data = memory.host(argument, view->data);
  };
  translate("query", &p.query);
  translate("key", &p.key);
  translate("value", &p.value);
  translate(kAttention[r.backward], &p.output);
  translate("softmaxMax", &p.softmaxMax);
  translate("softmaxSum", &p.softmaxSum);
  if (r.backward) {
    translate("dy", &p.outputGradient);
    translate("dq", &p.queryGradient);
    translate("dk", &p.keyGradient);
    translate("dv", &p.valueGradient);
  }
  p.querySum = p.queryGradient;
  p.convertQuerySum = r.needsQuerySum;
  if (r.needsQuerySum) {
    const int64_t row = r.query.heads * r.query.dim;
    p.querySum = {memory.workspace(), r.query.rows * row, row, r.query.dim, 1};
  }
  return p;
}

}  // namespace cann4j::attention
