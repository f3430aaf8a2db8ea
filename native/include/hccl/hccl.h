// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_HCCL_HCCL_H
#define CANN4J_HCCL_HCCL_H

#include <string.h>

#include "acl/acl.h"
#include "hccl_types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HCCL_FUNC_VISIBILITY __attribute__((visibility("default")))

// ---- communicators (creation is collective and blocks) ----

HCCL_FUNC_VISIBILITY HcclResult HcclGetRootInfo(HcclRootInfo *rootInfo);
HCCL_FUNC_VISIBILITY HcclResult HcclCommInitRootInfo(uint32_t nRanks, const HcclRootInfo *rootInfo,
                                                     uint32_t rank, HcclComm *comm);
HCCL_FUNC_VISIBILITY HcclResult HcclCommInitRootInfoConfig(uint32_t nRanks,
                                                           const HcclRootInfo *rootInfo,
                                                           uint32_t rank,
                                                           const HcclCommConfig *config,
                                                           HcclComm *comm);
HCCL_FUNC_VISIBILITY HcclResult HcclCommInitAll(uint32_t ndev, int32_t *devices, HcclComm *comms);
// A rank that takes no part passes rankIds NULL and subCommId 0xFFFFFFFF.
HCCL_FUNC_VISIBILITY HcclResult HcclCreateSubCommConfig(HcclComm *comm, uint32_t rankNum,
                                                        uint32_t *rankIds, uint64_t subCommId,
                                                        uint32_t subCommRankId,
                                                        HcclCommConfig *config,
                                                        HcclComm *subComm);
HCCL_FUNC_VISIBILITY HcclResult HcclCommDestroy(HcclComm comm);
HCCL_FUNC_VISIBILITY HcclResult HcclSetConfig(HcclConfig config, HcclConfigValue configValue);
HCCL_FUNC_VISIBILITY HcclResult HcclGetConfig(HcclConfig config, HcclConfigValue *configValue);
// commName has room for COMM_NAME_MAX_LENGTH bytes.
HCCL_FUNC_VISIBILITY HcclResult HcclGetCommName(HcclComm comm, char *commName);
HCCL_FUNC_VISIBILITY HcclResult HcclGetRankSize(HcclComm comm, uint32_t *rankSize);
HCCL_FUNC_VISIBILITY HcclResult HcclGetRankId(HcclComm comm, uint32_t *rank);
HCCL_FUNC_VISIBILITY HcclResult HcclGetCommAsyncError(HcclComm comm, HcclResult *asyncError);
HCCL_FUNC_VISIBILITY const char *HcclGetErrorString(HcclResult code);
HCCL_FUNC_VISIBILITY uint32_t HcclGetCommConfigCapability(void);

static inline void HcclCommConfigInit(HcclCommConfig *config) {
  HcclCommConfigInfo info;
  if (config == NULL) {
    return;
  }
  memset(config, 0, sizeof(*config));
  info.configSize = sizeof(*config);
  info.magicWord = HCCL_COMM_CONFIG_MAGIC_WORD;
  info.version = HCCL_COMM_CONFIG_VERSION;
  info.reserved = 0;
  memcpy(config->reserved, &info, sizeof(info));
  config->hcclBufferSize = HCCL_COMM_BUFFSIZE_CONFIG_NOT_SET;
  config->hcclDeterministic = HCCL_COMM_DETERMINISTIC_CONFIG_NOT_SET;
  config->hcclOpExpansionMode = HCCL_COMM_DEFAULT_OP_EXPANSION_MODE;
  config->hcclRdmaTrafficClass = HCCL_COMM_TRAFFIC_CLASS_CONFIG_NOT_SET;
  config->hcclRdmaServiceLevel = HCCL_COMM_SERVICE_LEVEL_CONFIG_NOT_SET;
}

// ---- operations: device buffers, counts in elements, in stream order; stream not NULL ----

HCCL_FUNC_VISIBILITY HcclResult HcclBarrier(HcclComm comm, aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclSend(void *sendBuf, uint64_t count, HcclDataType dataType,
                                         uint32_t destRank, HcclComm comm, aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclRecv(void *recvBuf, uint64_t count, HcclDataType dataType,
                                         uint32_t srcRank, HcclComm comm, aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclBatchSendRecv(HcclSendRecvItem *sendRecvInfo, uint32_t itemNum,
                                                  HcclComm comm, aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclAllReduce(void *sendBuf, void *recvBuf, uint64_t count,
                                              HcclDataType dataType, HcclReduceOp op,
                                              HcclComm comm, aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclAllGather(void *sendBuf, void *recvBuf, uint64_t sendCount,
                                              HcclDataType dataType, HcclComm comm,
                                              aclrtStream stream);
// recvBuf is written, in spite of its const.
HCCL_FUNC_VISIBILITY HcclResult HcclAlltoAll(const void *sendBuf, uint64_t sendCount,
                                             HcclDataType sendType, const void *recvBuf,
                                             uint64_t recvCount, HcclDataType recvType,
                                             HcclComm comm, aclrtStream stream);
// Counts and displacements are host arrays of uint64_t, read during the call.
HCCL_FUNC_VISIBILITY HcclResult HcclAlltoAllV(const void *sendBuf, const void *sendCounts,
                                              const void *sdispls, HcclDataType sendType,
                                              const void *recvBuf, const void *recvCounts,
                                              const void *rdispls, HcclDataType recvType,
                                              HcclComm comm, aclrtStream stream);

#ifdef __cplusplus
}
#endif

#endif
