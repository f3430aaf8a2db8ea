// SPDX-License-Identifier: Apache-2.0
#include "ipc/event_loop.hpp"

#include <pthread.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <thread>

#include "runtime/forked.hpp"

namespace cann4j::ipc {
namespace {

thread_local bool isLoop = false;

epoll_event eventOf(int file, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = file;
  return event;
}

[[noreturn]] void throwError(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

EventLoop& EventLoop::instance() {
  // Never destroyed: its thread outlives static destruction.
  static EventLoop& loop = *new EventLoop();
  return loop;
}

// A child that does not start a program of its own would keep connections open that end here.
EventLoop::EventLoop() {
  expectForks();
  pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                 [] {
                   EventLoop& loop = instance();
                   for (const auto& [file, watched] : loop.watched_) {
                     ::close(file);
                   }
                   loop.mutex_.unlock();
                 });
}

bool EventLoop::isHere() { return isLoop; }

void EventLoop::add(int file, uint32_t events, std::shared_ptr<Watched> watched) {
  std::lock_guard lock(mutex_);
  const bool isNew = !epoll_.isOpen();
  File epoll = isNew ? File(epoll_create1(EPOLL_CLOEXEC)) : File();
  if (isNew && !epoll.isOpen()) {
    throwError("epoll_create1");
  }
  epoll_event event = eventOf(file, events);
  const int descriptor = isNew ? epoll.descriptor() : epoll_.descriptor();
  if (epoll_ctl(descriptor, EPOLL_CTL_ADD, file, &event) != 0) {
    throwError("epoll_ctl");
  }
  if (isNew) {
    std::thread([this] { run(); }).detach();
    epoll_ = std::move(epoll);
  }
  watched_[file] = std::move(watched);
}

void EventLoop::change(int file, uint32_t events) {
  std::lock_guard lock(mutex_);
  epoll_event event = eventOf(file, events);
  epoll_ctl(epoll_.descriptor(), EPOLL_CTL_MOD, file, &event);
}

void EventLoop::remove(int file) {
  std::shared_ptr<Watched> last;  // ends without the lock
  std::lock_guard lock(mutex_);
  epoll_ctl(epoll_.descriptor(), EPOLL_CTL_DEL, file, nullptr);
  last = std::move(watched_[file]);
  watched_.erase(file);
}

std::shared_ptr<Watched> EventLoop::find(int file) {
  std::lock_guard lock(mutex_);
  const auto found = watched_.find(file);
  return found == watched_.end() ? nullptr : found->second;
}

void EventLoop::run() {
  isLoop = true;
  std::array<epoll_event, 64> events;
  for (;;) {
    int descriptor = -1;
    {
      std::lock_guard lock(mutex_);
      if (watched_.empty()) {
        epoll_ = File();
        return;
      }
      descriptor = epoll_.descriptor();
    }
    const int count = epoll_wait(descriptor, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      if (const std::shared_ptr<Watched> watched = find(events[i].data.fd)) {
        watched->ready(events[i].events);
      }
    }
  }
}

}  // namespace cann4j::ipc
