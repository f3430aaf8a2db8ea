// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_ACLNNOP_ACLNN_RING_ATTENTION_UPDATE_V2_H
#define CANN4J_ACLNNOP_ACLNN_RING_ATTENTION_UPDATE_V2_H

#include "aclnn_ring_attention_update.h"

#endif
