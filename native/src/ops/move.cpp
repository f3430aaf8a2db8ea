// SPDX-License-Identifier: Apache-2.0
#include "move.hpp"

#include <cstring>

#include "elementwise.hpp"

namespace cann4j {
namespace {

template <class Unit>
void moveUnits(const Walk& walk) {
  const int64_t to = walk.innerStrides()[0];
  const int64_t from = walk.innerStrides()[1];
  forEachPiece(walk, [&](const auto& offsets, int64_t count) {
    Unit* target = static_cast<Unit*>(walk.at(0, offsets[0]));
    const Unit* source = static_cast<const Unit*>(walk.at(1, offsets[1]));
    if (to == 1 && from == 1) {
      std::memmove(target, source, static_cast<size_t>(count) * sizeof(Unit));
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      target[i * to] = source[i * from];
    }
  });
}

aclError copyElements(const Walk& walk) {
  switch (walk.views[0].itemSize) {
    case 1:
      moveUnits<uint8_t>(walk);
      break;
    case 2:
      moveUnits<uint16_t>(walk);
      break;
    case 4:
      moveUnits<uint32_t>(walk);
      break;
    default:
      moveUnits<uint64_t>(walk);
      break;
  }
  return ACL_SUCCESS;
}

template <class C>
aclError convertElements(const Walk& walk) {
  const Source<C> source(walk, 1);
  const Storer<C> store = storerOf<C>(walk.views[0].dataType);
  const int64_t stride = walk.innerStrides()[0];
  const auto itemSize = static_cast<int64_t>(walk.views[0].itemSize);
  forEachPiece(walk, [&](const auto& offsets, int64_t count) {
    C buffer[kChunk];
    char* out = static_cast<char*>(walk.at(0, offsets[0]));
    const void* in = walk.at(1, offsets[1]);
    for (int64_t i = 0; i < count; i += kChunk) {
      const int64_t n = std::min(kChunk, count - i);
      store(source.read(in, i, n, buffer), out + i * stride * itemSize, stride, n);
    }
  });
  return ACL_SUCCESS;
}

}  // namespace

aclError moveElements(const Walk& walk) {
  const aclDataType from = walk.views[1].dataType;
  if (from == walk.views[0].dataType) {
    return copyElements(walk);
  }
  switch (numberClass(from)) {
    case NumberClass::kFloat:
      return convertElements<float>(walk);
    case NumberClass::kDouble:
      return convertElements<double>(walk);
    case NumberClass::kUnsigned:
      return convertElements<uint64_t>(walk);
    default:
      return convertElements<int64_t>(walk);
  }
}

Kernel moveKernel(Walk walk) {
  return [walk = std::move(walk)](const Binding& memory) {
    return moveElements(walk.bound(memory));
  };
}

}  // namespace cann4j
