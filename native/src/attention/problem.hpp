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

// Key j is visible to query row i iff j <= i + diagonal; full attention has diagonal == kvLength.
struct Sequence {
  int64_t batch;
  int64_t qRow;
  int64_t kvRow;
  int64_t qLength;
  int64_t kvLength;
  int64_t statisticsRow;  // of head 0, row 0; head n starts qLength * n later
  int64_t diagonal;
};

struct Problem {
  ElementType type;
  int64_t heads;
  int64_t kvHeads;
  int64_t headDim;
  int64_t valueDim;
  float scale;
  int64_t blockRows;  // query rows per block
  int64_t blockKeys;  // keys per block
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
  // Where dq accumulates in fp32: the output itself, or a workspace that the last key block converts from.
  TensorView querySum;
  bool convertQuerySum;
  void (*yield)();  // gives the processor away while a tile waits for its turn
};

// One unit of forward work: query rows [first, first + blockRows) of one head of one sequence.
struct QueryBlock {
  int64_t sequence;
  int64_t head;
  int64_t first;
};

// One unit of backward work: keys [block * blockKeys, ...) of one kv head of one sequence. `turns` holds, per query
// head of the group and per query block, the number of key blocks already added to dq: adding in ascending order
// makes the sum independent of the threads.
struct KeyBlock {
  int64_t sequence;
  int64_t kvHead;
  int64_t block;
  int32_t* turns;
};

struct Kernels {
  const char* name;
  size_t (*forwardScratch)(const Problem&);   // bytes, 64-byte aligned memory
  size_t (*backwardScratch)(const Problem&);
  void (*forward)(const Problem&, const QueryBlock&, void* scratch);
  void (*backward)(const Problem&, const KeyBlock&, void* scratch);
  double (*multiplyAddPeak)(int64_t iterations);  // runs independent multiply-adds, returns their FLOP count
};

}  // namespace cann4j::attention
