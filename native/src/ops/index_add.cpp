// SPDX-License-Identifier: Apache-2.0
// IndexAdd.
#include <algorithm>
#include <utility>
#include <vector>

#include "aclnnop/aclnn_index_add.h"
#include "arguments.hpp"
#include "elementwise.hpp"
#include "index.hpp"

using namespace cann4j;

namespace {

struct Addition {
  const char* op;
  // The slices at place 0 of the dimension, of out, self and source.
  Walk walk;
  std::array<int64_t, 3> strides;  // along the dimension, of these
  size_t dim;
  int64_t size;
  Walk index;
  int64_t indices;
  aclScalar alpha;
};

// For each place of the dimension the slices of source that go there, in order: with them the sums
// depend neither on threads nor on chance.
struct Arrivals {
  std::vector<int64_t> begins;
  std::vector<int64_t> slices;
};

template <class Index>
aclError readIndex(const Addition& a, const Walk& index, std::vector<int64_t>* places) {
  const int64_t stride = index.innerStrides()[0];
  const Index* values = static_cast<const Index*>(index.at(0, 0));
  BadIndex bad;
  for (int64_t i = 0; i < a.indices; ++i) {
    places->push_back(values[i * stride]);
    if (!isPlace(places->back(), a.size)) {
      bad.note(i * stride, places->back());
    }
  }
  return bad.report(a.op, a.dim, a.size);
}

Arrivals arrivalsOf(const std::vector<int64_t>& places, int64_t size) {
  Arrivals arrivals;
  arrivals.begins.assign(static_cast<size_t>(size) + 1, 0);
  for (const int64_t place : places) {
    ++arrivals.begins[static_cast<size_t>(place) + 1];
  }
  for (size_t i = 0; i < static_cast<size_t>(size); ++i) {
    arrivals.begins[i + 1] += arrivals.begins[i];
  }
  std::vector<int64_t> next = arrivals.begins;
  arrivals.slices.resize(places.size());
  for (size_t i = 0; i < places.size(); ++i) {
    arrivals.slices[static_cast<size_t>(next[static_cast<size_t>(places[i])]++)] =
        static_cast<int64_t>(i);
  }
  return arrivals;
}

template <class C>
class Adder {
 public:
  Adder(const Addition& a, const Walk& walk, const Arrivals& arrivals)
      : a_(a), walk_(walk), arrivals_(arrivals), self_(walk, 1), source_(walk, 2),
        store_(storerOf<C>(walk.views[0].dataType)), alpha_(scalarAs<C>(a.alpha)) {}

  // A piece of the slices, at one place.
  void add(int64_t place, const std::array<int64_t, kMostOperands>& offsets, int64_t count) const {
    const int64_t outStride = walk_.innerStrides()[0];
    const auto* first = arrivals_.slices.data();
    const auto* begin = first + arrivals_.begins[static_cast<size_t>(place)];
    const auto* end = first + arrivals_.begins[static_cast<size_t>(place) + 1];
    for (int64_t i = 0; i < count; i += kChunk) {
      const int64_t n = std::min(kChunk, count - i);
      C buffer[kChunk];
      C sum[kChunk];
      std::copy_n(self_.read(walk_.at(1, offsets[1] + place * a_.strides[1]), i, n, buffer), n,
                  sum);
      for (const auto* slice = begin; slice != end; ++slice) {
        const C* x =
            source_.read(walk_.at(2, offsets[2] + *slice * a_.strides[2]), i, n, buffer);
        for (int64_t k = 0; k < n; ++k) {
          sum[k] = plus(sum[k], times(alpha_, x[k]));
        }
      }
      store_(sum, walk_.at(0, offsets[0] + place * a_.strides[0] + i * outStride), outStride, n);
    }
  }

