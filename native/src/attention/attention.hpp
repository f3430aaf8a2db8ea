// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "attention/problem.hpp"

namespace cann4j::attention {

// The threads that one call may use. Results do not depend on their number.
struct Workers {
  int threads;
  std::function<void(int64_t count, const std::function<void(int64_t)>& body)> parallelFor;
  // Whether they all have other work for now. May be empty: no.
  std::function<bool()> areBusy = {};
};

// Kernels of one instruction-set level, or nullptr when this machine cannot run it.
const Kernels* kernelsOf(const std::string& level);

// The level that CANN4J_CPU_ISA names, else the best one. Returns nullptr and says why if the override is no level of
// this machine. Decided once per process.
const Kernels* selectKernels(std::string* why);

// Fills in the block sizes and computes. `problem.sequences` must be `sequences.data()`.
void runForward(const Kernels& kernels, const Workers& workers, Problem problem, const std::vector<Sequence>& sequences);

// The gradients of queries, and `querySum` where it is a workspace, must be zero, and those of keys and values that
// are in no sequence with a query.
void runBackward(const Kernels& kernels, const Workers& workers, Problem problem,
                 const std::vector<Sequence>& sequences);

}  // namespace cann4j::attention
