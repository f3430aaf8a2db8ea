// SPDX-License-Identifier: Apache-2.0
// Operations: device buffers, counts in elements, in stream order; the stream is not NULL.
#ifndef CANN4J_HCCL_HCCL_H
#define CANN4J_HCCL_HCCL_H

#include "hccl_comm.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- between two ranks ----

HCCL_FUNC_VISIBILITY HcclResult HcclSend(void *sendBuf, uint64_t count, HcclDataType dataType,
                                         uint32_t destRank, HcclComm comm, aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclRecv(void *recvBuf, uint64_t count, HcclDataType dataType,
                                         uint32_t srcRank, HcclComm comm, aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclBatchSendRecv(HcclSendRecvItem *sendRecvInfo, uint32_t itemNum,
                                                  HcclComm comm, aclrtStream stream);

// ---- of all ranks; arrays of counts and displacements are of uint64_t on the host, read during
// the call ----

HCCL_FUNC_VISIBILITY HcclResult HcclAllReduce(void *sendBuf, void *recvBuf, uint64_t count,
                                              HcclDataType dataType, HcclReduceOp op,
                                              HcclComm comm, aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclBroadcast(void *buf, uint64_t count, HcclDataType dataType,
                                              uint32_t root, HcclComm comm, aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclReduce(void *sendBuf, void *recvBuf, uint64_t count,
                                           HcclDataType dataType, HcclReduceOp op, uint32_t root,
                                           HcclComm comm, aclrtStream stream);
// sendBuf may be NULL on all ranks but the root.
HCCL_FUNC_VISIBILITY HcclResult HcclScatter(void *sendBuf, void *recvBuf, uint64_t recvCount,
                                            HcclDataType dataType, uint32_t root, HcclComm comm,
                                            aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclReduceScatter(void *sendBuf, void *recvBuf, uint64_t recvCount,
                                                  HcclDataType dataType, HcclReduceOp op,
                                                  HcclComm comm, aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclReduceScatterV(void *sendBuf, const void *sendCounts,
                                                   const void *sendDispls, void *recvBuf,
                                                   uint64_t recvCount, HcclDataType dataType,
                                                   HcclReduceOp op, HcclComm comm,
                                                   aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclAllGather(void *sendBuf, void *recvBuf, uint64_t sendCount,
                                              HcclDataType dataType, HcclComm comm,
                                              aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclAllGatherV(void *sendBuf, uint64_t sendCount, void *recvBuf,
                                               const void *recvCounts, const void *recvDispls,
                                               HcclDataType dataType, HcclComm comm,
                                               aclrtStream stream);
// recvBuf is written, in spite of its const; so it is in the next two.
HCCL_FUNC_VISIBILITY HcclResult HcclAlltoAll(const void *sendBuf, uint64_t sendCount,
                                             HcclDataType sendType, const void *recvBuf,
                                             uint64_t recvCount, HcclDataType recvType,
                                             HcclComm comm, aclrtStream stream);
HCCL_FUNC_VISIBILITY HcclResult HcclAlltoAllV(const void *sendBuf, const void *sendCounts,
                                              const void *sdispls, HcclDataType sendType,
                                              const void *recvBuf, const void *recvCounts,
                                              const void *rdispls, HcclDataType recvType,
                                              HcclComm comm, aclrtStream stream);
// sendCountMatrix[i * ranks + j] elements go from rank i to rank j; blocks lie without gaps.
HCCL_FUNC_VISIBILITY CANN_AFTER_8_1 HcclResult
HcclAlltoAllVC(const void *sendBuf, const void *sendCountMatrix, HcclDataType sendType,
               const void *recvBuf, HcclDataType recvType, HcclComm comm, aclrtStream stream);

#ifdef __cplusplus
}
#endif

#endif
