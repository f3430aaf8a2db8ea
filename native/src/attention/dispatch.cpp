// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "attention/attention.hpp"

namespace cann4j::attention {

extern const Kernels portableKernels;
#if defined(__x86_64__)
extern const Kernels avx2Kernels;
extern const Kernels avx512Kernels;
#endif

const Kernels* kernelsOf(const std::string& level) {
  if (level == "portable") return &portableKernels;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (level == "avx2" && avx2) return &avx2Kernels;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (level == "avx512" && avx512) return &avx512Kernels;
#endif
  return nullptr;
}

namespace {

struct Selection {
  const Kernels* kernels = nullptr;
  std::string why;
};

Selection select() {
  std::string available;
  const Kernels* best = nullptr;
  for (const char* level : {"portable", "avx2", "avx512"}) {
    const Kernels* kernels = kernelsOf(level);
    if (!kernels) continue;
    best = kernels;
    available += available.empty() ? level : std::string(", ") + level;
  }
  const char* wanted = std::getenv("CANN4J_CPU_ISA");
  if (!wanted || !*wanted) return {best, ""};
  if (const Kernels* kernels = kernelsOf(wanted)) return {kernels, ""};
  return {nullptr, std::string("CANN4J_CPU_ISA=") + wanted + " is not an instruction-set level of this machine; it has " +
                       available + ". Unset it or choose one of these"};
}

}  // namespace

const Kernels* selectKernels(std::string* why) {
  static const Selection selection = select();
  if (!selection.kernels && why) *why = selection.why;
  return selection.kernels;
}

}  // namespace cann4j::attention
