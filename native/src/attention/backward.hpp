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

// Along rows and keys `units` are those of the operands: what is the depth of one product is not that of another, and
// pairs are made of neighbours along it. Where units are single numbers, rows serve as steps.
struct BackwardScratch {
  float* key;            // [units of blockKeys][keyWidth], operand of dq
  float* keyPanels;      // [blockKeys / kWideColumns][depth][kWideColumns]
  float* valuePanels;    // [blockKeys / kWideColumns][valueDepth][kWideColumns]
  float* keyGradient;    // [blockKeys][roundUp(scoreDim, kTallColumns)]
  float* valueGradient;  // [blockKeys][roundUp(valueDim, kTallColumns)]
  float* query;          // [paddedRows][queryWidth]
  float* gradient;       // [paddedRows][gradientWidth], rows of dy
  float* querySteps;     // [units of paddedRows][keyWidth]
  float* gradientSteps;  // [units of paddedRows][valueWidth]
  float* probability;    // [units of paddedRows][blockKeys]
  float* scoreGradient;  // [units of paddedRows][blockKeys]
  float* scoreRows;      // [paddedRows][units of blockKeys], the score gradient once more
  float* maxima;         // [paddedRows]
  float* inverses;       // [paddedRows]
  float* deltas;         // [paddedRows]
  float* row;
  // Only where a diagonal does not say all.
  float* bias;      // [paddedRows][blockKeys]
  float* keep;      // [paddedRows][blockKeys]
  int32_t* hidden;  // [paddedRows][blockKeys]
  int64_t depth;    // of scores, in units of the operands
  int64_t valueDepth;
  int64_t keyWidth;
  int64_t valueWidth;
  int64_t queryWidth;
  int64_t gradientWidth;
  int64_t floats;
};

// An odd number of cache lines, so that a column of lines does not fall into few cache sets.
CANN4J_INLINE int64_t oddLines(int64_t count) {
  const int64_t padded = roundUp(roundUp(count, kTallColumns), 16);
  return padded / 16 % 2 == 0 ? padded + 16 : padded;
}

