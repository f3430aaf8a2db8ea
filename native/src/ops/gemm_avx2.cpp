// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)
#define CANN4J_LEVEL avx2
#define CANN4J_AVX2
#define CANN4J_TILE avx2Tile

#include "ops/gemm_level.hpp"
#endif
