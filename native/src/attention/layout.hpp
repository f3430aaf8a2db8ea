// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "aclnn/tensor.hpp"
#include "attention/arguments.hpp"

namespace cann4j::attention {

enum class Layout { BSH, SBH, BSND, BNSD, TND };

// False if the name is none of the operator's layouts.
bool parseLayout(const char* name, Layouts layouts, Layout* layout);
size_t rankOf(Layout layout);

// The sizes of query, key and value, whose ranks are right. False if a last dimension of BSH or SBH does not divide.
bool extentsOf(Layout layout, const aclTensor& query, const aclTensor& key, const aclTensor& value, int64_t headNum,
               Extent* q, Extent* k, Extent* v);

std::vector<int64_t> shapeOf(Layout layout, const Extent& extent);

// The tensor's strides as the kernels want them; `dim` is the head size.
TensorView viewOf(Layout layout, const aclTensor& tensor, int64_t dim);

}  // namespace cann4j::attention
