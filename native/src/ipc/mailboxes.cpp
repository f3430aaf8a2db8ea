// SPDX-License-Identifier: Apache-2.0
#include "ipc/mailboxes.hpp"

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "ipc/connection.hpp"
#include "runtime/active_wait.hpp"

namespace cann4j::ipc {
namespace {

std::atomic<bool> isChild{false};

struct Mailboxes {
  std::shared_mutex mutex;
  std::vector<std::shared_ptr<Connection>> connections;
  std::mutex lookersMutex;  // before the other one
  int lookers = 0;

  Mailboxes() {
    pthread_atfork(nullptr, nullptr, [] {
      isChild = true;
      ActiveWait::setSource(nullptr);
    });
  }

  static Mailboxes& instance() {
    static Mailboxes& mailboxes = *new Mailboxes();
    return mailboxes;
  }

  // Messages may change what is watched, so they are received without the lock.
  bool look() {
    std::vector<std::shared_ptr<Connection>> withMail;
    {
      std::shared_lock lock(mutex);
      for (const std::shared_ptr<Connection>& connection : connections) {
        if (connection->hasMail()) {
          withMail.push_back(connection);
        }
      }
    }
    bool hasReceived = false;
    for (const std::shared_ptr<Connection>& connection : withMail) {
      hasReceived |= connection->look();
    }
    return hasReceived;
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
      all.look();  // what came before the others knew
    }};

}  // namespace

bool mayUseMailboxes() { return !isChild.load(std::memory_order_relaxed); }

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
