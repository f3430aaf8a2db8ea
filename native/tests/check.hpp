// SPDX-License-Identifier: Apache-2.0
// The smallest test harness that does: TEST(name) { CHECK(...); } in a file that is one executable.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace check {

struct Case {
  const char* name;
  void (*body)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Registrar {
  Registrar(const char* name, void (*body)()) { cases().push_back({name, body}); }
};

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] inline void failed(const char* file, int line, const std::string& words) {
  throw Failure(std::string(file) + ":" + std::to_string(line) + ": " + words);
}

template <class T>
std::string text(const T& value) {
  std::ostringstream out;
  out.precision(17);
  out << value;
  return out.str();
}

inline std::string text(std::nullptr_t) { return "nullptr"; }

template <class A, class B>
void equal(const char* file, int line, const char* words, const A& a, const B& b) {
  if (!(a == b)) {
    failed(file, line, std::string(words) + ": " + text(a) + " != " + text(b));
  }
}

inline void near(const char* file, int line, const char* words, double a, double b,
                 double tolerance) {
  if (!(std::fabs(a - b) <= tolerance) && a != b) {
    failed(file, line,
           std::string(words) + ": " + text(a) + " and " + text(b) + " differ by more than " +
               text(tolerance));
  }
}

// A case that hangs fails, by name, before the whole program is killed for the time it takes.
inline const char* caseUnderWay = "";

inline void onAlarm(int) {
  const auto say = [](const char* text) {
    return write(STDOUT_FILENO, text, std::strlen(text)) >= 0;
  };
  const bool said = say("FAILED  ") && say(caseUnderWay) && say("\n        it hangs\n");
  _exit(said ? 1 : 2);
}

// An emulator is many times slower, and has its own memory beside ours.
inline bool isEmulated() { return std::getenv("CANN4J_TEST_EMULATED") != nullptr; }

// Factor of the times that only say how patient a test is.
inline int slowness() { return isEmulated() ? 15 : 1; }

inline void watch(const char* name) {
  constexpr unsigned kSeconds = 200;
  caseUnderWay = name;
  signal(SIGALRM, onAlarm);
  alarm(kSeconds * static_cast<unsigned>(slowness()));
}

}  // namespace check

#define CHECK(condition) \
  do { \
    if (!(condition)) check::failed(__FILE__, __LINE__, #condition); \
  } while (false)
#define CHECK_EQ(a, b) check::equal(__FILE__, __LINE__, #a " == " #b, (a), (b))
#define CHECK_NEAR(a, b, tolerance) \
  check::near(__FILE__, __LINE__, #a " ~ " #b, (a), (b), (tolerance))

#define TEST(name) \
  static void test_##name(); \
  static const check::Registrar registrar_##name(#name, test_##name); \
  static void test_##name()

// Runs all cases, or those whose names are given.
int main(int argc, char** argv) {
  int failures = 0;
  int run = 0;
  for (const auto& c : check::cases()) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i) {
      wanted = wanted || std::strcmp(argv[i], c.name) == 0;
    }
    if (!wanted) {
      continue;
    }
    ++run;
    check::watch(c.name);
    try {
      c.body();
      std::printf("ok      %s\n", c.name);
    } catch (const std::exception& e) {
      ++failures;
      std::printf("FAILED  %s\n        %s\n", c.name, e.what());
    }
    std::fflush(stdout);
  }
  if (run == 0) {
    std::printf("no such test\n");
    return 1;
  }
  return failures == 0 ? 0 : 1;
}
