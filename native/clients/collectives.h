/* SPDX-License-Identifier: Apache-2.0 */
/* Every HCCL operation on one communicator, with results that each rank works out for itself. */
#ifndef CANN4J_CLIENT_COLLECTIVES_H
#define CANN4J_CLIENT_COLLECTIVES_H

#include "client.h"
#include "hccl/hccl.h"

/* CANN 8.1 does not declare it; a library that has it is asked nevertheless. */
#ifdef __cplusplus
extern "C"
#endif
    HcclResult
    HcclAlltoAllVC(const void *sendBuf, const void *sendCountMatrix, HcclDataType sendType,
                   const void *recvBuf, HcclDataType recvType, HcclComm comm, aclrtStream stream)
        __attribute__((weak));

#define HCCL_TRY(call) \
  do { \
    HcclResult result_ = (call); \
    if (result_ != HCCL_SUCCESS) { \
      const char *words_ = aclGetRecentErrMsg(); \
      client_die(__FILE__, __LINE__, #call, (int)result_, \
                 words_ != NULL ? words_ : HcclGetErrorString(result_)); \
    } \
  } while (0)

enum { MAX_RANKS = 64 };

typedef struct {
  HcclComm comm;
  uint32_t rank;
  uint32_t size;
  aclrtStream stream;
} member;

/* Element i of rank r: small, so that sums and products of eight ranks are exact in fp32. */
static inline float element(uint64_t r, uint64_t i) { return (float)((r * 5 + i * 3) % 7 + 1); }

static inline float *elements(uint64_t r, uint64_t count) {
  float *values = (float *)host_memory(count * sizeof(float));
  uint64_t i;
  for (i = 0; i < count; ++i) values[i] = element(r, i);
  return values;
}

static inline void *device_elements(uint64_t r, uint64_t count) {
  float *values = elements(r, count);
  void *device = device_copy(values, count * sizeof(float));
  free(values);
  return device;
}

/* Waits for the stream, compares and frees `device`; `expected` is freed too. */
static inline void expect(const member *m, const char *what, void *device, float *expected,
                          uint64_t count) {
  float *values = (float *)host_memory(count * sizeof(float));
  uint64_t i;
  TRY(aclrtSynchronizeStream(m->stream));
  to_host(values, device, count * sizeof(float));
  for (i = 0; i < count; ++i) {
    if (values[i] != expected[i]) {
      fprintf(stderr, "rank %u of %u: %s: element %llu is %g, not %g\n", m->rank, m->size, what,
              (unsigned long long)i, (double)values[i], (double)expected[i]);
      fflush(NULL);
      _Exit(1);
    }
  }
  free(values);
  free(expected);
  TRY(aclrtFree(device));
}

static inline float reduced(uint32_t size, uint64_t i, HcclReduceOp op) {
  float result = element(0, i);
  uint32_t r;
  for (r = 1; r < size; ++r) {
    const float x = element(r, i);
    if (op == HCCL_REDUCE_SUM) result += x;
    if (op == HCCL_REDUCE_PROD) result *= x;
    if (op == HCCL_REDUCE_MAX) result = x > result ? x : result;
    if (op == HCCL_REDUCE_MIN) result = x < result ? x : result;
  }
  return result;
}

