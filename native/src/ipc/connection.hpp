// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "ipc/event_loop.hpp"
#include "ipc/mailbox.hpp"
#include "ipc/message.hpp"

namespace cann4j::ipc {

// One end of a socket between two processes of the same user. Messages arrive whole, in order, or
// the connection has ended. Most go through a mailbox, if one end has offered it; the socket wakes
// who does not look into that, carries files and what has no room, and tells of the end.
class Connection : public Watched, public std::enable_shared_from_this<Connection> {
 public:
  explicit Connection(File socket);

  // From now on messages arrive. Once, and not from a constructor.
  void start();
  // After the start and before all messages, at one of the two ends.
  void offerMailbox();
  // Never blocks; a file goes along if it is open. After the end nothing happens.
  void send(Writer message, File file = {});
  bool hasUnsent();
  // Ends the connection when all that was sent is under way.
  void close();

  // The process that made the other end.
  pid_t peer() const { return peer_; }

  void ready(uint32_t events) final;

  // For threads that look for messages beside the loop's.
  bool hasMail() const { return mailbox_->hasMessage(); }
  // look: unless a thread is receiving already; the other waits for that, on a thread of the pool.
  bool look();
  void lookWhenFree();
  void setLooking(bool looks) { mailbox_->setLooking(looks); }

 protected:
  // One after the other, on the loop's thread or one that looks for messages; what it throws ends
  // the connection.
  virtual void received(Reader& message, File file) = 0;
  // On the loop's thread, once and after all messages, by whichever end the connection was closed.
  virtual void closed() = 0;

 private:
  struct Outgoing {
    std::string bytes;
    File file;
  };

  // With mutex_ held.
  void put(uint64_t sequence, const std::string& bytes, File file);
  void flush();
  void shutDown();

  bool receive();
  // With receiving_ held.
  void handle(uint64_t sequence, Reader& message, File file);
  void takeMail();
  bool lookLocked();
  void use(const File& mailbox, Mailbox::End end);
  void end();

  const pid_t peer_;
  File socket_;
  std::mutex mutex_;
  std::deque<Outgoing> outgoing_;
  bool waitsForRoom_ = false;
  bool closing_ = false;
  uint64_t lastSent_ = 0;

  std::unique_ptr<Mailbox> mailbox_;  // never changes once hasMailbox_
  std::atomic<bool> hasMailbox_{false};
  std::mutex receiving_;
  uint64_t lastReceived_ = 0;
  bool hasEnded_ = false;
};

// Takes connections of processes of the same user, under a name of Linux's abstract namespace.
class Listener : public Watched, public std::enable_shared_from_this<Listener> {
 public:
  using Accepted = std::function<void(File socket)>;

  // Throws std::system_error; EADDRINUSE if somebody else has the name.
  static std::shared_ptr<Listener> open(const std::string& name, Accepted accepted);

  void close();
  void ready(uint32_t events) override;

 private:
  Listener(File socket, Accepted accepted)
      : socket_(std::move(socket)), accepted_(std::move(accepted)) {}

  std::mutex mutex_;
  File socket_;
  bool isClosed_ = false;
  const Accepted accepted_;
};

// Not open, with errno, if nobody of the same user listens there.
File connectTo(const std::string& name);
// The two ends of a new connection.
std::pair<File, File> socketPair();

}  // namespace cann4j::ipc
