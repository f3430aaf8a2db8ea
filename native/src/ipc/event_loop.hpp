// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "ipc/file.hpp"

namespace cann4j::ipc {

// Who reacts to what happens to a file. Must neither block nor throw.
class Watched {
 public:
  virtual ~Watched() = default;
  virtual void ready(uint32_t events) = 0;  // EPOLLIN, EPOLLOUT, EPOLLHUP ...
};

// The one thread that serves all connections with other processes. It runs as long as there are
// files to watch.
class EventLoop {
 public:
  static EventLoop& instance();
  // Whether this is its thread.
  static bool isHere();

  // Keeps `watched` until it is removed.
  void add(int file, uint32_t events, std::shared_ptr<Watched> watched);
  void change(int file, uint32_t events);
  // Only on the loop's thread.
  void remove(int file);

 private:
  EventLoop();
  void run();
  std::shared_ptr<Watched> find(int file);

  std::mutex mutex_;
  std::map<int, std::shared_ptr<Watched>> watched_;
  File epoll_;  // open while the thread runs
};

}  // namespace cann4j::ipc
