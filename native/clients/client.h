/* SPDX-License-Identifier: Apache-2.0 */
/* What the clients share: error checks, device memory, tensors. C11 and C++17, CANN's headers alone. */
#ifndef CANN4J_CLIENT_H
#define CANN4J_CLIENT_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl/acl.h"
#include "aclnn/aclnn_base.h"

/* Ends the whole process, other threads included: they would wait for a rank that is gone. */
static inline void client_die(const char *file, int line, const char *what, int code,
                              const char *words) {
  fprintf(stderr, "%s:%d: %s: %d: %s\n", file, line, what, code, words == NULL ? "" : words);
  fflush(NULL);
  _Exit(1);
}

/* A call of acl or aclnn. */
#define TRY(call) \
  do { \
    int code_ = (int)(call); \
    if (code_ != 0) client_die(__FILE__, __LINE__, #call, code_, aclGetRecentErrMsg()); \
  } while (0)

#define REQUIRE(condition, words) \
  do { \
    if (!(condition)) client_die(__FILE__, __LINE__, #condition, 1, (words)); \
  } while (0)

/* Both phases of an operator with the workspace that it asks for; returns when the stream is done. */
#define RUN(op, stream, ...) \
  do { \
    uint64_t size_ = 0; \
    aclOpExecutor *executor_ = NULL; \
    void *workspace_ = NULL; \
    TRY(op##GetWorkspaceSize(__VA_ARGS__, &size_, &executor_)); \
    if (size_ > 0) TRY(aclrtMalloc(&workspace_, size_, ACL_MEM_MALLOC_HUGE_FIRST)); \
    TRY(op(workspace_, size_, executor_, (stream))); \
    TRY(aclrtSynchronizeStream(stream)); \
    if (workspace_ != NULL) TRY(aclrtFree(workspace_)); \
  } while (0)

static inline void *device_memory(size_t bytes) {
  void *address = NULL;
  TRY(aclrtMalloc(&address, bytes == 0 ? 1 : bytes, ACL_MEM_MALLOC_HUGE_FIRST));
  return address;
}

static inline void to_device(void *device, const void *host, size_t bytes) {
  TRY(aclrtMemcpy(device, bytes, host, bytes, ACL_MEMCPY_HOST_TO_DEVICE));
}

static inline void to_host(void *host, const void *device, size_t bytes) {
  TRY(aclrtMemcpy(host, bytes, device, bytes, ACL_MEMCPY_DEVICE_TO_HOST));
}

static inline void *device_copy(const void *host, size_t bytes) {
  void *device = device_memory(bytes);
  to_device(device, host, bytes);
  return device;
}

static inline aclTensor *contiguous(void *device, aclDataType type, const int64_t *dims,
                                    uint64_t rank) {
  aclTensor *tensor =
      aclCreateTensor(dims, rank, type, NULL, 0, ACL_FORMAT_ND, dims, rank, device);
  REQUIRE(tensor != NULL, aclGetRecentErrMsg());
  return tensor;
}

static inline void *host_memory(size_t bytes) {
  void *memory = calloc(bytes == 0 ? 1 : bytes, 1);
  REQUIRE(memory != NULL, "out of memory");
  return memory;
}

/* Numbers in [-1, 1) that every machine makes alike. */
static inline float next_number(uint64_t *state) {
  *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (float)(*state >> 40) / 8388608.0f - 1.0f;
}

static inline float bf16_to_float(uint16_t bits) {
  const uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, sizeof(value));
  return value;
}

/* To the nearest, ties to even; no NaN comes here. */
static inline uint16_t float_to_bf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return (uint16_t)((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

/* Elements of fp32, fp16 or bf16 in the order of `values`, and the values that are left of them. */
static inline void *device_floats(const float *values, size_t count, aclDataType type) {
  size_t i;
  void *device;
  uint16_t *narrow;
  if (type == ACL_FLOAT) return device_copy(values, count * sizeof(float));
  narrow = (uint16_t *)host_memory(count * 2);
  for (i = 0; i < count; ++i) {
    narrow[i] = type == ACL_BF16 ? float_to_bf16(values[i]) : aclFloatToFloat16(values[i]);
  }
  device = device_copy(narrow, count * 2);
  free(narrow);
  return device;
}

static inline void read_floats(float *values, const void *device, size_t count, aclDataType type) {
  size_t i;
  uint16_t *narrow;
  if (type == ACL_FLOAT) {
    to_host(values, device, count * sizeof(float));
    return;
  }
  narrow = (uint16_t *)host_memory(count * 2);
  to_host(narrow, device, count * 2);
  for (i = 0; i < count; ++i) {
    values[i] = type == ACL_BF16 ? bf16_to_float(narrow[i]) : aclFloat16ToFloat(narrow[i]);
  }
  free(narrow);
}

static inline size_t float_bytes(aclDataType type) { return type == ACL_FLOAT ? 4 : 2; }

/* `count` numbers that the type holds exactly. */
static inline float *numbers(size_t count, aclDataType type, uint64_t seed) {
  float *values = (float *)host_memory(count * sizeof(float));
  size_t i;
  for (i = 0; i < count; ++i) {
    values[i] = next_number(&seed);
    if (type == ACL_BF16) values[i] = bf16_to_float(float_to_bf16(values[i]));
    if (type == ACL_FLOAT16) values[i] = aclFloat16ToFloat(aclFloatToFloat16(values[i]));
  }
  return values;
}

/* Largest difference, relative to the largest expected value; dies with the words beyond the bound. */
static inline double compare(const char *name, const float *values, const double *expected,
                             size_t count, double bound) {
  double largest = 0;
  double difference = 0;
  size_t worst = 0;
  size_t i;
  for (i = 0; i < count; ++i) {
    const double d = fabs((double)values[i] - expected[i]);
    if (fabs(expected[i]) > largest) largest = fabs(expected[i]);
    if (!(d <= difference)) {
      difference = d;
      worst = i;
    }
  }
  if (!(difference <= bound * (largest > 0 ? largest : 1))) {
    fprintf(stderr, "%s: element %zu is %.9g, not %.9g\n", name, worst, (double)values[worst],
            expected[worst]);
    fflush(NULL);
    _Exit(1);
  }
  return difference;
}

#endif
