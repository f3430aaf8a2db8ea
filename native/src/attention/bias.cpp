// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attention/checks.hpp"

namespace cann4j::attention {

namespace {

constexpr int64_t kAlibiRows = 1024;  // that the compressed form holds, the last ones
constexpr BiasKind kKinds[] = {BiasKind::AfterScale, BiasKind::BeforeScale, BiasKind::Distance,
                               BiasKind::RootDistance};

aclnnStatus refuseShape(const Arguments& a, const std::string& wanted) {
  return fail(ACLNN_ERR_INNER_TILING_ERROR,
              "%s: pseShift has shape %s; pseType %" PRId64 " with inputLayout %s needs %s", a.op, text(shapeText(a.pse->viewDims)), a.pseType, a.inputLayout, text(wanted));
}

// Only the first start index counts.
int64_t firstOf(const aclIntArray* array) { return array && !array->values.empty() ? array->values[0] : 0; }

aclnnStatus readPosition(const Arguments& a, int64_t* position) {
  const int64_t q = firstOf(a.qStartIdx), kv = firstOf(a.kvStartIdx);
  if (q < INT32_MIN || q > INT32_MAX || kv < INT32_MIN || kv > INT32_MAX) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR,
                "%s: qStartIdx %" PRId64 " and kvStartIdx %" PRId64 "; positions must fit in 32 bits", a.op, q, kv);
  }
  *position = q - kv;
  return ACLNN_SUCCESS;
}

// Modes 7 and 8 cut sequences, so that rows have other positions than they seem to.
aclnnStatus checkCutSequences(const Arguments& a, const Request& r, int64_t position) {
  if (a.sparseMode == 7) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: sparseMode 7 excludes a bias; pass pseShift NULL", a.op);
  }
  for (size_t n = 0; n < r.sequences.size(); ++n) {
    const Sequence& s = r.sequences[n];
    const int64_t start = n == 0 ? position : 0;
    if (s.qLength - s.kvLength + start != 0) {
      return fail(ACLNN_ERR_INNER_TILING_ERROR,
                  "%s: a bias with sparseMode 8 needs as many queries as keys in every sequence, counted from "
                  "qStartIdx - kvStartIdx in the first; sequence %zu has %" PRId64 " and %" PRId64 ", start %" PRId64,
                  a.op, n, s.qLength, s.kvLength, start);
    }
  }
  return ACLNN_SUCCESS;
}

// No row sees a key behind its own position, whatever attenMask holds.
bool isCausal(const Arguments& a, const Request& r) {
  return a.attenMask && std::all_of(r.sequences.begin(), r.sequences.end(),
                                    [](const Sequence& s) { return s.diagonal <= 0 && s.prefix == 0; });
}

aclnnStatus readSlopes(const Arguments& a, int64_t position, Request* r) {
  const std::vector<int64_t>& dims = a.pse->viewDims;
  const auto batches = static_cast<int64_t>(r->sequences.size());
  const int64_t heads = r->query.heads;
  const bool perBatch = dims == std::vector<int64_t>{batches, heads};
  if (!perBatch && dims != std::vector<int64_t>{heads}) {
    return refuseShape(a, shapeText({heads}) + " or " + shapeText({batches, heads}) + " slopes");
  }
  if (!r->packed && r->query.rows != r->key.rows) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR,
                "%s: pseType %" PRId64 " with inputLayout %s needs as many queries as keys, got %" PRId64
                " and %" PRId64,
                a.op, a.pseType, a.inputLayout, r->query.rows, r->key.rows);
  }
  for (int64_t n = 0; n < batches; ++n) {
    Sequence& s = r->sequences[n];
    s.bias.offset = perBatch ? n * a.pse->strides[0] : 0;
    s.bias.headStride = a.pse->strides.back();
    // In TND the start indices are those of the first sequence.
    s.position = r->packed && n > 0 ? 0 : position;
  }
  return ACLNN_SUCCESS;
}

std::string runsText(const Request& r) {
  const std::string heads = std::to_string(r.query.heads);
  return "one dimension of " + heads + " x keys or " + heads + " x queries x keys elements, summed over the sequences,";
}

// Of a tensor with four dimensions: a row for each query, one row for all, or the last rows of a causal bias that
// depends on the distance alone ("alibi-compressed").
enum class Rows { None, All, One, Last };

Rows rowsOf(const Arguments& a, const Request& r, int64_t keys) {
  const std::vector<int64_t>& dims = a.pse->viewDims;
  const bool perBatch = dims[0] == static_cast<int64_t>(r.sequences.size());
  if (dims[1] != r.query.heads || dims[3] != keys || (!perBatch && dims[0] != 1)) return Rows::None;
  if (!r.packed && dims[2] == r.query.rows) return Rows::All;
  if (!r.packed && dims[2] == 1) return perBatch ? Rows::One : Rows::None;
  return dims[2] == kAlibiRows ? Rows::Last : Rows::None;
}

