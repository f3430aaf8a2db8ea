// SPDX-License-Identifier: Apache-2.0
// Element types, and the wider classes that operators compute in: float for FLOAT, FLOAT16 and
// BF16; double for DOUBLE; int64_t and uint64_t (UINT64 only) for the rest.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <type_traits>

#include "acl/acl_base.h"
#include "runtime/half.hpp"

namespace cann4j {

struct Half {
  uint16_t bits;
};

struct Bf16 {
  uint16_t bits;
};

struct Bool {
  uint8_t value;
};

enum class NumberClass { kFloat, kDouble, kSigned, kUnsigned, kNone };

inline NumberClass numberClass(aclDataType dataType) {
  switch (dataType) {
    case ACL_FLOAT:
    case ACL_FLOAT16:
    case ACL_BF16:
      return NumberClass::kFloat;
    case ACL_DOUBLE:
      return NumberClass::kDouble;
    case ACL_UINT64:
      return NumberClass::kUnsigned;
    case ACL_INT8:
    case ACL_UINT8:
    case ACL_INT16:
    case ACL_UINT16:
    case ACL_INT32:
    case ACL_UINT32:
    case ACL_INT64:
    case ACL_BOOL:
      return NumberClass::kSigned;
    default:
      return NumberClass::kNone;
  }
}

inline bool isFloating(aclDataType dataType) {
  const NumberClass c = numberClass(dataType);
  return c == NumberClass::kFloat || c == NumberClass::kDouble;
}

template <class C, class T>
C widen(T value) {
  if constexpr (std::is_same_v<T, Half>) {
    return static_cast<C>(halfToFloat(value.bits));
  } else if constexpr (std::is_same_v<T, Bf16>) {
    return static_cast<C>(bf16ToFloat(value.bits));
  } else if constexpr (std::is_same_v<T, Bool>) {
    return static_cast<C>(value.value != 0);
  } else {
    return static_cast<C>(value);
  }
}

// To an integer type from a floating one: towards zero, into the type's range, NaN to 0.
template <class T, class C>
T truncate(C value) {
  constexpr T low = std::numeric_limits<T>::lowest();
  constexpr T high = std::numeric_limits<T>::max();
  if (!(value > static_cast<C>(low))) {
    return value == value ? low : T{0};
  }
  return value >= static_cast<C>(high) ? high : static_cast<T>(value);
}

template <class T, class C>
T narrow(C value) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, Bf16>) {
    float single;
    if constexpr (std::is_same_v<C, float>) {
      single = value;
    } else {
      single = doubleToFloatOdd(static_cast<double>(value));
    }
    if constexpr (std::is_same_v<T, Half>) {
      return Half{floatToHalf(single)};
    } else {
      return Bf16{floatToBf16(single)};
    }
  } else if constexpr (std::is_same_v<T, Bool>) {
    return Bool{static_cast<uint8_t>(value != C{0})};
  } else if constexpr (std::is_floating_point_v<C> && std::is_integral_v<T>) {
    return truncate<T>(value);
  } else {
    return static_cast<T>(value);
  }
}

// Integers wrap, as on the device: computed on unsigned values.
template <class C>
C wrapping(C a, C b, auto operation) {
  if constexpr (std::is_integral_v<C>) {
    return static_cast<C>(operation(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
  } else {
    return operation(a, b);
  }
}

template <class C>
C plus(C a, C b) {
  return wrapping(a, b, std::plus<>());
}

template <class C>
C minus(C a, C b) {
  return wrapping(a, b, std::minus<>());
}

template <class C>
C times(C a, C b) {
  return wrapping(a, b, std::multiplies<>());
}

// Strides in elements.
template <class C>
using Loader = void (*)(const void* source, int64_t stride, int64_t count, C* target);
template <class C>
using Storer = void (*)(const C* source, void* target, int64_t stride, int64_t count);

// For C one of float, double, int64_t, uint64_t; nullptr for a type that is no number.
template <class C>
Loader<C> loaderOf(aclDataType dataType);
template <class C>
Storer<C> storerOf(aclDataType dataType);

// The type whose elements are values of class C as they are.
template <class C>
bool isNative(aclDataType dataType) {
  if constexpr (std::is_same_v<C, float>) {
    return dataType == ACL_FLOAT;
  } else if constexpr (std::is_same_v<C, double>) {
    return dataType == ACL_DOUBLE;
  } else if constexpr (std::is_same_v<C, int64_t>) {
    return dataType == ACL_INT64;
  } else {
    return dataType == ACL_UINT64;
  }
}

}  // namespace cann4j
