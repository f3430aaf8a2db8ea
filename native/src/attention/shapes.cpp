// SPDX-License-Identifier: Apache-2.0
#include "attention/checks.hpp"

namespace cann4j::attention {

namespace {

constexpr int64_t kMaxHeadDim = 768;
constexpr int64_t kMaxHeads = 256;
constexpr int64_t kMaxBatches = int64_t{2} << 20;
constexpr int64_t kMaxRows = INT32_MAX;  // what the kernels count, far above CANN's 1 M
constexpr int64_t kRopeMultiple = 8;
constexpr size_t kMaxSequencesWithRope = 2048;

struct Expected {
  const char* name;
  const aclTensor* tensor;
  const std::vector<int64_t>& dims;
};

aclnnStatus checkExpected(const Arguments& a, const Expected& e, aclnnStatus code) {
  if (!e.tensor || e.tensor->viewDims == e.dims) return ACLNN_SUCCESS;
  return fail(code, "%s: %s has shape %s, expected %s", a.op, e.name, text(shapeText(e.tensor->viewDims)),
              text(shapeText(e.dims)));
}

aclnnStatus checkRanks(const Arguments& a, Layout layout) {
  struct Input {
    const char* name;
    const aclTensor* tensor;
  };
  for (const Input& in : {Input{"query", a.query}, {"key", a.key}, {"value", a.value}}) {
    if (in.tensor->viewDims.size() != rankOf(layout)) {
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has shape %s; %s needs %zu dimensions", a.op, in.name,
                  text(shapeText(in.tensor->viewDims)), a.inputLayout, rankOf(layout));
    }
  }
  return ACLNN_SUCCESS;
}

aclnnStatus checkHeads(const Arguments& a, const Extent& q, const Extent& k, const Extent& v) {
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
  return ACLNN_SUCCESS;
}

aclnnStatus checkRows(const Arguments& a, const Extent& q, const Extent& k) {
  if (q.batches != k.batches) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: query %s and key %s have %" PRId64 " and %" PRId64 " batches", a.op,
                text(shapeText(a.query->viewDims)), text(shapeText(a.key->viewDims)), q.batches, k.batches);
  }
  // Batches of no rows need no memory of the device, but a list of sequences here.
  if (q.batches > kMaxBatches) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: query %s has %" PRId64 " batches; at most %" PRId64, a.op,
                text(shapeText(a.query->viewDims)), q.batches, kMaxBatches);
  }
  if (q.rows > kMaxRows || k.rows > kMaxRows) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %" PRId64 " rows of query and %" PRId64 " of key; at most %" PRId64, a.op,
                q.rows, k.rows, kMaxRows);
  }
  return ACLNN_SUCCESS;
}

// Of the versions that are for rotary parts only.
aclnnStatus checkRopeOnly(const Arguments& a, const Extent& q, aclnnStatus code) {
  if (a.query->dataType != ACL_BF16) {
    return fail(code, "%s: query is %s; with rotary parts all tensors must be BF16", a.op,
                dataTypeName(a.query->dataType));
  }
  if (q.dim % kRopeMultiple != 0) {
    return fail(code, "%s: head size %" PRId64 " of query is not a multiple of 8", a.op, q.dim);
  }
  if (a.keepProb != 1 || a.dropMask) {
    return fail(code, "%s: keepProb %g and dropMask %s; rotary parts exclude dropout, pass 1 and NULL", a.op,
                a.keepProb, a.dropMask ? "given" : "NULL");
  }
  if (a.pse || (a.pseType != 0 && a.pseType != 1)) {
    return fail(code, "%s: pseShift is %s and pseType %" PRId64 "; rotary parts exclude a bias, pass NULL and 0 or 1",
                a.op, a.pse ? text(a.pse->describe()) : "NULL", a.pseType);
  }
  if (!a.attenMask) return fail(code, "%s: attenMask is NULL; this version needs one", a.op);
  const size_t sequences = a.actualSeqQLen->values.size();
  if (sequences > kMaxSequencesWithRope) {
    return fail(code, "%s: %zu sequences; at most %zu in this version", a.op, sequences, kMaxSequencesWithRope);
  }
  return ACLNN_SUCCESS;
}

}  // namespace

