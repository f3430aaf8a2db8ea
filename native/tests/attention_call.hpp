// SPDX-License-Identifier: Apache-2.0
// One attention problem in any layout as calls of the four operators.
#pragma once

#include "attention_api.hpp"
#include "attention_device.hpp"

namespace device {

enum class Layout { TND, BSND, BNSD, BSH, SBH };

inline const char* nameOf(Layout layout) {
  constexpr const char* kNames[] = {"TND", "BSND", "BNSD", "BSH", "SBH"};
  return kNames[static_cast<int>(layout)];
}

// Dims and strides of a [b][row][head][d] tensor that lies in memory as the layout says, with `gap` elements after
// every innermost run of heads (after every row of D elements where the heads have a dimension of their own).
struct Shape {
  std::vector<int64_t> dims, strides;
};

inline Shape shapeOf(Layout layout, int64_t b, int64_t rows, int64_t heads, int64_t dim, int64_t gap) {
  switch (layout) {
    case Layout::TND: return {{rows, heads, dim}, {heads * (dim + gap), dim + gap, 1}};
    case Layout::BSND: {
      const int64_t row = heads * (dim + gap);
      return {{b, rows, heads, dim}, {rows * row, row, dim + gap, 1}};
    }
    case Layout::BNSD: {
      const int64_t row = dim + gap;
      return {{b, heads, rows, dim}, {heads * rows * row, rows * row, row, 1}};
    }
    case Layout::BSH: {
      const int64_t row = heads * dim + gap;
      return {{b, rows, heads * dim}, {rows * row, row, 1}};
    }
    case Layout::SBH: {
      const int64_t row = heads * dim + gap;
      return {{rows, b, heads * dim}, {b * row, row, 1}};
    }
  }
  return {};
}

// From packed [b * rows][heads][dim] to the layout's element order, or back.
inline std::vector<double> reorder(Layout layout, const std::vector<double>& from, int64_t b, int64_t rows,
                                   int64_t heads, int64_t dim, bool back = false) {
  std::vector<double> to(from.size());
  size_t packed = 0;
  for (int64_t x = 0; x < b; ++x) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t n = 0; n < heads; ++n) {
        for (int64_t d = 0; d < dim; ++d, ++packed) {
          const int64_t other = layout == Layout::BNSD  ? ((x * heads + n) * rows + i) * dim + d
                                : layout == Layout::SBH ? ((i * b + x) * heads + n) * dim + d
                                                        : static_cast<int64_t>(packed);
          if (back) {
            to[packed] = from[other];
          } else {
            to[other] = from[packed];
          }
        }
      }
    }
  }
  return to;
}

// A dense problem has equal lengths in all sequences.
class Call {
 public:
  Call(Layout layout, const reference::Attention& a, int64_t gap = 0, int64_t offset = 0, int64_t tail = 0)
      : layout_(layout),
        a_(a),
        tail_(tail),
        query(make(a.qRows(), a.heads, a.dim, gap, offset)),
        key(make(a.kvRows(), a.kvHeads, a.dim, gap, offset)),
        value(make(a.kvRows(), a.kvHeads, a.valueDim, gap, offset)),
        dy(make(a.qRows(), a.heads, a.valueDim, gap, offset)),
        attention(make(a.qRows(), a.heads, a.valueDim, gap, offset)),
        dq(make(a.qRows(), a.heads, a.dim, gap, offset)),
        dk(make(a.kvRows(), a.kvHeads, a.dim, gap, offset)),
        dv(make(a.kvRows(), a.kvHeads, a.valueDim, gap, offset)),
        softmaxMax(new Tensor(reference::Type::Float32, statisticsDims())),
        softmaxSum(new Tensor(reference::Type::Float32, statisticsDims())),
        softmaxOut(new Tensor(a.type, {0})) {
    std::vector<int64_t> q, kv;
    for (const reference::Length& l : a.lengths) {
      q.push_back((q.empty() ? 0 : q.back()) + l.q);
      kv.push_back((kv.empty() ? 0 : kv.back()) + l.kv);
    }
    qEnds.reset(new IntArray(q));
    kvEnds.reset(new IntArray(kv));
    write(*query, a.q, a.qRows(), a.heads, a.dim);
    write(*key, a.k, a.kvRows(), a.kvHeads, a.dim);
    write(*value, a.v, a.kvRows(), a.kvHeads, a.valueDim);
    write(*dy, a.dy, a.qRows(), a.heads, a.valueDim);
    if (a.mask != reference::Mask::None) mask.reset(new CausalMask);
    sparseMode = a.mask == reference::Mask::None ? 0 : a.mask == reference::Mask::LeftUp ? 2 : 3;
    headNum = a.heads;
    inputLayout = nameOf(layout);
  }

