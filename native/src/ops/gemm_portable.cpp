// SPDX-License-Identifier: Apache-2.0
#define CANN4J_LEVEL portable
#define CANN4J_TILE portableTile

#include "ops/gemm_level.hpp"
