// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_ACLNNOP_ACLNN_ROTARY_POSITION_EMBEDDING_H
#define CANN4J_ACLNNOP_ACLNN_ROTARY_POSITION_EMBEDDING_H

#include "aclnn/aclnn_base.h"
#include "aclnn_util.h"

#ifdef __cplusplus
extern "C" {
#endif

// out = x * cos + rotate(x) * sin. Modes: 0 half, 1 interleave, 2 quarter, 3 interleave-half.
ACLNN_API CANN_AFTER_8_1 aclnnStatus aclnnRotaryPositionEmbeddingGetWorkspaceSize(
    const aclTensor *x, const aclTensor *cos, const aclTensor *sin, int64_t mode, aclTensor *out,
    uint64_t *workspaceSize, aclOpExecutor **executor);
ACLNN_API CANN_AFTER_8_1 aclnnStatus aclnnRotaryPositionEmbedding(void *workspace,
    uint64_t workspaceSize, aclOpExecutor *executor, aclrtStream stream);

#ifdef __cplusplus
}
#endif

#endif
