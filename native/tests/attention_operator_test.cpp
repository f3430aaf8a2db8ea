// SPDX-License-Identifier: Apache-2.0
#include "attention_call.hpp"

using device::Call;
using device::Layout;
using reference::Attention;
using reference::Length;
using reference::Mask;
using reference::Type;

namespace {

constexpr Layout kDense[] = {Layout::BSND, Layout::BNSD, Layout::BSH, Layout::SBH};
constexpr Mask kMasks[] = {Mask::None, Mask::LeftUp, Mask::RightDown};

Attention filled(Attention a, uint64_t seed) {
  a.fill(seed);
  a.compute();
  return a;
}

}  // namespace

TEST(dense_layouts) {
  for (Layout layout : kDense) {
    for (Type type : {Type::Float32, Type::BFloat16, Type::Float16}) {
      for (Mask mask : kMasks) {
        const Attention a = filled({type, mask, 4, 2, 24, 16, {{37, 50}, {37, 50}}}, 1);
        Call(layout, a).verify();
      }
    }
  }
}

TEST(packed_layout_with_statistics_per_sequence) {
  for (Type type : {Type::Float32, Type::BFloat16, Type::Float16}) {
    for (Mask mask : kMasks) {
      const Attention a = filled({type, mask, 4, 2, 40, 40, {{3, 3}, {50, 61}, {1, 1}, {100, 100}, {0, 0}, {7, 7}}}, 2);
      Call(Layout::TND, a).verify();
    }
  }
}

TEST(strided_views_at_unaligned_addresses) {
  for (Layout layout : kDense) {
    Call(layout, filled({Type::Float32, Mask::RightDown, 4, 1, 20, 12, {{21, 33}, {21, 33}}}, 3), 3, 5).verify();
  }
  Call(Layout::TND, filled({Type::BFloat16, Mask::RightDown, 4, 1, 20, 12, {{21, 33}, {4, 9}}}, 4), 3, 1).verify();
}

TEST(more_queries_than_keys_in_dense_causal_calls) {
  for (Type type : {Type::Float32, Type::BFloat16}) {
    const Attention a = filled({type, Mask::RightDown, 2, 2, 16, 16, {{200, 30}, {200, 30}}}, 5);
    CHECK_EQ(a.max[0], -FLT_MAX);  // the first rows see no key
    CHECK_EQ(a.sum[0], FLT_MAX);
    Call(Layout::BSND, a).verify();
    Call(Layout::BSND, filled({type, Mask::LeftUp, 2, 2, 16, 16, {{200, 30}}}, 6)).verify();
  }
}

TEST(empty_sequences_and_empty_tensors) {
  Call(Layout::TND, filled({Type::Float32, Mask::None, 2, 1, 16, 16, {{0, 3}, {4, 0}, {5, 5}, {0, 0}}}, 7)).verify();
  Call(Layout::TND, filled({Type::BFloat16, Mask::RightDown, 2, 1, 16, 16, {{4, 0}, {5, 5}}}, 8)).verify();
  Call(Layout::BSND, filled({Type::Float32, Mask::None, 2, 1, 16, 16, {{4, 0}}}, 9)).verify();
  Call nothing(Layout::BSND, filled({Type::Float32, Mask::None, 2, 1, 16, 16, {{0, 0}}}, 10));
  CHECK_EQ(nothing.prepareForward(), 0);
  CHECK_EQ(nothing.workspaceSize, 0u);
  device::execute(aclnnFlashAttentionScore, 0, nothing.executor);
}

TEST(rows_behind_the_last_sequence) {
  const Attention a = filled({Type::BFloat16, Mask::RightDown, 2, 1, 16, 16, {{20, 20}, {11, 11}}}, 11);
  Call call(Layout::TND, a, 0, 0, 9);
  call.verify();
  for (device::Tensor* t : {call.dq.get(), call.dk.get(), call.dv.get()}) {
    const std::vector<double> all = t->read();
    const size_t used = all.size() / 40 * 31;
    for (size_t i = used; i < all.size(); ++i) CHECK_EQ(all[i], 0.0);
  }
}

