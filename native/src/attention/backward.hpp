// SPDX-License-Identifier: Apache-2.0
#pragma once

// Backward, one pass over tiles: a block of keys keeps dk and dv and walks over the query blocks that see it. dq is
// added to memory tile by tile, in ascending order of key blocks whatever the threads do. Only keys are transposed,
// once per block; query-side rows are copied as they are.

#include "attention/elements.hpp"
#include "attention/microkernel.hpp"

namespace cann4j::attention::CANN4J_LEVEL {

struct BackwardScratch {
  float* key;            // [blockKeys][keyWidth], operand of dq
  float* keyPanels;      // [blockKeys / kWideColumns][headDim][kWideColumns]
  float* valuePanels;    // [blockKeys / kWideColumns][valueDim][kWideColumns]
  float* keyGradient;    // [blockKeys][roundUp(headDim, kTallColumns)]
  float* valueGradient;  // [blockKeys][roundUp(valueDim, kTallColumns)]
  float* query;          // [paddedRows][keyWidth]
  float* gradient;       // [paddedRows][valueWidth], rows of dy
  float* probability;    // [paddedRows][blockKeys]
  float* scoreGradient;  // [paddedRows][blockKeys]
  float* maxima;         // [paddedRows]
  float* inverses;       // [paddedRows]
  float* deltas;         // [paddedRows]
  float* row;
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
  s.keyWidth = oddLines(p.headDim);
  s.valueWidth = oddLines(p.valueDim);
  s.key = take(p.blockKeys * s.keyWidth);
  s.keyPanels = take(p.blockKeys * p.headDim);
  s.valuePanels = take(p.blockKeys * p.valueDim);
  s.keyGradient = take(p.blockKeys * roundUp(p.headDim, kTallColumns));
  s.valueGradient = take(p.blockKeys * roundUp(p.valueDim, kTallColumns));
  s.query = take(paddedRows * s.keyWidth);
  s.gradient = take(paddedRows * s.valueWidth);
  s.probability = take(paddedRows * p.blockKeys);
  s.scoreGradient = take(paddedRows * p.blockKeys);
  s.maxima = take(paddedRows);
  s.inverses = take(paddedRows);
  s.deltas = take(paddedRows);
  s.row = take(p.headDim + p.valueDim);
  s.floats = used;
  return s;
}

// Query rows, dy rows and the three numbers per row of one query block.
template <ElementType T>
static void packQueryBlock(const Problem& p, const BackwardScratch& s, const Sequence& seq, int64_t head, int64_t first,
                           int64_t rows, int64_t paddedRows) {
  packRows<T>(s.query, s.keyWidth, p.query, offsetOf(p.query, seq.batch, seq.qRow + first, head), rows, paddedRows,
              p.headDim);
  packRows<T>(s.gradient, s.valueWidth, p.outputGradient,
              offsetOf(p.outputGradient, seq.batch, seq.qRow + first, head), rows, paddedRows, p.valueDim);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t index = seq.statisticsRow + head * seq.qLength + first + r;
    const float sum = *statisticsRow(p.softmaxSum, index);
    s.maxima[r] = *statisticsRow(p.softmaxMax, index);
    s.inverses[r] = 1.0f / sum;
    loadRow<T>(s.row, p.output.data, offsetOf(p.output, seq.batch, seq.qRow + first + r, head), p.valueDim,
               p.output.elementStride);
    const float* dy = s.gradient + r * s.valueWidth;
    Floats partial[2] = {Floats{}, Floats{}};
    int64_t d = 0;
    for (; d + 2 * kWidth <= p.valueDim; d += 2 * kWidth) {
      partial[0] = multiplyAdd(load(dy + d), load(s.row + d), partial[0]);
      partial[1] = multiplyAdd(load(dy + d + kWidth), load(s.row + d + kWidth), partial[1]);
    }
    float delta = sumLanes(partial[0] + partial[1]);
    for (; d < p.valueDim; ++d) delta += dy[d] * s.row[d];
    s.deltas[r] = delta;
  }
  for (int64_t r = rows; r < paddedRows; ++r) s.maxima[r] = s.inverses[r] = s.deltas[r] = 0;
}

