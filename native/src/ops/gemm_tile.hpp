// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace cann4j::gemm {

// The innermost piece of a product, compiled for an instruction-set level.
struct Tile {
  int64_t rows, columns;
  // c[rows][stride] += a * b over depth steps, a being [depth][rows] and b [depth][columns].
  void (*multiply)(int64_t depth, const float* a, const float* b, float* c, int64_t stride);
};

}  // namespace cann4j::gemm
