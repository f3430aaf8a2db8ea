// SPDX-License-Identifier: Apache-2.0
#if defined(__aarch64__)
#define CANN4J_LEVEL neon
#define CANN4J_NEON
#define CANN4J_TILE neonTile

#include "ops/gemm_level.hpp"
#endif
