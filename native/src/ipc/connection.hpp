// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "ipc/event_loop.hpp"
#include "ipc/message.hpp"

namespace cann4j::ipc {

// One end of a socket between two processes of the same user. Messages arrive whole, in order, or
// the connection has ended.
class Connection : public Watched, public std::enable_shared_from_this<Connection> {
 public:
  explicit Connection(File socket);

  // From now on messages arrive. Once, and not from a constructor.
  void start();
  // Never blocks; a file goes along if it is open. After the end nothing happens.
  void send(Writer message, File file = {});
  bool hasUnsent();
  // Ends the connection when all that was sent is under way.
  void close();

  // The process that made the other end.
  pid_t peer() const { return peer_; }

  void ready(uint32_t events) final;

 protected:
  // On the loop's thread; what it throws ends the connection.
  virtual void received(Reader& message, File file) = 0;
  // On the loop's thread, once, by whichever end the connection was closed.
  virtual void closed() = 0;

 private:
  struct Outgoing {
    std::string bytes;
    File file;
  };

  // With mutex_ held.
  void flush();
  void shutDown();

  bool receive();
  void end();

  const pid_t peer_;
  File socket_;
  std::mutex mutex_;
  std::deque<Outgoing> outgoing_;
  bool waitsForRoom_ = false;
  bool closing_ = false;
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
