// SPDX-License-Identifier: Apache-2.0
// Intrinsics for the instruction-set level of the source that includes this. That source defines CANN4J_LEVEL, the
// level's name and namespace, and which of CANN4J_AVX512, CANN4J_AVX2 and CANN4J_NEON it has, none for the portable one.
#pragma once

#ifndef CANN4J_LEVEL
#error "CANN4J_LEVEL names the instruction-set level and its namespace"
#endif

// The argument's value as a string.
#define CANN4J_NAME(level) CANN4J_QUOTED(level)
#define CANN4J_QUOTED(text) #text

#if defined(CANN4J_AVX512) && defined(CANN4J_EMULATE_AVX512)
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#elif defined(CANN4J_AVX512) && \
    !(defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__))
#error "compile with -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma"
#elif defined(CANN4J_AVX2) && (!defined(__AVX2__) || !defined(__FMA__) || defined(__AVX512F__))
#error "compile with -mavx2 -mfma"
#elif defined(__x86_64__)
#include <immintrin.h>
#elif defined(CANN4J_NEON)
#include <arm_neon.h>
#endif
