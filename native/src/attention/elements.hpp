// SPDX-License-Identifier: Apache-2.0
#pragma once

// Conversion between stored elements and what the kernels compute in, and packing of it.

#include "attention/simd.hpp"

namespace cann4j::attention::CANN4J_LEVEL {

template <ElementType T>
struct Element {
  using Stored = uint16_t;
};
template <>
struct Element<ElementType::Float32> {
  using Stored = float;
};

#if defined(CANN4J_AVX2) && defined(__F16C__)
constexpr bool kConvertsHalves = true;  // by an instruction
#else
constexpr bool kConvertsHalves = false;
#endif

// What products are made of: fp32 numbers or, where the level multiplies them, pairs of bf16 that are neighbours along
// the depth. Either has 32 bits. Rows hold `Packed` elements.
template <ElementType T>
struct Operand {
  using Unit = float;
  using Packed = float;
  static constexpr int64_t kDepth = 1;  // of a unit
};
#if defined(CANN4J_BF16)
template <>
struct Operand<ElementType::BFloat16> {
  using Unit = uint32_t;
  using Packed = uint16_t;
  static constexpr int64_t kDepth = 2;
};
#endif
template <ElementType T>
using Unit = typename Operand<T>::Unit;
template <ElementType T>
using Packed = typename Operand<T>::Packed;
template <ElementType T>
constexpr bool kPairs = Operand<T>::kDepth == 2;
template <ElementType T>
CANN4J_INLINE int64_t unitsOf(int64_t depth) {
  return (depth + Operand<T>::kDepth - 1) / Operand<T>::kDepth;
}

// Scratch memory is counted in floats, whatever it holds.
template <ElementType T>
CANN4J_INLINE Unit<T>* units(float* memory) {
  return reinterpret_cast<Unit<T>*>(memory);
}

template <ElementType T>
CANN4J_INLINE Floats widen(Halves h) {
#if defined(CANN4J_AVX2) && defined(__F16C__)
  if constexpr (T == ElementType::Float16) return (Floats)_mm256_cvtph_ps((__m128i)h);
#endif
  const Words bits = __builtin_convertvector(h, Words);
  if constexpr (T == ElementType::BFloat16) {
    return (Floats)(bits << 16);
  } else {
    const Words magnitude = (bits & 0x7fffu) << 13;
    const Floats scaled = (Floats)magnitude * broadcast(0x1p112f);
    const Words special = (Words)((bits & 0x7c00u) == 0x7c00u) & 0x7f800000u;
    return (Floats)((Words)scaled | special | ((bits & 0x8000u) << 16));
  }
}

// Round to nearest, ties to even.
template <ElementType T>
CANN4J_INLINE Halves narrow(Floats v) {
#if defined(CANN4J_AVX2) && defined(__F16C__)
  if constexpr (T == ElementType::Float16) return (Halves)_mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT);
#endif
  const Words bits = (Words)v;
  const Words magnitude = bits & 0x7fffffffu;
  const Words isNan = (Words)(magnitude > 0x7f800000u);
  if constexpr (T == ElementType::BFloat16) {
    const Words rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const Words quiet = (bits >> 16) | 0x40u;
    return __builtin_convertvector((rounded & ~isNan) | (quiet & isNan), Halves);
  } else {
    const Words normal = ((magnitude + 0xfffu + ((magnitude >> 13) & 1u)) >> 13) - (112u << 10);
    // Adding 0.5 puts the last place at 2^-24, the step of fp16 subnormals.
    const Words subnormal = (Words)((Floats)magnitude + broadcast(0.5f)) - 0x3f000000u;
    const Words small = (Words)(magnitude < 0x38800000u);
    const Words large = (Words)(magnitude >= 0x477ff000u);
    Words h = (normal & ~small) | (subnormal & small);
    h = (h & ~large) | (0x7c00u & large);
    h = (h & ~isNan) | (0x7e00u & isNan);
    return __builtin_convertvector(h | ((bits >> 16) & 0x8000u), Halves);
  }
}

