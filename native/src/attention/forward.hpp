// SPDX-License-Identifier: Apache-2.0
#pragma once

// Forward: scores are computed transposed, S^T[key][query] = K Q^T and O^T[d][query] += V^T P^T. Query rows then lie
// along vector lanes: maxima and sums need no horizontal step, and probabilities are already the packed operand of
// the second product. Only Q is transposed, once per block; K rows are copied as they are.

#include "attention/elements.hpp"
#include "attention/microkernel.hpp"

namespace cann4j::attention::CANN4J_LEVEL {

struct ForwardScratch {
  float* query;   // [panels][headDim][kWideColumns]
  float* output;  // [panels][paddedValueDim][kWideColumns]
  float* key;     // [paddedKeys][headDim]
  float* value;   // [paddedValueDim / kWideRows][valueStride], each [blockKeys][kWideRows] and a gap
  float* scores;  // [paddedKeys][kWideColumns]
  float* maxima;  // [panels][kWideColumns]
  float* sums;    // [panels][kWideColumns]
  float* row;     // one row of either head size
  int64_t valueStride;
  int64_t floats;
};

// With a NULL base only the size means something.
static ForwardScratch layoutForward(const Problem& p, float* base) {
  const int64_t panels = (p.blockRows + kWideColumns - 1) / kWideColumns;
  const int64_t paddedKeys = roundUp(p.blockKeys, kWideRows);
  const int64_t paddedValue = roundUp(p.valueDim, kWideRows);
  int64_t used = 0;
  auto take = [base, &used](int64_t count) {
    float* taken = base ? base + used : nullptr;
    used += roundUp(count, 16);
    return taken;
  };
  ForwardScratch s;
  s.query = take(panels * p.headDim * kWideColumns);
  s.output = take(panels * paddedValue * kWideColumns);
  s.key = take(paddedKeys * p.headDim);
  s.valueStride = p.blockKeys * kWideRows + 16;  // or packing one row would write to few cache sets only
  s.value = take(paddedValue / kWideRows * s.valueStride);
  s.scores = take(paddedKeys * kWideColumns);
  s.maxima = take(panels * kWideColumns);
  s.sums = take(panels * kWideColumns);
  s.row = take(p.headDim + p.valueDim);
  s.floats = used;
  return s;
}

// panel[d / kWideRows][key][d % kWideRows]
template <ElementType T>
static void packValue(float* target, int64_t stride, const TensorView& t, int64_t offset, int64_t keys,
                      int64_t valueDim, float* row) {
  const int64_t whole = valueDim / kWideRows * kWideRows;
  for (int64_t j = 0; j < keys; ++j) {
    if (j + kRowsAhead < keys) {
      prefetchRow<T>(t.data, offset + (j + kRowsAhead) * t.rowStride, valueDim, t.elementStride);
    }
    loadRow<T>(row, t.data, offset + j * t.rowStride, valueDim, t.elementStride);
    float* to = target + j * kWideRows;
    for (int64_t d = 0; d < whole; d += kWideRows, to += stride) {
      for (int r = 0; r < kWideRows; ++r) to[r] = row[d + r];
    }
    if (whole < valueDim) {
      for (int r = 0; r < kWideRows; ++r) to[r] = whole + r < valueDim ? row[whole + r] : 0;
    }
  }
}

// Scaled scores of keys [0, count) against one panel of queries, and their running maximum per query. `limits` holds
// the last visible key per query; keys before `unmasked` are visible to all.
CANN4J_INLINE void scorePanel(const float* key, int64_t headDim, const float* query, float scale, int64_t count,
                              int64_t unmasked, const Ints (&limits)[kWideVectors], float* scores,
                              Floats (&top)[kWideVectors]) {
  const Floats factor = broadcast(scale);
  for (int64_t j = 0; j < count; j += kWideRows) {
    Tile<kWideRows, kWideVectors> tile;
    clear(tile);
    accumulate(tile, key + j * headDim, headDim, 1, query, kWideColumns, headDim);
    const bool masked = j + kWideRows > unmasked;
#pragma GCC unroll 16
    for (int r = 0; r < kWideRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kWideVectors; ++v) tile.c[r][v] *= factor;
    }
    if (masked) {
#pragma GCC unroll 16
      for (int r = 0; r < kWideRows; ++r) {
        const Ints index = broadcastInt(static_cast<int32_t>(j + r));
#pragma GCC unroll 4
        for (int v = 0; v < kWideVectors; ++v) {
          tile.c[r][v] = index <= limits[v] ? tile.c[r][v] : broadcast(-FLT_MAX);
        }
      }
    }
    float* to = scores + j * kWideColumns;
#pragma GCC unroll 16
    for (int r = 0; r < kWideRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kWideVectors; ++v) {
        top[v] = maximum(tile.c[r][v], top[v]);
        store(to + r * kWideColumns + v * kWidth, tile.c[r][v]);
      }
    }
  }
}

