// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_ACLNNOP_ACLNN_UTIL_H
#define CANN4J_ACLNNOP_ACLNN_UTIL_H

#define ACLNN_API __attribute__((visibility("default")))

#endif
