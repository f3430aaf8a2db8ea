// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "hccl/local_group.hpp"
#include "hccl/messages.hpp"
#include "ipc/connection.hpp"

namespace cann4j::hccl {

// A rank may destroy its communicator and end its process while others go on with theirs. Where the
// operations met in that process, they are to meet in one of the others from then on.

// When this process ends, its communicators that others still use move to one of those.
void handOverAtExit();

// This process takes one over, and then its members, one after the other.
std::shared_ptr<LocalGroup> takeOver(const Hosting& hosting);
void takeOverMember(const std::shared_ptr<LocalGroup>& group, uint32_t rank, ipc::File socket);

}  // namespace cann4j::hccl
