// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)
#define CANN4J_LEVEL avx512_bf16
#define CANN4J_AVX512
#define CANN4J_BF16
#define CANN4J_TABLE avx512Bf16Kernels

#include "attention/level.hpp"
#endif
