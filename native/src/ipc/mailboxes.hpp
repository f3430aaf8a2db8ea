// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

namespace cann4j::ipc {

class Connection;

// The connections with mailboxes. Threads that wait actively look into all of them.
void watchMailbox(std::shared_ptr<Connection> connection);
void forgetMailbox(const Connection& connection);

}  // namespace cann4j::ipc
