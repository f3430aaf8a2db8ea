// SPDX-License-Identifier: Apache-2.0
#pragma once

// The parts of readArguments(), by topic. Each says what is wrong with the values and returns CANN's code.

#include <cinttypes>
#include <string>
#include <vector>

#include "aclnn/tensor.hpp"
#include "attention/arguments.hpp"
#include "attention/layout.hpp"
#include "ops/arguments.hpp"
#include "runtime/error.hpp"

namespace cann4j::attention {

// Of the messages: "%s" of a temporary string.
inline const char* text(const std::string& s) { return s.c_str(); }

// Name of the last output of the forward, which is an input of the backward.
inline const char* attentionName(bool backward) { return backward ? "attentionIn" : "attentionOut"; }

// Tensors are alive, those that are needed present, their types right. Fills in the spans.
aclnnStatus checkTensors(const Arguments& a, Request* r);

// Head counts, head sizes and the shapes of all tensors but mask, bias and dropout mask.
aclnnStatus checkShapes(const Arguments& a, Layout layout, Request* r);

// What the versions with rotary parts demand.
aclnnStatus checkRope(const Arguments& a, Layout layout, Request* r);

// Fills in the sequences: rows, lengths, statistics.
aclnnStatus readSequences(const Arguments& a, Request* r);

// Who sees whom, after readSequences().
aclnnStatus readMask(const Arguments& a, Request* r);

// Positional bias, after readMask().
aclnnStatus readBias(const Arguments& a, Request* r);

aclnnStatus readDropout(const Arguments& a, Request* r);

}  // namespace cann4j::attention