static inline void reductions(const member *m) {
  static const HcclReduceOp ops[] = {HCCL_REDUCE_SUM, HCCL_REDUCE_PROD, HCCL_REDUCE_MAX,
                                     HCCL_REDUCE_MIN};
  const uint64_t n = 1001;
  const uint32_t root = m->size - 1;
  uint64_t counts[MAX_RANKS], places[MAX_RANKS], total = 0, i;
  size_t o;
  for (o = 0; o < sizeof(ops) / sizeof(*ops); ++o) {
    const HcclReduceOp op = ops[o];
    void *from = device_elements(m->rank, n), *to = device_memory(n * sizeof(float));
    float *expected = (float *)host_memory(n * sizeof(float));
    float *again = (float *)host_memory(n * sizeof(float));
    float *at_root = (float *)host_memory(n * sizeof(float));
    for (i = 0; i < n; ++i) expected[i] = again[i] = at_root[i] = reduced(m->size, i, op);
    HCCL_TRY(HcclAllReduce(from, to, n, HCCL_DATA_TYPE_FP32, op, m->comm, m->stream));
    expect(m, "HcclAllReduce", to, expected, n);
    to = device_memory(n * sizeof(float));
    HCCL_TRY(HcclReduce(from, to, n, HCCL_DATA_TYPE_FP32, op, root, m->comm, m->stream));
    if (m->rank == root) {
      expect(m, "HcclReduce", to, at_root, n);
    } else {
      TRY(aclrtSynchronizeStream(m->stream));
      TRY(aclrtFree(to));
      free(at_root);
    }
    HCCL_TRY(HcclAllReduce(from, from, n, HCCL_DATA_TYPE_FP32, op, m->comm, m->stream));
    expect(m, "HcclAllReduce in place", from, again, n);
  }
  {
    void *from = device_elements(m->rank, n * m->size), *to = device_memory(n * sizeof(float));
    float *expected = (float *)host_memory(n * sizeof(float));
    for (i = 0; i < n; ++i) expected[i] = reduced(m->size, m->rank * n + i, HCCL_REDUCE_SUM);
    HCCL_TRY(HcclReduceScatter(from, to, n, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM, m->comm,
                               m->stream));
    expect(m, "HcclReduceScatter", to, expected, n);
    TRY(aclrtFree(from));
  }
  for (i = 0; i < m->size; ++i) {
    counts[i] = 10 + i;
    places[i] = total;
    total += counts[i] + 1; /* with gaps */
  }
  {
    const uint64_t mine = counts[m->rank];
    void *from = device_elements(m->rank, total), *to = device_memory(mine * sizeof(float));
    float *expected = (float *)host_memory(mine * sizeof(float));
    for (i = 0; i < mine; ++i) {
      expected[i] = reduced(m->size, places[m->rank] + i, HCCL_REDUCE_MAX);
    }
    HCCL_TRY(HcclReduceScatterV(from, counts, places, to, mine, HCCL_DATA_TYPE_FP32,
                                HCCL_REDUCE_MAX, m->comm, m->stream));
    expect(m, "HcclReduceScatterV", to, expected, mine);
    TRY(aclrtFree(from));
  }
}

static inline void gathers(const member *m) {
  const uint64_t n = 777;
  const uint32_t root = m->size / 2;
  uint64_t counts[MAX_RANKS], places[MAX_RANKS], total = 0, i;
  uint32_t r;
  {
    void *from = device_elements(m->rank, n), *to = device_memory(n * m->size * sizeof(float));
    float *expected = (float *)host_memory(n * m->size * sizeof(float));
    for (i = 0; i < n * m->size; ++i) expected[i] = element(i / n, i % n);
    HCCL_TRY(HcclAllGather(from, to, n, HCCL_DATA_TYPE_FP32, m->comm, m->stream));
    expect(m, "HcclAllGather", to, expected, n * m->size);
    TRY(aclrtFree(from));
  }
  for (r = 0; r < m->size; ++r) {
    counts[r] = 3 + 2 * r;
    places[r] = total;
    total += counts[r];
  }
  {
    void *from = device_elements(m->rank, counts[m->rank]);
    void *to = device_memory(total * sizeof(float));
    float *expected = (float *)host_memory(total * sizeof(float));
    for (r = 0; r < m->size; ++r) {
      for (i = 0; i < counts[r]; ++i) expected[places[r] + i] = element(r, i);
    }
    HCCL_TRY(HcclAllGatherV(from, counts[m->rank], to, counts, places, HCCL_DATA_TYPE_FP32, m->comm,
                            m->stream));
    expect(m, "HcclAllGatherV", to, expected, total);
    TRY(aclrtFree(from));
  }
  {
    void *buffer = device_elements(m->rank, n);
    HCCL_TRY(HcclBroadcast(buffer, n, HCCL_DATA_TYPE_FP32, root, m->comm, m->stream));
    expect(m, "HcclBroadcast", buffer, elements(root, n), n);
  }
  {
    void *from = m->rank == root ? device_elements(root, n * m->size) : NULL;
    void *to = device_memory(n * sizeof(float));
    float *expected = (float *)host_memory(n * sizeof(float));
    for (i = 0; i < n; ++i) expected[i] = element(root, m->rank * n + i);
    HCCL_TRY(HcclScatter(from, to, n, HCCL_DATA_TYPE_FP32, root, m->comm, m->stream));
    expect(m, "HcclScatter", to, expected, n);
    if (from != NULL) TRY(aclrtFree(from));
  }
}

