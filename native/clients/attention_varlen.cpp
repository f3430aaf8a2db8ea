// SPDX-License-Identifier: Apache-2.0
// Flash attention over packed sequences (TND), forward and backward, compared with attention in double on the host.
#include "aclnnop/aclnn_flash_attention_score.h"
#include "aclnnop/aclnn_flash_attention_score_grad.h"
#include "device_array.hpp"

// CANN 8.1 does not have it; where the library does, it is tried.
extern "C" {
aclnnStatus aclnnFlashAttentionVarLenScoreV4GetWorkspaceSize(
    const aclTensor* query, const aclTensor* key, const aclTensor* value, const aclTensor* realShift,
    const aclTensor* dropMask, const aclTensor* paddingMask, const aclTensor* attenMask,
    const aclIntArray* prefix, const aclIntArray* actualSeqQLen, const aclIntArray* actualSeqKvLen,
    double scaleValue, double keepProb, int64_t preTokens, int64_t nextTokens, int64_t headNum,
    char* inputLayout, int64_t innerPrecise, int64_t sparseMode, char* softmaxOutLayout,
    const aclTensor* softmaxMaxOut, const aclTensor* softmaxSumOut, const aclTensor* softmaxOutOut,
    const aclTensor* attentionOutOut, uint64_t* workspaceSize, aclOpExecutor** executor)
    __attribute__((weak));
aclnnStatus aclnnFlashAttentionVarLenScoreV4(void* workspace, uint64_t workspaceSize,
                                             aclOpExecutor* executor, aclrtStream stream)
    __attribute__((weak));
}

namespace {

const attention_shape kShape = {4, 2, 64, 0.125};

// Statistics by [token][head] instead of blocks by [head][token of the sequence].
std::vector<double> tokenOrder(const std::vector<double>& blocks, const Packing& packing) {
  std::vector<double> ordered;
  int64_t row = 0;
  for (int64_t length : packing.lengths) {
    for (int64_t i = 0; i < length; ++i) {
      for (int64_t n = 0; n < kShape.heads; ++n) {
        const auto from = blocks.begin() + (row * kShape.heads + n * length + i) * 8;
        ordered.insert(ordered.end(), from, from + 8);
      }
    }
    row += length;
  }
  return ordered;
}

void attention(aclDataType type, int64_t mode, const aclTensor* mask, const Packing& q_rows,
               const Packing& kv_rows, aclrtStream stream) {
  const int64_t rows = q_rows.total();
  const int64_t columns = kv_rows.total();
  const std::vector<int64_t> q_dims = {rows, kShape.heads, kShape.dim};
  const std::vector<int64_t> kv_dims = {columns, kShape.kv_heads, kShape.dim};
  const std::vector<int64_t> statistics = {rows, kShape.heads, 8};
  const auto q = random_values(rows * kShape.heads * kShape.dim, type, 1);
  const auto k = random_values(columns * kShape.kv_heads * kShape.dim, type, 2);
  const auto v = random_values(columns * kShape.kv_heads * kShape.dim, type, 3);
  const auto dy = random_values(q.size(), type, 4);
  const DeviceArray query(type, q_dims, &q), key(type, kv_dims, &k), value(type, kv_dims, &v);
  const DeviceArray gradient(type, q_dims, &dy), out(type, q_dims), max(ACL_FLOAT, statistics);
  const DeviceArray sum(ACL_FLOAT, statistics), dq(type, q_dims), dk(type, kv_dims), dv(type, kv_dims);
  const DeviceArray unused(type, {0});
  const IntArray q_ends(q_rows.ends()), kv_ends(kv_rows.ends());
  char layout[] = "TND";
  const int64_t sparse = mode == NO_MASK ? 0 : mode;

  RUN(aclnnFlashAttentionVarLenScore, stream, query, key, value, nullptr, nullptr, nullptr, mask,
      nullptr, q_ends, kv_ends, kShape.scale, 1.0, 65536, 65536, kShape.heads, layout, 0, sparse,
      max, sum, unused, out);
  RUN(aclnnFlashAttentionUnpaddingScoreGrad, stream, query, key, value, gradient, nullptr, nullptr,
      nullptr, mask, max, sum, nullptr, out, nullptr, q_ends, kv_ends, kShape.scale, 1.0, 65536,
      65536, kShape.heads, layout, 0, sparse, dq, dk, dv, unused);

  const HostAttention expected(kShape, mode, q_rows, kv_rows, q, k, v, dy);
  max.check("softmaxMax", expected.max);
  sum.check("softmaxSum", expected.sum);
  if (aclnnFlashAttentionVarLenScoreV4 != nullptr) {
    char order[] = "same_as_input";
    const DeviceArray same_max(ACL_FLOAT, statistics), same_sum(ACL_FLOAT, statistics);
    RUN(aclnnFlashAttentionVarLenScoreV4, stream, query, key, value, nullptr, nullptr, nullptr, mask,
        nullptr, q_ends, kv_ends, kShape.scale, 1.0, 65536, 65536, kShape.heads, layout, 0, sparse,
        order, same_max, same_sum, unused, out);
    same_max.check("softmaxMax of V4", tokenOrder(expected.max, q_rows));
    same_sum.check("softmaxSum of V4", tokenOrder(expected.sum, q_rows));
  }
  std::printf("%s %2zu sequences, mode %2d: errors out %.1e dq %.1e dk %.1e dv %.1e\n",
              type_name(type), q_rows.lengths.size(), static_cast<int>(mode),
              out.check("attentionOut", expected.out), dq.check("dq", expected.dq),
              dk.check("dk", expected.dk), dv.check("dv", expected.dv));
}

}  // namespace

int main() {
  aclrtStream stream = nullptr;
  void* mask_memory = nullptr;
  TRY(aclInit(nullptr));
  TRY(aclrtSetDevice(0));
  TRY(aclrtCreateStream(&stream));
  aclTensor* mask = compressed_mask(&mask_memory);

  const Packing documents{{17, 1, 0, 130, 64}};
  const Packing longer{{40, 1, 0, 130, 200}};
  for (aclDataType type : {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}) {
    attention(type, NO_MASK, nullptr, documents, longer, stream);
    attention(type, 2, mask, documents, documents, stream);
    attention(type, 3, mask, documents, longer, stream);
  }
  // A sequence without keys: zeros, and zeros as its statistics.
  attention(ACL_BF16, NO_MASK, nullptr, Packing{{20, 30}}, Packing{{0, 50}}, stream);

  TRY(aclDestroyTensor(mask));
  TRY(aclrtFree(mask_memory));
  TRY(aclrtDestroyStream(stream));
  TRY(aclrtResetDevice(0));
  TRY(aclFinalize());
}
