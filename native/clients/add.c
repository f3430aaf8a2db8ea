/* SPDX-License-Identifier: Apache-2.0 */
/* A program written for CANN, in C: linked by the names of a toolkit's libraries. */
#include <stdio.h>
#include <string.h>

#include "acl/acl.h"
#include "aclnnop/aclnn_add.h"
#include "hccl/hccl.h"

#define TRY(call) \
  do { \
    int code = (call); \
    if (code != 0) { \
      const char *words = aclGetRecentErrMsg(); \
      fprintf(stderr, "%s: %d: %s\n", #call, code, words == NULL ? "" : words); \
      return 1; \
    } \
  } while (0)

static aclTensor *tensor_of(void *address) {
  const int64_t dims[] = {2, 3};
  return aclCreateTensor(dims, 2, ACL_FLOAT, NULL, 0, ACL_FORMAT_ND, dims, 2, address);
}

int main(void) {
  float host[6] = {1, 2, 3, 4, 5, 6};
  float alpha_value = 10;
  void *self_memory = NULL;
  void *out_memory = NULL;
  uint64_t workspace_size = 0;
  aclOpExecutor *executor = NULL;
  aclrtStream stream = NULL;
  HcclCommConfig config;
  int32_t device = 0;
  HcclComm comm = NULL;
  uint32_t size = 0;
  aclTensor *self;
  aclTensor *out;
  aclScalar *alpha;
  int i;

  TRY(aclInit(NULL));
  TRY(aclrtSetDevice(0));
  TRY(aclrtCreateStream(&stream));
  TRY(aclrtMalloc(&self_memory, sizeof(host), ACL_MEM_MALLOC_HUGE_FIRST));
  TRY(aclrtMalloc(&out_memory, sizeof(host), ACL_MEM_MALLOC_HUGE_FIRST));
  TRY(aclrtMemcpy(self_memory, sizeof(host), host, sizeof(host), ACL_MEMCPY_HOST_TO_DEVICE));
  self = tensor_of(self_memory);
  out = tensor_of(out_memory);
  alpha = aclCreateScalar(&alpha_value, ACL_FLOAT);
  TRY(aclnnAddGetWorkspaceSize(self, self, alpha, out, &workspace_size, &executor));
  TRY(aclnnAdd(NULL, workspace_size, executor, stream));
  TRY(aclrtSynchronizeStream(stream));
  TRY(aclrtMemcpy(host, sizeof(host), out_memory, sizeof(host), ACL_MEMCPY_DEVICE_TO_HOST));
  for (i = 0; i < 6; ++i) {
    if (host[i] != 11.0f * (float)(i + 1)) {
      fprintf(stderr, "element %d is %g\n", i, host[i]);
      return 1;
    }
  }
  HcclCommConfigInit(&config);
  if (memcmp(config.reserved + 8, "\xf0\xf0\xf0\xf0", 4) != 0) {
    fprintf(stderr, "HcclCommConfigInit wrote no magic word\n");
    return 1;
  }
  TRY(HcclCommInitAll(1, &device, &comm));
  TRY(HcclGetRankSize(comm, &size));
  TRY(HcclCommDestroy(comm));
  TRY(aclDestroyTensor(self));
  TRY(aclDestroyTensor(out));
  TRY(aclDestroyScalar(alpha));
  TRY(aclrtFree(self_memory));
  TRY(aclrtFree(out_memory));
  TRY(aclrtDestroyStream(stream));
  TRY(aclrtResetDevice(0));
  TRY(aclFinalize());
  printf("%u rank, sums right\n", size);
  return size == 1 ? 0 : 1;
}
