// SPDX-License-Identifier: Apache-2.0
#include "gemm.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "attention/attention.hpp"
#include "element.hpp"
#include "ranges.hpp"

namespace cann4j::gemm {

extern const Tile portableTile;
#if defined(__x86_64__)
extern const Tile avx2Tile;
extern const Tile avx512Tile;
#elif defined(__aarch64__)
extern const Tile neonTile;
#endif

namespace {

// What a job works on stays in the second-level cache. 2/5 and 1/2 of them are multiples of the
// sizes of all tiles.
constexpr int64_t kRows = 120;
constexpr int64_t kColumns = 192;
constexpr int64_t kDepth = 256;  // of sums that are added to the total

int64_t roundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Elements [first, first + count) of the outer index and [k, k + depth) of the inner one, as panels
// of `width` of the former: [depth][width], filled up with zeros.
class Packer {
 public:
  Packer(const Matrix& matrix, int64_t batch, int64_t width)
      : matrix_(matrix), batch_(batch), width_(width), load_(loaderOf<float>(matrix.dataType)),
        itemSize_(static_cast<int64_t>(aclDataTypeSize(matrix.dataType))) {}

  void pack(int64_t first, int64_t count, int64_t k, int64_t depth, float* target) const {
    const int64_t size = roundUp(count, width_) * depth;
    if (size > count * depth) {
      std::fill(target + size - width_ * depth, target + size, 0.0f);
    }
    if (runsAcross()) {
      packAcross(first, count, k, depth, target);
    } else {
      packAlong(first, count, k, depth, target);
    }
    for (int64_t i = 0; matrix_.throughHalf && i < size; ++i) {
      target[i] = halfToFloat(floatToHalf(target[i]));
    }
  }

 private:
  // Whether neighbours of the outer index are closer in memory.
  bool runsAcross() const {
    return matrix_.outer.dims.size() == 1 &&
           std::llabs(matrix_.outer.strides[0]) < std::llabs(matrix_.inner);
  }

  const char* at(int64_t outer, int64_t k) const {
    return static_cast<const char*>(matrix_.at(batch_, outer)) + k * matrix_.inner * itemSize_;
  }

  void packAcross(int64_t first, int64_t count, int64_t k, int64_t depth, float* target) const {
    float buffer[kColumns];
    const int64_t stride = matrix_.outer.strides[0];
    const bool converts = stride != 1 || matrix_.dataType != ACL_FLOAT;
    for (int64_t step = 0; step < depth; ++step) {
      const char* source = at(first, k + step);
      const float* values = reinterpret_cast<const float*>(source);
      if (converts) {
        load_(source, stride, count, buffer);
        values = buffer;
      }
      for (int64_t i = 0; i < count; i += width_) {
        std::memcpy(target + i * depth + step * width_, values + i,
                    static_cast<size_t>(std::min(width_, count - i)) * sizeof(float));
      }
    }
  }

  void packAlong(int64_t first, int64_t count, int64_t k, int64_t depth, float* target) const {
    float buffer[kDepth];
    for (int64_t i = 0; i < count; ++i) {
      load_(at(first + i, k), matrix_.inner, depth, buffer);
      float* panel = target + i / width_ * width_ * depth + i % width_;
      for (int64_t step = 0; step < depth; ++step) {
        panel[step * width_] = buffer[step];
      }
    }
  }

