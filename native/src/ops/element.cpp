// SPDX-License-Identifier: Apache-2.0
#include "element.hpp"

namespace cann4j {
namespace {

template <class C, class T>
void load(const void* source, int64_t stride, int64_t count, C* target) {
  const T* values = static_cast<const T*>(source);
  if (stride == 1) {
    for (int64_t i = 0; i < count; ++i) {
      target[i] = widen<C>(values[i]);
    }
  } else if (stride == 0) {
    const C value = widen<C>(values[0]);
    for (int64_t i = 0; i < count; ++i) {
      target[i] = value;
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      target[i] = widen<C>(values[i * stride]);
    }
  }
}

template <class C, class T>
void store(const C* source, void* target, int64_t stride, int64_t count) {
  T* values = static_cast<T*>(target);
  if (stride == 1) {
    for (int64_t i = 0; i < count; ++i) {
      values[i] = narrow<T>(source[i]);
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      values[i * stride] = narrow<T>(source[i]);
    }
  }
}

// Calls visitor.template operator()<T>() with the element type.
template <class Visitor>
auto visit(aclDataType dataType, Visitor visitor) {
  using Result = decltype(visitor.template operator()<float>());
  switch (dataType) {
    case ACL_FLOAT: return visitor.template operator()<float>();
    case ACL_FLOAT16: return visitor.template operator()<Half>();
    case ACL_BF16: return visitor.template operator()<Bf16>();
    case ACL_DOUBLE: return visitor.template operator()<double>();
    case ACL_INT8: return visitor.template operator()<int8_t>();
    case ACL_UINT8: return visitor.template operator()<uint8_t>();
    case ACL_INT16: return visitor.template operator()<int16_t>();
    case ACL_UINT16: return visitor.template operator()<uint16_t>();
    case ACL_INT32: return visitor.template operator()<int32_t>();
    case ACL_UINT32: return visitor.template operator()<uint32_t>();
    case ACL_INT64: return visitor.template operator()<int64_t>();
    case ACL_UINT64: return visitor.template operator()<uint64_t>();
    case ACL_BOOL: return visitor.template operator()<Bool>();
    default: return Result{};
  }
}

}  // namespace

template <class C>
Loader<C> loaderOf(aclDataType dataType) {
  return visit(dataType, []<class T>() -> Loader<C> {
    // No operator loads a floating type into an integer class.
    if constexpr (std::is_integral_v<C> && (std::is_floating_point_v<T> ||
                                            std::is_same_v<T, Half> || std::is_same_v<T, Bf16>)) {
      return nullptr;
    } else {
      return &load<C, T>;
    }
  });
}

template <class C>
Storer<C> storerOf(aclDataType dataType) {
  return visit(dataType, []<class T>() -> Storer<C> { return &store<C, T>; });
}

template Loader<float> loaderOf<float>(aclDataType);
template Loader<double> loaderOf<double>(aclDataType);
template Loader<int64_t> loaderOf<int64_t>(aclDataType);
template Loader<uint64_t> loaderOf<uint64_t>(aclDataType);
template Storer<float> storerOf<float>(aclDataType);
template Storer<double> storerOf<double>(aclDataType);
template Storer<int64_t> storerOf<int64_t>(aclDataType);
template Storer<uint64_t> storerOf<uint64_t>(aclDataType);

}  // namespace cann4j
