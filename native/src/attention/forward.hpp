// SPDX-License-Identifier: Apache-2.0
#pragma once

// Forward: scores are computed transposed, S^T[key][query] = K Q^T and O^T[d][query] += V^T P^T. Query rows then lie
// along vector lanes: maxima and sums need no horizontal step, and probabilities are already the packed operand of
// the second product. Only Q is transposed, once per block; K rows are copied as they are.

#include "attention/elements.hpp"
#include "attention/microkernel.hpp"
#include "attention/visibility.hpp"

namespace cann4j::attention::CANN4J_LEVEL {

struct ForwardScratch {
  float* query;   // [panels][depth][kWideColumns]
  float* output;  // [panels][paddedValueDim][kWideColumns]
  float* key;     // [paddedKeys][depth]
  float* value;   // [paddedValueDim / kWideRows][valueStride], each [units of blockKeys][kWideRows] and a gap
  float* scores;  // [paddedKeys][kWideColumns], then probabilities [units of keys][kWideColumns]
  float* maxima;  // [panels][kWideColumns]
  float* sums;    // [panels][kWideColumns]
  float* rows;    // rows of one panel, of either head size
  // Only where a diagonal does not say all; see ScoreExtras.
  float* bias;          // [paddedKeys][kWideColumns]
  float* keep;          // [paddedKeys][kWideColumns]
  int32_t* hidden;      // [paddedKeys][kWideColumns]
  float* line;          // [paddedKeys]
  int32_t* hiddenLine;  // [paddedKeys]
  int64_t depth;        // of scores, in units of the operands
  int64_t valueStride;
  int64_t floats;
};

// With a NULL base only the size means something.
template <ElementType T>
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
  s.depth = unitsOf<T>(scoreDim(p));
  s.query = take(panels * s.depth * kWideColumns);
  s.output = take(panels * paddedValue * kWideColumns);
  s.key = take(paddedKeys * s.depth);
  s.valueStride = unitsOf<T>(p.blockKeys) * kWideRows + 16;  // or packing one row would write to few cache sets only
  s.value = take(paddedValue / kWideRows * s.valueStride);
  s.scores = take(paddedKeys * kWideColumns);
  s.maxima = take(panels * kWideColumns);
  s.sums = take(panels * kWideColumns);
  s.rows = take(kWideColumns * larger(s.depth, roundUp(p.valueDim, kWidth)));
  s.bias = take(paddedKeys * kWideColumns);
  s.keep = take(paddedKeys * kWideColumns);
  s.hidden = reinterpret_cast<int32_t*>(take(paddedKeys * kWideColumns));
  s.line = take(paddedKeys);
  s.hiddenLine = reinterpret_cast<int32_t*>(take(paddedKeys));
  s.floats = used;
  return s;
}

// panel[d / kWideRows][unit of keys][d % kWideRows]. `scratch` holds a row.
template <ElementType T>
static void packValue(float* target, int64_t stride, const RowSource& from, int64_t keys, float* scratch) {
  const int64_t valueDim = from.depth;
  const int64_t whole = valueDim / kWideRows * kWideRows;
  Unit<T>* row = units<T>(scratch);
  for (int64_t step = 0; step < unitsOf<T>(keys); ++step) {
    for (int64_t j = step * Operand<T>::kDepth; j < (step + 1) * Operand<T>::kDepth; ++j) {
      if (j + kRowsAhead < keys) prefetch<T>(from, j + kRowsAhead);
    }
    loadStep<T>(row, *from.view, from.offset, step, keys, valueDim);
    Unit<T>* to = units<T>(target + step * kWideRows);
    for (int64_t d = 0; d < whole; d += kWideRows, to += stride) {
      for (int r = 0; r < kWideRows; ++r) to[r] = row[d + r];
    }
    if (whole < valueDim) {
      for (int r = 0; r < kWideRows; ++r) to[r] = whole + r < valueDim ? row[whole + r] : 0;
    }
  }
}

// What a diagonal does not say about a panel, [key][query] like its scores. The two first may be NULL.
struct ScoreExtras {
  const float* bias;
  const float* keep;
  const int32_t* hidden;
};