/* Elements that rank `from` sends to rank `to` where the counts differ. */
static inline uint64_t piece(uint32_t from, uint32_t to) { return (from + 1) * 10 + to; }

static inline void exchanges(const member *m) {
  const uint64_t n = 333;
  uint64_t send_counts[MAX_RANKS], send_places[MAX_RANKS], sent = 0;
  uint64_t recv_counts[MAX_RANKS], recv_places[MAX_RANKS], received = 0;
  uint64_t *matrix = (uint64_t *)host_memory((size_t)m->size * m->size * sizeof(uint64_t));
  void *from = device_elements(m->rank, n * m->size), *to = device_memory(n * m->size * sizeof(float));
  float *expected = (float *)host_memory(n * m->size * sizeof(float));
  uint64_t i;
  uint32_t r, c;
  for (r = 0; r < m->size; ++r) {
    for (i = 0; i < n; ++i) expected[r * n + i] = element(r, m->rank * n + i);
  }
  HCCL_TRY(HcclAlltoAll(from, n, HCCL_DATA_TYPE_FP32, to, n, HCCL_DATA_TYPE_FP32, m->comm,
                        m->stream));
  expect(m, "HcclAlltoAll", to, expected, n * m->size);
  TRY(aclrtFree(from));

  for (r = 0; r < m->size; ++r) {
    send_counts[r] = piece(m->rank, r);
    send_places[r] = sent;
    sent += send_counts[r];
    recv_counts[r] = piece(r, m->rank);
    recv_places[r] = received;
    received += recv_counts[r];
    for (c = 0; c < m->size; ++c) matrix[r * m->size + c] = piece(r, c);
  }
  for (c = 0; c < 2; ++c) {
    if (c == 1 && &HcclAlltoAllVC == NULL) break;
    from = device_elements(m->rank, sent);
    to = device_memory(received * sizeof(float));
    expected = (float *)host_memory(received * sizeof(float));
    for (r = 0; r < m->size; ++r) {
      uint64_t place = 0;
      uint32_t before;
      for (before = 0; before < m->rank; ++before) place += piece(r, before);
      for (i = 0; i < recv_counts[r]; ++i) expected[recv_places[r] + i] = element(r, place + i);
    }
    if (c == 0) {
      HCCL_TRY(HcclAlltoAllV(from, send_counts, send_places, HCCL_DATA_TYPE_FP32, to, recv_counts,
                             recv_places, HCCL_DATA_TYPE_FP32, m->comm, m->stream));
    } else {
      HCCL_TRY(HcclAlltoAllVC(from, matrix, HCCL_DATA_TYPE_FP32, to, HCCL_DATA_TYPE_FP32, m->comm,
                              m->stream));
    }
    expect(m, c == 0 ? "HcclAlltoAllV" : "HcclAlltoAllVC", to, expected, received);
    TRY(aclrtFree(from));
  }
  free(matrix);
}

