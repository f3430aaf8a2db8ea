// SPDX-License-Identifier: Apache-2.0
// The override is read once per process, so each of these needs a process of its own.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "attention/attention.hpp"
#include "attention_call.hpp"

namespace {

// Runs the body in a child that has the environment variable; true if it returned true.
template <class Body>
bool inChild(const char* level, const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    setenv("CANN4J_CPU_ISA", level, 1);
    bool good = false;
    try {
      good = body();
    } catch (const std::exception& e) {
      std::printf("%s: %s\n", level, e.what());
      std::fflush(stdout);
    }
    _exit(good ? 0 : 1);
  }
  int status = 0;
  CHECK_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

reference::Attention problem() {
  reference::Attention a{reference::Type::Float32, reference::Mask::RightDown, 2, 1, 32, 32, {{70, 80}}};
  a.fill(1);
  a.compute();
  return a;
}

}  // namespace

TEST(an_override_chooses_the_level) {
  for (const char* level : {"portable", "avx2", "avx512"}) {
    if (!cann4j::attention::kernelsOf(level)) continue;
    CHECK(inChild(level, [&] {
      device::Call(device::Layout::TND, problem()).verify();
      return std::string(cann4j::attention::selectKernels(nullptr)->name) == level;
    }));
  }
}

TEST(an_override_that_is_no_level_of_this_machine_fails_with_words) {
  for (const char* level : {"sse9", "AVX2", "neon"}) {
    CHECK(inChild(level, [&] {
      device::Call call(device::Layout::BSND, problem());
      const aclnnStatus status = call.prepareForward();
      const std::string words = aclGetRecentErrMsg();
      return status == 561003 && words.find(std::string("CANN4J_CPU_ISA=") + level) != std::string::npos &&
             words.find("portable") != std::string::npos;
    }));
  }
}