aclnnStatus checkShapes(const Arguments& a, Layout layout, Request* r) {
  if (a.headNum <= 0) return fail(ACLNN_ERR_PARAM_INVALID, "%s: headNum %" PRId64 " is not positive", a.op, a.headNum);
  RETURN_IF_FAILED(checkRanks(a, layout));
  if (!extentsOf(layout, *a.query, *a.key, *a.value, a.headNum, &r->query, &r->key, &r->value)) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: query %s, key %s, value %s in %s do not divide into headNum %" PRId64
                " query heads and whole key and value heads",
                a.op, text(shapeText(a.query->viewDims)), text(shapeText(a.key->viewDims)),
                text(shapeText(a.value->viewDims)), a.inputLayout, a.headNum);
  }
  const Extent& q = r->query;
  RETURN_IF_FAILED(checkHeads(a, q, r->key, r->value));
  RETURN_IF_FAILED(checkRows(a, q, r->key));
  const std::vector<int64_t> statistics =
      r->packed ? std::vector<int64_t>{q.rows, q.heads, 8} : std::vector<int64_t>{q.batches, q.heads, q.rows, 8};
  const std::vector<int64_t> attention = shapeOf(layout, {q.batches, q.rows, q.heads, r->value.dim});
  const std::vector<int64_t> sink = {q.heads};
  for (const Expected& e :
       {Expected{"softmaxMax", a.softmaxMax, statistics}, Expected{"softmaxSum", a.softmaxSum, statistics},
        Expected{attentionName(a.backward), a.attention, attention}, Expected{"dy", a.dy, attention},
        Expected{"dq", a.dq, a.query->viewDims}, Expected{"dk", a.dk, a.key->viewDims},
        Expected{"dv", a.dv, a.value->viewDims}, Expected{"sink", a.sink, sink},
        Expected{"dsink", a.sink ? a.dSink : nullptr, sink}}) {
    RETURN_IF_FAILED(checkExpected(a, e, ACLNN_ERR_PARAM_INVALID));
  }
  return ACLNN_SUCCESS;
}

aclnnStatus checkRope(const Arguments& a, Layout layout, Request* r) {
  // The forward of CANN returns this code for whatever is wrong with rotary parts.
  const aclnnStatus code = a.backward ? ACLNN_ERR_PARAM_INVALID : ACLNN_ERR_PARAM_NULLPTR;
  const Extent& q = r->query;
  if (a.needsRope) RETURN_IF_FAILED(checkRopeOnly(a, q, code));
  struct Part {
    const char* name;
    const aclTensor* tensor;
  };
  std::vector<Part> parts = {{"queryRope", a.queryRope}, {"keyRope", a.keyRope}};
  if (a.backward) parts.insert(parts.end(), {{"dqRope", a.dqRope}, {"dkRope", a.dkRope}});
  for (const Part& part : parts) {
    if (!a.queryRope && !part.tensor) continue;
    if (!a.queryRope || !part.tensor) {
      return fail(code, "%s: queryRope is %s but %s is %s; give all rotary parts or none", a.op,
                  a.queryRope ? "given" : "NULL", part.name, part.tensor ? "given" : "NULL");
    }
    if (part.tensor->dataType != ACL_BF16 || a.query->dataType != ACL_BF16) {
      return fail(code, "%s: %s is %s and query %s; both must be BF16", a.op, part.name,
                  dataTypeName(part.tensor->dataType), dataTypeName(a.query->dataType));
    }
  }
  if (!a.queryRope) return ACLNN_SUCCESS;
  const std::vector<int64_t>& dims = a.queryRope->viewDims;
  const int64_t runs = layout == Layout::BSH || layout == Layout::SBH ? q.heads : 1;  // of a head's elements at the end
  const bool divides = dims.size() == rankOf(layout) && dims.back() % runs == 0;
  const int64_t dim = divides ? dims.back() / runs : 0;
  if (dim < 1 || dim > q.dim || dim % kRopeMultiple != 0) {
    return fail(code,
                "%s: queryRope has shape %s; its head size must be a multiple of 8 and at most %" PRId64
                ", that of query",
                a.op, text(shapeText(dims)), q.dim);
  }
  r->problem.ropeDim = dim;
  const std::vector<int64_t> queryDims = shapeOf(layout, {q.batches, q.rows, q.heads, dim});
  const std::vector<int64_t> keyDims = shapeOf(layout, {r->key.batches, r->key.rows, r->key.heads, dim});
  for (const Expected& e : {Expected{"queryRope", a.queryRope, queryDims}, Expected{"keyRope", a.keyRope, keyDims},
                            Expected{"dqRope", a.dqRope, queryDims}, Expected{"dkRope", a.dkRope, keyDims}}) {
    RETURN_IF_FAILED(checkExpected(a, e, code));
  }
  return ACLNN_SUCCESS;
}

}  // namespace cann4j::attention
