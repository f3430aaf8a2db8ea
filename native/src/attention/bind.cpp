// SPDX-License-Identifier: Apache-2.0
#include "attention/checks.hpp"

namespace cann4j::attention {

namespace {

int64_t querySumWidth(const Request& r) { return r.query.heads * (r.problem.headDim + r.problem.ropeDim); }

uint64_t querySumBytes(const Request& r) {
  if (!r.needsQuerySum) return 0;
  return static_cast<uint64_t>(r.query.batches) * r.query.rows * querySumWidth(r) * sizeof(float);
}

// The first bytes of a tensor in logical order.
void gather(const Gathered& g, const uint8_t* from, uint8_t* to) {
  std::vector<int64_t> at(g.dims.size(), 0);
  for (int64_t n = 0; n < g.bytes; ++n) {
    to[n] = *from;
    for (size_t d = at.size(); d-- > 0;) {
      from += g.strides[d];
      if (++at[d] < g.dims[d]) break;
      from -= g.dims[d] * g.strides[d];
      at[d] = 0;
    }
  }
}

}  // namespace

uint64_t Request::workspaceBytes() const { return querySumBytes(*this) + static_cast<uint64_t>(dropMask.bytes); }

Problem bind(const Request& r, const Binding& memory) {
  Problem p = r.problem;
  p.sequences = r.sequences.data();
  const auto translate = [&memory](const char* argument, auto*& address) { address = memory.host(argument, address); };
  translate("query", p.query.data);
  translate("key", p.key.data);
  translate("value", p.value.data);
  translate(attentionName(r.backward), p.output.data);
  translate("softmaxMax", p.softmaxMax.data);
  translate("softmaxSum", p.softmaxSum.data);
  if (r.usesMask) translate("attenMask", p.mask);
  if (p.biasKind != BiasKind::None) translate("pseShift", p.bias);
  if (p.keepProb != 1) translate("dropMask", p.dropMask);
  if (p.ropeDim > 0) {
    translate("queryRope", p.queryRope.data);
    translate("keyRope", p.keyRope.data);
  }
  if (r.usesSink) translate("sink", p.sink);
  if (r.backward) {
    translate("dy", p.outputGradient.data);
    translate("dq", p.queryGradient.data);
    translate("dk", p.keyGradient.data);
    translate("dv", p.valueGradient.data);
    if (p.ropeDim > 0) {
      translate("dqRope", p.queryRopeGradient.data);
      translate("dkRope", p.keyRopeGradient.data);
    }
    if (r.usesSinkGradient) translate("dsink", p.sinkGradient);
  }
  auto* workspace = static_cast<uint8_t*>(memory.workspace());
  p.querySum = p.queryGradient;
  p.convertQuerySum = r.needsQuerySum;
  if (r.needsQuerySum) {
    const int64_t row = querySumWidth(r);
    p.querySum = {workspace, r.query.rows * row, row, p.headDim + p.ropeDim, 1};
  }
  if (r.dropMask.bytes > 0) {
    uint8_t* target = workspace + querySumBytes(r);
    gather(r.dropMask, p.dropMask, target);
    p.dropMask = target;
  }
  return p;
}

}  // namespace cann4j::attention
