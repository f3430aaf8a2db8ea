// SPDX-License-Identifier: Apache-2.0
// Matrix products of any element types and strides, accumulated in float.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "acl/acl_base.h"
#include "gemm_tile.hpp"

namespace cann4j::gemm {

// The tile of the level which attention uses; NULL with the reason if CANN4J_CPU_ISA names none.
const Tile* selectTile(std::string* why);

// Places of several dimensions, numbered in row-major order.
struct Index {
  std::vector<int64_t> dims;
  std::vector<int64_t> strides;  // elements

  int64_t count() const;
  int64_t offsetOf(int64_t number) const;
};

// Element (batch, i, k) of a factor, (batch, i, j) of the product.
struct Matrix {
  aclDataType dataType;
  uintptr_t origin;  // host address
  Index batch;
  Index outer;            // rows of the first factor and of the product, columns of the second one
  int64_t inner;          // the stride of k, or of j
  bool throughHalf = false;  // round elements to FLOAT16 first

  void* at(int64_t batchNumber, int64_t outerNumber) const;
};

// out = a * b. All have the same number of batches. A result does not depend on the number of
// threads: sums are over k in order, in blocks of a fixed length.
void multiply(const Tile& tile, const Matrix& a, const Matrix& b, int64_t columns, int64_t depth,
              const Matrix& out);

}  // namespace cann4j::gemm
