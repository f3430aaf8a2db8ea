// SPDX-License-Identifier: Apache-2.0
#include "json.hpp"

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "error.hpp"

namespace cann4j {
namespace {

// Skips over one JSON value; tells only whether it is one.
class JsonChecker {
 public:
  explicit JsonChecker(const std::string& text) : text_(text) {}

  bool isObject() {
    skipSpace();
    const bool object = peek() == '{' && value(0);
    skipSpace();
    return object && at_ == text_.size();
  }

  size_t position() const { return at_; }

 private:
  static constexpr int kDeepest = 64;

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(char c) {
    skipSpace();
    if (peek() != c) {
      return false;
    }
    ++at_;
    return true;
  }

  void skipSpace() {
    while (at_ < text_.size() && std::strchr(" \t\r\n", text_[at_]) != nullptr) {
      ++at_;
    }
  }

  bool value(int depth) {
    skipSpace();
    switch (peek()) {
      case '{':
        return depth < kDeepest && members(depth, '}', true);
      case '[':
        return depth < kDeepest && members(depth, ']', false);
      case '"':
        return string();
      default:
        return scalar();
    }
  }

  bool members(int depth, char close, bool named) {
    ++at_;
    if (take(close)) {
      return true;
    }
    do {
      if (named && (skipSpace(), !string() || !take(':'))) {
        return false;
      }
      if (!value(depth + 1)) {
        return false;
      }
    } while (take(','));
    return take(close);
  }

  bool string() {
    if (peek() != '"') {
      return false;
    }
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        ++at_;
        return true;
      }
    }
    return false;
  }

  bool scalar() {
    const size_t begin = at_;
    while (std::isalnum(static_cast<unsigned char>(peek())) ||
           (peek() != '\0' && std::strchr("+-.", peek()) != nullptr)) {
      ++at_;
    }
    const std::string word = text_.substr(begin, at_ - begin);
    if (word == "true" || word == "false" || word == "null") {
      return true;
    }
    char* end = nullptr;
    if (word.empty() || std::isalpha(static_cast<unsigned char>(word[0]))) {
      return false;
    }
    std::strtod(word.c_str(), &end);
    return *end == '\0';
  }

  const std::string& text_;
  size_t at_ = 0;
};

}  // namespace

aclError checkConfigFile(const char* function, const char* path) {
  if (path == nullptr) {
    return ACL_SUCCESS;
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return fail(ACL_ERROR_INVALID_FILE, "%s: cannot read %s: %s", function, path,
                std::strerror(errno));
  }
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  JsonChecker checker(text);
  return checker.isObject() ? ACL_SUCCESS
                            : fail(ACL_ERROR_PARSE_FILE,
                                   "%s: %s is not a JSON object, see its byte %zu", function, path,
                                   checker.position());
}

}  // namespace cann4j
