// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_ACLNNOP_ACLNN_APPLY_ROTARY_POS_EMB_H
#define CANN4J_ACLNNOP_ACLNN_APPLY_ROTARY_POS_EMB_H

#include "aclnn/aclnn_base.h"
#include "aclnn_util.h"

#ifdef __cplusplus
extern "C" {
#endif

// Rotates query and key in place: x = x * cos + rotateHalf(x) * sin. Layout 1 is BSND.
ACLNN_API aclnnStatus aclnnApplyRotaryPosEmbGetWorkspaceSize(aclTensor *queryRef, aclTensor *keyRef,
    const aclTensor *cos, const aclTensor *sin, int64_t layout, uint64_t *workspaceSize,
    aclOpExecutor **executor);
ACLNN_API aclnnStatus aclnnApplyRotaryPosEmb(void *workspace, uint64_t workspaceSize,
    aclOpExecutor *executor, aclrtStream stream);

// rotaryMode is "half", "quarter" or "interleave".
ACLNN_API CANN_AFTER_8_1 aclnnStatus aclnnApplyRotaryPosEmbV2GetWorkspaceSize(aclTensor *queryRef,
    aclTensor *keyRef, const aclTensor *cos, const aclTensor *sin, int64_t layout, char *rotaryMode,
    uint64_t *workspaceSize, aclOpExecutor **executor);
ACLNN_API CANN_AFTER_8_1 aclnnStatus aclnnApplyRotaryPosEmbV2(void *workspace,
    uint64_t workspaceSize, aclOpExecutor *executor, aclrtStream stream);

#ifdef __cplusplus
}
#endif

#endif
