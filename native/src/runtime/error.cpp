// SPDX-License-Identifier: Apache-2.0
#include "error.hpp"

#include <cstdio>
#include <deque>

#include "acl/acl.h"

namespace cann4j {
namespace {

constexpr size_t kKept = 32;

std::deque<std::string>& failures() {
  thread_local std::deque<std::string> messages;
  return messages;
}

}  // namespace

static void record(long code, const char* format, va_list arguments) {
  va_list copy;
  va_copy(copy, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, copy);
  va_end(copy);
  std::string words(length > 0 ? static_cast<size_t>(length) : 0, '\0');
  std::vsnprintf(words.data(), words.size() + 1, format, arguments);
  auto& messages = failures();
  std::string& message = messages.emplace_front("E");
  message += std::to_string(code);
  message += ": ";
  message += words;
  if (messages.size() > kKept) {
    messages.pop_back();
  }
}

void recordFailure(long code, const char* format, va_list arguments) noexcept {
  try {
    record(code, format, arguments);
  } catch (const std::exception&) {
  }
}

std::string takeFailures() {
  auto& messages = failures();
  std::string text;
  for (const auto& message : messages) {
    if (!text.empty()) {
      text += '\n';
    }
    text += message;
  }
  messages.clear();
  return text;
}

}  // namespace cann4j

extern "C" const char* aclGetRecentErrMsg(void) {
  thread_local std::string text;
  text = cann4j::takeFailures();
  return text.empty() ? nullptr : text.c_str();
}
