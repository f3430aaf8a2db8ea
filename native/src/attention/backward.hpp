// SPDX-License-Identifier: Apache-2.0
#pragma once

// Backward, one pass over tiles: a block of keys keeps dk and dv and walks over the query blocks that see it. dq is
// added to memory tile by tile, in ascending order of key blocks whatever the threads do. Only keys are transposed,
// once per block; query-side rows are copied as they are.

#include "attention/elements.hpp"
#include "attention/microkernel.hpp"
#include "attention/visibility.hpp"

namespace cann4j::attention::CANN4J_LEVEL {

static_assert(kWideColumns % kTallRows == 0, "blocks of whole panels are blocks of whole tiles");

struct BackwardScratch {
  float* key;            // [blockKeys][keyWidth], operand of dq
  float* keyPanels;      // [blockKeys / kWideColumns][depth][kWideColumns]
  float* valuePanels;    // [blockKeys / kWideColumns][valueDim][kWideColumns]
  float* keyGradient;    // [blockKeys][roundUp(depth, kTallColumns)]
  float* valueGradient;  // [blockKeys][roundUp(valueDim, kTallColumns)]
  float* query;          // [paddedRows][keyWidth]
  float* gradient;       // [paddedRows][valueWidth], rows of dy
  float* probability;    // [paddedRows][blockKeys]
  float* scoreGradient;  // [paddedRows][blockKeys]
  float* maxima;         // [paddedRows]
  float* inverses;       // [paddedRows]
  float* deltas;         // [paddedRows]
  float* row;
  // Only where a diagonal does not say all.
  float* bias;      // [paddedRows][blockKeys]
  float* keep;      // [paddedRows][blockKeys]
  int32_t* hidden;  // [paddedRows][blockKeys]
  int64_t depth;    // headDim + ropeDim
  int64_t keyWidth;
  int64_t valueWidth;
  int64_t floats;
};

// An odd number of cache lines, so that a column of lines does not fall into few cache sets.
CANN4J_INLINE int64_t oddLines(int64_t count) {
  const int64_t padded = roundUp(roundUp(count, kTallColumns), 16);
  return padded / 16 % 2 == 0 ? padded + 16 : padded;
}

// With a NULL base only the size means something.
static BackwardScratch layoutBackward(const Problem& p, float* base) {
  const int64_t paddedRows = roundUp(roundUp(p.blockRows, kWideRows), kTallRows) + kTallRows;
  int64_t used = 0;
  auto take = [base, &used](int64_t count) {
    float* taken = base ? base + used : nullptr;
    used += roundUp(count, 16);
    return taken;
  };
  BackwardScratch s;
  s.depth = scoreDim(p);
  s.keyWidth = oddLines(s.depth);
  s.valueWidth = oddLines(p.valueDim);
  s.key = take(p.blockKeys * s.keyWidth);
  s.keyPanels = take(p.blockKeys * s.depth);
  s.valuePanels = take(p.blockKeys * p.valueDim);
  s.keyGradient = take(p.blockKeys * roundUp(s.depth, kTallColumns));
  s.valueGradient = take(p.blockKeys * roundUp(p.valueDim, kTallColumns));
  s.query = take(paddedRows * s.keyWidth);
  s.gradient = take(paddedRows * s.valueWidth);
  s.probability = take(paddedRows * p.blockKeys);
  s.scoreGradient = take(paddedRows * p.blockKeys);
  s.maxima = take(paddedRows);
  s.inverses = take(paddedRows);
  s.deltas = take(paddedRows);
  s.row = take(s.depth + p.valueDim);
  s.bias = take(paddedRows * p.blockKeys);
  s.keep = take(paddedRows * p.blockKeys);
  s.hidden = reinterpret_cast<int32_t*>(take(paddedRows * p.blockKeys));
  s.floats = used;
  return s;
}

// The product of an output row and its gradient.
CANN4J_INLINE float rowDelta(const float* dy, const float* output, int64_t count) {
  Floats partial[2] = {Floats{}, Floats{}};
  int64_t d = 0;
  for (; d + 2 * kWidth <= count; d += 2 * kWidth) {
    partial[0] = multiplyAdd(load(dy + d), load(output + d), partial[0]);
    partial[1] = multiplyAdd(load(dy + d + kWidth), load(output + d + kWidth), partial[1]);
  }
  float delta = sumLanes(partial[0] + partial[1]);
  for (; d < count; ++d) delta += dy[d] * output[d];
  return delta;
}

// Query rows, dy rows and the three numbers per row of one query block.
template <ElementType T>
static void packQueryBlock(const Problem& p, const BackwardScratch& s, const Sequence& seq, int64_t head, int64_t first,
                           int64_t rows, int64_t paddedRows) {
  packScoreRows<T>(s.query, s.keyWidth, p, p.query, p.queryRope, seq.batch, seq.qRow + first, head, rows, paddedRows);
  packRows<T>(s.gradient, s.valueWidth, s.valueWidth, p.outputGradient,
              offsetOf(p.outputGradient, seq.batch, seq.qRow + first, head), rows, paddedRows, p.valueDim);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t index = statisticsIndex(p, seq, head, first + r);
    const float sum = *statisticsRow(p.softmaxSum, index);
    s.maxima[r] = *statisticsRow(p.softmaxMax, index);
    s.inverses[r] = seq.invalidLine && isBlank(s.maxima[r], sum) ? 0 : 1.0f / sum;
    loadRow<T>(s.row, p.output.data, offsetOf(p.output, seq.batch, seq.qRow + first + r, head), p.valueDim,
               p.output.elementStride);
    s.deltas[r] = rowDelta(s.gradient + r * s.valueWidth, s.row, p.valueDim);
  }
  for (int64_t r = rows; r < paddedRows; ++r) s.maxima[r] = s.inverses[r] = s.deltas[r] = 0;
}

