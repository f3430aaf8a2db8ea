// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cann4j {

// What CANN4J_CPU_VERSION said when the library was loaded. As 8.1 it hides, from that moment on,
// the functions that the headers mark as newer.
enum class Version { kNewest, k81, kUnknown };

Version chosenVersion();
const char* chosenVersionText();

}  // namespace cann4j
