// SPDX-License-Identifier: Apache-2.0
// Slice, Cat, SWhere, InplaceFillScalar.
#include <memory>

#include "aclnnop/aclnn_cat.h"
#include "aclnnop/aclnn_fill_scalar.h"
#include "aclnnop/aclnn_s_where.h"
#include "aclnnop/aclnn_slice.h"
#include "random_views.hpp"

using elements::Input;
using elements::Output;
using elements::Random;
using elements::View;

namespace {

// A list of its own tensors for the memory of views.
class List {
 public:
  explicit List(const std::vector<const View*>& views) {
    std::vector<const aclTensor*> tensors;
    for (const View* view : views) {
      int64_t* dims = nullptr;
      int64_t* strides = nullptr;
      uint64_t count = 0;
      int64_t offset = 0;
      void* address = nullptr;
      CHECK_OK(aclGetViewShape(*view, &dims, &count));
      CHECK_OK(aclGetViewStrides(*view, &strides, &count));
      CHECK_OK(aclGetViewOffset(*view, &offset));
      CHECK_OK(aclGetRawTensorAddr(*view, &address));
      tensors.push_back(aclCreateTensor(dims, count, view->type(), strides, offset, ACL_FORMAT_ND,
                                        dims, count, address));
      delete[] dims;
      delete[] strides;
    }
    handle_ = aclCreateTensorList(tensors.data(), tensors.size());
  }
  List(const List&) = delete;
  ~List() { aclDestroyTensorList(handle_); }
  operator aclTensorList*() const { return handle_; }

 private:
  aclTensorList* handle_ = nullptr;
};

double converted(double value, aclDataType type) {
  return type == ACL_BOOL             ? static_cast<double>(value != 0)
         : elements::isFloating(type) ? elements::rounded(value, type)
                                      : std::trunc(value);
}

std::vector<int64_t> randomShape(Random& random, int64_t rank) {
  std::vector<int64_t> shape;
  for (int64_t d = 0; d < rank; ++d) {
    shape.push_back(random.between(1, random.oneIn(3) ? 40 : 6));
  }
  return shape;
}

}  // namespace

TEST(slicesOfRandomViews) {
  device::use();
  Random random("slicesOfRandomViews");
  for (int round = 0; round < 150; ++round) {
    const int64_t rank = random.between(1, 4);
    const auto shape = randomShape(random, rank);
    const int64_t dim = random.between(-rank, rank - 1);
    const auto along = static_cast<size_t>(dim < 0 ? dim + rank : dim);
    const int64_t size = shape[along];
    const int64_t start = random.oneIn(9) ? -1000 : random.between(-size - 1, size + 2);
    const int64_t end = random.oneIn(4) ? INT64_MAX : random.between(-size - 1, size + 2);
    const int64_t step = random.oneIn(9) ? INT64_MAX : random.between(1, 4);
    std::vector<int64_t> places;
    for (int64_t i = 0; i < size; ++i) {
      const int64_t first = std::max<int64_t>(start < 0 ? start + size : start, 0);
      const int64_t last = end < 0 ? end + size : end;
      if (i >= first && i < last && (i - first) % step == 0) {
        places.push_back(i);
      }
    }
    auto wanted = shape;
    wanted[along] = static_cast<int64_t>(places.size());
    const aclDataType type = random.oneIn(2) ? random.floatType() : ACL_INT64;
    Input self(random, type, shape);
    Output out(random, type, wanted);
    elements::call(aclnnSliceGetWorkspaceSize, aclnnSlice, self, dim, start, end, step, out);
    const auto x = self.values();
    const auto y = out.checkedValues();
    for (size_t i = 0; i < y.size(); ++i) {
      auto rest = static_cast<int64_t>(i);
      int64_t from = 0;
      int64_t unit = 1;
      for (size_t d = shape.size(); d-- > 0;) {
        const int64_t at = rest % wanted[d];
        from += (d == along ? places[static_cast<size_t>(at)] : at) * unit;
        unit *= shape[d];
        rest /= wanted[d];
      }
      CHECK_EQ(y[i], x[static_cast<size_t>(from)]);
    }
  }
}