// Whether a row of the block gives all keys the same weight.
static bool hasMeanRow(const Problem& p, const Sequence& seq, int64_t head, int64_t first, int64_t rows) {
  if (seq.invalidLine || (!p.mask && everyRowSees(seq, first, first + rows))) return false;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t index = statisticsIndex(p, seq, head, first + r);
    if (isBlank(*statisticsRow(p.softmaxMax, index), *statisticsRow(p.softmaxSum, index))) return true;
  }
  return false;
}

// Returns the number of visible pairs of rows [first, first + rows) and keys [firstKey, firstKey + keys).
template <ElementType T>
static int64_t fillExtras(const Problem& p, const BackwardScratch& s, const Sequence& seq, int64_t head, int64_t first,
                          int64_t rows, int64_t paddedRows, int64_t firstKey, int64_t keys) {
  int64_t visible = 0;
  for (int64_t r = 0; r < rows; ++r) {
    visible += fillHidden(p, seq, head, first + r, firstKey, keys, s.hidden + r * p.blockKeys);
    if (p.biasKind != BiasKind::None) {
      fillBias<T>(p, seq, head, first + r, firstKey, keys, s.bias + r * p.blockKeys);
    }
    if (p.dropMask) fillKeep(p, seq, head, first + r, firstKey, keys, s.keep + r * p.blockKeys);
  }
  for (int64_t i = rows * p.blockKeys; i < paddedRows * p.blockKeys; ++i) {
    s.hidden[i] = 0;
    s.bias[i] = s.keep[i] = 0;
  }
  return visible;
}

