// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_VERSION_CANN_VERSION_H
#define CANN4J_VERSION_CANN_VERSION_H

// The release of CANN whose interface these headers have; functions after it are marked.
#define CANN_VERSION_STR "8.1.RC1"

#endif
