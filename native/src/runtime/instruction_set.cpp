// SPDX-License-Identifier: Apache-2.0
#include "instruction_set.hpp"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace cann4j {
namespace {

std::vector<std::string> detect() {
  std::vector<std::string> levels = {"portable"};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
      !__builtin_cpu_supports("f16c")) {
    return levels;
  }
  levels.push_back("avx2");
#if !defined(CANN4J_EMULATE_AVX512)
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return levels;
  }
  levels.push_back("avx512");
  if (__builtin_cpu_supports("avx512bf16")) {
    levels.push_back("avx512_bf16");
  }
#else
  levels.insert(levels.end(), {"avx512", "avx512_bf16"});
#endif
#elif defined(__aarch64__)
  constexpr unsigned long kBf16 = 1ul << 14;  // HWCAP2_BF16, which older headers lack
  levels.push_back("neon");
  if ((getauxval(AT_HWCAP2) & kBf16) != 0) {
    levels.push_back("neon_bf16");
  }
#endif
  return levels;
}

}  // namespace

const std::vector<std::string>& instructionSets() {
  static const std::vector<std::string>& levels = *new std::vector<std::string>(detect());
  return levels;
}

}  // namespace cann4j
