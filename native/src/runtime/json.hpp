// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "acl/acl_base.h"

namespace cann4j {

// A JSON value. What is asked of a value of another kind is absent, so a path needs one check.
class Json {
 public:
  enum class Kind { kNull, kBoolean, kNumber, kString, kArray, kObject };

  // Nothing, with the position where the text stopped making sense, if it is no JSON value, or one
  // that is nested more deeply than `deepest` objects or as many arrays.
  static std::optional<Json> parse(std::string_view text, size_t* position, int deepest = 64);

  Kind kind() const { return kind_; }
  bool isObject() const { return kind_ == Kind::kObject; }
  const std::vector<Json>& items() const { return items_; }
  const std::vector<std::pair<std::string, Json>>& members() const { return members_; }
  // The member of this name (the last one, should there be several), or null.
  const Json* find(std::string_view name) const;
  const std::string* string() const { return kind_ == Kind::kString ? &text_ : nullptr; }
  std::optional<bool> boolean() const;
  // A whole number, also one written as a string, as CANN's files do.
  std::optional<int64_t> integer() const;

 private:
  friend class JsonReader;

  Kind kind_ = Kind::kNull;
  std::string text_;  // of a string, a number, true or false
  std::vector<Json> items_;
  std::vector<std::pair<std::string, Json>> members_;
};

// Reads a whole file; false with errno set if that cannot be, or it is too long to be one for people.
bool readFile(const char* path, std::string* text);

// Reads a file that must hold a JSON object; `path` NULL gives an empty one.
aclError readConfigFile(const char* function, const char* path, Json* config);

// The same for who needs nothing of it.
aclError checkConfigFile(const char* function, const char* path);

}  // namespace cann4j
