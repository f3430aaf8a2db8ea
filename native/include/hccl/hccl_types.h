// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_HCCL_HCCL_TYPES_H
#define CANN4J_HCCL_HCCL_TYPES_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HCCL_ROOT_INFO_BYTES 4108
#define COMM_NAME_MAX_LENGTH 128
#define UDI_MAX_LENGTH 128
#define HCCL_COMM_ALGO_MAX_LENGTH 1600
#define HCCL_COMM_RETRY_ENABLE_MAX_LENGTH 50
#define HCCL_COMM_RETRY_PARAMS_MAX_LENGTH 128
#define BUFFER_NAME_MAX_LENGTH 128
#define HCCL_COMM_CONFIG_INFO_BYTES 24
#define HCCL_COMM_CONFIG_MAGIC_WORD 0xf0f0f0f0U
#define HCCL_COMM_CONFIG_VERSION 11U
#define HCCL_COMM_BUFFSIZE_CONFIG_NOT_SET 0xffffffffU
#define HCCL_COMM_DETERMINISTIC_CONFIG_NOT_SET 0xffffffffU
#define HCCL_COMM_DEFAULT_OP_EXPANSION_MODE 0U
#define HCCL_COMM_TRAFFIC_CLASS_CONFIG_NOT_SET 0xffffffffU
#define HCCL_COMM_SERVICE_LEVEL_CONFIG_NOT_SET 0xffffffffU

typedef void *HcclComm;
typedef void *HcclCommSymWindow;

typedef enum {
  HCCL_SUCCESS = 0,
  HCCL_E_PARA = 1,
  HCCL_E_PTR = 2,
  HCCL_E_MEMORY = 3,
  HCCL_E_INTERNAL = 4,
  HCCL_E_NOT_SUPPORT = 5,
  HCCL_E_NOT_FOUND = 6,
  HCCL_E_UNAVAIL = 7,
  HCCL_E_SYSCALL = 8,
  HCCL_E_TIMEOUT = 9,
  HCCL_E_OPEN_FILE_FAILURE = 10,
  HCCL_E_TCP_CONNECT = 11,
  HCCL_E_ROCE_CONNECT = 12,
  HCCL_E_TCP_TRANSFER = 13,
  HCCL_E_ROCE_TRANSFER = 14,
  HCCL_E_RUNTIME = 15,
  HCCL_E_DRV = 16,
  HCCL_E_PROFILING = 17,
  HCCL_E_CCE = 18,
  HCCL_E_NETWORK = 19,
  HCCL_E_AGAIN = 20,
  HCCL_E_REMOTE = 21,
  HCCL_E_SUSPENDING = 22,
  HCCL_E_OPRETRY_FAIL = 23, // CANN 8.1 ends with HCCL_E_RESERVED here
  HCCL_E_OOM = 24,
  HCCL_E_IN_STATUS = 1041,
  HCCL_E_RESERVED = 1042
} HcclResult;

typedef enum {
  HCCL_REDUCE_SUM = 0,
  HCCL_REDUCE_PROD = 1,
  HCCL_REDUCE_MAX = 2,
  HCCL_REDUCE_MIN = 3,
  HCCL_REDUCE_RESERVED = 255
} HcclReduceOp;

typedef enum {
  HCCL_DATA_TYPE_INT8 = 0,
  HCCL_DATA_TYPE_INT16 = 1,
  HCCL_DATA_TYPE_INT32 = 2,
  HCCL_DATA_TYPE_FP16 = 3,
  HCCL_DATA_TYPE_FP32 = 4,
  HCCL_DATA_TYPE_INT64 = 5,
  HCCL_DATA_TYPE_UINT64 = 6,
  HCCL_DATA_TYPE_UINT8 = 7,
  HCCL_DATA_TYPE_UINT16 = 8,
  HCCL_DATA_TYPE_UINT32 = 9,
  HCCL_DATA_TYPE_FP64 = 10,
  HCCL_DATA_TYPE_BFP16 = 11,
  HCCL_DATA_TYPE_INT128 = 12,
  HCCL_DATA_TYPE_HIF8 = 14,
  HCCL_DATA_TYPE_FP8E4M3 = 15,
  HCCL_DATA_TYPE_FP8E5M2 = 16,
  HCCL_DATA_TYPE_FP8E8M0 = 17,
  HCCL_DATA_TYPE_RESERVED = 255
} HcclDataType;

typedef enum {
  HCCL_DETERMINISTIC = 0,
  HCCL_CONFIG_RESERVED = 1
} HcclConfig;

typedef union HcclConfigValue {
  int32_t value;
} HcclConfigValue;

typedef enum {
  HCCL_SEND = 0,
  HCCL_RECV = 1,
  HCCL_SEND_RECV_RESERVED = 2
} HcclSendRecvType;