// Scaled scores of keys [0, count) against one panel of queries, and their running maximum per query. `limits` holds
// the last visible key per query; keys before `unmasked` are visible to all. With extras these two mean nothing.
template <bool Extras, class Unit>
static void scorePanel(const Unit* key, int64_t depth, const Unit* query, float scale, int64_t count,
                       int64_t unmasked, const Ints (&limits)[kWideVectors], const ScoreExtras& extras,
                       bool biasBeforeScale, float* scores, Floats (&maxima)[kWideVectors]) {
  const Floats factor = broadcast(scale);
  Floats top[kWideVectors];
  for (int v = 0; v < kWideVectors; ++v) top[v] = maxima[v];
  for (int64_t j = 0; j < count; j += kWideRows) {
    Tile<kWideRows, kWideVectors> tile;
    clear(tile);
    accumulate(tile, key + j * depth, depth, 1, query, kWideColumns, depth);
    if constexpr (Extras) {
#pragma GCC unroll 16
      for (int r = 0; r < kWideRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kWideVectors; ++v) {
          const int64_t at = (j + r) * kWideColumns + v * kWidth;
          const Floats x = biased(tile.c[r][v], factor, extras.bias ? extras.bias + at : nullptr, biasBeforeScale);
          tile.c[r][v] = unlessHidden(x, extras.hidden + at);
        }
      }
    } else {
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
  for (int v = 0; v < kWideVectors; ++v) maxima[v] = top[v];
}

// Keys [begin, begin + count) of the packed block against one panel. `firstLimit` is the last key, counted from
// `begin`, that the panel's first query sees.
template <ElementType T, bool Extras>
static void forwardPanel(const Problem& p, const ForwardScratch& s, int64_t panel, int64_t begin, int64_t count,
                         int64_t firstLimit, const ScoreExtras& extras) {
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
  scorePanel<Extras>(units<T>(s.key + begin * s.depth), s.depth, units<T>(s.query + panel * s.depth * kWideColumns),
                     p.scale, count, smaller(count, firstLimit + 1), limits, extras,
                     p.biasKind == BiasKind::BeforeScale, s.scores, top);

  for (int v = 0; v < kWideVectors; ++v) {
    decay[v] = exponential(old[v] - top[v]);
    sum[v] = load(sums + v * kWidth) * decay[v];
    store(maxima + v * kWidth, top[v]);
  }
  const auto probability = [&](int64_t j, int v) {
    const int64_t at = j * kWideColumns + v * kWidth;
    Floats e = exponential(load(s.scores + at) - top[v]);
    sum[v] += e;
    if constexpr (Extras) {
      if (extras.keep) e *= load(extras.keep + at);
    }
    return e;
  };
  const int64_t steps = unitsOf<T>(count);
  Unit<T>* probabilities = units<T>(s.scores);
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 4
    for (int v = 0; v < kWideVectors; ++v) {
      Unit<T>* to = probabilities + step * kWideColumns + v * kWidth;
      if constexpr (kPairs<T>) {
        const int64_t j = 2 * step;
        const Halves first = toHalves(probability(j, v));
        store(to, pairUp(first, j + 1 < count ? toHalves(probability(j + 1, v)) : Halves{}));
      } else {
        store(to, roundTo<T>(probability(step, v)));
      }
    }
  }
  for (int v = 0; v < kWideVectors; ++v) store(sums + v * kWidth, sum[v]);

  const int64_t paddedValue = roundUp(p.valueDim, kWideRows);
  float* output = s.output + panel * paddedValue * kWideColumns;
  for (int64_t d = 0; d < paddedValue; d += kWideRows) {
    Tile<kWideRows, kWideVectors> tile;
    clear(tile);
    accumulate(tile,
               units<T>(s.value + d / kWideRows * s.valueStride + begin / Operand<T>::kDepth * kWideRows), 1,
               kWideRows, probabilities, kWideColumns, steps);
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

// Hides keys [firstKey, firstKey + count) from queries [first, end), and what pads the panel. Returns the number of
// visible pairs.
static int64_t fillHiddenPanel(const Problem& p, const Sequence& seq, const ForwardScratch& s, int64_t head,
                               int64_t first, int64_t end, int64_t firstKey, int64_t count) {
  const int64_t padded = roundUp(count, kWideRows) * kWideColumns;
  for (int64_t i = 0; i < padded; ++i) s.hidden[i] = -1;
  int64_t visible = 0;
  for (int64_t lane = 0; lane < end - first; ++lane) {
    visible += fillHidden(p, seq, head, first + lane, firstKey, count, s.hiddenLine);
    for (int64_t j = 0; j < count; ++j) s.hidden[j * kWideColumns + lane] = s.hiddenLine[j];
  }
  return visible;
}

template <ElementType T>
static ScoreExtras fillExtras(const Problem& p, const Sequence& seq, const ForwardScratch& s, int64_t head,
                              int64_t first, int64_t end, int64_t firstKey, int64_t count) {
  const bool bias = p.biasKind != BiasKind::None;
  for (int64_t lane = 0; lane < end - first; ++lane) {
    if (bias) {
      fillBias<T>(p, seq, head, first + lane, firstKey, count, s.line);
      for (int64_t j = 0; j < count; ++j) s.bias[j * kWideColumns + lane] = s.line[j];
    }
    if (p.dropMask) {
      fillKeep(p, seq, head, first + lane, firstKey, count, s.line);
      for (int64_t j = 0; j < count; ++j) s.keep[j * kWideColumns + lane] = s.line[j];
    }
  }
  return {bias ? s.bias : nullptr, p.dropMask ? s.keep : nullptr, s.hidden};
}

// One panel, queries [first, end), against the packed keys [k0, k0 + keys). Returns whether it took all of them.
template <ElementType T>
static bool visitPanel(const Problem& p, const Sequence& seq, const ForwardScratch& s, int64_t head, int64_t panel,
                       int64_t first, int64_t end, int64_t k0, int64_t keys, bool all) {
  const KeySpans spans = all ? allKeys(seq) : visibleKeys(seq, first, end);
  const int64_t prefix = smaller(keys, spans.prefix - k0);
  const int64_t low = larger(0, spans.low - k0), high = smaller(keys, spans.high - k0);
  const int64_t begin = prefix > 0 ? 0 : low / kWideRows * kWideRows;
  const int64_t count = (low < high ? high : prefix) - begin;
  if (count <= 0) return false;
  int64_t diagonal;
  if (diagonalOnly(p, seq, end, k0 + begin, k0 + begin + count, &diagonal)) {
    // The first query's last visible key, small enough for 32-bit lanes.
    const int64_t firstLimit = clamped(first + diagonal - k0 - begin, -4 * kWideColumns, p.blockKeys);
    forwardPanel<T, false>(p, s, panel, begin, count, firstLimit, {});
  } else {
    if (fillHiddenPanel(p, seq, s, head, first, end, k0 + begin, count) == 0 && !all) return false;
    forwardPanel<T, true>(p, s, panel, begin, count, 0,
                          fillExtras<T>(p, seq, s, head, first, end, k0 + begin, count));
  }
  return count == keys;
}

// Rows of one panel of the output, divided by their sums: target[row][d], `width` floats apart.
static void divideBySums(const float* panel, const float* sums, int64_t valueDim, float* target, int64_t width) {
  for (int64_t c = 0; c < kWideColumns; c += kWidth) {
    const Floats divisor = load(sums + c);
    float* to = target + c * width;
    int64_t d = 0;
    for (; d + kWidth <= valueDim; d += kWidth) {
      Floats square[kWidth];
#pragma GCC unroll 16
      for (int i = 0; i < kWidth; ++i) square[i] = load(panel + (d + i) * kWideColumns + c) / divisor;
      transpose(square);
#pragma GCC unroll 16
      for (int i = 0; i < kWidth; ++i) store(to + i * width + d, square[i]);
    }
    for (; d < valueDim; ++d) {
      for (int i = 0; i < kWidth; ++i) to[i * width + d] = panel[d * kWideColumns + c + i] / sums[c + i];
    }
  }
}

template <ElementType T>
static void finishForward(const Problem& p, const Sequence& seq, const QueryBlock& item, const ForwardScratch& s,
                          int64_t rows) {
  const int64_t width = roundUp(p.valueDim, kWidth);
  const int64_t panelSize = roundUp(p.valueDim, kWideRows) * kWideColumns;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t i = item.first + r;
    if (r % kWideColumns == 0) {
      divideBySums(s.output + r / kWideColumns * panelSize, s.sums + r, p.valueDim, s.rows, width);
    }
    float* row = s.rows + r % kWideColumns * width;
    float top = s.maxima[r];
    float sum = s.sums[r];
    if (seq.kvLength == 0) {
      top = sum = 0;
      zero(row, p.valueDim);
    } else if (seq.invalidLine && isBlank(top, sum)) {
      sum = FLT_MAX;
      zero(row, p.valueDim);
    }
    storeRow<T>(p.output.data, offsetOf(p.output, seq.batch, seq.qRow + i, item.head), row, p.valueDim,
                p.output.elementStride);
    const int64_t index = statisticsIndex(p, seq, item.head, i);
    float* maxRow = statisticsRow(p.softmaxMax, index);
    float* sumRow = statisticsRow(p.softmaxSum, index);
    for (int k = 0; k < 8; ++k) {
      maxRow[k * p.softmaxMax.strides[3]] = top;
      sumRow[k * p.softmaxSum.strides[3]] = sum;
    }
  }
}

// Walks over the keys that the rows see, or over all. Returns whether no row passed over a key.
template <ElementType T>
static bool visitKeys(const Problem& p, const Sequence& seq, const QueryBlock& item, const ForwardScratch& s,
                      int64_t rows, bool all) {
  const int64_t kvHead = item.head / (p.heads / p.kvHeads);
  const int64_t panels = (rows + kWideColumns - 1) / kWideColumns;
  zero(s.output, panels * roundUp(p.valueDim, kWideRows) * kWideColumns);
  for (int64_t i = 0; i < panels * kWideColumns; ++i) {
    s.maxima[i] = p.sink ? p.sink[item.head * p.sinkStride] : -FLT_MAX;
    s.sums[i] = p.sink ? 1 : 0;
  }
  const KeySpans spans = all ? allKeys(seq) : visibleKeys(seq, item.first, item.first + rows);
  const BlockSpans blocks = blocksOf(spans, p.blockKeys);
  const int64_t needed = spans.low < spans.high ? spans.high : spans.prefix;
  bool complete = needed == seq.kvLength && sizeOf(blocks) == (seq.kvLength + p.blockKeys - 1) / p.blockKeys;
  for (int64_t block = 0; block < blocks.high; ++block) {
    if (!contains(blocks, block)) continue;
    const int64_t k0 = block * p.blockKeys;
    const int64_t keys = smaller(p.blockKeys, needed - k0);
    packRows<T>(s.key, s.depth, scoreRowsOf(p, p.key, p.keyRope, seq.batch, seq.kvRow + k0, kvHead), keys,
                roundUp(keys, kWideRows));
    packValue<T>(s.value, s.valueStride, rowsOf(p.value, seq.batch, seq.kvRow + k0, kvHead, p.valueDim), keys, s.rows);
    for (int64_t panel = 0; panel < panels; ++panel) {
      const int64_t first = item.first + panel * kWideColumns;
      const int64_t end = smaller(first + kWideColumns, item.first + rows);
      complete &= visitPanel<T>(p, seq, s, item.head, panel, first, end, k0, keys, all);
    }
  }
  return complete;
}

template <ElementType T>
static void forwardBlock(const Problem& p, const QueryBlock& item, void* memory) {
  const ForwardScratch s = layoutForward<T>(p, static_cast<float*>(memory));
  const Sequence& seq = p.sequences[item.sequence];
  const int64_t rows = item.rows;
  for (int64_t first = 0; first < rows; first += kWideColumns) {
    packPanel<T>(s.query + first * s.depth, kWideColumns,
                 scoreRowsOf(p, p.query, p.queryRope, seq.batch, seq.qRow + item.first + first, item.head),
                 smaller(kWideColumns, rows - first), s.rows, s.depth);
  }
  if (!visitKeys<T>(p, seq, item, s, rows, false) && !seq.invalidLine) {
    // A row that sees nothing is the mean over all keys: rare, so the rows beside it are computed again with it.
    bool blank = false;
    for (int64_t r = 0; r < rows; ++r) blank |= isBlank(s.maxima[r], s.sums[r]);
    if (blank) visitKeys<T>(p, seq, item, s, rows, true);
  }
  finishForward<T>(p, seq, item, s, rows);
}

}  // namespace cann4j::attention::CANN4J_LEVEL
