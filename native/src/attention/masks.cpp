// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>

#include "attention/checks.hpp"
#include "runtime/options.hpp"

namespace cann4j::attention {

namespace {

enum class Form { Full, PrefixFull, Compressed, CompressedPrefix };

struct Mode {
  const char* name;
  bool dense;
  bool packed;
  Form form;
};

constexpr Mode kModes[] = {
    {"default", true, true, Form::Full},
    {"all mask", true, true, Form::Full},
    {"left-up causal", true, true, Form::Compressed},
    {"right-down causal", true, true, Form::Compressed},
    {"band", true, true, Form::Compressed},
    {"prefix", true, false, Form::PrefixFull},
    {"compressed prefix", true, true, Form::CompressedPrefix},
    {"right-down causal, band last", false, true, Form::Compressed},
    {"left-up causal, band first", false, true, Form::Compressed},
};
constexpr int64_t kModeCount = sizeof(kModes) / sizeof(kModes[0]);

constexpr int64_t kCompressed = 2048;
constexpr size_t kMaxBatchesWithPrefix = 2048;
constexpr size_t kMaxSequencesWithPrefix = 1024;

// Programs pass INT64_MAX for "no bound".
int64_t saturated(int64_t bound) { return std::clamp(bound, -kNoBound, kNoBound); }

bool hasPairs(const Sequence& s) { return s.qLength > 0 && s.kvLength > 0; }

aclnnStatus refuse(const Arguments& a, const char* rule, size_t n, const Sequence& s) {
  return fail(ACLNN_ERR_INNER_TILING_ERROR,
              "%s: sparseMode %" PRId64 " (%s) %s; sequence %zu has %" PRId64 " and %" PRId64 ", preTokens is %" PRId64
              ", nextTokens %" PRId64,
              a.op, a.sparseMode, kModes[a.sparseMode].name, rule, n, s.qLength, s.kvLength, a.preTokens, a.nextTokens);
}

// --- the shape of attenMask ---

using Shape = std::vector<int64_t>;

constexpr ptrdiff_t kJoined = 4;  // number of the shape that holds the sequences one behind the other

// The shapes that attenMask may have.
std::vector<Shape> maskShapes(const Arguments& a, const Request& r, Form form) {
  if (form == Form::Compressed) return {{kCompressed, kCompressed}};
  if (form == Form::CompressedPrefix) return {{kCompressed + kCompressed / 2, kCompressed}};
  const auto batches = static_cast<int64_t>(r.sequences.size());
  int64_t rows = r.packed ? 0 : r.query.rows, keys = r.packed ? 0 : r.key.rows;
  int64_t allRows = 0, allKeys = 0;
  for (const Sequence& s : r.sequences) {
    rows = std::max(rows, s.qLength);
    keys = std::max(keys, s.kvLength);
    allRows += s.qLength;
    allKeys += s.kvLength;
  }
  std::vector<Shape> shapes = {{batches, r.query.heads, rows, keys}, {batches, 1, rows, keys}};
  if (form == Form::PrefixFull) return shapes;
  shapes.push_back({1, 1, rows, keys});
  shapes.push_back({rows, keys});
  if (r.packed && !a.backward) shapes.push_back({allRows, allKeys});
  return shapes;
}

aclnnStatus readMaskShape(const Arguments& a, Request* r) {
  const Form form = kModes[a.sparseMode].form;
  const std::vector<Shape> shapes = maskShapes(a, *r, form);
  const Shape& dims = a.attenMask->viewDims;
  const auto found = std::find(shapes.begin(), shapes.end(), dims);
  if (found == shapes.end()) {
    std::string wanted;
    for (const Shape& shape : shapes) wanted += (wanted.empty() ? "" : " or ") + shapeText(shape);
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: sparseMode %" PRId64 " (%s) needs attenMask %s, got %s", a.op,
                a.sparseMode, kModes[a.sparseMode].name, text(wanted), text(shapeText(dims)));
  }
  const auto* data = reinterpret_cast<const uint8_t*>(a.attenMask->originAddress());
  const std::vector<int64_t>& strides = a.attenMask->strides;
  if (form == Form::Compressed || form == Form::CompressedPrefix) {
    r->compressedMask = {data, dims[0], strides[0], strides[1]};
    return ACLNN_SUCCESS;
  }
  r->usesMask = true;
  r->problem.mask = data;
  for (size_t n = 0; n < r->sequences.size(); ++n) {
    Sequence& s = r->sequences[n];
    s.mask.rowStride = strides[dims.size() - 2];
    s.mask.columnStride = strides[dims.size() - 1];
    if (found - shapes.begin() == kJoined) s.mask.offset = s.qRow * strides[0] + s.kvRow * strides[1];
    if (dims.size() == 4) {
      s.mask.offset = dims[0] == 1 ? 0 : static_cast<int64_t>(n) * strides[0];
      s.mask.headStride = dims[1] == 1 ? 0 : strides[1];
    }
  }
  return ACLNN_SUCCESS;
}

// --- prefixes ---

aclnnStatus readPrefix(const Arguments& a, Request* r) {
  const size_t count = a.prefix ? a.prefix->values.size() : 0;
  if (count != r->sequences.size()) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR,
                "%s: sparseMode %" PRId64 " needs a prefix length for each of %zu sequences, prefix %s", a.op,
                a.sparseMode, r->sequences.size(), a.prefix ? text("has " + std::to_string(count)) : "is NULL");
  }
  const size_t most = r->packed ? kMaxSequencesWithPrefix : kMaxBatchesWithPrefix;
  if (count > most) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: %zu sequences; at most %zu with sparseMode %" PRId64, a.op, count,
                most, a.sparseMode);
  }
  for (size_t n = 0; n < count; ++n) {
    Sequence& s = r->sequences[n];
    const int64_t prefix = a.prefix->values[n];
    const int64_t least = std::max<int64_t>(0, s.kvLength - s.qLength);
    if (hasPairs(s) && (prefix < least || prefix > s.kvLength)) {
      return fail(ACLNN_ERR_INNER_TILING_ERROR,
                  "%s: prefix %" PRId64 " of sequence %zu, which has %" PRId64 " queries and %" PRId64
                  " keys, is not in %" PRId64 "..%" PRId64,
                  a.op, prefix, n, s.qLength, s.kvLength, least, s.kvLength);
    }
    s.prefix = std::clamp<int64_t>(prefix, 0, s.kvLength);
    s.diagonal = s.kvLength - s.qLength;
  }
  return ACLNN_SUCCESS;
}

