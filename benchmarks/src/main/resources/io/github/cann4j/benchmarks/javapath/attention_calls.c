/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of AttentionCalls.java, in C. For each line of its input it makes a round of calls and prints, in
 * nanoseconds of the host per call: with the stream held, and with the device at work meanwhile. */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "acl/acl.h"
#include "aclnnop/aclnn_flash_attention_score.h"

enum { kBatches = 100, kCalls = 64, kPlace = 512 };

#define TRY(call) \
  do { \
    int code = (call); \
    if (code != 0) { \
      const char *words = aclGetRecentErrMsg(); \
      fprintf(stderr, "%s: %d: %s\n", #call, code, words == NULL ? "" : words); \
      exit(1); \
    } \
  } while (0)

static sem_t gate;

static void hold(void *unused) {
  (void)unused;
  sem_wait(&gate);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static aclTensor *tensor(const int64_t *dims, int rank, void *address) {
  return aclCreateTensor(dims, (uint64_t)rank, ACL_FLOAT, NULL, 0, ACL_FORMAT_ND, dims, (uint64_t)rank, address);
}

int main(void) {
  const int64_t rows[] = {1, 1, 16}, statistics[] = {1, 1, 8}, none[] = {0}, ends[] = {1};
  aclrtStream stream;
  void *memory;
  char *base;
  char line[64];
  aclTensor *q, *k, *v, *out, *max, *sum, *unwritten;
  aclIntArray *q_ends, *kv_ends;
  TRY(aclInit(NULL));
  TRY(aclrtSetDevice(0));
  TRY(aclrtCreateStream(&stream));
  TRY(aclrtMalloc(&memory, 6 * kPlace, ACL_MEM_MALLOC_HUGE_FIRST));
  TRY(aclrtMemset(memory, 6 * kPlace, 0, 6 * kPlace));
  base = memory;
  q = tensor(rows, 3, base);
  k = tensor(rows, 3, base + kPlace);
  v = tensor(rows, 3, base + 2 * kPlace);
  out = tensor(rows, 3, base + 3 * kPlace);
  max = tensor(statistics, 3, base + 4 * kPlace);
  sum = tensor(statistics, 3, base + 5 * kPlace);
  unwritten = tensor(none, 1, NULL);
  q_ends = aclCreateIntArray(ends, 1);
  kv_ends = aclCreateIntArray(ends, 1);
  sem_init(&gate, 0, 0);
  while (fgets(line, sizeof(line), stdin) != NULL) {
    int held;
    for (held = 1; held >= 0; --held) {
      double taken = 0;
      int batch, i;
      for (batch = 0; batch < kBatches; ++batch) {
        double start;
        if (held) TRY(aclrtLaunchHostFunc(stream, hold, NULL));
        start = now();
        for (i = 0; i < kCalls; ++i) {
          uint64_t size;
          aclOpExecutor *executor;
          TRY(aclnnFlashAttentionVarLenScoreGetWorkspaceSize(q, k, v, NULL, NULL, NULL, NULL, NULL, q_ends, kv_ends, 0.25,
                                                             1.0, INT32_MAX, INT32_MAX, 1, "TND", 0, 0, max, sum,
                                                             unwritten, out, &size, &executor));
          TRY(aclnnFlashAttentionVarLenScore(NULL, size, executor, stream));
        }
        taken += now() - start;
        if (held) sem_post(&gate);
        TRY(aclrtSynchronizeStream(stream));
      }
      printf(held ? "%.1f " : "%.1f\n", taken / (kBatches * kCalls));
    }
    fflush(stdout);
  }
  return 0;
}
