// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attention/simd.hpp"

namespace cann4j::attention::CANN4J_LEVEL {

template <int Rows, int Vectors>
struct Tile {
  Floats c[Rows][Vectors];
};

// tile += A * B over `depth` steps. A(row, k) = a[row * aRow + k * aStep], B(k, column) = b[k * bStep + column]. A step
// is a number or a pair of them, see Operand.
template <int Rows, int Vectors, class Unit>
CANN4J_INLINE void accumulate(Tile<Rows, Vectors>& tile, const Unit* a, int64_t aRow, int64_t aStep, const Unit* b,
                              int64_t bStep, int64_t depth) {
  Floats c[Rows][Vectors];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) c[r][v] = tile.c[r][v];
  }
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; ++k) {
    decltype(load(b)) column[Vectors];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) column[v] = load(b + v * kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const Unit x = a[r * aRow];
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) c[r][v] = multiplyAdd(x, column[v], c[r][v]);
    }
    a += aStep;
    b += bStep;
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) tile.c[r][v] = c[r][v];
  }
}

template <int Rows, int Vectors>
CANN4J_INLINE void clear(Tile<Rows, Vectors>& tile) {
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) tile.c[r][v] = Floats{};
  }
}

}  // namespace cann4j::attention::CANN4J_LEVEL
