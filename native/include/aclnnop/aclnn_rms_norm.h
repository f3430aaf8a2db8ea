// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_ACLNNOP_ACLNN_RMS_NORM_H
#define CANN4J_ACLNNOP_ACLNN_RMS_NORM_H

#include "aclnn/aclnn_base.h"
#include "aclnn_util.h"

#ifdef __cplusplus
extern "C" {
#endif

// yOut = x * rstdOut * gamma, rstdOut = 1 / sqrt(mean(x * x) + epsilon) over gamma's dimensions,
// the last ones of x. They are 1 in rstdOut.
ACLNN_API aclnnStatus aclnnRmsNormGetWorkspaceSize(const aclTensor *x, const aclTensor *gamma,
    double epsilon, const aclTensor *yOut, const aclTensor *rstdOut, uint64_t *workspaceSize,
    aclOpExecutor **executor);
ACLNN_API aclnnStatus aclnnRmsNorm(void *workspace, uint64_t workspaceSize, aclOpExecutor *executor,
    aclrtStream stream);

#ifdef __cplusplus
}
#endif

#endif
