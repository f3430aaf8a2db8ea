// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)
#if !defined(__AVX512F__)
#error "compile with -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma"
#endif
#define CANN4J_LEVEL avx512
#define CANN4J_LEVEL_NAME "avx512"
#define CANN4J_TABLE avx512Kernels

#include "attention/level.hpp"
#endif