static inline void messages(const member *m) {
  const uint64_t n = 501;
  const uint32_t next = (m->rank + 1) % m->size;
  const uint32_t previous = (m->rank + m->size - 1) % m->size;
  void *from, *to, *back;
  HcclSendRecvItem items[4];
  uint32_t count = 0;
  if (m->size == 1) return;
  from = device_elements(m->rank, n);
  to = device_memory(n * sizeof(float));
  if (m->rank % 2 == 0) { /* a send waits for its receive: neighbours in different order */
    HCCL_TRY(HcclSend(from, n, HCCL_DATA_TYPE_FP32, next, m->comm, m->stream));
    HCCL_TRY(HcclRecv(to, n, HCCL_DATA_TYPE_FP32, previous, m->comm, m->stream));
  } else {
    HCCL_TRY(HcclRecv(to, n, HCCL_DATA_TYPE_FP32, previous, m->comm, m->stream));
    HCCL_TRY(HcclSend(from, n, HCCL_DATA_TYPE_FP32, next, m->comm, m->stream));
  }
  expect(m, "HcclSend and HcclRecv", to, elements(previous, n), n);

  to = device_memory(n * sizeof(float));
  back = device_memory(n * sizeof(float));
  memset(items, 0, sizeof(items));
#define ITEM(kind, buffer, peer) \
  do { \
    items[count].sendRecvType = (kind); \
    items[count].buf = (buffer); \
    items[count].count = n; \
    items[count].dataType = HCCL_DATA_TYPE_FP32; \
    items[count].remoteRank = (peer); \
    ++count; \
  } while (0)
  ITEM(HCCL_SEND, from, next);
  ITEM(HCCL_RECV, to, previous);
  if (next != previous) { /* one block per direction and pair */
    ITEM(HCCL_SEND, from, previous);
    ITEM(HCCL_RECV, back, next);
  }
#undef ITEM
  HCCL_TRY(HcclBatchSendRecv(items, count, m->comm, m->stream));
  expect(m, "HcclBatchSendRecv", to, elements(previous, n), n);
  if (count == 4) {
    expect(m, "HcclBatchSendRecv", back, elements(next, n), n);
  } else {
    TRY(aclrtFree(back));
  }
  TRY(aclrtFree(from));
}

static inline void queries(const member *m) {
  char name[COMM_NAME_MAX_LENGTH];
  uint32_t number = 0;
  HcclResult state = HCCL_E_INTERNAL;
  HCCL_TRY(HcclGetRankSize(m->comm, &number));
  REQUIRE(number == m->size, "HcclGetRankSize");
  HCCL_TRY(HcclGetRankId(m->comm, &number));
  REQUIRE(number == m->rank, "HcclGetRankId");
  HCCL_TRY(HcclGetCommName(m->comm, name));
  REQUIRE(name[0] != '\0', "HcclGetCommName");
  HCCL_TRY(HcclGetCommAsyncError(m->comm, &state));
  REQUIRE(state == HCCL_SUCCESS, "HcclGetCommAsyncError");
}

static inline void all_operations(const member *m) {
  REQUIRE(m->size <= MAX_RANKS, "more ranks than this program is written for");
  queries(m);
  HCCL_TRY(HcclBarrier(m->comm, m->stream));
  reductions(m);
  gathers(m);
  exchanges(m);
  messages(m);
  HCCL_TRY(HcclBarrier(m->comm, m->stream));
  TRY(aclrtSynchronizeStream(m->stream));
}

/* A communicator of the even ranks; the odd ones take no part. */
static inline void sub_communicator(const member *m) {
  uint32_t even[MAX_RANKS];
  HcclCommConfig config;
  member sub = {NULL, m->rank / 2, (m->size + 1) / 2, m->stream};
  HcclComm comm = m->comm;
  uint32_t r;
  for (r = 0; r < sub.size; ++r) even[r] = 2 * r;
  HcclCommConfigInit(&config);
  if (m->rank % 2 == 0) {
    HCCL_TRY(HcclCreateSubCommConfig(&comm, sub.size, even, 1, sub.rank, &config, &sub.comm));
    all_operations(&sub);
    HCCL_TRY(HcclCommDestroy(sub.comm));
  } else {
    HCCL_TRY(HcclCreateSubCommConfig(&comm, sub.size, NULL, 0xFFFFFFFFU, 0, &config, &sub.comm));
  }
}

#endif
