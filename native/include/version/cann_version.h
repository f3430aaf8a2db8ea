// SPDX-License-Identifier: Apache-2.0
#ifndef CANN4J_VERSION_CANN_VERSION_H
#define CANN4J_VERSION_CANN_VERSION_H

// The release that the toolkit calls itself, with the newest interface that is here.
#define CANN_VERSION_STR "9.0.0"

#endif
