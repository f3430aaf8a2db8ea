// SPDX-License-Identifier: Apache-2.0
#include "attention/layout.hpp"

#include <cstring>

namespace cann4j::attention {

bool parseLayout(const char* name, Layouts layouts, Layout* layout) {
  struct Named {
    const char* name;
    Layout layout;
  };
  static constexpr Named kLayouts[] = {
      {"BSH", Layout::BSH}, {"SBH", Layout::SBH}, {"BSND", Layout::BSND}, {"BNSD", Layout::BNSD}, {"TND", Layout::TND}};
  for (const Named& known : kLayouts) {
    if (std::strcmp(name, known.name) != 0) continue;
    *layout = known.layout;
    return layouts == Layouts::All || (layouts == Layouts::Packed) == (known.layout == Layout::TND);
  }
  return false;
}

size_t rankOf(Layout layout) { return layout == Layout::BSND || layout == Layout::BNSD ? 4 : 3; }

namespace {

Extent extentOf(Layout layout, const std::vector<int64_t>& dims, int64_t heads) {
  switch (layout) {
    case Layout::BSH: return {dims[0], dims[1], heads, dims[2] / heads};
    case Layout::SBH: return {dims[1], dims[0], heads, dims[2] / heads};
    case Layout::BSND: return {dims[0], dims[1], dims[2], dims[3]};
    case Layout::BNSD: return {dims[0], dims[2], dims[1], dims[3]};
    case Layout::TND: return {1, dims[0], dims[1], dims[2]};
  }
  return {};
}

}  // namespace

bool extentsOf(Layout layout, const aclTensor& query, const aclTensor& key, const aclTensor& value, int64_t headNum,
               Extent* q, Extent* k, Extent* v) {
  int64_t kvHeads = 1;
  if (layout == Layout::BSH || layout == Layout::SBH) {
    const int64_t dim = query.viewDims[2] / headNum;
    if (dim == 0 || query.viewDims[2] % headNum != 0 || key.viewDims[2] % dim != 0) return false;
    kvHeads = key.viewDims[2] / dim;
    if (kvHeads == 0 || value.viewDims[2] % kvHeads != 0) return false;
  }
  *q = extentOf(layout, query.viewDims, headNum);
  *k = extentOf(layout, key.viewDims, kvHeads);
  *v = extentOf(layout, value.viewDims, kvHeads);
  return true;
}

std::vector<int64_t> shapeOf(Layout layout, const Extent& e) {
  switch (layout) {
    case Layout::BSH: return {e.batches, e.rows, e.heads * e.dim};
    case Layout::SBH: return {e.rows, e.batches, e.heads * e.dim};
    case Layout::BSND: return {e.batches, e.rows, e.heads, e.dim};
    case Layout::BNSD: return {e.batches, e.heads, e.rows, e.dim};
    case Layout::TND: return {e.rows, e.heads, e.dim};
  }
  return {};
}

TensorView viewOf(Layout layout, const aclTensor& tensor, int64_t dim) {
  void* data = reinterpret_cast<void*>(tensor.originAddress());
  const std::vector<int64_t>& s = tensor.strides;
  switch (layout) {
    case Layout::BSH: return {data, s[0], s[1], s[2] * dim, s[2]};
    case Layout::SBH: return {data, s[1], s[0], s[2] * dim, s[2]};
    case Layout::BSND: return {data, s[0], s[1], s[2], s[3]};
    case Layout::BNSD: return {data, s[0], s[2], s[1], s[3]};
    case Layout::TND: return {data, 0, s[0], s[1], s[2]};
  }
  return {};
}

}  // namespace cann4j::attention