// P (with dropout) and scale * dS of one tile. `diagonal` is relative to the tile: key j is visible to row i iff
// j <= i + diagonal. With extras these decide instead.
template <ElementType T, bool Extras>
static void scoreGradients(const Problem& p, const BackwardScratch& s, int64_t rows, int64_t keys,
                           int64_t diagonal, RowsAhead& ahead) {
  const Floats scale = broadcast(p.scale);
  const bool bias = p.biasKind != BiasKind::None, beforeScale = p.biasKind == BiasKind::BeforeScale;
  const bool drop = p.dropMask != nullptr;
  for (int64_t j = 0; j < keys; j += kWideColumns) {
    const float* keyPanel = s.keyPanels + j * s.depth;
    const float* valuePanel = s.valuePanels + j * p.valueDim;
    for (int64_t i = 0; i < rows; i += kWideRows) {
      const int64_t corner = i * p.blockKeys + j;
      float* probability = s.probability + corner;
      float* gradient = s.scoreGradient + corner;
      if (!Extras && j > i + kWideRows - 1 + diagonal) {
        for (int r = 0; r < kWideRows; ++r) {
          for (int v = 0; v < kWideVectors; ++v) {
            store(probability + r * p.blockKeys + v * kWidth, Floats{});
            store(gradient + r * p.blockKeys + v * kWidth, Floats{});
          }
        }
        continue;
      }
      fetchAhead<T>(ahead);
      const bool masked = j + kWideColumns - 1 > i + diagonal;
      Tile<kWideRows, kWideVectors> tile;
      clear(tile);
      accumulate(tile, s.query + i * s.keyWidth, s.keyWidth, 1, keyPanel, kWideColumns, s.depth);
#pragma GCC unroll 16
      for (int r = 0; r < kWideRows; ++r) {
        const Floats top = broadcast(s.maxima[i + r]);
        const Floats inverse = broadcast(s.inverses[i + r]);
#pragma GCC unroll 4
        for (int v = 0; v < kWideVectors; ++v) {
          const int64_t at = r * p.blockKeys + v * kWidth;
          if constexpr (Extras) {
            const Floats x = biased(tile.c[r][v], scale, bias ? s.bias + corner + at : nullptr, beforeScale);
            const Floats e = exponential(unlessHidden(x, s.hidden + corner + at) - top) * inverse;
            store(probability + at, drop ? e * load(s.keep + corner + at) : e);
            store(gradient + at, e);
          } else {
            Floats e = exponential(tile.c[r][v] * scale - top) * inverse;
            if (masked) {
              const Ints index = laneIndex() + broadcastInt(static_cast<int32_t>(j + v * kWidth));
              e = index <= broadcastInt(static_cast<int32_t>(i + r + diagonal)) ? e : Floats{};
            }
            store(probability + at, e);
          }
        }
      }
      clear(tile);
      accumulate(tile, s.gradient + i * s.valueWidth, s.valueWidth, 1, valuePanel, kWideColumns, p.valueDim);
#pragma GCC unroll 16
      for (int r = 0; r < kWideRows; ++r) {
        const Floats delta = broadcast(s.deltas[i + r]);
#pragma GCC unroll 4
        for (int v = 0; v < kWideVectors; ++v) {
          const int64_t at = r * p.blockKeys + v * kWidth;
          Floats dp = tile.c[r][v];
          if (Extras && drop) dp *= load(s.keep + corner + at);
          const Floats e = load((Extras ? gradient : probability) + at) * scale;
          store(gradient + at, e * (dp - delta));
        }
      }
    }
  }
}

// target[key][d] += sum over rows of weights[row][key] * rows[row][d]; rows before i = key - diagonal see no key.
static void addKeySide(float* target, int64_t targetWidth, const float* weights, int64_t weightWidth,
                       const float* operand, int64_t operandWidth, int64_t rows, int64_t keys,
                       int64_t diagonal) {
  for (int64_t d = 0; d < targetWidth; d += kTallColumns) {
    for (int64_t j = 0; j < keys; j += kTallRows) {
      const int64_t start = larger(0, j - diagonal);
      if (start >= rows) continue;
      Tile<kTallRows, kTallVectors> tile;
      float* to = target + j * targetWidth + d;
#pragma GCC unroll 16
      for (int r = 0; r < kTallRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kTallVectors; ++v) tile.c[r][v] = load(to + r * targetWidth + v * kWidth);
      }
      accumulate(tile, weights + start * weightWidth + j, 1, weightWidth, operand + start * operandWidth + d,
                 operandWidth, rows - start);
#pragma GCC unroll 16
      for (int r = 0; r < kTallRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kTallVectors; ++v) store(to + r * targetWidth + v * kWidth, tile.c[r][v]);
      }
    }
  }
}

// dq rows += dS K. The rows are fp32 with unit stride.
static void addQuerySide(const Problem& p, const BackwardScratch& s, float* target, int64_t targetStride,
                         int64_t rows, int64_t keys, int64_t diagonal) {
  for (int64_t d = 0; d < s.depth; d += kTallColumns) {
    const int64_t columns = smaller(kTallColumns, s.depth - d);
    for (int64_t i = 0; i < rows; i += kTallRows) {
      const int64_t height = smaller(kTallRows, rows - i);
      const int64_t depth = smaller(keys, i + height + diagonal);
      if (depth <= 0) continue;
      float* to = target + i * targetStride + d;
      for (int64_t r = 0; r < height; ++r) __builtin_prefetch(to + r * targetStride, 1);
      Tile<kTallRows, kTallVectors> tile;
      clear(tile);
      accumulate(tile, s.scoreGradient + i * p.blockKeys, p.blockKeys, 1, s.key + d, s.keyWidth, depth);
      if (height == kTallRows && columns == kTallColumns) {
#pragma GCC unroll 16
        for (int r = 0; r < kTallRows; ++r) {
#pragma GCC unroll 4
          for (int v = 0; v < kTallVectors; ++v) {
            float* at = to + r * targetStride + v * kWidth;
            store(at, load(at) + tile.c[r][v]);
          }
        }
      } else {
        for (int64_t r = 0; r < height; ++r) {
          const float* from = reinterpret_cast<const float*>(tile.c[r]);
          for (int64_t c = 0; c < columns; ++c) to[r * targetStride + c] += from[c];
        }
      }
    }
  }
}

