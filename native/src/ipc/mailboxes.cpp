// SPDX-License-Identifier: Apache-2.0
#include "ipc/mailboxes.hpp"

#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "ipc/connection.hpp"
#include "runtime/active_wait.hpp"
#include "runtime/thread_pool.hpp"

namespace cann4j::ipc {
namespace {

struct Mailboxes {
  std::shared_mutex mutex;
  std::vector<std::shared_ptr<Connection>> connections;
  std::mutex lookersMutex;  // before the other one
  int lookers = 0;

  static Mailboxes& instance() {
    static Mailboxes& mailboxes = *new Mailboxes();
    return mailboxes;
  }

  // Messages may change what is watched, so they are received without the lock.
  std::vector<std::shared_ptr<Connection>> withMail() {
    std::vector<std::shared_ptr<Connection>> found;
    std::shared_lock lock(mutex);
    for (const std::shared_ptr<Connection>& connection : connections) {
      if (connection->hasMail()) {
        found.push_back(connection);
      }
    }
    return found;
  }

  bool look() {
    bool hasReceived = false;
    for (const std::shared_ptr<Connection>& connection : withMail()) {
      hasReceived |= connection->look();
    }
    return hasReceived;
  }

  // What came before the others knew that nobody looks any more. Where a thread is receiving, perhaps
  // this one, it may have looked already; to wait for it here could wait for ever.
  void lookOnceMore() {
    look();
    for (const std::shared_ptr<Connection>& connection : withMail()) {
      ThreadPool::instance().post([connection] { connection->lookWhenFree(); });
    }
  }

  void setLooking(bool looks) {
    std::shared_lock lock(mutex);
    for (const std::shared_ptr<Connection>& connection : connections) {
      connection->setLooking(looks);
    }
  }
};

const ActiveWait::Source kSource = {
    [] { return Mailboxes::instance().look(); },
    [] {
      Mailboxes& all = Mailboxes::instance();
      std::lock_guard lock(all.lookersMutex);
      if (all.lookers++ == 0) {
        all.setLooking(true);
      }
    },
    [] {
      Mailboxes& all = Mailboxes::instance();
      {
        std::lock_guard lock(all.lookersMutex);
        if (--all.lookers > 0) {
          return;
        }
        all.setLooking(false);
      }
      all.lookOnceMore();
    }};

}  // namespace

void watchMailbox(std::shared_ptr<Connection> connection) {
  Mailboxes& all = Mailboxes::instance();
  std::lock_guard lookers(all.lookersMutex);
  connection->setLooking(all.lookers > 0);
  {
    std::lock_guard lock(all.mutex);
    all.connections.push_back(std::move(connection));
  }
  ActiveWait::setSource(&kSource);
}

void forgetMailbox(const Connection& connection) {
  Mailboxes& all = Mailboxes::instance();
  std::shared_ptr<Connection> last;  // ends without the lock
  std::lock_guard lock(all.mutex);
  for (auto& known : all.connections) {
    if (known.get() == &connection) {
      last = std::move(known);
      known = std::move(all.connections.back());
      all.connections.pop_back();
      return;
    }
  }
}

}  // namespace cann4j::ipc
