// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_ACLNNOP_ACLNN_APPLY_ROTARY_POS_EMB_V2_H
#define CANN4J_ACLNNOP_ACLNN_APPLY_ROTARY_POS_EMB_V2_H

#include "aclnn_apply_rotary_pos_emb.h"

#endif
