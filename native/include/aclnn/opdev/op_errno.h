// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_ACLNN_OPDEV_OP_ERRNO_H
#define CANN4J_ACLNN_OPDEV_OP_ERRNO_H

// The status codes are there.
#include "aclnn/acl_meta.h"

#endif
