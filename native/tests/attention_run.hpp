// SPDX-License-Identifier: Apache-2.0
// A drawn case as device tensors and calls.
#pragma once

#include <memory>

#include "attention_api.hpp"
#include "attention_case.hpp"

namespace attention {

inline aclDataType dataType(Type type) {
  return type == Type::Float32 ? ACL_FLOAT : type == Type::BFloat16 ? ACL_BF16 : ACL_FLOAT16;
}

using Dims = std::vector<int64_t>;

class IntArray {
 public:
  explicit IntArray(const Dims& values) : handle_(aclCreateIntArray(values.data(), values.size())) {}
  IntArray(const IntArray&) = delete;
  ~IntArray() { aclDestroyIntArray(handle_); }
  operator aclIntArray*() const { return handle_; }

 private:
  aclIntArray* handle_;
};

// A tensor that lies somehow in memory; what lies between its elements holds a margin.
class Placed {
 public:
  Placed(Random& random, aclDataType type, const Dims& dims, bool plain)
      : Placed(type, dims, plain ? Random::Layout{{}, 0, 0} : random.layout(dims)) {}

  void write(const std::vector<double>& values) {
    CHECK_EQ(static_cast<int64_t>(values.size()), view_->size());
    before_.assign(size_, margin());
    for (int64_t i = 0; i < view_->size(); ++i) before_[view_->place(i)] = values[i];
    view_->fillStorage([this](int64_t i) { return before_[i]; });
  }
  std::vector<double> read() const { return view_->values(); }
  void expectUntouched(const char* name) const {
    const std::vector<double> now = view_->storage();
    for (size_t i = 0; i < now.size(); ++i) {
      if (now[i] != before_[i]) throw check::Failure(std::string(name) + " was written to");
    }
  }
  void expectMargins(const char* name) const {
    std::vector<double> now = view_->storage();
    for (int64_t i = 0; i < view_->size(); ++i) now[view_->place(i)] = margin();
    for (const double x : now) {
      if (x != margin()) throw check::Failure(std::string(name) + " was written to outside of the view");
    }
  }
  operator aclTensor*() const { return *view_; }
  const Dims& dims() const { return view_->dims(); }

 private:
  Placed(aclDataType type, const Dims& dims, const Random::Layout& layout)
      : view_(new elements::View(type, dims, layout.strides, layout.offset, layout.storage)),
        size_(view_->storage().size()),
        before_(size_, margin()) {
    view_->fillStorage([this](int64_t) { return margin(); });
  }
  double margin() const { return view_->type() == ACL_UINT8 || view_->type() == ACL_BOOL ? 255 : 77; }

  std::unique_ptr<elements::View> view_;
  size_t size_;
  std::vector<double> before_;
};

// The compressed masks: they never change, so all cases share them.
inline aclTensor* compressedMask(bool prefix, bool asBool) {
  static std::array<std::unique_ptr<elements::View>, 4> made;
  std::unique_ptr<elements::View>& view = made[prefix * 2 + asBool];
  if (!view) {
    view.reset(new elements::View(asBool ? ACL_BOOL : ACL_UINT8, {prefix ? 3072 : 2048, 2048}));
    view->fillStorage([](int64_t i) {
      const int64_t row = i / 2048, column = i % 2048;
      return row < 2048 ? column > row : column >= 1024;
    });
  }
  return *view;
}

class Run {
 public:
  Run(Random& random, Case& c) : random_(random), c_(c), plain_(random.oneIn(2)) {
    const reference::Attention& a = c.a;
    query = place(a.q, c.qRows(), a.heads, a.dim);
    key = place(a.k, c.kvRows(), a.kvHeads, a.dim);
    value = place(a.v, c.kvRows(), a.kvHeads, a.valueDim);
    dy = place(a.dy, c.qRows(), a.heads, a.valueDim);
    attention = place({}, c.qRows(), a.heads, a.valueDim);
    dq = place({}, c.qRows(), a.heads, a.dim);
    dk = place({}, c.kvRows(), a.kvHeads, a.dim);
    dv = place({}, c.kvRows(), a.kvHeads, a.valueDim);
    const Dims statistics = c.packed() ? Dims{c.qRows(), a.heads, 8}
                                       : Dims{c.batches(), a.heads, c.qRows() / c.batches(), 8};
    softmaxMax = make(ACL_FLOAT, statistics);
    softmaxSum = make(ACL_FLOAT, statistics);
    softmaxOut = make(dataType(a.type), {0});
    dpse = make(dataType(a.type), {0});
    if (a.ropeDim > 0) {
      queryRope = place(a.qRope, c.qRows(), a.heads, a.ropeDim);
      keyRope = place(a.kRope, c.kvRows(), a.kvHeads, a.ropeDim);
      dqRope = place({}, c.qRows(), a.heads, a.ropeDim);
      dkRope = place({}, c.kvRows(), a.kvHeads, a.ropeDim);
    }
    if (c.maskIsRead()) makeMasks();
    if (c.biasForm != BiasForm::None) {
      bias = make(c.pseType < 2 ? dataType(a.type) : ACL_FLOAT, c.biasDims);
      bias->write(c.bias);
    }
    if (c.keepProb != 1) makeDropMask();
    if (!a.sink.empty()) {
      sink = make(ACL_FLOAT, {a.heads});
      sink->write(a.sink);
      dSink = make(ACL_FLOAT, {a.heads});
    }
    fillApi();
  }