template <ElementType T>
static void forwardPanel(const Problem& p, const ForwardScratch& s, int64_t panel, int64_t count, int64_t unmasked,
                         int64_t firstLimit) {
  Ints limits[kWideVectors];
  Floats top[kWideVectors], old[kWideVectors], sum[kWideVectors], decay[kWideVectors];
  float* maxima = s.maxima + panel * kWideColumns;
  float* sums = s.sums + panel * kWideColumns;
  const Ints last = broadcastInt(static_cast<int32_t>(count - 1));
  for (int v = 0; v < kWideVectors; ++v) {
    const Ints limit = laneIndex() + broadcastInt(static_cast<int32_t>(firstLimit + v * kWidth));
    limits[v] = limit < last ? limit : last;
    old[v] = top[v] = load(maxima + v * kWidth);
  }
  scorePanel(s.key, p.headDim, s.query + panel * p.headDim * kWideColumns, p.scale, count, unmasked, limits, s.scores,
             top);

  for (int v = 0; v < kWideVectors; ++v) {
    decay[v] = exponential(old[v] - top[v]);
    sum[v] = load(sums + v * kWidth) * decay[v];
    store(maxima + v * kWidth, top[v]);
  }
  for (int64_t j = 0; j < count; ++j) {
    float* at = s.scores + j * kWideColumns;
#pragma GCC unroll 4
    for (int v = 0; v < kWideVectors; ++v) {
      const Floats e = exponential(load(at + v * kWidth) - top[v]);
      sum[v] += e;
      store(at + v * kWidth, roundTo<T>(e));
    }
  }
  for (int v = 0; v < kWideVectors; ++v) store(sums + v * kWidth, sum[v]);

  const int64_t paddedValue = roundUp(p.valueDim, kWideRows);
  float* output = s.output + panel * paddedValue * kWideColumns;
  for (int64_t d = 0; d < paddedValue; d += kWideRows) {
    Tile<kWideRows, kWideVectors> tile;
    clear(tile);
    accumulate(tile, s.value + d / kWideRows * s.valueStride, 1, kWideRows, s.scores, kWideColumns, count);
    float* to = output + d * kWideColumns;
#pragma GCC unroll 16
    for (int r = 0; r < kWideRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kWideVectors; ++v) {
        float* at = to + r * kWideColumns + v * kWidth;
        store(at, multiplyAdd(load(at), decay[v], tile.c[r][v]));
      }
    }
  }
}

template <ElementType T>
static void finishForward(const Problem& p, const Sequence& seq, const QueryBlock& item, const ForwardScratch& s,
                          int64_t rows) {
  const int64_t paddedValue = roundUp(p.valueDim, kWideRows);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t i = item.first + r;
    const float* panel = s.output + (r / kWideColumns) * paddedValue * kWideColumns + r % kWideColumns;
    float top = s.maxima[r];
    float sum = s.sums[r];
    if (seq.kvLength == 0) {
      top = sum = 0;
      zeroFloats(s.row, p.valueDim);
    } else if (i + seq.diagonal < 0) {  // no key is visible: CANN's "invalid line"
      top = -FLT_MAX;
      sum = FLT_MAX;
      zeroFloats(s.row, p.valueDim);
    } else {
      for (int64_t d = 0; d < p.valueDim; ++d) s.row[d] = panel[d * kWideColumns] / sum;
    }
    storeRow<T>(p.output.data, offsetOf(p.output, seq.batch, seq.qRow + i, item.head), s.row, p.valueDim,
                p.output.elementStride);
    const int64_t index = seq.statisticsRow + item.head * seq.qLength + i;
    float* maxRow = statisticsRow(p.softmaxMax, index);
    float* sumRow = statisticsRow(p.softmaxSum, index);
    for (int k = 0; k < 8; ++k) {
      maxRow[k * p.softmaxMax.strides[3]] = top;
      sumRow[k * p.softmaxSum.strides[3]] = sum;
    }
  }
}

template <ElementType T>
static void forwardBlock(const Problem& p, const QueryBlock& item, void* memory) {
  const ForwardScratch s = layoutForward(p, static_cast<float*>(memory));
  const Sequence& seq = p.sequences[item.sequence];
  const int64_t kvHead = item.head / (p.heads / p.kvHeads);
  const int64_t rows = smaller(p.blockRows, seq.qLength - item.first);
  const int64_t panels = (rows + kWideColumns - 1) / kWideColumns;
  const int64_t paddedValue = roundUp(p.valueDim, kWideRows);
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int64_t first = panel * kWideColumns;
    packTransposed<T>(s.query + panel * p.headDim * kWideColumns, kWideColumns, p.query,
                      offsetOf(p.query, seq.batch, seq.qRow + item.first + first, item.head),
                      smaller(kWideColumns, rows - first), p.headDim, s.row);
  }
  zeroFloats(s.output, panels * paddedValue * kWideColumns);
  zeroFloats(s.sums, panels * kWideColumns);
  for (int64_t i = 0; i < panels * kWideColumns; ++i) s.maxima[i] = -FLT_MAX;

  const int64_t needed = smaller(seq.kvLength, item.first + rows + seq.diagonal);
  for (int64_t k0 = 0; k0 < needed; k0 += p.blockKeys) {
    const int64_t keys = smaller(p.blockKeys, needed - k0);
    packRows<T>(s.key, p.headDim, p.key, offsetOf(p.key, seq.batch, seq.kvRow + k0, kvHead), keys,
                roundUp(keys, kWideRows), p.headDim);
    packValue<T>(s.value, s.valueStride, p.value, offsetOf(p.value, seq.batch, seq.kvRow + k0, kvHead), keys, p.valueDim,
                 s.row);
    for (int64_t panel = 0; panel < panels; ++panel) {
      const int64_t first = item.first + panel * kWideColumns;
      const int64_t end = smaller(first + kWideColumns, item.first + rows);
      const int64_t count = smaller(keys, end + seq.diagonal - k0);
      if (count <= 0) continue;
      // The first query's last visible key, relative to this block and small enough for 32-bit lanes.
      const int64_t firstLimit = larger(-4 * kWideColumns, smaller(first + seq.diagonal - k0, p.blockKeys));
      forwardPanel<T>(p, s, panel, count, smaller(count, firstLimit + 1), firstLimit);
    }
  }
  finishForward<T>(p, seq, item, s, rows);
}

}  // namespace cann4j::attention::CANN4J_LEVEL