// --- windows ---

// The sequence that modes 7 and 8 treat as a band: the last or the first one in which somebody sees something.
size_t bandOf(const Arguments& a, const Request& r) {
  const auto& all = r.sequences;
  if (a.sparseMode == 7) {
    return static_cast<size_t>(std::find_if(all.rbegin(), all.rend(), hasPairs).base() - all.begin()) - 1;
  }
  return static_cast<size_t>(std::find_if(all.begin(), all.end(), hasPairs) - all.begin());
}

// Keys i + lowest ... i + diagonal of row i, before anything is checked.
void setWindow(const Arguments& a, bool isBand, Sequence* s) {
  const int64_t pre = saturated(a.preTokens), next = saturated(a.nextTokens);
  const int64_t corner = s->kvLength - s->qLength;
  switch (a.sparseMode) {
    case 0:
      s->lowest = -pre;
      s->diagonal = next;
      break;
    case 1: break;
    case 2: s->diagonal = 0; break;
    case 3: s->diagonal = corner; break;
    case 4:
      s->lowest = saturated(corner - pre);
      s->diagonal = saturated(corner + next);
      break;
    case 7: s->diagonal = isBand ? saturated(corner + next) : corner; break;
    case 8: s->diagonal = isBand ? saturated(corner + next) : 0; break;
    default: break;
  }
}

aclnnStatus checkDenseWindow(const Arguments& a, size_t n, const Sequence& s) {
  if (a.sparseMode != 0 && a.sparseMode != 4) return ACLNN_SUCCESS;
  if (s.lowest > s.diagonal) return refuse(a, "needs a window with preTokens + nextTokens >= 0", n, s);
  if (-s.diagonal >= s.qLength || s.lowest >= s.kvLength) {
    return refuse(a, "needs a window that overlaps the queries and keys", n, s);
  }
  return ACLNN_SUCCESS;
}

aclnnStatus checkPackedWindow(const Arguments& a, bool isBand, size_t n, const Sequence& s) {
  const int64_t pre = saturated(a.preTokens), next = saturated(a.nextTokens);
  switch (a.sparseMode) {
    case 0:
      if (next < 0) return refuse(a, "needs nextTokens >= 0", n, s);
      if (pre + next < 0) return refuse(a, "needs preTokens + nextTokens >= 0", n, s);
      if (s.kvLength + pre < s.qLength) return refuse(a, "needs keys + preTokens >= queries in every sequence", n, s);
      break;
    case 3:
      if (s.qLength > s.kvLength) return refuse(a, "needs no more queries than keys in every sequence", n, s);
      break;
    case 4:
      if (pre < 0) return refuse(a, "needs preTokens >= 0", n, s);
      if (pre + next < 0) return refuse(a, "needs preTokens + nextTokens >= 0", n, s);
      if (s.qLength - next > s.kvLength) return refuse(a, "needs queries - nextTokens <= keys in every sequence", n, s);
      break;
    case 7:
      if (s.qLength > s.kvLength) return refuse(a, "needs no more queries than keys in every sequence", n, s);
      if (isBand && next > 0) return refuse(a, "needs nextTokens <= 0", n, s);
      [[fallthrough]];
    case 8:
      if (!isBand) break;
      if (pre < s.kvLength) return refuse(a, "needs preTokens >= the keys of its band", n, s);
      if (s.qLength - next > s.kvLength) return refuse(a, "needs queries - nextTokens <= keys in its band", n, s);
      break;
    default: break;
  }
  return ACLNN_SUCCESS;
}