// With a NULL base only the size means something.
template <ElementType T>
static BackwardScratch layoutBackward(const Problem& p, float* base) {
  const int64_t paddedRows = roundUp(roundUp(p.blockRows, kWideRows), kTallRows) + kTallRows;
  int64_t used = 0;
  auto take = [base, &used](int64_t count) {
    float* taken = base ? base + used : nullptr;
    used += roundUp(count, 16);
    return taken;
  };
  BackwardScratch s;
  s.depth = unitsOf<T>(scoreDim(p));
  s.valueDepth = unitsOf<T>(p.valueDim);
  s.keyWidth = oddLines(scoreDim(p));
  s.valueWidth = oddLines(p.valueDim);
  s.queryWidth = oddLines(s.depth);
  s.gradientWidth = oddLines(s.valueDepth);
  s.key = take(unitsOf<T>(p.blockKeys) * s.keyWidth);
  s.keyPanels = take(p.blockKeys * s.depth);
  s.valuePanels = take(p.blockKeys * s.valueDepth);
  s.keyGradient = take(p.blockKeys * roundUp(scoreDim(p), kTallColumns));
  s.valueGradient = take(p.blockKeys * roundUp(p.valueDim, kTallColumns));
  s.query = take(paddedRows * s.queryWidth);
  s.gradient = take(paddedRows * s.gradientWidth);
  s.querySteps = kPairs<T> ? take(unitsOf<T>(paddedRows) * s.keyWidth) : s.query;
  s.gradientSteps = kPairs<T> ? take(unitsOf<T>(paddedRows) * s.valueWidth) : s.gradient;
  s.probability = take(unitsOf<T>(paddedRows) * p.blockKeys);
  s.scoreGradient = take(unitsOf<T>(paddedRows) * p.blockKeys);
  s.scoreRows = kPairs<T> ? take(paddedRows * unitsOf<T>(p.blockKeys)) : s.scoreGradient;
  s.maxima = take(paddedRows);
  s.inverses = take(paddedRows);
  s.deltas = take(paddedRows);
  s.row = take(scoreDim(p) + 2 * p.valueDim);
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
  const RowSource query = scoreRowsOf(p, p.query, p.queryRope, seq.batch, seq.qRow + first, head);
  const RowSource gradient = rowsOf(p.outputGradient, seq.batch, seq.qRow + first, head, p.valueDim);
  packRows<T>(s.query, s.queryWidth, query, rows, paddedRows);
  packRows<T>(s.gradient, s.gradientWidth, gradient, rows, paddedRows);
  if constexpr (kPairs<T>) {
    packSteps<T>(s.querySteps, s.keyWidth, query, rows, paddedRows);
    packSteps<T>(s.gradientSteps, s.valueWidth, gradient, rows, paddedRows);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t index = statisticsIndex(p, seq, head, first + r);
    const float sum = *statisticsRow(p.softmaxSum, index);
    s.maxima[r] = *statisticsRow(p.softmaxMax, index);
    s.inverses[r] = seq.invalidLine && isBlank(s.maxima[r], sum) ? 0 : 1.0f / sum;
    loadRow<T>(s.row, p.output.data, offsetOf(p.output, seq.batch, seq.qRow + first + r, head), p.valueDim,
               p.output.elementStride);
    const float* dy = s.gradient + r * s.gradientWidth;
    if constexpr (kPairs<T>) {
      loadRow<T>(s.row + p.valueDim, gradient.view->data, gradient.offset + r * gradient.view->rowStride, p.valueDim,
                 gradient.view->elementStride);
      dy = s.row + p.valueDim;
    }
    s.deltas[r] = rowDelta(dy, s.row, p.valueDim);
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

using WideTile = Tile<kWideRows, kWideVectors>;

// Where products read a tile whose rows are their depth, rounded as the matrix units of an NPU want their operands.
// `to` is that of its first row.
template <ElementType T>
CANN4J_INLINE void storeSteps(Unit<T>* to, int64_t stride, const WideTile& tile) {
#pragma GCC unroll 16
  for (int r = 0; r < kWideRows; r += Operand<T>::kDepth) {
#pragma GCC unroll 4
    for (int v = 0; v < kWideVectors; ++v) {
      Unit<T>* at = to + r / Operand<T>::kDepth * stride + v * kWidth;
      if constexpr (kPairs<T>) {
        store(at, pairUp(toHalves(tile.c[r][v]), toHalves(tile.c[r + 1][v])));
      } else {
        store(at, roundTo<T>(tile.c[r][v]));
      }
    }
  }
}

// And one whose columns are, in pairs: the halves of a row as they are.
template <ElementType T>
CANN4J_INLINE void storeRows(Packed<T>* to, int64_t stride, const WideTile& tile) {
  static_assert(kPairs<T>);
#pragma GCC unroll 16
  for (int r = 0; r < kWideRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kWideVectors; ++v) {
      *reinterpret_cast<LooseHalves*>(to + r * stride + v * kWidth) = toHalves(tile.c[r][v]);
    }
  }
}

// The score gradient of a tile, for both products with it.
template <ElementType T>
CANN4J_INLINE void storeGradient(const BackwardScratch& s, int64_t blockKeys, int64_t i, int64_t j,
                                 const WideTile& tile) {
  storeSteps<T>(units<T>(s.scoreGradient + i / Operand<T>::kDepth * blockKeys + j), blockKeys, tile);
  if constexpr (kPairs<T>) {
    storeRows<T>(reinterpret_cast<Packed<T>*>(s.scoreRows) + i * blockKeys + j, blockKeys, tile);
  }
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
    const Unit<T>* keyPanel = units<T>(s.keyPanels + j * s.depth);
    const Unit<T>* valuePanel = units<T>(s.valuePanels + j * s.valueDepth);
    for (int64_t i = 0; i < rows; i += kWideRows) {
      const int64_t corner = i * p.blockKeys + j;
      Unit<T>* probability = units<T>(s.probability + i / Operand<T>::kDepth * p.blockKeys + j);
      WideTile tile;
      clear(tile);
      if (!Extras && j > i + kWideRows - 1 + diagonal) {
        storeSteps<T>(probability, p.blockKeys, tile);
        storeGradient<T>(s, p.blockKeys, i, j, tile);
        continue;
      }
      fetchAhead<T>(ahead);
      const bool masked = j + kWideColumns - 1 > i + diagonal;
      WideTile weights;
      accumulate(tile, units<T>(s.query + i * s.queryWidth), s.queryWidth, 1, keyPanel, kWideColumns, s.depth);
#pragma GCC unroll 16
      for (int r = 0; r < kWideRows; ++r) {
        const Floats top = broadcast(s.maxima[i + r]);
        const Floats inverse = broadcast(s.inverses[i + r]);
#pragma GCC unroll 4
        for (int v = 0; v < kWideVectors; ++v) {
          const int64_t at = corner + r * p.blockKeys + v * kWidth;
          Floats e;
          if constexpr (Extras) {
            const Floats x = biased(tile.c[r][v], scale, bias ? s.bias + at : nullptr, beforeScale);
            e = exponential(unlessHidden(x, s.hidden + at) - top) * inverse;
            tile.c[r][v] = drop ? e * load(s.keep + at) : e;
          } else {
            e = exponential(tile.c[r][v] * scale - top) * inverse;
            if (masked) {
              const Ints index = laneIndex() + broadcastInt(static_cast<int32_t>(j + v * kWidth));
              e = index <= broadcastInt(static_cast<int32_t>(i + r + diagonal)) ? e : Floats{};
            }
            tile.c[r][v] = e;
          }
          weights.c[r][v] = e;
        }
      }
      storeSteps<T>(probability, p.blockKeys, tile);
      clear(tile);
      accumulate(tile, units<T>(s.gradient + i * s.gradientWidth), s.gradientWidth, 1, valuePanel, kWideColumns,
                 s.valueDepth);
#pragma GCC unroll 16
      for (int r = 0; r < kWideRows; ++r) {
        const Floats delta = broadcast(s.deltas[i + r]);
#pragma GCC unroll 4
        for (int v = 0; v < kWideVectors; ++v) {
          Floats dp = tile.c[r][v];
          if (Extras && drop) dp *= load(s.keep + corner + r * p.blockKeys + v * kWidth);
          tile.c[r][v] = weights.c[r][v] * scale * (dp - delta);
        }
      }
      storeGradient<T>(s, p.blockKeys, i, j, tile);
    }
  }
  if (unitsOf<T>(keys) * Operand<T>::kDepth > keys) {  // the other half of the last key
    Packed<T>* beyond = reinterpret_cast<Packed<T>*>(s.scoreRows) + keys;
    for (int64_t i = 0; i < roundUp(rows, kWideRows); ++i) zero(beyond + i * p.blockKeys, 1);
  }
}

