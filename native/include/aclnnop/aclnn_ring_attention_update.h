// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_ACLNNOP_ACLNN_RING_ATTENTION_UPDATE_H
#define CANN4J_ACLNNOP_ACLNN_RING_ATTENTION_UPDATE_H

#include "aclnn/aclnn_base.h"
#include "aclnn_util.h"

#ifdef __cplusplus
extern "C" {
#endif

// Merges two partial attention results. Layouts SBH and TND; for TND actualSeqQlenOptional is a
// device tensor of INT64 prefix sums with a leading 0.
ACLNN_API aclnnStatus aclnnRingAttentionUpdateGetWorkspaceSize(const aclTensor *prevAttnOut,
    const aclTensor *prevSoftmaxMax, const aclTensor *prevSoftmaxSum, const aclTensor *curAttnOut,
    const aclTensor *curSoftmaxMax, const aclTensor *curSoftmaxSum,
    const aclTensor *actualSeqQlenOptional, char *inputLayoutOptional, const aclTensor *attnOutOut,
    const aclTensor *softmaxMaxOut, const aclTensor *softmaxSumOut, uint64_t *workspaceSize,
    aclOpExecutor **executor);
ACLNN_API aclnnStatus aclnnRingAttentionUpdate(void *workspace, uint64_t workspaceSize,
    aclOpExecutor *executor, aclrtStream stream);

// With inputSoftmaxLayoutOptional "TND" the softmax tensors of TND are in the order of their shape
// [T, N, 8]; NULL, "" and "SBH" mean, as above, a block [N, S, 8] for each sequence.
ACLNN_API CANN_AFTER_8_1 aclnnStatus aclnnRingAttentionUpdateV2GetWorkspaceSize(
    const aclTensor *prevAttnOut, const aclTensor *prevSoftmaxMax, const aclTensor *prevSoftmaxSum,
    const aclTensor *curAttnOut, const aclTensor *curSoftmaxMax, const aclTensor *curSoftmaxSum,
    const aclTensor *actualSeqQlenOptional, char *inputLayoutOptional,
    char *inputSoftmaxLayoutOptional, const aclTensor *attnOutOut, const aclTensor *softmaxMaxOut,
    const aclTensor *softmaxSumOut, uint64_t *workspaceSize, aclOpExecutor **executor);
ACLNN_API CANN_AFTER_8_1 aclnnStatus aclnnRingAttentionUpdateV2(void *workspace,
    uint64_t workspaceSize, aclOpExecutor *executor, aclrtStream stream);

#ifdef __cplusplus
}
#endif

#endif