  // Both directions; each output is compared with the reference. Its gradients start from the output as it was rounded.
  void verify() {
    forward();
    const reference::Attention& a = c_.a;
    c_.a.attentionIn = unplace(*attention, a.heads, a.valueDim, a.qRows());
    c_.compute();
    const double factor = 1 / static_cast<double>(c_.keepProb);
    expect("softmaxMax", Type::Float32, 1, statistics(*softmaxMax), a.max, false);
    expect("softmaxSum", Type::Float32, 1, statistics(*softmaxSum), a.sum, false);
    expect("attentionOut", a.type, factor, unplace(*attention, a.heads, a.valueDim, a.qRows()), a.out, false);
    verifyBackward(factor);
    expectNothingElseWritten();
  }

  void verifyBackward(double factor) {
    const reference::Attention& a = c_.a;
    backward();
    expect("dq", a.type, factor, unplace(*dq, a.heads, a.dim, c_.qRows()), padded(a.dq, c_.qRows() * a.heads * a.dim),
           true);
    expect("dk", a.type, factor, unplace(*dk, a.kvHeads, a.dim, c_.kvRows()),
           padded(a.dk, c_.kvRows() * a.kvHeads * a.dim), true);
    expect("dv", a.type, factor, unplace(*dv, a.kvHeads, a.valueDim, c_.kvRows()),
           padded(a.dv, c_.kvRows() * a.kvHeads * a.valueDim), true);
    if (a.ropeDim > 0) {
      expect("dqRope", a.type, factor, unplace(*dqRope, a.heads, a.ropeDim, c_.qRows()),
             padded(a.dqRope, c_.qRows() * a.heads * a.ropeDim), true);
      expect("dkRope", a.type, factor, unplace(*dkRope, a.kvHeads, a.ropeDim, c_.kvRows()),
             padded(a.dkRope, c_.kvRows() * a.kvHeads * a.ropeDim), true);
    }
    if (dSink) expect("dsink", Type::Float32, factor, dSink->read(), a.dSink, true);
  }

  void forward() {
    execute(api.forward(), [this](uint64_t* size, aclOpExecutor** executor) {
      return api.prepareForward(size, executor);
    });
  }

  void backward() {
    execute(api.backward(), [this](uint64_t* size, aclOpExecutor** executor) {
      return backwardApi().prepareBackward(size, executor);
    });
  }

  // The backward takes no mask in one piece.
  Api backwardApi() const {
    Api other = api;
    if (backwardMask) other.attenMask = *backwardMask;
    return other;
  }

  // Backward again with the switch for determinism: the same bits.
  void verifyDeterminism() {
    const std::vector<double> first[] = {dq->read(), dk->read(), dv->read()};
    CHECK_OK(aclrtSetSysParamOpt(ACL_OPT_DETERMINISTIC, 1));
    backward();
    CHECK_OK(aclrtSetSysParamOpt(ACL_OPT_DETERMINISTIC, 0));
    CHECK(first[0] == dq->read());
    CHECK(first[1] == dk->read());
    CHECK(first[2] == dv->read());
  }

  bool isPlain() const { return plain_; }

  using Owner = std::unique_ptr<Placed>;
  Owner query, queryRope, key, keyRope, value, dy, attention, dq, dqRope, dk, dkRope, dv;
  Owner softmaxMax, softmaxSum, softmaxOut, dpse, mask, backwardMask, bias, dropMask, sink, dSink;
  std::unique_ptr<IntArray> prefix, qEnds, kvEnds, qStart, kvStart;
  Api api;

 private:
  Owner make(aclDataType type, const Dims& dims) { return std::make_unique<Placed>(random_, type, dims, plain_); }

