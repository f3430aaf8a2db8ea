// SPDX-License-Identifier: Apache-2.0
// Arrays of any element type as doubles, converted by code that shares nothing with the toolkit.
#pragma once

#include <cfenv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "acl/acl.h"
#include "device.hpp"

namespace elements {

// Rounds to a floating type with `digits` significant bits and the given exponent range, half to
// even.
inline double roundTo(double value, int digits, int lowestExponent, double highest) {
  if (value == 0 || !std::isfinite(value)) {
    return value;
  }
  const int exponent = std::max(std::ilogb(value), lowestExponent);
  const double unit = std::ldexp(1.0, exponent - digits + 1);
  const double rounded = std::nearbyint(value / unit) * unit;
  return std::fabs(rounded) > highest ? std::copysign(INFINITY, value) : rounded;
}

inline double rounded(double value, aclDataType type) {
  switch (type) {
    case ACL_FLOAT16:
      return roundTo(value, 11, -14, 65504);
    case ACL_BF16:
      return roundTo(value, 8, -126, std::ldexp(255, 120));
    case ACL_FLOAT:
      return static_cast<float>(value);
    default:
      return value;
  }
}

inline double decode(const uint8_t* bytes, aclDataType type) {
  const auto as = [bytes](auto number) {
    std::memcpy(&number, bytes, sizeof(number));
    return static_cast<double>(number);
  };
  switch (type) {
    case ACL_FLOAT: return as(float{});
    case ACL_DOUBLE: return as(double{});
    case ACL_INT8: return as(int8_t{});
    case ACL_UINT8: return as(uint8_t{});
    case ACL_BOOL: return as(uint8_t{});
    case ACL_INT16: return as(int16_t{});
    case ACL_UINT16: return as(uint16_t{});
    case ACL_INT32: return as(int32_t{});
    case ACL_UINT32: return as(uint32_t{});
    case ACL_INT64: return as(int64_t{});
    case ACL_UINT64: return as(uint64_t{});
    case ACL_BF16: {
      const uint32_t bits = static_cast<uint32_t>(bytes[0] | bytes[1] << 8) << 16;
      float value;
      std::memcpy(&value, &bits, 4);
      return value;
    }
    case ACL_FLOAT16: {
      const int bits = bytes[0] | bytes[1] << 8;
      const int exponent = (bits >> 10) & 31;
      const double magnitude = exponent == 31 ? ((bits & 1023) != 0 ? NAN : INFINITY)
                               : exponent == 0 ? std::ldexp(bits & 1023, -24)
                                               : std::ldexp(1024 + (bits & 1023), exponent - 25);
      return (bits & 0x8000) != 0 ? -magnitude : magnitude;
    }
    default: throw check::Failure("decode: type");
  }
}

// The value must be one of the type's.
inline void encode(double value, aclDataType type, uint8_t* bytes) {
  const auto as = [bytes, value](auto number) {
    number = static_cast<decltype(number)>(value);
    std::memcpy(bytes, &number, sizeof(number));
  };
  switch (type) {
    case ACL_FLOAT: return as(float{});
    case ACL_DOUBLE: return as(double{});
    case ACL_INT8: return as(int8_t{});
    case ACL_UINT8: return as(uint8_t{});
    case ACL_BOOL: return as(uint8_t{});
    case ACL_INT16: return as(int16_t{});
    case ACL_UINT16: return as(uint16_t{});
    case ACL_INT32: return as(int32_t{});
    case ACL_UINT32: return as(uint32_t{});
    case ACL_INT64: return as(int64_t{});
    case ACL_UINT64: return as(uint64_t{});
    case ACL_BF16: {
      const float single = static_cast<float>(value);
      std::memcpy(bytes, reinterpret_cast<const uint8_t*>(&single) + 2, 2);
      return;
    }
    case ACL_FLOAT16: {
      const double magnitude = std::fabs(value);
      int bits = 0;
      if (std::isinf(value)) {
        bits = 0x7C00;
      } else if (magnitude >= std::ldexp(1, -14)) {
        const int exponent = std::ilogb(magnitude);
        bits = (exponent + 15) << 10 |
               (static_cast<int>(std::ldexp(magnitude, 10 - exponent)) - 1024);
      } else {
        bits = static_cast<int>(std::ldexp(magnitude, 24));
      }
      bits |= std::signbit(value) ? 0x8000 : 0;
      bytes[0] = static_cast<uint8_t>(bits);
      bytes[1] = static_cast<uint8_t>(bits >> 8);
      return;
    }
    default: throw check::Failure("encode: type");
  }
}

inline bool isFloating(aclDataType type) {
  return type == ACL_FLOAT || type == ACL_DOUBLE || type == ACL_FLOAT16 || type == ACL_BF16;
}

// Storage on the device with a strided view of it.
class View {
 public:
  View(aclDataType type, std::vector<int64_t> dims, std::vector<int64_t> strides = {},
       int64_t offset = 0, int64_t storage = 0)
      : type_(type), dims_(std::move(dims)), strides_(contiguousUnless(std::move(strides))),
        offset_(offset), storage_(storage > 0 ? storage : needed()),
        buffer_(static_cast<size_t>(storage_) * aclDataTypeSize(type)),
        tensor_(buffer_.address(), type, dims_, strides_, offset) {
    CHECK(storage_ >= needed());
  }

