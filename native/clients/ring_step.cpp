// SPDX-License-Identifier: Apache-2.0
// A step of ring attention over packed sequences: attention to an earlier block of keys and to the block of the rows
// themselves, merged with aclnnRingAttentionUpdate, is causal attention to both; and so are the gradients that each
// block yields with the merged output and statistics.
#include "aclnnop/aclnn_flash_attention_score.h"
#include "aclnnop/aclnn_flash_attention_score_grad.h"
#include "aclnnop/aclnn_ring_attention_update.h"
#include "device_array.hpp"

namespace {

const attention_shape kShape = {4, 2, 64, 0.125};
char kLayout[] = "TND";

// Keys of all sequences: those of the earlier block, or of the rows' own.
template <class T>
std::vector<T> block(const std::vector<T>& all, const Packing& earlier, const Packing& own, bool first) {
  const int64_t width = kShape.kv_heads * kShape.dim;
  std::vector<T> part;
  int64_t at = 0;
  for (size_t b = 0; b < own.lengths.size(); ++b) {
    const int64_t middle = at + earlier.lengths[b] * width;
    const int64_t end = middle + own.lengths[b] * width;
    part.insert(part.end(), all.begin() + (first ? at : middle), all.begin() + (first ? middle : end));
    at = end;
  }
  return part;
}

void ringStep(aclDataType type, const aclTensor* mask, const Packing& earlier, const Packing& own,
              aclrtStream stream) {
  Packing both = own;
  for (size_t b = 0; b < both.lengths.size(); ++b) both.lengths[b] += earlier.lengths[b];
  const int64_t rows = own.total();
  const std::vector<int64_t> q_dims = {rows, kShape.heads, kShape.dim};
  const std::vector<int64_t> statistics = {rows, kShape.heads, 8};
  const auto q = random_values(rows * kShape.heads * kShape.dim, type, 1);
  const auto k = random_values(both.total() * kShape.kv_heads * kShape.dim, type, 2);
  const auto v = random_values(k.size(), type, 3);
  const auto dy = random_values(q.size(), type, 4);
  const HostAttention expected(kShape, 3, own, both, q, k, v, dy);

  const DeviceArray query(type, q_dims, &q), gradient(type, q_dims, &dy);
  const DeviceArray unused(type, {0});
  const IntArray q_ends(own.ends());

  struct Block {
    int64_t mode;
    const aclTensor* mask;
    Packing columns;
    DeviceArray key, value, out, max, sum, dq, dk, dv;
    IntArray ends;
    Block(int64_t mode, const aclTensor* mask, aclDataType type, const Packing& columns,
          const std::vector<int64_t>& q_dims, const std::vector<int64_t>& statistics,
          const std::vector<float>& k, const std::vector<float>& v)
        : Block(mode, mask, type, columns, q_dims, {columns.total(), kShape.kv_heads, kShape.dim},
                statistics, k, v) {}

   private:
    Block(int64_t mode, const aclTensor* mask, aclDataType type, const Packing& columns,
          const std::vector<int64_t>& q_dims, const std::vector<int64_t>& kv_dims,
          const std::vector<int64_t>& statistics, const std::vector<float>& k,
          const std::vector<float>& v)
        : mode(mode), mask(mask), columns(columns), key(type, kv_dims, &k), value(type, kv_dims, &v),
          out(type, q_dims), max(ACL_FLOAT, statistics), sum(ACL_FLOAT, statistics), dq(type, q_dims),
          dk(type, kv_dims), dv(type, kv_dims), ends(columns.ends()) {}
  };
  Block first(0, nullptr, type, earlier, q_dims, statistics, block(k, earlier, own, true),
              block(v, earlier, own, true));
  Block second(2, mask, type, own, q_dims, statistics, block(k, earlier, own, false),
               block(v, earlier, own, false));
  for (Block* b : {&first, &second}) {
    RUN(aclnnFlashAttentionVarLenScore, stream, query, b->key, b->value, nullptr, nullptr, nullptr,
        b->mask, nullptr, q_ends, b->ends, kShape.scale, 1.0, 65536, 65536, kShape.heads, kLayout, 0,
        b->mode, b->max, b->sum, unused, b->out);
  }

  // Unlike the arrays of attention, this one is a tensor on the device and starts with 0.
  std::vector<int64_t> starts = own.ends();
  starts.insert(starts.begin(), 0);
  const int64_t starts_dim = static_cast<int64_t>(starts.size());
  void* starts_memory = device_copy(starts.data(), starts.size() * sizeof(int64_t));
  aclTensor* starts_tensor = contiguous(starts_memory, ACL_INT64, &starts_dim, 1);
  const DeviceArray out(type, q_dims), max(ACL_FLOAT, statistics), sum(ACL_FLOAT, statistics);
  RUN(aclnnRingAttentionUpdate, stream, first.out, first.max, first.sum, second.out, second.max,
      second.sum, starts_tensor, kLayout, out, max, sum);
  max.check("softmaxMax", expected.max);
  sum.check("softmaxSum", expected.sum);
  const double error = out.check("attentionOut", expected.out);

  for (Block* b : {&first, &second}) {
    RUN(aclnnFlashAttentionUnpaddingScoreGrad, stream, query, b->key, b->value, gradient, nullptr,
        nullptr, nullptr, b->mask, max, sum, nullptr, out, nullptr, q_ends, b->ends, kShape.scale,
        1.0, 65536, 65536, kShape.heads, kLayout, 0, b->mode, b->dq, b->dk, b->dv, unused);
    b->dk.check("dk", block(expected.dk, earlier, own, b == &first));
    b->dv.check("dv", block(expected.dv, earlier, own, b == &first));
  }
  std::vector<float> dq = first.dq.read();
  const std::vector<float> other = second.dq.read();
  for (size_t i = 0; i < dq.size(); ++i) dq[i] += other[i];
  const double gradient_error =
      compare("dq", dq.data(), expected.dq.data(), dq.size(), attention_bound(type));
  std::printf("%s: errors of two blocks out %.1e dq %.1e\n", type_name(type), error, gradient_error);
  TRY(aclDestroyTensor(starts_tensor));
  TRY(aclrtFree(starts_memory));
}

}  // namespace

int main() {
  aclrtStream stream = nullptr;
  void* mask_memory = nullptr;
  TRY(aclInit(nullptr));
  TRY(aclrtSetDevice(0));
  TRY(aclrtCreateStream(&stream));
  aclTensor* mask = compressed_mask(&mask_memory);
  for (aclDataType type : {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}) {
    ringStep(type, mask, Packing{{50, 128, 1}}, Packing{{64, 33, 100}}, stream);
  }
  TRY(aclDestroyTensor(mask));
  TRY(aclrtFree(mask_memory));
  TRY(aclrtDestroyStream(stream));
  TRY(aclrtResetDevice(0));
  TRY(aclFinalize());
}