  Dims dimsOf(int64_t rows, int64_t heads, int64_t dim) const {
    const int64_t b = c_.batches(), s = rows / b;
    switch (c_.layout) {
      case Layout::BSH: return {b, s, heads * dim};
      case Layout::SBH: return {s, b, heads * dim};
      case Layout::BSND: return {b, s, heads, dim};
      case Layout::BNSD: return {b, heads, s, dim};
      case Layout::TND: return {rows, heads, dim};
    }
    return {};
  }

  // Where the tensor has what the reference has at (row, head, d).
  size_t indexOf(int64_t rows, int64_t heads, int64_t dim, int64_t row, int64_t head, int64_t d) const {
    const int64_t b = c_.batches(), s = rows / b;
    if (c_.layout == Layout::SBH) return ((row % s * b + row / s) * heads + head) * dim + d;
    if (c_.layout == Layout::BNSD) return ((row / s * heads + head) * s + row % s) * dim + d;
    return (row * heads + head) * dim + d;
  }

  // Rows behind the last sequence stay as the margin is.
  Owner place(const std::vector<double>& values, int64_t rows, int64_t heads, int64_t dim) {
    Owner made = make(dataType(c_.a.type), dimsOf(rows, heads, dim));
    if (values.empty()) return made;
    std::vector<double> ordered(rows * heads * dim, 77);
    for (size_t i = 0; i < values.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      ordered[indexOf(rows, heads, dim, at / dim / heads, at / dim % heads, at % dim)] = values[i];
    }
    made->write(ordered);
    return made;
  }

  std::vector<double> unplace(const Placed& tensor, int64_t heads, int64_t dim, int64_t wantedRows) const {
    const std::vector<double> ordered = tensor.read();
    const int64_t rows = static_cast<int64_t>(ordered.size()) / heads / dim;
    std::vector<double> values(wantedRows * heads * dim);
    for (size_t i = 0; i < values.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      values[i] = ordered[indexOf(rows, heads, dim, at / dim / heads, at / dim % heads, at % dim)];
    }
    return values;
  }

  static std::vector<double> padded(std::vector<double> values, int64_t size) {
    values.resize(size, 0);  // gradients of rows that belong to no sequence
    return values;
  }

  void makeMasks() {
    const aclDataType type = c_.boolMask ? ACL_BOOL : ACL_UINT8;
    mask = make(type, c_.maskDims);
    mask->write(std::vector<double>(c_.maskBits.begin(), c_.maskBits.end()));
    if (c_.maskForm != MaskForm::Joined) return;
    const int64_t rows = c_.longest(&reference::Length::q), keys = c_.longest(&reference::Length::kv);
    backwardMask = make(type, {c_.sequences(), 1, rows, keys});
    std::vector<double> bits(c_.sequences() * rows * keys, 1);
    for (Pair p{}; p.sequence < c_.sequences(); ++p.sequence) {
      const reference::Length& l = c_.a.lengths[p.sequence];
      for (p.i = 0; p.i < l.q; ++p.i) {
        for (p.j = 0; p.j < l.kv; ++p.j) {
          bits[(p.sequence * rows + p.i) * keys + p.j] = c_.maskBits[c_.maskIndex(MaskForm::Joined, p)];
        }
      }
    }
    backwardMask->write(bits);
  }

  // One dimension, or two or three that are as good.
  void makeDropMask() {
    const auto bytes = static_cast<int64_t>(c_.dropBytes.size());
    Dims dims = {bytes};
    for (const int64_t rows : {int64_t{3}, int64_t{2}}) {
      if (bytes > 0 && bytes % rows == 0 && random_.oneIn(2)) dims = {rows, 1, bytes / rows};
    }
    dropMask = make(ACL_UINT8, dims);
    dropMask->write(std::vector<double>(c_.dropBytes.begin(), c_.dropBytes.end()));
  }

  static aclTensor* orNull(const Owner& tensor) { return tensor ? static_cast<aclTensor*>(*tensor) : nullptr; }

