// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)
#define CANN4J_LEVEL avx512
#define CANN4J_AVX512
#define CANN4J_TABLE avx512Kernels

#include "attention/level.hpp"
#endif
