/* SPDX-License-Identifier: Apache-2.0 */
/* Flash attention, forward and backward, over a batch in each dense layout, with and without a causal mask,
   compared with attention in double on the host. */
#include "attention_host.h"
#include "client.h"

#include "aclnnop/aclnn_flash_attention_score.h"
#include "aclnnop/aclnn_flash_attention_score_grad.h"

enum { BATCH = 2, ROWS = 160, COLUMNS = 192, HEADS = 4, KV_HEADS = 2, DIM = 64 };

static aclDataType type;
static const char *layout;

/* Place of an element in the layout. */
static int64_t place(int64_t b, int64_t s, int64_t n, int64_t d, int64_t length, int64_t heads) {
  if (strcmp(layout, "BNSD") == 0) return ((b * heads + n) * length + s) * DIM + d;
  if (strcmp(layout, "SBH") == 0) return ((s * BATCH + b) * heads + n) * DIM + d;
  return ((b * length + s) * heads + n) * DIM + d; /* BSND, BSH */
}

static uint64_t dims_of(int64_t *dims, int64_t length, int64_t heads) {
  const int64_t bsnd[] = {BATCH, length, heads, DIM};
  const int64_t bnsd[] = {BATCH, heads, length, DIM};
  const int64_t bsh[] = {BATCH, length, heads * DIM};
  const int64_t sbh[] = {length, BATCH, heads * DIM};
  const int64_t *chosen = strcmp(layout, "BSND") == 0   ? bsnd
                          : strcmp(layout, "BNSD") == 0 ? bnsd
                          : strcmp(layout, "BSH") == 0  ? bsh
                                                        : sbh;
  const uint64_t rank = strlen(layout);
  memcpy(dims, chosen, rank * sizeof(int64_t));
  return rank;
}

/* `values` are in [batch][length][heads][dim] or, going back, become that. */
static void arrange(float *to, const float *from, int64_t length, int64_t heads, int back) {
  int64_t b, s, n, d;
  int64_t at = 0;
  for (b = 0; b < BATCH; ++b) {
    for (s = 0; s < length; ++s) {
      for (n = 0; n < heads; ++n) {
        for (d = 0; d < DIM; ++d, ++at) {
          const int64_t p = place(b, s, n, d, length, heads);
          if (back) {
            to[at] = from[p];
          } else {
            to[p] = from[at];
          }
        }
      }
    }
  }
}

typedef struct {
  void *memory;
  aclTensor *tensor;
  size_t count;
} array;

static array array_of(const float *values, int64_t length, int64_t heads) {
  array a;
  int64_t dims[4];
  const uint64_t rank = dims_of(dims, length, heads);
  a.count = (size_t)(BATCH * length * heads * DIM);
  if (values == NULL) {
    a.memory = device_memory(a.count * float_bytes(type));
  } else {
    float *arranged = (float *)host_memory(a.count * sizeof(float));
    arrange(arranged, values, length, heads, 0);
    a.memory = device_floats(arranged, a.count, type);
    free(arranged);
  }
  a.tensor = contiguous(a.memory, type, dims, rank);
  return a;
}

static array statistics(void) {
  array a;
  const int64_t dims[] = {BATCH, HEADS, ROWS, 8};
  a.count = BATCH * HEADS * ROWS * 8;
  a.memory = device_memory(a.count * sizeof(float));
  a.tensor = contiguous(a.memory, ACL_FLOAT, dims, 4);
  return a;
}

static void discard(array *a) {
  TRY(aclDestroyTensor(a->tensor));
  TRY(aclrtFree(a->memory));
}

static double check(const char *name, const array *a, const double *expected, int64_t length,
                    int64_t heads) {
  float *stored = (float *)host_memory(a->count * sizeof(float));
  float *values = (float *)host_memory(a->count * sizeof(float));
  double error;
  read_floats(stored, a->memory, a->count, type);
  arrange(values, stored, length, heads, 1);
  error = compare(name, values, expected, a->count, attention_bound(type));
  free(stored);
  free(values);
  return error;
}

/* Each statistic is stored eight times. */
static void check_statistics(const char *name, const array *a, const double *expected) {
  float *stored = (float *)host_memory(a->count * sizeof(float));
  double *wide = (double *)host_memory(a->count * sizeof(double));
  size_t i;
  to_host(stored, a->memory, a->count * sizeof(float));
  for (i = 0; i < a->count; ++i) wide[i] = expected[i / 8];
  compare(name, stored, wide, a->count, attention_bound(type));
  free(stored);
  free(wide);
}

