// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)
#if !defined(__AVX2__) || !defined(__FMA__) || defined(__AVX512F__)
#error "compile with -mavx2 -mfma"
#endif
#define CANN4J_LEVEL avx2
#define CANN4J_LEVEL_NAME "avx2"
#define CANN4J_TABLE avx2Kernels

#include "attention/level.hpp"
#endif
