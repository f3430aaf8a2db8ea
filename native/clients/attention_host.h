/* SPDX-License-Identifier: Apache-2.0 */
/* Attention of one sequence on the host, in double: what the clients compare the device with. */
#ifndef CANN4J_CLIENT_ATTENTION_HOST_H
#define CANN4J_CLIENT_ATTENTION_HOST_H

#include "client.h"

typedef struct {
  int64_t heads;
  int64_t kv_heads;
  int64_t dim;
  double scale;
} attention_shape;

/* The sparse modes that the clients use. */
static inline int visible(int64_t mode, int64_t i, int64_t j, int64_t sq, int64_t skv) {
  return mode == 2 ? j <= i : mode == 3 ? j <= i + skv - sq : 1;
}

#define NO_MASK (-1)

/* q, dy, out, dq: [sq][heads][dim]; k, v, dk, dv: [skv][kv_heads][dim], dk and dv are added to;
   row_max, row_sum: [heads][sq]. Without dy only out and the statistics are computed. */
static inline void attention_on_host(const attention_shape *s, int64_t mode, int64_t sq, int64_t skv,
                                     const float *q, const float *k, const float *v,
                                     const float *dy, double *out, double *row_max, double *row_sum,
                                     double *dq, double *dk, double *dv) {
  const int64_t dim = s->dim;
  double *p = (double *)host_memory((size_t)skv * sizeof(double));
  int64_t n;
  int64_t i;
  int64_t j;
  int64_t d;
  for (n = 0; n < s->heads; ++n) {
    const int64_t kn = n / (s->heads / s->kv_heads);
    for (i = 0; i < sq; ++i) {
      const float *qr = q + (i * s->heads + n) * dim;
      double *o = out + (i * s->heads + n) * dim;
      double max = -INFINITY;
      double sum = 0;
      double delta = 0;
      for (j = 0; j < skv; ++j) {
        const float *kr = k + (j * s->kv_heads + kn) * dim;
        p[j] = -INFINITY;
        if (!visible(mode, i, j, sq, skv)) continue;
        p[j] = 0;
        for (d = 0; d < dim; ++d) p[j] += (double)qr[d] * kr[d];
        p[j] *= s->scale;
        if (p[j] > max) max = p[j];
      }
      for (j = 0; j < skv; ++j) sum += p[j] = exp(p[j] - max);
      for (d = 0; d < dim; ++d) o[d] = 0;
      for (j = 0; j < skv; ++j) {
        const float *vr = v + (j * s->kv_heads + kn) * dim;
        p[j] /= sum;
        for (d = 0; d < dim && p[j] > 0; ++d) o[d] += p[j] * vr[d];
      }
      row_max[n * sq + i] = max;
      row_sum[n * sq + i] = sum;
      if (dy == NULL) continue;
      dy += (i * s->heads + n) * dim;
      for (d = 0; d < dim; ++d) delta += dy[d] * o[d];
      for (j = 0; j < skv; ++j) {
        const int64_t at = (j * s->kv_heads + kn) * dim;
        double dp = -delta;
        if (p[j] == 0) continue;
        for (d = 0; d < dim; ++d) dp += (double)dy[d] * v[at + d];
        for (d = 0; d < dim; ++d) {
          dq[(i * s->heads + n) * dim + d] += s->scale * p[j] * dp * k[at + d];
          dk[at + d] += s->scale * p[j] * dp * qr[d];
          dv[at + d] += p[j] * dy[d];
        }
      }
      dy -= (i * s->heads + n) * dim;
    }
  }
  free(p);
}

/* The compressed mask of sparse modes 2 and 3: 1 above the diagonal. */
static inline aclTensor *compressed_mask(void **memory) {
  const int64_t dims[] = {2048, 2048};
  uint8_t *bits = (uint8_t *)host_memory(2048 * 2048);
  int r;
  int c;
  for (r = 0; r < 2048; ++r) {
    for (c = r + 1; c < 2048; ++c) bits[r * 2048 + c] = 1;
  }
  *memory = device_copy(bits, 2048 * 2048);
  free(bits);
  return contiguous(*memory, ACL_BOOL, dims, 2);
}

static inline const char *type_name(aclDataType type) {
  return type == ACL_FLOAT ? "fp32" : type == ACL_FLOAT16 ? "fp16" : "bf16";
}

/* Relative to the largest value: a few roundings of the type. */
static inline double attention_bound(aclDataType type) {
  return type == ACL_FLOAT ? 1e-3 : type == ACL_FLOAT16 ? 4e-3 : 2e-2;
}

#endif
