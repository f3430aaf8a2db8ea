// SPDX-License-Identifier: Apache-2.0
// Prints the instruction-set levels of this machine as a list for CMake.
#include <cstdio>

#include "runtime/instruction_set.hpp"

int main() {
  const char* separator = "";
  for (const std::string& level : cann4j::instructionSets()) {
    std::printf("%s%s", separator, level.c_str());
    separator = ";";
  }
}