TEST(catsOfRandomViews) {
  device::use();
  Random random("catsOfRandomViews");
  const aclDataType types[] = {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_INT32, ACL_BOOL};
  for (int round = 0; round < 100; ++round) {
    const int64_t rank = random.between(1, 4);
    auto shape = randomShape(random, rank);
    const int64_t dim = random.between(-rank, rank - 1);
    const auto along = static_cast<size_t>(dim < 0 ? dim + rank : dim);
    std::vector<std::unique_ptr<Input>> parts;
    std::vector<const View*> views;
    int64_t size = 0;
    for (int64_t n = random.between(1, 5); n > 0; --n) {
      auto own = shape;
      own[along] = random.between(0, 9);
      if (random.oneIn(8)) {
        own = {0};
      } else {
        size += own[along];
      }
      parts.push_back(std::make_unique<Input>(random, types[random.between(0, 4)], own, 0, 4));
      views.push_back(parts.back().get());
    }
    shape[along] = size;
    Output out(random, random.floatType(), shape);
    const List list(views);
    elements::call(aclnnCatGetWorkspaceSize, aclnnCat, list, dim, out);
    const auto y = out.checkedValues();
    int64_t inner = 1;
    for (size_t d = along + 1; d < shape.size(); ++d) {
      inner *= shape[d];
    }
    int64_t begin = 0;
    for (const View* view : views) {
      if (static_cast<int64_t>(view->dims().size()) != rank ||
          view->dims() == std::vector<int64_t>{0}) {
        continue;
      }
      const auto x = view->values();
      const int64_t row = view->dims()[along] * inner;
      for (size_t i = 0; i < x.size(); ++i) {
        const auto at = static_cast<int64_t>(i);
        const int64_t to = at / row * size * inner + begin * inner + at % row;
        CHECK_EQ(y[static_cast<size_t>(to)], converted(x[i], out.type()));
      }
      begin += view->dims()[along];
    }
  }
}

TEST(catChecksItsArguments) {
  device::use();
  View a(ACL_FLOAT, {2, 3});
  View b(ACL_FLOAT, {2, 4});
  View out(ACL_FLOAT, {2, 7});
  View longer(ACL_FLOAT, {2, 8});
  View integers(ACL_INT32, {2, 7});
  const List both({&a, &b});
  const List none({});
  CHECK_FAILS(
      elements::status(aclnnCatGetWorkspaceSize, both, int64_t{0}, out), ACLNN_ERR_PARAM_INVALID,
      "tensor 0 has the shape [2, 3], which does not fit into out [2, 7] from 0 on in dimension 0");
  CHECK_FAILS(elements::status(aclnnCatGetWorkspaceSize, both, int64_t{1}, longer),
              ACLNN_ERR_PARAM_INVALID,
              "the tensors fill 7 of dimension 1 of out, whose shape is [2, 8]");
  CHECK_FAILS(elements::status(aclnnCatGetWorkspaceSize, both, int64_t{1}, a),
              ACLNN_ERR_PARAM_INVALID, "tensor 1");
  CHECK_FAILS(elements::status(aclnnCatGetWorkspaceSize, both, int64_t{2}, out),
              ACLNN_ERR_PARAM_INVALID, "dim 2");
  CHECK_FAILS(elements::status(aclnnCatGetWorkspaceSize, none, int64_t{0}, out),
              ACLNN_ERR_PARAM_INVALID, "empty");
  CHECK_FAILS(elements::status(aclnnCatGetWorkspaceSize, both, int64_t{1}, integers),
              ACLNN_ERR_PARAM_INVALID, "FLOAT cannot be stored as INT32");
  CHECK_FAILS(elements::status(aclnnCatGetWorkspaceSize, nullptr, int64_t{1}, out),
              ACLNN_ERR_PARAM_NULLPTR, "tensors is NULL");
}

TEST(sliceChecksItsArguments) {
  device::use();
  View self(ACL_FLOAT, {5});
  View out(ACL_FLOAT, {2});
  View half(ACL_FLOAT16, {2});
  View scalar(ACL_FLOAT, {});
  const auto slice = [](View& from, int64_t dim, int64_t step, View& to) {
    return elements::status(aclnnSliceGetWorkspaceSize, from, dim, int64_t{0}, int64_t{2}, step,
                            to);
  };
  CHECK_FAILS(slice(self, 0, 0, out), ACLNN_ERR_PARAM_INVALID, "step is 0");
  CHECK_FAILS(slice(self, 0, -1, out), ACLNN_ERR_PARAM_INVALID, "step is -1");
  CHECK_FAILS(slice(self, 0, 2, out), ACLNN_ERR_PARAM_INVALID, "[2], not [1]");
  CHECK_FAILS(slice(self, 1, 1, out), ACLNN_ERR_PARAM_INVALID, "dim 1");
  CHECK_FAILS(slice(self, 0, 1, half), ACLNN_ERR_PARAM_INVALID, "out is FLOAT16, not FLOAT");
  CHECK_FAILS(slice(scalar, 0, 1, scalar), ACLNN_ERR_PARAM_INVALID, "FLOAT[]");
}

