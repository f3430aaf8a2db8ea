// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "hccl/communicator.hpp"
#include "hccl/formation.hpp"

namespace cann4j::hccl {

// What the functions that create communicators share. All of them record words when they refuse.

HcclResult requireDevice(const char* function, int* device);
HcclResult requirePointer(const char* function, const char* argument, const void* pointer);
// What the host reads or writes.
HcclResult requireOnHost(const char* function, const char* argument, const void* pointer);
HcclResult requireFreeName(const char* function, int device, const std::string& name);

// Joins the formation, and blocks until the communicator is there; in an open group of calls, at
// its end.
HcclResult enter(const char* function, std::shared_ptr<Formation> formation,
                 const Candidate& candidate, Origin origin, HcclComm* comm);

}  // namespace cann4j::hccl