TEST(ends_that_fall_back_are_empty_sequences) {
  const Attention a = filled({Type::Float32, Mask::RightDown, 2, 1, 16, 16, {{20, 20}, {11, 11}, {0, 0}, {0, 0}}}, 12);
  Call call(Layout::TND, a);
  call.qEnds.reset(new device::IntArray({20, 31, 0, 0}));
  call.kvEnds.reset(new device::IntArray({20, 31, 0, 0}));
  call.verify();
}

TEST(backward_by_blocks_with_merged_statistics) {
  // Queries of one sequence against two blocks of keys, as ring attention does it: the second block (causal) and the
  // first (all visible) each get the whole output and the whole statistics.
  const int64_t q = 90, first = 70;
  const Attention whole = filled({Type::Float32, Mask::RightDown, 4, 2, 32, 32, {{q, first + q}}}, 13);
  Call full(Layout::TND, whole);
  full.verify();
  std::vector<double> dq(whole.dq.size());
  for (int block = 0; block < 2; ++block) {
    const int64_t begin = block == 0 ? 0 : first, rows = block == 0 ? first : q;
    Attention part = whole;
    part.mask = block == 0 ? Mask::None : Mask::RightDown;
    part.lengths = {{q, rows}};
    const int64_t width = whole.kvHeads * whole.dim;
    auto cut = [&](const std::vector<double>& v) {
      return std::vector<double>(v.begin() + begin * width, v.begin() + (begin + rows) * width);
    };
    part.k = cut(whole.k);
    part.v = cut(whole.v);
    Call call(Layout::TND, part);
    call.attention->write(full.attention->read());
    call.softmaxMax->write(full.softmaxMax->read());
    call.softmaxSum->write(full.softmaxSum->read());
    call.backward();
    reference::expectClose("dk of a block", Type::Float32, true, call.dk->read(), cut(whole.dk));
    reference::expectClose("dv of a block", Type::Float32, true, call.dv->read(), cut(whole.dv));
    const std::vector<double> partial = call.dq->read();
    for (size_t i = 0; i < dq.size(); ++i) dq[i] += partial[i];
  }
  reference::expectClose("dq of both blocks", Type::Float32, true, dq, whole.dq);
}

TEST(same_call_same_bits) {
  const Attention a = filled({Type::BFloat16, Mask::RightDown, 4, 2, 64, 64, {{300, 300}, {40, 40}}}, 14);
  Call one(Layout::TND, a), two(Layout::TND, a);
  for (Call* call : {&one, &two}) {
    call->forward();
    call->backward();
  }
  CHECK(one.attention->bytes() == two.attention->bytes());
  CHECK(one.softmaxSum->bytes() == two.softmaxSum->bytes());
  CHECK(one.dq->bytes() == two.dq->bytes());
  CHECK(one.dk->bytes() == two.dk->bytes());
  CHECK(one.dv->bytes() == two.dv->bytes());
}

TEST(workspace_is_only_for_what_cannot_accumulate_in_place) {
  const Attention a = filled({Type::Float32, Mask::None, 2, 1, 16, 16, {{8, 8}}}, 15);
  Call call(Layout::BSND, a);
  CHECK_EQ(call.prepareBackward(), 0);
  CHECK_EQ(call.workspaceSize, 0u);
  Attention half = filled({Type::BFloat16, Mask::None, 2, 1, 16, 16, {{8, 8}}}, 15);
  Call other(Layout::BSND, half);
  CHECK_EQ(other.prepareForward(), 0);
  CHECK_EQ(other.workspaceSize, 0u);
  CHECK_EQ(other.prepareBackward(), 0);
  CHECK_EQ(other.workspaceSize, 8u * 2 * 16 * 4);
}