static void attention(const attention_shape *shape, int64_t mode, const aclTensor *mask,
                      aclrtStream stream) {
  enum { Q = BATCH * ROWS * HEADS * DIM, K = BATCH * COLUMNS * KV_HEADS * DIM };
  float *q = numbers(Q, type, 1), *k = numbers(K, type, 2), *v = numbers(K, type, 3);
  float *dy = numbers(Q, type, 4);
  double *out = (double *)host_memory(Q * sizeof(double)), *dq = (double *)host_memory(Q * sizeof(double));
  double *dk = (double *)host_memory(K * sizeof(double)), *dv = (double *)host_memory(K * sizeof(double));
  double *max = (double *)host_memory(BATCH * HEADS * ROWS * sizeof(double));
  double *sum = (double *)host_memory(BATCH * HEADS * ROWS * sizeof(double));
  array query = array_of(q, ROWS, HEADS), key = array_of(k, COLUMNS, KV_HEADS);
  array value = array_of(v, COLUMNS, KV_HEADS), gradient = array_of(dy, ROWS, HEADS);
  array result = array_of(NULL, ROWS, HEADS), row_max = statistics(), row_sum = statistics();
  array dquery = array_of(NULL, ROWS, HEADS), dkey = array_of(NULL, COLUMNS, KV_HEADS);
  array dvalue = array_of(NULL, COLUMNS, KV_HEADS);
  const int64_t nothing[] = {0};
  aclTensor *unused = contiguous(NULL, type, nothing, 1);
  char name[8];
  int64_t sparse = mode == NO_MASK ? 0 : mode;
  double error;
  int64_t b;

  strcpy(name, layout);
  RUN(aclnnFlashAttentionScore, stream, query.tensor, key.tensor, value.tensor, NULL, NULL, NULL,
      mask, NULL, shape->scale, 1.0, 65536, 65536, HEADS, name, 0, sparse, row_max.tensor,
      row_sum.tensor, unused, result.tensor);
  RUN(aclnnFlashAttentionScoreGrad, stream, query.tensor, key.tensor, value.tensor,
      gradient.tensor, NULL, NULL, NULL, mask, row_max.tensor, row_sum.tensor, NULL, result.tensor,
      NULL, shape->scale, 1.0, 65536, 65536, HEADS, name, 0, sparse, dquery.tensor, dkey.tensor,
      dvalue.tensor, unused);

  for (b = 0; b < BATCH; ++b) {
    const int64_t rows = b * ROWS * HEADS * DIM, columns = b * COLUMNS * KV_HEADS * DIM;
    const int64_t of_rows = b * HEADS * ROWS;
    attention_on_host(shape, mode, ROWS, COLUMNS, q + rows, k + columns, v + columns, dy + rows,
                      out + rows, max + of_rows, sum + of_rows, dq + rows, dk + columns,
                      dv + columns);
  }
  error = check("attentionOut", &result, out, ROWS, HEADS);
  check_statistics("softmaxMax", &row_max, max);
  check_statistics("softmaxSum", &row_sum, sum);
  printf("%s %s %s: errors out %.1e", type_name(type), layout, mode == NO_MASK ? "full" : "causal",
         error);
  printf(" dq %.1e", check("dq", &dquery, dq, ROWS, HEADS));
  printf(" dk %.1e", check("dk", &dkey, dk, COLUMNS, KV_HEADS));
  printf(" dv %.1e\n", check("dv", &dvalue, dv, COLUMNS, KV_HEADS));

  discard(&query), discard(&key), discard(&value), discard(&gradient), discard(&result);
  discard(&row_max), discard(&row_sum), discard(&dquery), discard(&dkey), discard(&dvalue);
  TRY(aclDestroyTensor(unused));
  free(q), free(k), free(v), free(dy), free(out), free(dq), free(dk), free(dv), free(max), free(sum);
}

int main(void) {
  static const char *const layouts[] = {"BSND", "BNSD", "BSH", "SBH"};
  static const aclDataType types[] = {ACL_FLOAT16, ACL_BF16, ACL_FLOAT};
  const attention_shape shape = {HEADS, KV_HEADS, DIM, 0.125};
  aclrtStream stream = NULL;
  void *mask_memory = NULL;
  aclTensor *mask;
  size_t l, t;

  TRY(aclInit(NULL));
  TRY(aclrtSetDevice(0));
  TRY(aclrtCreateStream(&stream));
  mask = compressed_mask(&mask_memory);
  for (l = 0; l < sizeof(layouts) / sizeof(*layouts); ++l) {
    for (t = 0; t < sizeof(types) / sizeof(*types); ++t) {
      layout = layouts[l];
      type = types[t];
      attention(&shape, NO_MASK, NULL, stream);
      attention(&shape, 3, mask, stream);
    }
  }
  TRY(aclDestroyTensor(mask));
  TRY(aclrtFree(mask_memory));
  TRY(aclrtDestroyStream(stream));
  TRY(aclrtResetDevice(0));
  TRY(aclFinalize());
  return 0;
}