  int64_t size() const {
    int64_t count = 1;
    for (const int64_t dim : dims_) {
      count *= dim;
    }
    return count;
  }

  // Storage index of the view's i-th element in row-major order.
  int64_t place(int64_t i) const {
    int64_t index = offset_;
    for (size_t d = dims_.size(); d-- > 0;) {
      index += i % dims_[d] * strides_[d];
      i /= dims_[d];
    }
    return index;
  }

  void fillStorage(const std::function<double(int64_t)>& value) {
    const size_t bytes = aclDataTypeSize(type_);
    std::vector<uint8_t> raw(buffer_.count());
    for (int64_t i = 0; i < storage_; ++i) {
      encode(value(i), type_, raw.data() + static_cast<size_t>(i) * bytes);
    }
    buffer_.write(raw);
  }

  // Writes values in row-major order into the view and leaves the rest of the storage.
  void fillView(const std::vector<double>& values) {
    std::vector<double> all = storage();
    for (int64_t i = 0; i < size(); ++i) {
      all[static_cast<size_t>(place(i))] = values[static_cast<size_t>(i)];
    }
    fillStorage([&](int64_t i) { return all[static_cast<size_t>(i)]; });
  }

  std::vector<double> storage() const {
    const std::vector<uint8_t> raw = buffer_.read();
    std::vector<double> values(static_cast<size_t>(storage_));
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = decode(raw.data() + i * aclDataTypeSize(type_), type_);
    }
    return values;
  }

  std::vector<double> values() const {
    const std::vector<double> all = storage();
    std::vector<double> result;
    for (int64_t i = 0; i < size(); ++i) {
      result.push_back(all[static_cast<size_t>(place(i))]);
    }
    return result;
  }

  operator aclTensor*() const { return tensor_; }
  aclDataType type() const { return type_; }
  const std::vector<int64_t>& dims() const { return dims_; }

 private:
  std::vector<int64_t> contiguousUnless(std::vector<int64_t> strides) const {
    if (strides.empty()) {
      strides.resize(dims_.size());
      int64_t step = 1;
      for (size_t d = dims_.size(); d-- > 0;) {
        strides[d] = step;
        step *= dims_[d];
      }
    }
    return strides;
  }
  int64_t needed() const {
    int64_t highest = offset_;
    for (size_t d = 0; d < dims_.size(); ++d) {
      if (dims_[d] == 0) {
        return 1;
      }
      highest += (dims_[d] - 1) * std::max<int64_t>(strides_[d], 0);
    }
    return highest + 1;
  }

  aclDataType type_;
  std::vector<int64_t> dims_;
  std::vector<int64_t> strides_;
  int64_t offset_;
  int64_t storage_;
  device::Buffer<uint8_t> buffer_;
  device::Tensor tensor_;
};

inline void fillRandom(View& view, unsigned seed, double low = -4, double high = 4) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> values(low, high);
  view.fillStorage([&](int64_t) {
    const double value = values(random);
    return isFloating(view.type())
               ? rounded(value, view.type())
               : view.type() == ACL_BOOL ? static_cast<double>(value > 0) : std::floor(value);
  });
}

// The element of `values` (of shape `dims`) that broadcasting puts at the i-th place of `shape`.
inline double broadcast(const std::vector<double>& values, const std::vector<int64_t>& dims,
                        const std::vector<int64_t>& shape, int64_t i) {
  int64_t index = 0;
  int64_t step = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    const int64_t size = shape[shape.size() - 1 - d];
    const int64_t at = i % size;
    i /= size;
    if (d < dims.size()) {
      const int64_t own = dims[dims.size() - 1 - d];
      index += (own == 1 ? 0 : at) * step;
      step *= own;
    }
  }
  return values[static_cast<size_t>(index)];
}

}  // namespace elements
