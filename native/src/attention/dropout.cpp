// SPDX-License-Identifier: Apache-2.0
#include "attention/checks.hpp"

namespace cann4j::attention {

aclnnStatus readDropout(const Arguments& a, Request* r) {
  const auto keepProb = static_cast<float>(a.keepProb);
  if (!(keepProb > 0 && keepProb <= 1)) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: keepProb %g is not in (0, 1]", a.op, a.keepProb);
  }
  if (keepProb == 1) {
    if (!a.dropMask || a.dropMask->elements() == 0) return ACLNN_SUCCESS;
    return fail(ACLNN_ERR_INNER_TILING_ERROR,
                "%s: keepProb is 1 but dropMask is given; pass NULL, or the keepProb of %s", a.op,
                text(a.dropMask->describe()));
  }
  if (!a.dropMask) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: keepProb is %g but dropMask is NULL; pass the mask, or keepProb 1",
                a.op, a.keepProb);
  }
  // Sequences of TND follow each other, each [heads][queries][keys].
  __int128 bits = 0;
  for (Sequence& s : r->sequences) {
    s.dropoutBit = static_cast<int64_t>(bits);
    bits += static_cast<__int128>(r->query.heads) * s.qLength * s.kvLength;
    if (bits > INT64_MAX) break;
  }
  const __int128 bytes = (bits + 7) / 8;
  if (bits > INT64_MAX || bytes > a.dropMask->elements()) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR,
                "%s: dropMask %s is too short; one bit for each query, key and head is %.17g bytes", a.op,
                text(a.dropMask->describe()), static_cast<double>(bytes));
  }
  Problem& p = r->problem;
  p.keepProb = keepProb;
  p.dropMask = reinterpret_cast<const uint8_t*>(a.dropMask->originAddress());
  if (!a.dropMask->isContiguous()) {
    r->dropMask = {static_cast<int64_t>(bytes), a.dropMask->viewDims, a.dropMask->strides};
  }
  return ACLNN_SUCCESS;
}

}  // namespace cann4j::attention