// P and scale * dS of one tile. `diagonal` is relative to the tile: key j is visible to row i iff j <= i + diagonal.
CANN4J_INLINE void scoreGradients(const Problem& p, const BackwardScratch& s, int64_t rows, int64_t keys,
                                  int64_t diagonal) {
  const Floats scale = broadcast(p.scale);
  for (int64_t j = 0; j < keys; j += kWideColumns) {
    const float* keyPanel = s.keyPanels + j * p.headDim;
    const float* valuePanel = s.valuePanels + j * p.valueDim;
    for (int64_t i = 0; i < rows; i += kWideRows) {
      float* probability = s.probability + i * p.blockKeys + j;
      float* gradient = s.scoreGradient + i * p.blockKeys + j;
      if (j > i + kWideRows - 1 + diagonal) {
        for (int r = 0; r < kWideRows; ++r) {
          for (int v = 0; v < kWideVectors; ++v) {
            store(probability + r * p.blockKeys + v * kWidth, Floats{});
            store(gradient + r * p.blockKeys + v * kWidth, Floats{});
          }
        }
        continue;
      }
      const bool masked = j + kWideColumns - 1 > i + diagonal;
      Tile<kWideRows, kWideVectors> tile;
      clear(tile);
      accumulate(tile, s.query + i * s.keyWidth, s.keyWidth, 1, keyPanel, kWideColumns, p.headDim);
#pragma GCC unroll 16
      for (int r = 0; r < kWideRows; ++r) {
        const Floats top = broadcast(s.maxima[i + r]);
        const Floats inverse = broadcast(s.inverses[i + r]);
#pragma GCC unroll 4
        for (int v = 0; v < kWideVectors; ++v) {
          Floats e = exponential(tile.c[r][v] * scale - top) * inverse;
          if (masked) {
            const Ints index = laneIndex() + broadcastInt(static_cast<int32_t>(j + v * kWidth));
            e = index <= broadcastInt(static_cast<int32_t>(i + r + diagonal)) ? e : Floats{};
          }
          store(probability + r * p.blockKeys + v * kWidth, e);
        }
      }
      clear(tile);
      accumulate(tile, s.gradient + i * s.valueWidth, s.valueWidth, 1, valuePanel, kWideColumns, p.valueDim);
#pragma GCC unroll 16
      for (int r = 0; r < kWideRows; ++r) {
        const Floats delta = broadcast(s.deltas[i + r]);
#pragma GCC unroll 4
        for (int v = 0; v < kWideVectors; ++v) {
          const Floats e = load(probability + r * p.blockKeys + v * kWidth) * scale;
          store(gradient + r * p.blockKeys + v * kWidth, e * (tile.c[r][v] - delta));
        }
      }
    }
  }
}