  attention::Api api() const {
    attention::Api a;
    a.packed = layout_ == Layout::TND;
    a.query = query->get();
    a.key = key->get();
    a.value = value->get();
    a.pse = pse;
    a.dropMask = dropMask;
    a.paddingMask = paddingMask;
    a.attenMask = mask ? mask->get() : nullptr;
    a.softmaxMax = softmaxMax->get();
    a.softmaxSum = softmaxSum->get();
    a.softmaxOut = softmaxOut->get();
    a.attention = attention->get();
    a.dy = dy->get();
    a.dq = dq->get();
    a.dk = dk->get();
    a.dv = dv->get();
    a.qEnds = qEnds ? qEnds->get() : nullptr;
    a.kvEnds = kvEnds ? kvEnds->get() : nullptr;
    a.scale = a_.scale;
    a.keepProb = keepProb;
    a.headNum = headNum;
    a.inputLayout = inputLayout;
    a.innerPrecise = innerPrecise;
    a.sparseMode = sparseMode;
    return a;
  }

  aclnnStatus prepareForward() { return api().prepareForward(&workspaceSize, &executor); }
  aclnnStatus prepareBackward() { return api().prepareBackward(&workspaceSize, &executor); }

  void forward() {
    succeed(prepareForward());
    execute(api().forward(), workspaceSize, executor);
  }
  void backward() {
    succeed(prepareBackward());
    execute(api().backward(), workspaceSize, executor);
  }

  std::vector<double> read(Tensor& t, int64_t rows, int64_t heads, int64_t dim) {
    std::vector<double> values = t.read();
    values.resize(rows * heads * dim);
    return reorder(layout_, values, batches(), rows / batches(), heads, dim, true);
  }

  // The first of each eight values, after checking that all are equal.
  std::vector<double> statistics(Tensor& t) {
    const std::vector<double> all = t.read();
    std::vector<double> first;
    for (size_t i = 0; i < static_cast<size_t>(a_.qRows() * a_.heads) * 8; i += 8) {
      for (size_t k = 1; k < 8; ++k) CHECK_EQ(all[i], all[i + k]);
      first.push_back(all[i]);
    }
    return first;
  }

  void verify() {
    const std::string what = std::string(nameOf(layout_)) + " " + a_.describe();
    using reference::expectClose;
    forward();
    expectClose(what + " max", reference::Type::Float32, false, statistics(*softmaxMax), a_.max);
    expectClose(what + " sum", reference::Type::Float32, false, statistics(*softmaxSum), a_.sum);
    expectClose(what + " out", a_.type, false, read(*attention, a_.qRows(), a_.heads, a_.valueDim), a_.out);
    backward();
    verifyGradients(what);
  }

  void verifyGradients(const std::string& what) {
    using reference::expectClose;
    expectClose(what + " dq", a_.type, true, read(*dq, a_.qRows(), a_.heads, a_.dim), a_.dq);
    expectClose(what + " dk", a_.type, true, read(*dk, a_.kvRows(), a_.kvHeads, a_.dim), a_.dk);
    expectClose(what + " dv", a_.type, true, read(*dv, a_.kvRows(), a_.kvHeads, a_.valueDim), a_.dv);
  }

  static void succeed(aclnnStatus status) {
    if (status != 0) throw check::Failure("phase 1: " + std::to_string(status) + " " + aclGetRecentErrMsg());
  }

 private:
  int64_t batches() const { return layout_ == Layout::TND ? 1 : static_cast<int64_t>(a_.lengths.size()); }
  std::vector<int64_t> statisticsDims() const {
    if (layout_ == Layout::TND) return {a_.qRows() + tail_, a_.heads, 8};
    return {batches(), a_.heads, a_.qRows() / batches(), 8};
  }
  std::unique_ptr<Tensor> make(int64_t rows, int64_t heads, int64_t dim, int64_t gap, int64_t offset) const {
    Shape s = shapeOf(layout_, batches(), rows / batches() + tail_, heads, dim, gap);
    return std::make_unique<Tensor>(a_.type, s.dims, s.strides, offset);
  }
  void write(Tensor& t, const std::vector<double>& packed, int64_t rows, int64_t heads, int64_t dim) const {
    std::vector<double> values = reorder(layout_, packed, batches(), rows / batches(), heads, dim);
    values.resize(t.size(), NAN);  // of the tail that no sequence covers
    t.write(values);
  }

  Layout layout_;
  reference::Attention a_;
  int64_t tail_;

 public:
  std::unique_ptr<Tensor> query, key, value, dy, attention, dq, dk, dv, softmaxMax, softmaxSum, softmaxOut;
  std::unique_ptr<CausalMask> mask;
  std::unique_ptr<IntArray> qEnds, kvEnds;
  const aclTensor *pse = nullptr, *dropMask = nullptr, *paddingMask = nullptr;
  double keepProb = 1;
  int64_t headNum = 0, innerPrecise = 0, sparseMode = 0;
  const char* inputLayout = nullptr;
  uint64_t workspaceSize = 0;
  aclOpExecutor* executor = nullptr;
};

}  // namespace device