// Short waits only: the key block before this one walks over the same rows ahead of us.
static void awaitTurn(const int32_t* turn, int32_t wanted, void (*yield)()) {
  for (int spins = 0; __atomic_load_n(turn, __ATOMIC_ACQUIRE) != wanted; ++spins) {
    if (spins < 2000) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    } else {
      yield();
    }
  }
}

// What packQueryBlock reads of the block before the one that begins at `first`, whose turn comes after it.
static RowsAhead previousRows(const Problem& p, const Sequence& seq, int64_t head, int64_t first, int64_t keys) {
  RowsAhead ahead = {{&p.query, &p.outputGradient, &p.output}, {}, {p.headDim, p.valueDim, p.valueDim}, 3,
                     smaller(first, p.blockRows), 1};
  for (int t = 0; t < ahead.count; ++t) {
    ahead.offsets[t] = offsetOf(*ahead.tensors[t], seq.batch, seq.qRow + first - ahead.rows, head);
  }
  ahead.perTile = 1 + (ahead.count * ahead.rows - 1) * kWideRows * kWideColumns / (p.blockRows * keys);
  return ahead;
}

// Adds one query block's share to dk and dv and makes its dS, or returns false where there is no share. `diagonal`
// becomes the tile's own.
template <ElementType T>
static bool visitQueries(const Problem& p, const BackwardScratch& s, const Sequence& seq, int64_t head, int64_t first,
                         int64_t rows, int64_t firstKey, int64_t keys, bool mean, int64_t* diagonal) {
  RowsAhead ahead = previousRows(p, seq, head, first, keys);
  const int64_t paddedRows = roundUp(roundUp(rows, kWideRows), kTallRows);
  if (!mean && diagonalOnly(p, seq, first + rows, firstKey, firstKey + keys, diagonal)) {
    *diagonal = smaller(first + *diagonal - firstKey, p.blockKeys);
    packQueryBlock<T>(p, s, seq, head, first, rows, paddedRows);
    scoreGradients<T, false>(p, s, rows, keys, *diagonal, ahead);
  } else {
    *diagonal = p.blockKeys;
    if (fillExtras<T>(p, s, seq, head, first, rows, paddedRows, firstKey, keys) == 0 && !mean) return false;
    packQueryBlock<T>(p, s, seq, head, first, rows, paddedRows);
    scoreGradients<T, true>(p, s, rows, keys, *diagonal, ahead);
  }
  addKeySide(s.valueGradient, roundUp(p.valueDim, kTallColumns), s.probability, p.blockKeys, s.gradient, s.valueWidth,
             rows, keys, *diagonal);
  addKeySide(s.keyGradient, roundUp(s.depth, kTallColumns), s.scoreGradient, p.blockKeys, s.query, s.keyWidth, rows,
             keys, *diagonal);
  return true;
}

// A row of scores' operands back into its tensor and its rope part.
template <ElementType T>
static void storeScoreRow(const Problem& p, const TensorView& t, const TensorView& rope, int64_t batch, int64_t row,
                          int64_t head, const float* source) {
  storeRow<T>(t.data, offsetOf(t, batch, row, head), source, p.headDim, t.elementStride);
  if (p.ropeDim > 0) {
    storeRow<T>(rope.data, offsetOf(rope, batch, row, head), source + p.headDim, p.ropeDim, rope.elementStride);
  }
}

