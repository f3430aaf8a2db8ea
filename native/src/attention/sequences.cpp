// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attention/checks.hpp"

namespace cann4j::attention {

namespace {

// CANN reads an end below its predecessor as a sequence of length 0.
int64_t lengthAt(const std::vector<int64_t>& ends, size_t n) {
  int64_t length = 0;
  if (__builtin_sub_overflow(ends[n], n ? ends[n - 1] : 0, &length)) return ends[n] < 0 ? 0 : INT64_MAX;
  return std::max<int64_t>(0, length);
}

Sequence sequenceOf(const Request& r, int64_t batch, int64_t qRow, int64_t kvRow, int64_t qLength, int64_t kvLength,
                    int64_t rowsBefore) {
  Sequence s{};
  s.batch = batch;
  s.qRow = qRow;
  s.kvRow = kvRow;
  s.qLength = qLength;
  s.kvLength = kvLength;
  s.statisticsRow = rowsBefore * r.query.heads;
  s.diagonal = kNoBound;
  return s;
}

aclnnStatus readPacked(const Arguments& a, Request* r) {
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
                  "%s: sequence %zu has %" PRId64 " queries from row %" PRId64 " of %" PRId64 " on and %" PRId64
                  " keys from row %" PRId64 " of %" PRId64 " on",
                  a.op, n, qLength, qRow, r->query.rows, kvLength, kvRow, r->key.rows);
    }
    r->sequences.push_back(sequenceOf(*r, 0, qRow, kvRow, qLength, kvLength, qRow));
    qRow += qLength;
    kvRow += kvLength;
  }
  return ACLNN_SUCCESS;
}

}  // namespace

aclnnStatus readSequences(const Arguments& a, Request* r) {
  if (r->packed) return readPacked(a, r);
  if (a.actualSeqQLen || a.actualSeqKvLen) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: sequence arrays are for TND; pass NULL with inputLayout %s", a.op,
                a.inputLayout);
  }
  const Extent& q = r->query;
  for (int64_t b = 0; b < q.batches; ++b) {
    r->sequences.push_back(sequenceOf(*r, b, 0, 0, q.rows, r->key.rows, b * q.rows));
  }
  return ACLNN_SUCCESS;
}

}  // namespace cann4j::attention
