// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attention/attention.hpp"
#include "runtime/instruction_set.hpp"
#include "runtime/options.hpp"

namespace cann4j::attention {

extern const Kernels portableKernels;
#if defined(__x86_64__)
extern const Kernels avx2Kernels;
extern const Kernels avx512Kernels;
extern const Kernels avx512Bf16Kernels;
#elif defined(__aarch64__)
extern const Kernels neonKernels;
extern const Kernels neonBf16Kernels;
#endif

namespace {

constexpr const Kernels* kLevels[] = {
    &portableKernels,
#if defined(__x86_64__)
    &avx2Kernels,     &avx512Kernels, &avx512Bf16Kernels,
#elif defined(__aarch64__)
    &neonKernels,     &neonBf16Kernels,
#endif
};

}  // namespace

const Kernels* kernelsOf(const std::string& level) {
  const std::vector<std::string>& runs = instructionSets();
  if (std::find(runs.begin(), runs.end(), level) == runs.end()) return nullptr;
  for (const Kernels* kernels : kLevels) {
    if (kernels->name == level) return kernels;
  }
  return nullptr;
}

const Kernels* selectKernels(std::string* why) {
  const Kernels* kernels = kernelsOf(options().instructionSet);
  if (!kernels && why) *why = options().error;
  return kernels;
}

}  // namespace cann4j::attention
