// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_ACLNN_ACLNN_BASE_H
#define CANN4J_ACLNN_ACLNN_BASE_H

#include "acl/acl_rt.h"
#include "acl_meta.h"

#ifdef __cplusplus
extern "C" {
#endif

// Both are optional where aclInit is called.
ACL_FUNC_VISIBILITY aclnnStatus aclnnInit(const char *configPath);
ACL_FUNC_VISIBILITY aclnnStatus aclnnFinalize(void);

#ifdef __cplusplus
}
#endif

#endif