// The value after a trip through the stored type, for probabilities: 0 <= v, no overflow.
template <ElementType T>
CANN4J_INLINE Floats roundTo(Floats v) {
  const Words bits = (Words)v;
  if constexpr (T == ElementType::Float32) {
    return v;
  } else if constexpr (T == ElementType::BFloat16) {
    return (Floats)((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u);
  } else if constexpr (kConvertsHalves) {
    return widen<T>(narrow<T>(v));
  } else {
    const Words normal = (bits + 0xfffu + ((bits >> 13) & 1u)) & 0xffffe000u;
    const Words subnormal = (Words)((v + broadcast(0.5f)) - broadcast(0.5f));
    const Words small = (Words)(v < broadcast(0x1p-14f));
    return (Floats)((normal & ~small) | (subnormal & small));
  }
}

template <ElementType T>
static void loadRow(float* target, const void* base, int64_t offset, int64_t count, int64_t stride) {
  using Stored = typename Element<T>::Stored;
  const Stored* source = static_cast<const Stored*>(base) + offset;
  int64_t i = 0;
  if (stride == 1) {
    for (; i + kWidth <= count; i += kWidth) {
      if constexpr (T == ElementType::Float32) {
        store(target + i, load(source + i));
      } else {
        store(target + i, widen<T>(*reinterpret_cast<const LooseHalves*>(source + i)));
      }
    }
  }
  for (; i < count; ++i) {
    if constexpr (T == ElementType::Float32) {
      target[i] = source[i * stride];
    } else {
      Halves one{};
      one[0] = source[i * stride];
      target[i] = widen<T>(one)[0];
    }
  }
}

// A row as it is multiplied.
template <ElementType T>
CANN4J_INLINE void loadPacked(Packed<T>* target, const void* base, int64_t offset, int64_t count, int64_t stride) {
  if constexpr (kPairs<T>) {
    const uint16_t* source = static_cast<const uint16_t*>(base) + offset;
    if (stride == 1) {
      __builtin_memcpy(target, source, count * sizeof(uint16_t));
    } else {
      for (int64_t i = 0; i < count; ++i) __builtin_memcpy(target + i, source + i * stride, sizeof(uint16_t));
    }
  } else {
    loadRow<T>(target, base, offset, count, stride);
  }
}

CANN4J_INLINE Words pairUp(Halves first, Halves second) {
  return __builtin_convertvector(first, Words) | __builtin_convertvector(second, Words) << 16;
}

// Element d of unit `step`, for all d, of a tensor whose depth runs over `rows` rows.
template <ElementType T>
static void loadStep(Unit<T>* target, const TensorView& t, int64_t offset, int64_t step, int64_t rows, int64_t count) {
  if constexpr (kPairs<T>) {
    const uint16_t* first = static_cast<const uint16_t*>(t.data) + offset + 2 * step * t.rowStride;
    const bool both = 2 * step + 1 < rows;
    const uint16_t* second = first + (both ? t.rowStride : 0);
    int64_t d = 0;
    if (t.elementStride == 1 && both) {
      for (; d + kWidth <= count; d += kWidth) {
        store(target + d, pairUp(*reinterpret_cast<const LooseHalves*>(first + d),
                                 *reinterpret_cast<const LooseHalves*>(second + d)));
      }
    }
    for (; d < count; ++d) {
      const uint32_t high = both ? second[d * t.elementStride] : 0;
      target[d] = first[d * t.elementStride] | high << 16;
    }
  } else {
    loadRow<T>(target, t.data, offset + step * t.rowStride, count, t.elementStride);
  }
}

// Rows of a tensor with heads lie pages apart, where hardware does not prefetch: ask for a row before its turn.
constexpr int64_t kRowsAhead = 6;

template <ElementType T>
CANN4J_INLINE void prefetchRow(const void* base, int64_t offset, int64_t count, int64_t stride) {
  using Stored = typename Element<T>::Stored;
  if (stride != 1) return;
  const char* from = reinterpret_cast<const char*>(static_cast<const Stored*>(base) + offset);
  const int64_t bytes = count * static_cast<int64_t>(sizeof(Stored));
  for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(from + at);
}

// Rows of tensors that are wanted later, fetched one by one between the tiles of what is computed now.
struct RowsAhead {
  const TensorView* tensors[3];
  int64_t offsets[3];
  int64_t dims[3];
  int count;         // of tensors
  int64_t rows;      // of each
  int64_t perTile;   // rows, of all tensors
  int64_t next = 0;  // row * count + tensor
};

template <ElementType T>
CANN4J_INLINE void fetchAhead(RowsAhead& ahead) {
  for (int64_t n = 0; n < ahead.perTile && ahead.next < ahead.rows * ahead.count; ++n, ++ahead.next) {
    const int64_t t = ahead.next % ahead.count, row = ahead.next / ahead.count;
    const TensorView& view = *ahead.tensors[t];
    prefetchRow<T>(view.data, ahead.offsets[t] + row * view.rowStride, ahead.dims[t], view.elementStride);
  }
}

template <ElementType T>
static void storeRow(void* base, int64_t offset, const float* source, int64_t count, int64_t stride) {
  using Stored = typename Element<T>::Stored;
  Stored* target = static_cast<Stored*>(base) + offset;
  int64_t i = 0;
  if (stride == 1) {
    for (; i + kWidth <= count; i += kWidth) {
      if constexpr (T == ElementType::Float32) {
        store(target + i, load(source + i));
      } else {
        *reinterpret_cast<LooseHalves*>(target + i) = narrow<T>(load(source + i));
      }
    }
  }
  for (; i < count; ++i) {
    if constexpr (T == ElementType::Float32) {
      target[i * stride] = source[i];
    } else {
      target[i * stride] = narrow<T>(broadcast(source[i]))[0];
    }
  }
}

template <class Element>
CANN4J_INLINE void zero(Element* target, int64_t count) {
  __builtin_memset(target, 0, count * sizeof(Element));
}

CANN4J_INLINE int64_t roundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }
CANN4J_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
CANN4J_INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