// target[key][d] += sum over rows of weights[row][key] * rows[row][d]; rows before i = key - diagonal see no key.
template <ElementType T>
static void addKeySide(float* target, int64_t targetWidth, const Unit<T>* weights, int64_t weightWidth,
                       const Unit<T>* operand, int64_t operandWidth, int64_t rows, int64_t keys, int64_t diagonal) {
  const int64_t steps = unitsOf<T>(rows);
  for (int64_t d = 0; d < targetWidth; d += kTallColumns) {
    for (int64_t j = 0; j < keys; j += kTallRows) {
      const int64_t start = larger(0, j - diagonal) / Operand<T>::kDepth;
      if (start >= steps) continue;
      Tile<kTallRows, kTallVectors> tile;
      float* to = target + j * targetWidth + d;
#pragma GCC unroll 16
      for (int r = 0; r < kTallRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kTallVectors; ++v) tile.c[r][v] = load(to + r * targetWidth + v * kWidth);
      }
      accumulate(tile, weights + start * weightWidth + j, 1, weightWidth, operand + start * operandWidth + d,
                 operandWidth, steps - start);
#pragma GCC unroll 16
      for (int r = 0; r < kTallRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kTallVectors; ++v) store(to + r * targetWidth + v * kWidth, tile.c[r][v]);
      }
    }
  }
}