  const Matrix& matrix_;
  const int64_t batch_;
  const int64_t width_;
  const Loader<float> load_;
  const int64_t itemSize_;
};

// A part of the product.
struct Block {
  int64_t batch, row, rows, column, columns;
};

struct Scratch {
  float a[kRows * kDepth];
  float b[kColumns * kDepth];
  float c[kRows * kColumns];
};

void multiplyBlock(const Tile& tile, const Matrix& a, const Matrix& b, int64_t depth,
                   const Matrix& out, const Block& block) {
  thread_local std::vector<Scratch> kept(1);  // too large for the stack
  Scratch& s = kept.front();
  const Packer packA(a, block.batch, tile.rows);
  const Packer packB(b, block.batch, tile.columns);
  const int64_t stride = roundUp(block.columns, tile.columns);
  std::fill_n(s.c, roundUp(block.rows, tile.rows) * stride, 0.0f);
  for (int64_t k = 0; k < depth; k += kDepth) {
    const int64_t steps = std::min(kDepth, depth - k);
    packA.pack(block.row, block.rows, k, steps, s.a);
    packB.pack(block.column, block.columns, k, steps, s.b);
    for (int64_t j = 0; j < block.columns; j += tile.columns) {
      for (int64_t i = 0; i < block.rows; i += tile.rows) {
        tile.multiply(steps, s.a + i * steps, s.b + j * steps, s.c + i * stride + j, stride);
      }
    }
  }
  const Storer<float> store = storerOf<float>(out.dataType);
  const auto itemSize = static_cast<int64_t>(aclDataTypeSize(out.dataType));
  for (int64_t i = 0; i < block.rows; ++i) {
    char* row = static_cast<char*>(out.at(block.batch, block.row + i));
    store(s.c + i * stride, row + block.column * out.inner * itemSize, out.inner, block.columns);
  }
}

}  // namespace

const Tile* selectTile(std::string* why) {
  const attention::Kernels* kernels = attention::selectKernels(why);
  if (kernels == nullptr) {
    return nullptr;
  }
#if defined(__x86_64__)
  if (std::strncmp(kernels->name, "avx512", 6) == 0) {
    return &avx512Tile;
  }
  if (std::strcmp(kernels->name, "avx2") == 0) {
    return &avx2Tile;
  }
#elif defined(__aarch64__)
  if (std::strncmp(kernels->name, "neon", 4) == 0) {
    return &neonTile;
  }
#endif
  return &portableTile;
}

int64_t Index::count() const {
  int64_t count = 1;
  for (const int64_t dim : dims) {
    count *= dim;
  }
  return count;
}

int64_t Index::offsetOf(int64_t number) const {
  int64_t offset = 0;
  for (size_t d = dims.size(); d-- > 0;) {
    offset += number % dims[d] * strides[d];
    number /= dims[d];
  }
  return offset;
}

void* Matrix::at(int64_t batchNumber, int64_t outerNumber) const {
  const int64_t offset = batch.offsetOf(batchNumber) + outer.offsetOf(outerNumber);
  return reinterpret_cast<void*>(origin +
                                 static_cast<uintptr_t>(offset) * aclDataTypeSize(dataType));
}

void multiply(const Tile& tile, const Matrix& a, const Matrix& b, int64_t columns, int64_t depth,
              const Matrix& out) {
  constexpr int64_t kManyBlocks = 64;
  const int64_t rows = out.outer.count();
  const int64_t batches = out.batch.count();
  if (rows == 0 || columns == 0 || batches == 0) {
    return;
  }
  const auto blocksOf = [](int64_t size, int64_t block) { return (size + block - 1) / block; };
  // Smaller blocks where there are few, so that threads find work.
  const bool isFew = batches * blocksOf(rows, kRows) * blocksOf(columns, kColumns) < kManyBlocks;
  const int64_t height = isFew ? kRows * 2 / 5 : kRows;
  const int64_t width = isFew ? kColumns / 2 : kColumns;
  const int64_t across = blocksOf(columns, width);
  const int64_t down = blocksOf(rows, height);
  constexpr int64_t kTermsPerElement = 8;  // that take as long as an element does elsewhere
  const int64_t terms = std::min(height, rows) * std::min(width, columns) * depth;
  forEachRange(batches * down * across, terms / kTermsPerElement, [&](int64_t job, int64_t last) {
    for (; job < last; ++job) {
      Block block{};
      block.batch = job / (down * across);
      block.row = job / across % down * height;
      block.column = job % across * width;
      block.rows = std::min(height, rows - block.row);
      block.columns = std::min(width, columns - block.column);
      multiplyBlock(tile, a, b, depth, out, block);
    }
  });
}

}  // namespace cann4j::gemm