CANN4J_INLINE int64_t offsetOf(const TensorView& t, int64_t batch, int64_t row, int64_t head) {
  return batch * t.batchStride + row * t.rowStride + head * t.headStride;
}

CANN4J_INLINE int64_t statisticsIndex(const Problem& p, const Sequence& seq, int64_t head, int64_t row) {
  return seq.statisticsRow + (p.statisticsByToken ? row * p.heads + head : head * seq.qLength + row);
}

CANN4J_INLINE float* statisticsRow(const StatisticsView& s, int64_t row) {
  if (s.contiguous) return s.data + row * 8;
  const int64_t inner = row % s.sizes[2];
  const int64_t outer = row / s.sizes[2];
  return s.data + (outer / s.sizes[1]) * s.strides[0] + (outer % s.sizes[1]) * s.strides[1] + inner * s.strides[2];
}

// Rows become columns: every stage interleaves the first half of the vectors with the second.
CANN4J_INLINE void transpose(Floats (&rows)[kWidth]) {
  Ints low, high;
  for (int i = 0; i < kWidth; ++i) {
    low[i] = i / 2 + i % 2 * kWidth;
    high[i] = low[i] + kWidth / 2;
  }
#pragma GCC unroll 4
  for (int stage = 1; stage < kWidth; stage *= 2) {
    Floats next[kWidth];
#pragma GCC unroll 16
    for (int i = 0; i < kWidth / 2; ++i) {
      next[2 * i] = __builtin_shuffle(rows[i], rows[i + kWidth / 2], low);
      next[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + kWidth / 2], high);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kWidth; ++i) rows[i] = next[i];
  }
}

// panel[d][column] = rows[column][d], whatever the 32 bits of an element mean.
static void transposeRows(float* panel, int64_t columns, const float* rows, int64_t width, int64_t depth) {
  for (int64_t c = 0; c < columns; c += kWidth) {
    const float* from = rows + c * width;
    int64_t d = 0;
    for (; d + kWidth <= depth; d += kWidth) {
      Floats square[kWidth];
#pragma GCC unroll 16
      for (int i = 0; i < kWidth; ++i) square[i] = load(from + i * width + d);
      transpose(square);
#pragma GCC unroll 16
      for (int i = 0; i < kWidth; ++i) store(panel + (d + i) * columns + c, square[i]);
    }
    for (; d < depth; ++d) {
      for (int i = 0; i < kWidth; ++i) panel[d * columns + c + i] = from[i * width + d];
    }
  }
}

// Queries or keys with their rope parts behind them: the scores are one product of both together.
CANN4J_INLINE int64_t scoreDim(const Problem& p) { return p.headDim + p.ropeDim; }