  void fillApi() {
    api.packed = c_.packed();
    api.version = c_.version;
    api.query = *query;
    api.queryRope = orNull(queryRope);
    api.key = *key;
    api.keyRope = orNull(keyRope);
    api.value = *value;
    api.pse = orNull(bias);
    api.dropMask = orNull(dropMask);
    api.attenMask = orNull(mask);
    if (c_.hasMask() && !c_.maskIsRead()) {
      api.attenMask = compressedMask(c_.maskForm == MaskForm::CausalPrefix, c_.boolMask);
    }
    api.sink = orNull(sink);
    api.dSink = orNull(dSink);
    api.softmaxMax = *softmaxMax;
    api.softmaxSum = *softmaxSum;
    api.softmaxOut = *softmaxOut;
    api.attention = *attention;
    api.dy = *dy;
    api.dq = *dq;
    api.dqRope = orNull(dqRope);
    api.dk = *dk;
    api.dkRope = orNull(dkRope);
    api.dv = *dv;
    api.dpse = *dpse;
    const auto array = [](std::unique_ptr<IntArray>& owner, const Dims& values) -> const aclIntArray* {
      owner.reset(new IntArray(values));
      return *owner;
    };
    if (!c_.prefix.empty()) api.prefix = array(prefix, c_.prefix);
    if (c_.packed()) api.qEnds = array(qEnds, c_.qEnds);
    if (c_.packed()) api.kvEnds = array(kvEnds, c_.kvEnds);
    if (c_.hasStart) {
      api.qStart = array(qStart, {c_.qStart});
      api.kvStart = array(kvStart, {c_.kvStart, 1000});  // only the first one counts
    }
    api.scale = c_.a.scale;
    api.keepProb = c_.keepProb;
    api.pre = c_.pre;
    api.next = c_.next;
    api.headNum = c_.a.heads;
    api.inputLayout = kLayoutNames[static_cast<int>(c_.layout)];
    api.innerPrecise = c_.innerPrecise;
    api.sparseMode = c_.mode;
    api.pseType = c_.pseType;
    api.outDtype = c_.packed() ? 1 : dataType(c_.a.type);  // of no meaning for these types
    api.softmaxLayout = c_.byToken ? "same_as_input" : "";
  }

  // With a workspace of exactly the size asked for, and nothing written behind it.
  template <class Prepare>
  void execute(Launch launch, const Prepare& prepare) {
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    CHECK_OK(prepare(&size, &executor));
    constexpr uint64_t kGuard = 64;
    device::Buffer<uint8_t> workspace(std::vector<uint8_t>(size + kGuard, 0xA5));
    static device::Stream stream;
    CHECK_OK(launch(workspace.address(), size, executor, stream));
    stream.synchronize();
    const std::vector<uint8_t> after = workspace.read();
    for (uint64_t i = size; i < size + kGuard; ++i) CHECK_EQ(int{after[i]}, 0xA5);
  }

  // As the reference has them: [sequence][heads][rows of it].
  std::vector<double> statistics(const Placed& tensor) const {
    const std::vector<double> all = tensor.read();
    std::vector<double> values;
    int64_t first = 0;
    for (const reference::Length& l : c_.a.lengths) {
      for (int64_t n = 0; n < c_.a.heads; ++n) {
        for (int64_t i = 0; i < l.q; ++i) {
          const int64_t row = c_.byToken ? (first + i) * c_.a.heads + n : first * c_.a.heads + n * l.q + i;
          for (int64_t copy = 1; copy < 8; ++copy) CHECK_EQ(all[row * 8], all[row * 8 + copy]);
          values.push_back(all[row * 8]);
        }
      }
      first += l.q;
    }
    return values;
  }

  static void expect(const char* name, Type type, double factor, const std::vector<double>& actual,
                     const std::vector<double>& expected, bool gradient) {
    if (actual.size() != expected.size()) throw check::Failure(std::string(name) + ": sizes differ");
    for (size_t i = 0; i < actual.size(); ++i) {
      const double limit = factor * reference::absoluteTolerance(type, gradient) +
                           reference::relativeTolerance(type) * std::fabs(expected[i]);
      if (!(std::fabs(actual[i] - expected[i]) <= limit)) {
        throw check::Failure(std::string(name) + "[" + std::to_string(i) + "] is " + check::text(actual[i]) +
                             ", expected " + check::text(expected[i]));
      }
    }
  }

  void expectNothingElseWritten() const {
    for (const auto& [name, tensor] : {std::pair{"query", &query}, {"key", &key}, {"value", &value}, {"dy", &dy},
                                       {"queryRope", &queryRope}, {"keyRope", &keyRope}, {"attenMask", &mask},
                                       {"pseShift", &bias}, {"dropMask", &dropMask}, {"sink", &sink},
                                       {"softmaxOut", &softmaxOut}, {"dpse", &dpse}}) {
      if (*tensor) (*tensor)->expectUntouched(name);
    }
    for (const auto& [name, tensor] : {std::pair{"attentionOut", &attention}, {"softmaxMax", &softmaxMax},
                                       {"softmaxSum", &softmaxSum}, {"dq", &dq}, {"dk", &dk}, {"dv", &dv},
                                       {"dqRope", &dqRope}, {"dkRope", &dkRope}, {"dsink", &dSink}}) {
      if (*tensor) (*tensor)->expectMargins(name);
    }
  }

  Random& random_;
  Case& c_;
  bool plain_;
};

}  // namespace attention