aclnnStatus readWindows(const Arguments& a, Request* r) {
  const size_t band = a.sparseMode == 7 || a.sparseMode == 8 ? bandOf(a, *r) : SIZE_MAX;
  for (size_t n = 0; n < r->sequences.size(); ++n) {
    Sequence& s = r->sequences[n];
    setWindow(a, n == band, &s);
    if (!hasPairs(s)) continue;
    RETURN_IF_FAILED(r->packed ? checkPackedWindow(a, n == band, n, s) : checkDenseWindow(a, n, s));
  }
  return ACLNN_SUCCESS;
}

// CANN switches to the treatment of rows without a key that innerPrecise 2 asks for where it foresees such rows.
bool foreseesInvalidLines(const Arguments& a, const Request& r) {
  if (r.packed) return false;
  return std::any_of(r.sequences.begin(), r.sequences.end(), [&a](const Sequence& s) {
    switch (a.sparseMode) {
      case 0:
      case 4: return -s.lowest < s.qLength - s.kvLength || s.diagonal < 0;
      case 3: return s.qLength > s.kvLength;
      case 5:
      case 6: return s.qLength > s.kvLength && s.prefix == 0;
      default: return false;
    }
  });
}

}  // namespace

aclnnStatus readMask(const Arguments& a, Request* r) {
  if (a.innerPrecise < 0 || a.innerPrecise > 2) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: innerPrecise %" PRId64 " is not 0, 1 or 2", a.op, a.innerPrecise);
  }
  if (!a.attenMask) return ACLNN_SUCCESS;  // then sparseMode, preTokens and nextTokens have no effect
  if (a.sparseMode < 0 || a.sparseMode >= kModeCount) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: sparseMode %" PRId64 " is not in 0..8", a.op, a.sparseMode);
  }
  const Mode& mode = kModes[a.sparseMode];
  if (r->packed ? !mode.packed : !mode.dense) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: sparseMode %" PRId64 " (%s) is not for inputLayout %s; use %s", a.op,
                a.sparseMode, mode.name, a.inputLayout, r->packed ? "sparseMode 6" : "sparseMode 3, 2 or 4");
  }
  RETURN_IF_FAILED(readMaskShape(a, r));
  const bool hasPrefix = mode.form == Form::PrefixFull || mode.form == Form::CompressedPrefix;
  RETURN_IF_FAILED(hasPrefix ? readPrefix(a, r) : readWindows(a, r));
  const bool invalidLine = a.innerPrecise == 2 || foreseesInvalidLines(a, *r);
  for (Sequence& s : r->sequences) s.invalidLine = invalidLine;
  return ACLNN_SUCCESS;
}

aclError checkCompressedMask(const Request& r, const Binding& memory) {
  const CompressedMask& mask = r.compressedMask;
  if (mask.rows == 0) return ACL_SUCCESS;
  const uint8_t* data = memory.host("attenMask", mask.data);
  const int64_t step = options().strict ? 1 : kCompressed / 2 - 1;  // 0, 1023, 2046, ...
  for (int64_t row = 0; row < mask.rows; row += step) {
    for (int64_t column = 0; column < kCompressed; ++column) {
      const bool hidden = row < kCompressed ? column > row : column >= kCompressed / 2;
      const uint8_t found = data[row * mask.rowStride + column * mask.columnStride];
      if ((found != 0) != hidden) {
        return fail(ACL_ERROR_RT_AICORE_EXCEPTION,
                    "%s: attenMask has %d at [%" PRId64 ", %" PRId64 "], not %d; a compressed mask has 1 above the "
                    "diagonal of its first 2048 rows, further rows (of mode 6) 1 in the right half, and else 0",
                    r.op, found, row, column, hidden);
      }
    }
  }
  return ACL_SUCCESS;
}

}  // namespace cann4j::attention
