// SPDX-License-Identifier: Apache-2.0
#if defined(__aarch64__)
#define CANN4J_LEVEL neon_bf16
#define CANN4J_NEON
#define CANN4J_BF16
#define CANN4J_TABLE neonBf16Kernels

#include "attention/level.hpp"
#endif
