// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cann4j {

// Before the first thread of the toolkit starts: from then on a child of fork has none of them.
void expectForks();

// Whether this process is such a child, in which work would never be done.
bool isForked();

// Words for it.
extern const char* const kForked;

}  // namespace cann4j