// target[key][d] += sum over rows of weights[row][key] * rows[row][d]; rows before i = key - diagonal see no key.
CANN4J_INLINE void addKeySide(float* target, int64_t targetWidth, const float* weights, int64_t weightWidth,
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
CANN4J_INLINE void addQuerySide(const Problem& p, const BackwardScratch& s, float* target, int64_t targetStride,
                                int64_t rows, int64_t keys, int64_t diagonal) {
  for (int64_t d = 0; d < p.headDim; d += kTallColumns) {
    const int64_t columns = smaller(kTallColumns, p.headDim - d);
    for (int64_t i = 0; i < rows; i += kTallRows) {
      const int64_t height = smaller(kTallRows, rows - i);
      const int64_t depth = smaller(keys, i + height + diagonal);
      if (depth <= 0) continue;
      Tile<kTallRows, kTallVectors> tile;
      clear(tile);
      accumulate(tile, s.scoreGradient + i * p.blockKeys, p.blockKeys, 1, s.key + d, s.keyWidth, depth);
      float* to = target + i * targetStride + d;
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

template <ElementType T>
static void backwardBlock(const Problem& p, const KeyBlock& item, void* memory) {
  const BackwardScratch s = layoutBackward(p, static_cast<float*>(memory));
  const Sequence& seq = p.sequences[item.sequence];
  const int64_t firstKey = item.block * p.blockKeys;
  const int64_t keys = smaller(p.blockKeys, seq.kvLength - firstKey);
  const int64_t group = p.heads / p.kvHeads;
  const int64_t keyColumns = roundUp(p.headDim, kTallColumns);
  const int64_t valueColumns = roundUp(p.valueDim, kTallColumns);
  const int64_t keyOffset = offsetOf(p.key, seq.batch, seq.kvRow + firstKey, item.kvHead);
  const int64_t valueOffset = offsetOf(p.value, seq.batch, seq.kvRow + firstKey, item.kvHead);
  packRows<T>(s.key, s.keyWidth, p.key, keyOffset, keys, keys, p.headDim);
  for (int64_t j = 0; j < keys; j += kWideColumns) {
    const int64_t columns = smaller(kWideColumns, keys - j);
    packTransposed<T>(s.keyPanels + j * p.headDim, kWideColumns, p.key, keyOffset + j * p.key.rowStride, columns,
                      p.headDim, s.row);
    packTransposed<T>(s.valuePanels + j * p.valueDim, kWideColumns, p.value, valueOffset + j * p.value.rowStride,
                      columns, p.valueDim, s.row);
  }
  zeroFloats(s.keyGradient, p.blockKeys * keyColumns);
  zeroFloats(s.valueGradient, p.blockKeys * valueColumns);

  const int64_t blocks = (seq.qLength + p.blockRows - 1) / p.blockRows;
  const int64_t firstRow = larger(0, firstKey - seq.diagonal);  // the first row that sees a key of this block
  for (int64_t g = 0; g < group; ++g) {
    const int64_t head = item.kvHead * group + g;
    for (int64_t block = firstRow / p.blockRows; block < blocks && firstRow < seq.qLength; ++block) {
      const int64_t first = block * p.blockRows;
      const int64_t rows = smaller(p.blockRows, seq.qLength - first);
      const int64_t diagonal = smaller(first + seq.diagonal - firstKey, p.blockKeys);
      packQueryBlock<T>(p, s, seq, head, first, rows, roundUp(roundUp(rows, kWideRows), kTallRows));
      scoreGradients(p, s, rows, keys, diagonal);
      addKeySide(s.valueGradient, valueColumns, s.probability, p.blockKeys, s.gradient, s.valueWidth, rows, keys,
                 diagonal);
      addKeySide(s.keyGradient, keyColumns, s.scoreGradient, p.blockKeys, s.query, s.keyWidth, rows, keys, diagonal);

      int32_t* turn = item.turns + g * blocks + block;
      awaitTurn(turn, static_cast<int32_t>(item.block), p.yield);
      const int64_t sumOffset = offsetOf(p.querySum, seq.batch, seq.qRow + first, head);
      float* sum = static_cast<float*>(p.querySum.data) + sumOffset;
      addQuerySide(p, s, sum, p.querySum.rowStride, rows, keys, diagonal);
      __atomic_store_n(turn, static_cast<int32_t>(item.block + 1), __ATOMIC_RELEASE);

      const int64_t visible = smaller(seq.kvLength, first + rows + seq.diagonal);
      if (p.convertQuerySum && firstKey + p.blockKeys >= visible) {
        for (int64_t r = 0; r < rows; ++r) {
          storeRow<T>(p.queryGradient.data, offsetOf(p.queryGradient, seq.batch, seq.qRow + first + r, head),
                      sum + r * p.querySum.rowStride, p.headDim, p.queryGradient.elementStride);
        }
      }
    }
  }
  for (int64_t j = 0; j < keys; ++j) {
    const int64_t row = seq.kvRow + firstKey + j;
    storeRow<T>(p.keyGradient.data, offsetOf(p.keyGradient, seq.batch, row, item.kvHead), s.keyGradient + j * keyColumns,
                p.headDim, p.keyGradient.elementStride);
    storeRow<T>(p.valueGradient.data, offsetOf(p.valueGradient, seq.batch, row, item.kvHead),
                s.valueGradient + j * valueColumns, p.valueDim, p.valueGradient.elementStride);
  }
}

}  // namespace cann4j::attention::CANN4J_LEVEL