// Elements of a tensor, and of its rope part behind them where there is one.
struct RowSource {
  const TensorView* view;
  int64_t offset;
  int64_t depth;
  const TensorView* rope;
  int64_t ropeOffset;
  int64_t ropeDepth;
};

CANN4J_INLINE RowSource rowsOf(const TensorView& t, int64_t batch, int64_t row, int64_t head, int64_t depth) {
  return {&t, offsetOf(t, batch, row, head), depth, &t, 0, 0};
}
CANN4J_INLINE RowSource scoreRowsOf(const Problem& p, const TensorView& t, const TensorView& rope, int64_t batch,
                                    int64_t row, int64_t head) {
  return {&t, offsetOf(t, batch, row, head), p.headDim, &rope, p.ropeDim > 0 ? offsetOf(rope, batch, row, head) : 0,
          p.ropeDim};
}

template <ElementType T>
CANN4J_INLINE void prefetch(const RowSource& from, int64_t row) {
  prefetchRow<T>(from.view->data, from.offset + row * from.view->rowStride, from.depth, from.view->elementStride);
}

// Padded with zeros to `columns` elements.
template <ElementType T>
CANN4J_INLINE void packRow(Packed<T>* target, const RowSource& from, int64_t row, int64_t columns) {
  loadPacked<T>(target, from.view->data, from.offset + row * from.view->rowStride, from.depth,
                from.view->elementStride);
  int64_t used = from.depth;
  if (from.ropeDepth > 0) {
    loadPacked<T>(target + used, from.rope->data, from.ropeOffset + row * from.rope->rowStride, from.ropeDepth,
                  from.rope->elementStride);
    used += from.ropeDepth;
  }
  zero(target + used, columns - used);
}

// Rows as they are, `width` units apart, padded with zeros to that width and to `paddedRows` rows.
template <ElementType T>
static void packRows(float* target, int64_t width, const RowSource& from, int64_t rows, int64_t paddedRows) {
  for (int64_t r = 0; r < rows; ++r) {
    if (r + kRowsAhead < rows) prefetch<T>(from, r + kRowsAhead);
    packRow<T>(reinterpret_cast<Packed<T>*>(target + r * width), from, r, width * Operand<T>::kDepth);
  }
  zero(target + rows * width, (paddedRows - rows) * width);
}

// Rows as the depth of a product: target[unit of rows][width].
template <ElementType T>
static void packSteps(float* target, int64_t width, const RowSource& from, int64_t rows, int64_t paddedRows) {
  if constexpr (!kPairs<T>) return packRows<T>(target, width, from, rows, paddedRows);
  const int64_t steps = unitsOf<T>(rows);
  for (int64_t step = 0; step < steps; ++step) {
    Unit<T>* to = units<T>(target + step * width);
    loadStep<T>(to, *from.view, from.offset, step, rows, from.depth);
    if (from.ropeDepth > 0) loadStep<T>(to + from.depth, *from.rope, from.ropeOffset, step, rows, from.ropeDepth);
    zero(to + from.depth + from.ropeDepth, width - from.depth - from.ropeDepth);
  }
  zero(target + steps * width, (unitsOf<T>(paddedRows) - steps) * width);
}

// Rows as columns: panel[unit along the row][column], columns beyond `rows` zero. `scratch` holds the rows.
template <ElementType T>
static void packPanel(float* panel, int64_t columns, const RowSource& from, int64_t rows, float* scratch,
                      int64_t width) {
  packRows<T>(scratch, width, from, rows, columns);
  transposeRows(panel, columns, scratch, width, unitsOf<T>(from.depth + from.ropeDepth));
}

// Rounded to bf16, as an operand of the next product.
CANN4J_INLINE Halves toHalves(Floats v) {
#if defined(CANN4J_BF16) && defined(CANN4J_NEON)
  return (Halves)vcvt_bf16_f32((float32x4_t)v);
#elif defined(CANN4J_BF16) && !defined(CANN4J_EMULATE_AVX512)
  return (Halves)_mm512_cvtneps_pbh((__m512)v);
#else
  return narrow<ElementType::BFloat16>(v);
#endif
}

}  // namespace cann4j::attention::CANN4J_LEVEL
