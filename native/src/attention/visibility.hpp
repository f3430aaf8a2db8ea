// SPDX-License-Identifier: Apache-2.0
#pragma once

// What stands between a tile's products and its softmax beyond one diagonal: windows, prefixes, masks, positional
// biases and dropout. All of it is made row by row, along keys, for a range of keys of one row of one head.

#include "attention/elements.hpp"

namespace cann4j::attention::CANN4J_LEVEL {

CANN4J_INLINE int64_t clamped(int64_t value, int64_t least, int64_t most) {
  return larger(least, smaller(value, most));
}

// The keys that rows see between them as far as bounds tell: [0, prefix) and [low, high), which may both be empty and
// never overlap.
struct KeySpans {
  int64_t prefix;
  int64_t low;
  int64_t high;
};

CANN4J_INLINE KeySpans visibleKeys(const Sequence& seq, int64_t firstRow, int64_t endRow) {
  KeySpans spans;
  spans.prefix = clamped(seq.prefix, 0, seq.kvLength);
  spans.low = larger(spans.prefix, firstRow + seq.lowest);
  spans.high = larger(spans.low, smaller(seq.kvLength, endRow + seq.diagonal));
  return spans;
}

CANN4J_INLINE KeySpans allKeys(const Sequence& seq) { return {seq.kvLength, seq.kvLength, seq.kvLength}; }

CANN4J_INLINE bool everyRowSees(const Sequence& seq, int64_t firstRow, int64_t endRow) {
  return (seq.prefix > 0 || (seq.lowest <= seq.diagonal && firstRow + seq.diagonal >= 0 &&
                             endRow - 1 + seq.lowest < seq.kvLength)) &&
         seq.kvLength > 0;
}

// The same by blocks of keys.
struct BlockSpans {
  int64_t prefix;
  int64_t low;
  int64_t high;
};

CANN4J_INLINE BlockSpans blocksOf(const KeySpans& keys, int64_t blockKeys) {
  const int64_t prefix = (keys.prefix + blockKeys - 1) / blockKeys;
  if (keys.low >= keys.high) return {prefix, prefix, prefix};
  const int64_t low = larger(prefix, keys.low / blockKeys);
  return {prefix, low, larger(low, (keys.high + blockKeys - 1) / blockKeys)};
}

CANN4J_INLINE bool contains(const BlockSpans& s, int64_t block) {
  return block < s.prefix || (block >= s.low && block < s.high);
}
// The number of contained blocks before a contained one, and of all.
CANN4J_INLINE int64_t rankOf(const BlockSpans& s, int64_t block) {
  return block < s.prefix ? block : s.prefix + block - s.low;
}
CANN4J_INLINE int64_t sizeOf(const BlockSpans& s) { return s.prefix + s.high - s.low; }

// Whether one diagonal says all about rows before endRow against keys [firstKey, endKey), and which.
CANN4J_INLINE bool diagonalOnly(const Problem& p, const Sequence& seq, int64_t endRow, int64_t firstKey, int64_t endKey,
                                int64_t* diagonal) {
  if (p.mask || p.biasKind != BiasKind::None || p.dropMask) return false;
  *diagonal = endKey <= seq.prefix ? kNoBound : seq.diagonal;
  return endKey <= seq.prefix || (seq.prefix <= firstKey && endRow - 1 + seq.lowest <= firstKey);
}

// hidden[j] = all ones where key firstKey + j is not visible, else 0. Returns the number of visible keys.
static int64_t fillHidden(const Problem& p, const Sequence& seq, int64_t head, int64_t row, int64_t firstKey,
                          int64_t count, int32_t* hidden) {
  const int64_t prefix = clamped(seq.prefix - firstKey, 0, count);
  const int64_t low = clamped(row + seq.lowest - firstKey, prefix, count);
  const int64_t high = clamped(row + seq.diagonal + 1 - firstKey, low, count);
  for (int64_t j = 0; j < prefix; ++j) hidden[j] = 0;
  for (int64_t j = prefix; j < low; ++j) hidden[j] = -1;
  for (int64_t j = low; j < high; ++j) hidden[j] = 0;
  for (int64_t j = high; j < count; ++j) hidden[j] = -1;
  if (!p.mask) return prefix + high - low;
  const Plane& plane = seq.mask;
  const uint8_t* mask = p.mask + plane.offset + head * plane.headStride + row * plane.rowStride +
                        firstKey * plane.columnStride;
  if (plane.columnStride == 1) {
    for (int64_t j = 0; j < count; ++j) hidden[j] |= mask[j] ? -1 : 0;
  } else {
    for (int64_t j = 0; j < count; ++j) hidden[j] |= mask[j * plane.columnStride] ? -1 : 0;
  }
  int32_t visible = 0;
  for (int64_t j = 0; j < count; ++j) visible += hidden[j] + 1;
  return visible;
}

template <ElementType T>
static void fillBias(const Problem& p, const Sequence& seq, int64_t head, int64_t row, int64_t firstKey, int64_t count,
                     float* bias) {
  const Plane& plane = seq.bias;
  const int64_t base = plane.offset + head * plane.headStride;
  if (p.biasKind == BiasKind::Distance || p.biasKind == BiasKind::RootDistance) {
    const float slope = static_cast<const float*>(p.bias)[base];
    const float start = static_cast<float>(row - firstKey + seq.position);
    for (int64_t j = 0; j < count; ++j) bias[j] = __builtin_fabsf(start - static_cast<float>(static_cast<int32_t>(j)));
    if (p.biasKind == BiasKind::RootDistance) {
      for (int64_t j = 0; j < count; ++j) bias[j] = __builtin_sqrtf(bias[j]);
    }
    for (int64_t j = 0; j < count; ++j) bias[j] *= -slope;
    return;
  }
  const int64_t shift = larger(0, seq.biasFirstRow - row);
  const int64_t stored = clamped(seq.kvLength - shift - firstKey, 0, count);
  loadRow<T>(bias, p.bias,
             base + (row + shift - seq.biasFirstRow) * plane.rowStride + (firstKey + shift) * plane.columnStride,
             stored, plane.columnStride);
  zero(bias + stored, count - stored);
}

// What a probability is multiplied by: 1 / keepProb, or 0 where it is dropped.
static void fillKeep(const Problem& p, const Sequence& seq, int64_t head, int64_t row, int64_t firstKey, int64_t count,
                     float* keep) {
  const float kept = 1.0f / p.keepProb;
  int64_t bit = seq.dropoutBit + (head * seq.qLength + row) * seq.kvLength + firstKey;
  for (int64_t j = 0; j < count; ++j, ++bit) keep[j] = p.dropMask[bit / 8] >> (bit % 8) & 1 ? kept : 0.0f;
}

// A row whose keys were all hidden, by its statistics. NaN scores leave the maximum alone too.
CANN4J_INLINE bool isBlank(float maximum, float sum) { return maximum == -FLT_MAX && sum == sum; }

// Scores after scale and bias. The bias may be NULL.
CANN4J_INLINE Floats biased(Floats product, Floats scale, const float* bias, bool beforeScale) {
  if (!bias) return product * scale;
  const Floats b = load(bias);
  return beforeScale ? (product + b) * scale : multiplyAdd(product, scale, b);
}

CANN4J_INLINE Floats unlessHidden(Floats score, const int32_t* hidden) {
  return *reinterpret_cast<const LooseInts*>(hidden) ? broadcast(-FLT_MAX) : score;
}

}  // namespace cann4j::attention::CANN4J_LEVEL
