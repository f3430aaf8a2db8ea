// SPDX-License-Identifier: Apache-2.0
#if defined(__aarch64__)
#define CANN4J_LEVEL neon
#define CANN4J_NEON
#define CANN4J_TABLE neonKernels

#include "attention/level.hpp"
#endif