template <ElementType T>
static void backwardBlock(const Problem& p, const KeyBlock& item, void* memory) {
  const BackwardScratch s = layoutBackward(p, static_cast<float*>(memory));
  const Sequence& seq = p.sequences[item.sequence];
  const int64_t firstKey = item.block * item.keys;
  const int64_t keys = smaller(item.keys, seq.kvLength - firstKey);
  const int64_t group = p.heads / p.kvHeads;
  const int64_t keyColumns = roundUp(s.depth, kTallColumns);
  const int64_t valueColumns = roundUp(p.valueDim, kTallColumns);
  const int64_t firstRow = seq.kvRow + firstKey;
  packScoreRows<T>(s.key, s.keyWidth, p, p.key, p.keyRope, seq.batch, firstRow, item.kvHead, keys,
                   roundUp(keys, kWideColumns));
  for (int64_t j = 0; j < keys; j += kWideColumns) {
    const int64_t columns = smaller(kWideColumns, keys - j);
    transposeRows(s.keyPanels + j * s.depth, kWideColumns, s.key + j * s.keyWidth, s.keyWidth, s.depth);
    packRows<T>(s.gradient, s.valueWidth, s.valueWidth, p.value,
                offsetOf(p.value, seq.batch, firstRow + j, item.kvHead), columns, kWideColumns, p.valueDim);
    transposeRows(s.valuePanels + j * p.valueDim, kWideColumns, s.gradient, s.valueWidth, p.valueDim);
  }
  zeroFloats(s.keyGradient, item.keys * keyColumns);
  zeroFloats(s.valueGradient, item.keys * valueColumns);

  const int64_t blocks = (seq.qLength + p.blockRows - 1) / p.blockRows;
  for (int64_t g = 0; g < group; ++g) {
    const int64_t head = item.kvHead * group + g;
    for (int64_t block = blocks - 1; block >= 0; --block) {  // all keys' turns begin with the last rows if causal
      const int64_t first = block * p.blockRows;
      const int64_t rows = smaller(p.blockRows, seq.qLength - first);
      const bool mean = hasMeanRow(p, seq, head, first, rows);
      // The key blocks that add to these rows of dq; all of them agree on this and take turns.
      const BlockSpans spans = blocksOf(mean ? allKeys(seq) : visibleKeys(seq, first, first + rows), item.keys);
      if (!contains(spans, item.block)) continue;
      int64_t diagonal;
      const bool share = visitQueries<T>(p, s, seq, head, first, rows, firstKey, keys, mean, &diagonal);

      const int32_t rank = static_cast<int32_t>(rankOf(spans, item.block));
      int32_t* turn = item.turns + g * blocks + block;
      awaitTurn(turn, rank, p.yield);
      float* sum = static_cast<float*>(p.querySum.data) + offsetOf(p.querySum, seq.batch, seq.qRow + first, head);
      if (share) addQuerySide(p, s, sum, p.querySum.rowStride, rows, keys, diagonal);
      __atomic_store_n(turn, rank + 1, __ATOMIC_RELEASE);

      if (p.convertQuerySum && rank + 1 == sizeOf(spans)) {
        for (int64_t r = 0; r < rows; ++r) {
          storeScoreRow<T>(p, p.queryGradient, p.queryRopeGradient, seq.batch, seq.qRow + first + r, head,
                           sum + r * p.querySum.rowStride);
        }
      }
    }
  }
  for (int64_t j = 0; j < keys; ++j) {
    storeScoreRow<T>(p, p.keyGradient, p.keyRopeGradient, seq.batch, firstRow + j, item.kvHead,
                     s.keyGradient + j * keyColumns);
    storeRow<T>(p.valueGradient.data, offsetOf(p.valueGradient, seq.batch, firstRow + j, item.kvHead),
                s.valueGradient + j * valueColumns, p.valueDim, p.valueGradient.elementStride);
  }
}

// What the sinks of one head get: their probability in every row, whose value is nothing. Rows add up in order.
template <ElementType T>
static void sinkBackward(const Problem& p, int64_t sequences, int64_t head, void* memory) {
  const BackwardScratch s = layoutBackward(p, static_cast<float*>(memory));
  const Floats sink = broadcast(p.sink[head * p.sinkStride]);
  double total = 0;
  for (int64_t n = 0; n < sequences; ++n) {
    const Sequence& seq = p.sequences[n];
    for (int64_t i = 0; i < seq.qLength && seq.kvLength > 0; ++i) {
      const int64_t index = statisticsIndex(p, seq, head, i);
      const float top = *statisticsRow(p.softmaxMax, index), sum = *statisticsRow(p.softmaxSum, index);
      const int64_t row = seq.qRow + i;
      loadRow<T>(s.gradient, p.outputGradient.data, offsetOf(p.outputGradient, seq.batch, row, head), p.valueDim,
                 p.outputGradient.elementStride);
      loadRow<T>(s.row, p.output.data, offsetOf(p.output, seq.batch, row, head), p.valueDim, p.output.elementStride);
      total -= exponential(sink - broadcast(top))[0] / sum * rowDelta(s.gradient, s.row, p.valueDim);
    }
  }
  p.sinkGradient[head * p.sinkGradientStride] = static_cast<float>(total);
}

}  // namespace cann4j::attention::CANN4J_LEVEL
