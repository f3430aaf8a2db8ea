// SPDX-License-Identifier: Apache-2.0
#define CANN4J_LEVEL portable
#define CANN4J_TABLE portableKernels

#include "attention/level.hpp"
