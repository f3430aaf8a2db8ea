// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// Plain data shared by the drivers and by the kernels of every instruction-set level. It must stay free of
// functions: an inline function emitted by two levels is one symbol, and the linker keeps either.
namespace cann4j::attention {

enum class ElementType { Float32, BFloat16, Float16 };

// Strides count elements. Element (batch, row, head, d) of the tensor.
struct TensorView {
  void* data;
  int64_t batchStride;
  int64_t rowStride;
  int64_t headStride;
  int64_t elementStride;
};

// Rows of eight equal floats; rows are numbered in the logical order of the (3 or 4 dimensional) tensor.
struct StatisticsView {
  float* data;
  bool contiguous;
  int64_t sizes[3];
  int64_t strides[4];
};

// Block sizes are multiples of it where register tiles must fill them, whatever the level.
constexpr int64_t kBlockMultiple = 48;

// Bounds of visibility are saturated to +-kNoBound, so that adding a row number cannot overflow.
constexpr int64_t kNoBound = int64_t{1} << 40;

// Element (head n, row i, key j) of one sequence's part of a mask or bias is
// offset + n * headStride + i * rowStride + j * columnStride elements behind the tensor's `data`. A stride of 0
// broadcasts. Only elements of rows and keys of the sequence are read.
struct Plane {
  int64_t offset = 0;
  int64_t headStride = 0;
  int64_t rowStride = 0;
  int64_t columnStride = 0;
};

// Key j is visible to query row i iff (i + lowest <= j <= i + diagonal or j < prefix) and the mask, if there is one,
// has 0 at (i, j). Full attention has diagonal >= kvLength.
struct Sequence {
  int64_t batch;
  int64_t qRow;
  int64_t kvRow;
  int64_t qLength;
  int64_t kvLength;
  int64_t statisticsRow;  // of head 0, row 0; see Problem::statisticsByToken
  int64_t diagonal;
  int64_t lowest = -kNoBound;
  int64_t prefix = 0;
  // Rows that see no key: output 0 with maximum -FLT_MAX and sum FLT_MAX, and no gradient. Otherwise the mean of all
  // kvLength values with maximum -FLT_MAX and sum kvLength, and the gradients of all keys weighing the same.
  bool invalidLine = true;
  Plane mask = {};
  Plane bias = {};  // BiasKind Distance and RootDistance: only offset and headStride mean something
  // Row i of the bias is the plane's row i - biasFirstRow, which may be negative to skip rows of the plane. An earlier
  // row has no row of its own (alibi-compressed form): it is row 0 shifted, key j at column j + biasFirstRow - i, or 0
  // where that is no key of the sequence (j is then after i, and not visible).
  int64_t biasFirstRow = 0;
  int64_t position = 0;  // qStart - kvStart, for Distance and RootDistance
  int64_t dropoutBit = 0;  // of (head 0, row 0, key 0); (n, i, j) is (n * qLength + i) * kvLength + j later
};

enum class BiasKind {
  None,
  AfterScale,    // scale * q k + bias         (pseType 0)
  BeforeScale,   // scale * (q k + bias)       (pseType 1)
  Distance,      // scale * q k - slope * |i - j + position|        (pseType 2)
  RootDistance,  // scale * q k - slope * sqrt(|i - j + position|)  (pseType 3)
};

struct Problem {
  ElementType type;
  int64_t heads;
  int64_t kvHeads;
  int64_t headDim;
  int64_t valueDim;
  float scale;
  int64_t blockRows;  // query rows per block, at most
  int64_t blockKeys;  // keys per block, at most
  const Sequence* sequences;
  TensorView query;
  TensorView key;
  TensorView value;
  TensorView output;  // of the backward: attentionIn
  StatisticsView softmaxMax;
  StatisticsView softmaxSum;
  // Backward only.
  TensorView outputGradient;
  TensorView queryGradient;
  TensorView keyGradient;
  TensorView valueGradient;
  // Where dq accumulates in fp32: the output itself, or a workspace that the last key block converts from. Rows have
  // unit stride and hold headDim + ropeDim floats; with rope it must be a workspace.
  TensorView querySum;
  bool convertQuerySum;
  void (*yield)();  // gives the processor away while a tile waits for its turn

  // Statistics of head n, row i: row statisticsRow + n * qLength + i, or statisticsRow + i * heads + n.
  bool statisticsByToken = false;

  // Scores are scale * (query key^T + queryRope keyRope^T). All heads and rows as of query and key.
  int64_t ropeDim = 0;
  TensorView queryRope = {};
  TensorView keyRope = {};
  TensorView queryRopeGradient = {};
  TensorView keyRopeGradient = {};

  const uint8_t* mask = nullptr;  // anything but 0 hides
  BiasKind biasKind = BiasKind::None;
  const void* bias = nullptr;  // of `type`; slopes are fp32
  const uint8_t* dropMask = nullptr;  // bit n is bit n % 8 of byte n / 8; 1 keeps
  float keepProb = 1;

  // A score without a value in every softmax of its head: element n * sinkStride. Rows start from maximum sink, sum 1.
  const float* sink = nullptr;
  int64_t sinkStride = 1;
  float* sinkGradient = nullptr;  // overwritten; may be NULL
  int64_t sinkGradientStride = 1;
};

// One unit of forward work: query rows [first, first + rows) of one head of one sequence, at most blockRows. No result
// depends on where blocks begin, as long as it is at multiples of kBlockMultiple.
struct QueryBlock {
  int64_t sequence;
  int64_t head;
  int64_t first;
  int64_t rows;
};

// One unit of backward work: keys [block * keys, ...) of one kv head of one sequence, `keys` at most blockKeys and the
// same for all blocks of a sequence. `turns` holds, per query head of the group and per query block, the number of key
// blocks already added to dq: adding in ascending order makes the sum independent of the threads.
struct KeyBlock {
  int64_t sequence;
  int64_t kvHead;
  int64_t block;
  int64_t keys;
  int32_t* turns;
};

struct Kernels {
  const char* name;
  size_t (*forwardScratch)(const Problem&);   // bytes, 64-byte aligned memory
  size_t (*backwardScratch)(const Problem&);
  void (*forward)(const Problem&, const QueryBlock&, void* scratch);
  void (*backward)(const Problem&, const KeyBlock&, void* scratch);
  void (*sinkBackward)(const Problem&, int64_t sequences, int64_t head, void* scratch);  // scratch as of backward
  double (*multiplyAddPeak)(int64_t iterations);  // runs independent multiply-adds, returns their FLOP count
  int64_t keyMultiple;  // of the backward's key blocks, divides kBlockMultiple
};

}  // namespace cann4j::attention
