// SPDX-License-Identifier: Apache-2.0
// Communicators, and the group calls around operations. hccl.h includes this file.
#ifndef CANN4J_HCCL_HCCL_COMM_H
#define CANN4J_HCCL_HCCL_COMM_H

#include <stdbool.h>
#include <string.h>

#include "acl/acl.h"
#include "hccl_types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HCCL_FUNC_VISIBILITY __attribute__((visibility("default")))

// ---- creation is collective and blocks ----

// clusterInfo is the path of a rank table.
HCCL_FUNC_VISIBILITY HcclResult HcclCommInitClusterInfo(const char *clusterInfo, uint32_t rank,
                                                        HcclComm *comm);
HCCL_FUNC_VISIBILITY HcclResult HcclCommInitClusterInfoConfig(const char *clusterInfo,
                                                              uint32_t rank,
                                                              HcclCommConfig *config,
                                                              HcclComm *comm);
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

// ---- settings and queries ----

HCCL_FUNC_VISIBILITY HcclResult HcclSetConfig(HcclConfig config, HcclConfigValue configValue);
HCCL_FUNC_VISIBILITY HcclResult HcclGetConfig(HcclConfig config, HcclConfigValue *configValue);
// commName has room for COMM_NAME_MAX_LENGTH bytes.
HCCL_FUNC_VISIBILITY HcclResult HcclGetCommName(HcclComm comm, char *commName);
HCCL_FUNC_VISIBILITY CANN_AFTER_8_1 HcclResult HcclCommGetHandleWithName(const char *commName,
                                                                         HcclComm *comm);
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
  config->hcclExecTimeOut = -1;
  config->hcclQos = 0xffffffffU;
  config->hcclSymWinMaxMemSizePerRank = 16;
  config->hcclChannelSqDepth = 0xffffffffU;
}

// ---- suspending; memory that operations use directly ----

HCCL_FUNC_VISIBILITY HcclResult HcclCommSuspend(HcclComm comm);
HCCL_FUNC_VISIBILITY HcclResult HcclCommResume(HcclComm comm);
HCCL_FUNC_VISIBILITY HcclResult HcclCommSetMemoryRange(HcclComm comm, void *baseVirPtr, size_t size,
                                                       size_t alignment, uint64_t flags);
HCCL_FUNC_VISIBILITY HcclResult HcclCommUnsetMemoryRange(HcclComm comm, void *baseVirPtr);
HCCL_FUNC_VISIBILITY HcclResult HcclCommActivateCommMemory(HcclComm comm, void *virPtr, size_t size,
                                                           size_t offset, aclrtDrvMemHandle handle,
                                                           uint64_t flags);
HCCL_FUNC_VISIBILITY HcclResult HcclCommDeactivateCommMemory(HcclComm comm, void *virPtr);
HCCL_FUNC_VISIBILITY CANN_AFTER_8_1 HcclResult
HcclCommSymWinRegister(HcclComm comm, void *addr, uint64_t size, HcclCommSymWindow *winHandle,
                       uint32_t flag);
HCCL_FUNC_VISIBILITY CANN_AFTER_8_1 HcclResult
HcclCommSymWinDeregister(HcclCommSymWindow winHandle);
HCCL_FUNC_VISIBILITY CANN_AFTER_8_1 HcclResult HcclCommSymWinGet(HcclComm comm, void *ptr,
                                                                 size_t size,
                                                                 HcclCommSymWindow *winHandle,
                                                                 size_t *offset);
HCCL_FUNC_VISIBILITY CANN_AFTER_8_1 HcclResult HcclCommWorkingDevNicSet(HcclComm comm,
                                                                        uint32_t *ranks,
                                                                        bool *useBackup,
                                                                        uint32_t nRanks);

// ---- groups of calls of this thread: creations, or collectives, or sends and receives ----

HCCL_FUNC_VISIBILITY CANN_AFTER_8_1 HcclResult HcclGroupStart(void);
HCCL_FUNC_VISIBILITY CANN_AFTER_8_1 HcclResult HcclGroupEnd(void);
HCCL_FUNC_VISIBILITY CANN_AFTER_8_1 HcclResult HcclGroupStatusGet(bool *isGroupEnabled);

// Holds up the streams of all ranks, not their hosts.
HCCL_FUNC_VISIBILITY HcclResult HcclBarrier(HcclComm comm, aclrtStream stream);

#ifdef __cplusplus
}
#endif

#endif