 private:
  const Addition& a_;
  const Walk& walk_;
  const Arrivals& arrivals_;
  const Source<C> self_;
  const Source<C> source_;
  const Storer<C> store_;
  const C alpha_;
};

template <class C>
aclError addSlices(const Addition& a, const Binding& memory) {
  const Walk index = a.index.bound(memory);
  std::vector<int64_t> places;
  const aclError code = visitIndexType(index.views[0].dataType, [&]<class Index>() {
    return readIndex<Index>(a, index, &places);
  });
  if (code != ACL_SUCCESS) {
    return code;
  }
  const Arrivals arrivals = arrivalsOf(places, a.size);
  const Walk walk = a.walk.bound(memory);
  const Pieces pieces(walk);
  const Adder<C> adder(a, walk, arrivals);
  forEachRange(a.size * pieces.count(), pieces.length(), [&](int64_t first, int64_t last) {
    while (first < last) {
      const int64_t place = first / pieces.count();
      const int64_t piece = first % pieces.count();
      const int64_t end = std::min(pieces.count(), piece + last - first);
      pieces.visit(piece, end, [&](const auto& offsets, int64_t n) {
        adder.add(place, offsets, n);
      });
      first += end - piece;
    }
  });
  return ACL_SUCCESS;
}

Kernel kernelFor(NumberClass computed, Addition addition) {
  const auto kernel = [&](auto* run) -> Kernel {
    return [addition = std::move(addition), run](const Binding& memory) {
      return run(addition, memory);
    };
  };
  switch (computed) {
    case NumberClass::kDouble:
      return kernel(&addSlices<double>);
    case NumberClass::kFloat:
      return kernel(&addSlices<float>);
    case NumberClass::kUnsigned:
      return kernel(&addSlices<uint64_t>);
    default:
      return kernel(&addSlices<int64_t>);
  }
}

// The slice at place 0.
aclTensor sliceOf(const aclTensor& tensor, size_t dim, int64_t* stride) {
  aclTensor slice = atLeastOneDim(tensor);
  *stride = slice.strides[dim];
  slice.viewDims[dim] = 1;
  return slice;
}

aclnnStatus prepare(const Call& call, const aclTensor* self, int64_t dim, const aclTensor* index,
                    const aclTensor* source, const aclScalar* alpha, const aclTensor* out) {
  const char* op = call.op;
  RETURN_IF_FAILED(checkNumeric(op, "self", self));
  RETURN_IF_FAILED(checkIndexList(op, index));
  RETURN_IF_FAILED(checkNumeric(op, "source", source));
  RETURN_IF_FAILED(checkScalar(op, "alpha", alpha));
  RETURN_IF_FAILED(checkNumeric(op, "out", out));
  size_t along = 0;
  RETURN_IF_FAILED(checkDim(op, dim, self->viewDims.size(), &along));
  const aclTensor list = atLeastOneDim(*index);
  std::vector<int64_t> expected = atLeastOneDim(*self).viewDims;
  expected[along] = list.viewDims[0];
  const aclTensor sourceView = atLeastOneDim(*source);
  RETURN_IF_FAILED(checkSameShape(op, "source", &sourceView, expected));
  RETURN_IF_FAILED(checkSameShape(op, "out", out, self->viewDims));
  const aclDataType computed = promote(self->dataType, source->dataType);
  RETURN_IF_FAILED(checkResultType(op, computed, out));
  RETURN_IF_FAILED(checkAlpha(op, alpha, computed));
  Addition addition{op,
                    {},
                    {},
                    along,
                    atLeastOneDim(*self).viewDims[along],
                    makeWalk({{"index", &list}}),
                    list.viewDims[0],
                    *alpha};
  const aclTensor outSlice = sliceOf(*out, along, &addition.strides[0]);
  const aclTensor selfSlice = sliceOf(*self, along, &addition.strides[1]);
  const aclTensor sourceSlice = sliceOf(*source, along, &addition.strides[2]);
  addition.walk = makeWalk({{"out", &outSlice}, {"self", &selfSlice}, {"source", &sourceSlice}});
  return call.make({inputSpan("self", self), inputSpan("index", index),
                    inputSpan("source", source), outputSpan("out", out)},
                   kernelFor(numberClass(computed), std::move(addition)));
}

}  // namespace

extern "C" {

aclnnStatus aclnnIndexAddGetWorkspaceSize(const aclTensor* self, const int64_t dim,
                                          const aclTensor* index, const aclTensor* source,
                                          const aclScalar* alpha, aclTensor* out,
                                          uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnIndexAdd", workspaceSize, executor, [&](const Call& call) {
    return prepare(call, self, dim, index, source, alpha, out);
  });
}
PHASE_TWO(aclnnIndexAdd)

}  // extern "C"