aclnnStatus checkLastRows(const Arguments& a, const Request& r) {
  const bool square = std::all_of(r.sequences.begin(), r.sequences.end(),
                                  [](const Sequence& s) { return s.qLength == s.kvLength; });
  if (square && isCausal(a, r) && (r.packed || r.query.rows > kAlibiRows)) return ACLNN_SUCCESS;
  return fail(ACLNN_ERR_INNER_TILING_ERROR,
              "%s: pseShift %s holds the last 1024 rows of a bias; that needs as many queries as keys%s and a causal "
              "sparseMode (2, 3, or 0 and 4 with nextTokens <= 0) with attenMask",
              a.op, text(shapeText(a.pse->viewDims)), r.packed ? "" : ", more than 1024,");
}

aclnnStatus readPlanes(const Arguments& a, Request* r) {
  const std::vector<int64_t>& dims = a.pse->viewDims;
  const std::vector<int64_t>& strides = a.pse->strides;
  const auto batches = static_cast<int64_t>(r->sequences.size());
  const int64_t heads = r->query.heads;
  int64_t keys = 0;
  for (const Sequence& s : r->sequences) keys = std::max(keys, s.kvLength);
  const Rows rows = rowsOf(a, *r, keys);
  if (rows == Rows::None) {
    const auto shapes = [&](int64_t height) {
      return shapeText({batches, heads, height, keys}) + " or " + shapeText({1, heads, height, keys});
    };
    const std::string oneRow = shapeText({batches, heads, 1, keys});
    return refuseShape(a, (r->packed ? runsText(*r) : shapes(r->query.rows) + " or " + oneRow) + " or " +
                              shapes(kAlibiRows));
  }
  if (rows == Rows::Last) RETURN_IF_FAILED(checkLastRows(a, *r));
  for (int64_t n = 0; n < batches; ++n) {
    Sequence& s = r->sequences[n];
    s.bias = {dims[0] == 1 ? 0 : n * strides[0], strides[1], rows == Rows::One ? 0 : strides[2], strides[3]};
    if (rows == Rows::Last) {
      // Its last row and column are the last query and key of every sequence.
      s.bias.offset += (keys - s.kvLength) * strides[3];
      s.biasFirstRow = s.qLength - kAlibiRows;
    }
  }
  return ACLNN_SUCCESS;
}

// One dimension, TND: for each sequence [heads][1][keys] or [heads][queries][keys].
aclnnStatus readRuns(const Arguments& a, Request* r) {
  const auto heads = static_cast<__int128>(r->query.heads);
  __int128 rowElements = 0, elements = 0;
  for (const Sequence& s : r->sequences) {
    rowElements += heads * s.kvLength;
    elements += heads * s.qLength * s.kvLength;
  }
  const __int128 given = a.pse->viewDims[0];
  if (given != rowElements && given != elements) {
    return refuseShape(a, runsText(*r));
  }
  const int64_t stride = a.pse->strides[0];
  int64_t before = 0;
  for (Sequence& s : r->sequences) {
    const int64_t rows = given == elements ? s.qLength : 1;
    s.bias = {before * stride, rows * s.kvLength * stride, given == elements ? s.kvLength * stride : 0, stride};
    before += r->query.heads * rows * s.kvLength;
  }
  return ACLNN_SUCCESS;
}

}  // namespace

aclnnStatus readBias(const Arguments& a, Request* r) {
  if (a.pseType < 0 || a.pseType > 3) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: pseType %" PRId64 " is not in 0..3", a.op, a.pseType);
  }
  const bool isDistance = a.pseType >= 2;
  if (!a.pse) {
    if (!isDistance) return ACLNN_SUCCESS;
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: pseType %" PRId64 " needs the slopes of the heads, but pseShift is NULL",
                a.op, a.pseType);
  }
  const bool hasEmpty = std::any_of(r->sequences.begin(), r->sequences.end(),
                                    [](const Sequence& s) { return s.qLength == 0 || s.kvLength == 0; });
  if (r->packed && hasEmpty) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: a bias excludes sequences of length 0; pass pseShift NULL", a.op);
  }
  const bool isCut = a.attenMask && a.sparseMode >= 7;
  int64_t position = 0;
  if (isDistance || isCut) RETURN_IF_FAILED(readPosition(a, &position));
  if (isCut) RETURN_IF_FAILED(checkCutSequences(a, *r, position));
  r->problem.biasKind = kKinds[a.pseType];
  r->problem.bias = reinterpret_cast<const void*>(a.pse->originAddress());
  if (isDistance) return readSlopes(a, position, r);
  if (a.pse->viewDims.size() == 1 && r->packed) return readRuns(a, r);
  if (a.pse->viewDims.size() == 4) return readPlanes(a, r);
  return refuseShape(a, r->packed ? runsText(*r) + " or four dimensions" : "four dimensions");
}

}  // namespace cann4j::attention