// dq rows += dS K. The rows are fp32 with unit stride.
template <ElementType T>
static void addQuerySide(const Problem& p, const BackwardScratch& s, float* target, int64_t targetStride,
                         int64_t rows, int64_t keys, int64_t diagonal) {
  const int64_t depthOfRow = unitsOf<T>(p.blockKeys);
  for (int64_t d = 0; d < scoreDim(p); d += kTallColumns) {
    const int64_t columns = smaller(kTallColumns, scoreDim(p) - d);
    for (int64_t i = 0; i < rows; i += kTallRows) {
      const int64_t height = smaller(kTallRows, rows - i);
      const int64_t depth = smaller(keys, i + height + diagonal);
      if (depth <= 0) continue;
      float* to = target + i * targetStride + d;
      for (int64_t r = 0; r < height; ++r) __builtin_prefetch(to + r * targetStride, 1);
      Tile<kTallRows, kTallVectors> tile;
      clear(tile);
      accumulate(tile, units<T>(s.scoreRows + i * depthOfRow), depthOfRow, 1, units<T>(s.key + d), s.keyWidth,
                 unitsOf<T>(depth));
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
  addKeySide<T>(s.valueGradient, roundUp(p.valueDim, kTallColumns), units<T>(s.probability), p.blockKeys,
                units<T>(s.gradientSteps), s.valueWidth, rows, keys, *diagonal);
  addKeySide<T>(s.keyGradient, roundUp(scoreDim(p), kTallColumns), units<T>(s.scoreGradient), p.blockKeys,
                units<T>(s.querySteps), s.keyWidth, rows, keys, *diagonal);
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
  const BackwardScratch s = layoutBackward<T>(p, static_cast<float*>(memory));
  const Sequence& seq = p.sequences[item.sequence];
  const int64_t firstKey = item.block * item.keys;
  const int64_t keys = smaller(item.keys, seq.kvLength - firstKey);
  const int64_t group = p.heads / p.kvHeads;
  const int64_t keyColumns = roundUp(scoreDim(p), kTallColumns);
  const int64_t valueColumns = roundUp(p.valueDim, kTallColumns);
  const int64_t firstRow = seq.kvRow + firstKey;
  packSteps<T>(s.key, s.keyWidth, scoreRowsOf(p, p.key, p.keyRope, seq.batch, firstRow, item.kvHead), keys,
               roundUp(keys, kWideColumns));
  for (int64_t j = 0; j < keys; j += kWideColumns) {
    const int64_t columns = smaller(kWideColumns, keys - j);
    if constexpr (kPairs<T>) {
      packPanel<T>(s.keyPanels + j * s.depth, kWideColumns,
                   scoreRowsOf(p, p.key, p.keyRope, seq.batch, firstRow + j, item.kvHead), columns, s.query,
                   s.queryWidth);
    } else {
      transposeRows(s.keyPanels + j * s.depth, kWideColumns, s.key + j * s.keyWidth, s.keyWidth, s.depth);
    }
    packPanel<T>(s.valuePanels + j * s.valueDepth, kWideColumns,
                 rowsOf(p.value, seq.batch, firstRow + j, item.kvHead, p.valueDim), columns, s.gradient,
                 s.gradientWidth);
  }
  zero(s.keyGradient, item.keys * keyColumns);
  zero(s.valueGradient, item.keys * valueColumns);

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
      if (share) addQuerySide<T>(p, s, sum, p.querySum.rowStride, rows, keys, diagonal);
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
  const BackwardScratch s = layoutBackward<T>(p, static_cast<float*>(memory));
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
