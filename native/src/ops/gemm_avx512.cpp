// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)
#if !defined(__AVX512F__)
#error "compile with -mavx512f"
#endif
#define CANN4J_LEVEL avx512
#define CANN4J_TILE avx512Tile

#include "ops/gemm_level.hpp"
#endif
