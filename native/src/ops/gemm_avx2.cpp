// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)
#if !defined(__AVX2__) || !defined(__FMA__) || defined(__AVX512F__)
#error "compile with -mavx2 -mfma"
#endif
#define CANN4J_LEVEL avx2
#define CANN4J_TILE avx2Tile

#include "ops/gemm_level.hpp"
#endif
