// SPDX-License-Identifier: Apache-2.0
#include "json.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "error.hpp"
#include "host_memory.hpp"

namespace cann4j {

class JsonReader {
 public:
  JsonReader(std::string_view text, int deepest) : text_(text), deepest_(deepest) {}

  bool document(Json* value) {
    const bool whole = read(value);
    skipSpace();
    return whole && at_ == text_.size();
  }

  size_t position() const { return at_; }

 private:
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
    at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
  }

  bool read(Json* value) {
    skipSpace();
    switch (peek()) {
      case '{':
        value->kind_ = Json::Kind::kObject;
        return nested(&objects_, '}', [&] {
          auto& member = value->members_.emplace_back();
          skipSpace();
          return readString(&member.first) && take(':') && read(&member.second);
        });
      case '[':
        value->kind_ = Json::Kind::kArray;
        return nested(&arrays_, ']', [&] { return read(&value->items_.emplace_back()); });
      case '"':
        value->kind_ = Json::Kind::kString;
        return readString(&value->text_);
      default:
        return readScalar(value);
    }
  }

  template <class Element>
  bool nested(int* depth, char close, const Element& element) {
    if (*depth == deepest_) {
      return false;
    }
    ++*depth;
    ++at_;
    bool good = take(close);
    if (!good) {
      do {
        good = element();
      } while (good && take(','));
      good = good && take(close);
    }
    --*depth;
    return good;
  }

  bool readString(std::string* value) {
    if (peek() != '"') {
      return false;
    }
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) {
        return false;
      }
      if (c != '\\') {
        *value += c;
        continue;
      }
      ++at_;
      if (!readEscape(value)) {
        return false;
      }
    }
    return false;
  }

  bool readEscape(std::string* value) {
    constexpr std::string_view kCodes = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (peek() != 'u') {
      const size_t code = kCodes.find(peek());
      if (code == kCodes.npos) {
        return false;
      }
      *value += kMeanings[code];
      return true;
    }
    unsigned unit = 0;
    if (!readUnit(&unit)) {
      return false;
    }
    if (unit >= 0xD800 && unit < 0xDC00 && at_ < text_.size() &&
        text_.substr(at_ + 1, 2) == "\\u") {
      at_ += 2;
      unsigned low = 0;
      if (!readUnit(&low) || low < 0xDC00 || low > 0xDFFF) {
        return false;
      }
      unit = 0x10000 + ((unit - 0xD800) << 10) + low - 0xDC00;
    }
    appendUtf8(unit, value);
    return true;
  }

  // From the u to the last of its four digits.
  bool readUnit(unsigned* unit) {
    const std::string_view digits = text_.substr(std::min(at_ + 1, text_.size()), 4);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), *unit, 16);
    at_ += 4;
    return error == std::errc() && digits.size() == 4 && end == digits.data() + 4;
  }

  static void appendUtf8(unsigned code, std::string* value) {
    if (code < 0x80) {
      *value += static_cast<char>(code);
      return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    const unsigned mark = more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0;
    *value += static_cast<char>(mark | code >> (6 * more));
    for (int i = more - 1; i >= 0; --i) {
      *value += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F));
    }
  }

  bool readScalar(Json* value) {
    const size_t begin = at_;
    at_ = std::min(text_.find_first_of(" \t\r\n,]}", at_), text_.size());
    value->text_ = text_.substr(begin, at_ - begin);
    if (value->text_ == "null") {
      return true;
    }
    if (value->text_ == "true" || value->text_ == "false") {
      value->kind_ = Json::Kind::kBoolean;
      return true;
    }
    value->kind_ = Json::Kind::kNumber;
    const bool good = isNumber(value->text_);
    at_ = good ? at_ : begin;
    return good;
  }

  // -? digits (. digits)? (e [+-]? digits)?, without a leading zero.
  static bool isNumber(std::string_view text) {
    const auto skipDigits = [&text] {
      const size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
      text.remove_prefix(count);
      return count;
    };
    const auto skip = [&text](std::string_view any) {
      const bool found = !text.empty() && any.find(text.front()) != any.npos;
      text.remove_prefix(found ? 1 : 0);
      return found;
    };
    skip("-");
    const bool zero = !text.empty() && text.front() == '0';
    const size_t whole = skipDigits();
    if (whole == 0 || (zero && whole > 1) || (skip(".") && skipDigits() == 0)) {
      return false;
    }
    if (skip("eE")) {
      skip("+-");
      if (skipDigits() == 0) {
        return false;
      }
    }
    return text.empty();
  }

  const std::string_view text_;
  const int deepest_;
  size_t at_ = 0;
  int objects_ = 0;
  int arrays_ = 0;
};

std::optional<Json> Json::parse(std::string_view text, size_t* position, int deepest) {
  JsonReader reader(text, deepest);
  Json value;
  const bool good = reader.document(&value);
  *position = reader.position();
  return good ? std::optional<Json>(std::move(value)) : std::nullopt;
}

const Json* Json::find(std::string_view name) const {
  for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
    if (member->first == name) {
      return &member->second;
    }
  }
  return nullptr;
}

std::optional<bool> Json::boolean() const {
  return kind_ == Kind::kBoolean ? std::optional<bool>(text_ == "true") : std::nullopt;
}

std::optional<int64_t> Json::integer() const {
  int64_t value = 0;
  const char* last = text_.data() + text_.size();
  const auto [end, error] = std::from_chars(text_.data(), last, value);
  const bool isWritten = kind_ == Kind::kNumber || kind_ == Kind::kString;
  return isWritten && error == std::errc() && end == last ? std::optional<int64_t>(value)
                                                          : std::nullopt;
}

bool readFile(const char* path, std::string* text) {
  constexpr size_t kLongest = size_t{64} << 20;
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) {
    return false;
  }
  char buffer[4096];
  size_t count = 0;
  while (text->size() <= kLongest && (count = std::fread(buffer, 1, sizeof buffer, file)) > 0) {
    text->append(buffer, count);
  }
  const int error = std::ferror(file) != 0 ? errno : text->size() > kLongest ? EFBIG : 0;
  std::fclose(file);
  errno = error;
  return error == 0;
}

aclError readConfigFile(const char* function, const char* path, Json* config) {
  constexpr int kDeepest = 10;  // objects in objects, and arrays in arrays, that CANN reads
  size_t position = 0;
  if (path == nullptr) {
    *config = *Json::parse("{}", &position);
    return ACL_SUCCESS;
  }
  if (const aclError error = checkOnHost(ACL_ERROR_INVALID_PARAM, function, "configPath", path);
      error != ACL_SUCCESS) {
    return error;
  }
  std::string text;
  if (!readFile(path, &text)) {
    return fail(ACL_ERROR_INVALID_FILE, "%s: cannot read %s: %s", function, path,
                std::strerror(errno));
  }
  auto value = Json::parse(text, &position, kDeepest);
  if (!value || !value->isObject()) {
    return fail(ACL_ERROR_PARSE_FILE,
                "%s: %s is not a JSON object of at most %d levels, see its byte %zu", function,
                path, kDeepest, position);
  }
  *config = std::move(*value);
  return ACL_SUCCESS;
}

aclError checkConfigFile(const char* function, const char* path) {
  Json config;
  return readConfigFile(function, path, &config);
}

}  // namespace cann4j
