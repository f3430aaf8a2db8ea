// SPDX-License-Identifier: Apache-2.0
// CTest runs this with every level of the machine in CANN4J_CPU_ISA, with none, and with names that are no level.
#include <algorithm>
#include <cstdlib>

#include "attention/attention.hpp"
#include "attention_call.hpp"
#include "runtime/instruction_set.hpp"

namespace {

const std::vector<std::string>& levels() { return cann4j::instructionSets(); }

std::string wanted() {
  const char* level = std::getenv("CANN4J_CPU_ISA");
  return level && *level ? level : levels().back();
}

bool isLevel(const std::string& name) { return std::find(levels().begin(), levels().end(), name) != levels().end(); }

void expectSelected(const std::string& level) {
  CHECK_EQ(std::string(cann4j::attention::selectKernels(nullptr)->name), level);
  CHECK_EQ(std::string(aclrtGetSocName()), "cann4j-cpu-" + level);
  for (const auto type : {reference::Type::Float32, reference::Type::BFloat16, reference::Type::Float16}) {
    reference::Attention a{type, reference::Mask::RightDown, 2, 1, 32, 32, {{70, 80}}};
    a.fill(1);
    a.compute();
    device::Call(device::Layout::TND, a).verify();
  }
}

void expectRefused(const std::string& name) {
  CHECK_EQ(aclInit(nullptr), ACL_ERROR_INVALID_PARAM);
  const std::string words = aclGetRecentErrMsg();
  CHECK(words.find("CANN4J_CPU_ISA=" + name + " is not") != std::string::npos);
  CHECK(words.find("portable, " + levels()[1]) != std::string::npos);
  CHECK(aclrtGetSocName() == nullptr);
  std::string why;
  CHECK(cann4j::attention::selectKernels(&why) == nullptr);
  CHECK(!why.empty() && words.find(why) != std::string::npos);
}

}  // namespace

TEST(levels_go_from_the_portable_one_to_the_best) {
  const std::vector<std::string> order = {"portable", "avx2", "avx512", "avx512_bf16", "neon", "neon_bf16"};
  CHECK_EQ(levels().front(), "portable");
  auto at = order.begin();
  for (const std::string& level : levels()) {
    at = std::find(at, order.end(), level);
    CHECK(at != order.end());
    CHECK_EQ(std::string(cann4j::attention::kernelsOf(level)->name), level);
  }
}

TEST(the_environment_chooses_the_level) {
  if (isLevel(wanted())) {
    expectSelected(wanted());
  } else {
    expectRefused(wanted());
  }
}