TEST(whereOfRandomViews) {
  device::use();
  Random random("whereOfRandomViews");
  for (int round = 0; round < 100; ++round) {
    const auto shape = randomShape(random, random.between(0, 4));
    const auto narrowed = [&] {
      auto own = shape;
      for (int64_t& size : own) {
        size = random.oneIn(4) ? 1 : size;
      }
      if (random.oneIn(4) && !own.empty()) {
        own.erase(own.begin());
      }
      return own;
    };
    Input condition(random, random.oneIn(2) ? ACL_BOOL : ACL_UINT8, narrowed(), -1, 3);
    const aclDataType types[] = {ACL_FLOAT,  ACL_FLOAT16, ACL_BF16,
                                 ACL_DOUBLE, ACL_INT32,   ACL_INT64};
    Input self(random, types[random.between(0, 5)], narrowed());
    Input other(random, types[random.between(0, 5)], narrowed());
    // Together they may have become narrower than the shape.
    std::vector<int64_t> wanted;
    for (size_t fromEnd = 1; fromEnd <= shape.size(); ++fromEnd) {
      int64_t size = -1;
      for (const View* view : {static_cast<const View*>(&condition),
                               static_cast<const View*>(&self), static_cast<const View*>(&other)}) {
        if (view->dims().size() >= fromEnd) {
          size = std::max(size, view->dims()[view->dims().size() - fromEnd]);
        }
      }
      if (size >= 0) {
        wanted.insert(wanted.begin(), size);
      }
    }
    Output out(random, types[random.between(0, 3)], wanted);
    elements::call(aclnnSWhereGetWorkspaceSize, aclnnSWhere, condition, self, other, out);
    const auto c = condition.values();
    const auto x = self.values();
    const auto z = other.values();
    const auto y = out.checkedValues();
    for (size_t i = 0; i < y.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      const double chosen = elements::broadcast(c, condition.dims(), wanted, at) != 0
                                ? elements::broadcast(x, self.dims(), wanted, at)
                                : elements::broadcast(z, other.dims(), wanted, at);
      CHECK_EQ(y[i], elements::rounded(chosen, out.type()));
    }
  }
}

TEST(whereChecksItsArguments) {
  device::use();
  View condition(ACL_BOOL, {2, 1});
  View real(ACL_FLOAT, {2, 3});
  View integers(ACL_INT32, {2, 3});
  View other(ACL_FLOAT, {4});
  CHECK_FAILS(elements::status(aclnnSWhereGetWorkspaceSize, real, real, real, real),
              ACLNN_ERR_PARAM_INVALID, "condition is FLOAT");
  CHECK_FAILS(elements::status(aclnnSWhereGetWorkspaceSize, condition, real, other, real),
              ACLNN_ERR_PARAM_INVALID, "[2, 1], [2, 3] and [4] do not broadcast");
  CHECK_FAILS(elements::status(aclnnSWhereGetWorkspaceSize, condition, real, real, integers),
              ACLNN_ERR_PARAM_INVALID, "FLOAT cannot be stored as INT32");
  CHECK_FAILS(elements::status(aclnnSWhereGetWorkspaceSize, condition, real, nullptr, real),
              ACLNN_ERR_PARAM_NULLPTR, "other is NULL");
}

TEST(fillsOfRandomViews) {
  device::use();
  Random random("fillsOfRandomViews");
  const aclDataType types[] = {ACL_FLOAT, ACL_DOUBLE, ACL_FLOAT16, ACL_BF16,  ACL_INT8,
                               ACL_UINT8, ACL_INT16,  ACL_UINT16,  ACL_INT32, ACL_UINT32,
                               ACL_INT64, ACL_UINT64, ACL_BOOL};
  for (const aclDataType type : types) {
    for (int round = 0; round < 6; ++round) {
      Output self(random, type, randomShape(random, random.between(0, 3)));
      const double value = random.real(0, 60);
      const bool real = random.oneIn(2);
      const device::Scalar scalar(value);
      const device::Scalar integer(static_cast<int64_t>(value));
      elements::call(aclnnInplaceFillScalarGetWorkspaceSize, aclnnInplaceFillScalar, self,
                     real ? static_cast<aclScalar*>(scalar) : static_cast<aclScalar*>(integer));
      for (const double got : self.checkedValues()) {
        CHECK_EQ(got, converted(real ? value : std::trunc(value), type));
      }
    }
  }
  // Integers that no double holds.
  View big(ACL_INT64, {1});
  const device::Scalar exact(int64_t{0x7FFFFFFFFFFFFFF1});
  elements::call(aclnnInplaceFillScalarGetWorkspaceSize, aclnnInplaceFillScalar, big, exact);
  int64_t value = 0;
  void* address = nullptr;
  CHECK_OK(aclGetRawTensorAddr(big, &address));
  CHECK_OK(aclrtMemcpy(&value, 8, address, 8, ACL_MEMCPY_DEVICE_TO_HOST));
  CHECK_EQ(value, int64_t{0x7FFFFFFFFFFFFFF1});
  CHECK_FAILS(elements::status(aclnnInplaceFillScalarGetWorkspaceSize, big, nullptr),
              ACLNN_ERR_PARAM_NULLPTR, "value is NULL");
}
