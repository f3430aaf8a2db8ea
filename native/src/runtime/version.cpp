// SPDX-License-Identifier: Apache-2.0
#include "version.hpp"

#include <cstdlib>
#include <cstring>

#include "hidden_functions.hpp"

namespace cann4j {
namespace {

constexpr const char* kNewerFunctions[] = {
#include "newer_functions.inc"
};

struct Choice {
  Version version;
  char text[32];
};

Choice readChoice() {
  Choice choice{Version::kUnknown, ""};
  const char* text = std::getenv("CANN4J_CPU_VERSION");
  if (text == nullptr || *text == '\0' || std::strcmp(text, "newest") == 0) {
    choice.version = Version::kNewest;
  } else if (std::strcmp(text, "8.1") == 0) {
    choice.version = Version::k81;
  } else {
    std::strncpy(choice.text, text, sizeof(choice.text) - 1);
  }
  return choice;
}

const Choice& choice() {
  static const Choice instance = readChoice();
  return instance;
}

[[gnu::constructor]] void hideNewerFunctions() {
  if (chosenVersion() == Version::k81) {
    hideFunctions(kNewerFunctions);
  }
}

}  // namespace

Version chosenVersion() { return choice().version; }

const char* chosenVersionText() { return choice().text; }

}  // namespace cann4j