// A capability is there if HcclGetCommConfigCapability() returns a greater number.
typedef enum {
  HCCL_COMM_CONFIG_BUFFER_SIZE = 0,
  HCCL_COMM_CONFIG_DETERMINISTIC = 1,
  HCCL_COMM_CONFIG_COMM_NAME = 2,
  HCCL_COMM_CONFIG_OP_EXPANSION_MODE = 3,
  HCCL_COMM_CONFIG_SUPPORT_INIT_BY_ENV = 4,
  HCCL_COMM_CONFIG_WORLD_RANKID = 5, // CANN 8.1 ends with HCCL_COMM_CONFIG_RESERVED here
  HCCL_COMM_CONFIG_JOBID = 6,
  HCCL_COMM_CONFIG_ACLGRAPH_ZEROCOPY_ENABLE = 7,
  HCCL_COMM_CONFIG_EXEC_TIMEOUT = 8,
  HCCL_COMM_CONFIG_ALGO = 9,
  HCCL_COMM_CONFIG_RETRY = 10,
  HCCL_COMM_CONFIG_BUFFER_NAME = 11,
  HCCL_COMM_CONFIG_RESERVED = 12
} HcclCommConfigCapability;

typedef struct HcclRootInfo {
  char internal[HCCL_ROOT_INFO_BYTES];
} HcclRootInfo;

typedef struct HcclSendRecvItem {
  HcclSendRecvType sendRecvType;
  void *buf;
  uint64_t count;
  HcclDataType dataType;
  uint32_t remoteRank;
} HcclSendRecvItem;

// What `reserved` of HcclCommConfig holds.
typedef struct HcclCommConfigInfo {
  size_t configSize;
  uint32_t magicWord;
  uint32_t version;
  uint64_t reserved;
} HcclCommConfigInfo;

// Grows from version to version; the size and the version in `reserved` say how much of it there is.
typedef struct HcclCommConfig {
  char reserved[HCCL_COMM_CONFIG_INFO_BYTES];
  uint32_t hcclBufferSize; // megabytes
  uint32_t hcclDeterministic;
  char hcclCommName[COMM_NAME_MAX_LENGTH];
  char hcclUdi[UDI_MAX_LENGTH];
  uint32_t hcclOpExpansionMode;
  uint32_t hcclRdmaTrafficClass;
  uint32_t hcclRdmaServiceLevel;
  uint32_t hcclWorldRankID; // from version 10 on
  uint64_t hcclJobID;
  uint8_t aclGraphZeroCopyEnable;
  int32_t hcclExecTimeOut; // seconds
  char hcclAlgo[HCCL_COMM_ALGO_MAX_LENGTH];
  char hcclRetryEnable[HCCL_COMM_RETRY_ENABLE_MAX_LENGTH];
  char hcclRetryParams[HCCL_COMM_RETRY_PARAMS_MAX_LENGTH];
  char hcclBufferName[BUFFER_NAME_MAX_LENGTH];
  uint32_t hcclQos;
  uint64_t hcclSymWinMaxMemSizePerRank;
  uint32_t hcclChannelSqDepth; // from version 11 on
} HcclCommConfig;

static_assert(sizeof(HcclRootInfo) == 4108, "HcclRootInfo");
static_assert(sizeof(HcclSendRecvItem) == 32, "HcclSendRecvItem");
static_assert(offsetof(HcclSendRecvItem, remoteRank) == 28, "HcclSendRecvItem.remoteRank");
static_assert(sizeof(HcclCommConfigInfo) == HCCL_COMM_CONFIG_INFO_BYTES, "HcclCommConfigInfo");
static_assert(offsetof(HcclCommConfig, hcclBufferSize) == 24, "hcclBufferSize");
static_assert(offsetof(HcclCommConfig, hcclCommName) == 32, "hcclCommName");
static_assert(offsetof(HcclCommConfig, hcclUdi) == 160, "hcclUdi");
static_assert(offsetof(HcclCommConfig, hcclOpExpansionMode) == 288, "hcclOpExpansionMode");
static_assert(offsetof(HcclCommConfig, hcclRdmaServiceLevel) == 296, "hcclRdmaServiceLevel");
static_assert(offsetof(HcclCommConfig, hcclWorldRankID) == 300, "version 5 has 300 bytes");
static_assert(offsetof(HcclCommConfig, hcclJobID) == 304, "hcclJobID");
static_assert(offsetof(HcclCommConfig, aclGraphZeroCopyEnable) == 312, "aclGraphZeroCopyEnable");
static_assert(offsetof(HcclCommConfig, hcclExecTimeOut) == 316, "hcclExecTimeOut");
static_assert(offsetof(HcclCommConfig, hcclAlgo) == 320, "hcclAlgo");
static_assert(offsetof(HcclCommConfig, hcclRetryEnable) == 1920, "hcclRetryEnable");
static_assert(offsetof(HcclCommConfig, hcclRetryParams) == 1970, "hcclRetryParams");
static_assert(offsetof(HcclCommConfig, hcclBufferName) == 2098, "hcclBufferName");
static_assert(offsetof(HcclCommConfig, hcclQos) == 2228, "hcclQos");
static_assert(offsetof(HcclCommConfig, hcclSymWinMaxMemSizePerRank) == 2232, "hcclSymWin");
static_assert(offsetof(HcclCommConfig, hcclChannelSqDepth) == 2240, "version 10 has 2240 bytes");
static_assert(sizeof(HcclCommConfig) == 2248, "version 11 has 2248 bytes");

#ifdef __cplusplus
}
#endif

#endif
