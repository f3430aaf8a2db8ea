// SPDX-License-Identifier: Apache-2.0
#include "ipc/connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "ipc/mailboxes.hpp"
#include "runtime/forked.hpp"

namespace cann4j::ipc {
namespace {

constexpr int kType = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
constexpr size_t kLongestMessage = size_t{128} << 10;  // below the usual size of a socket's buffer
constexpr int kMessagesAtATime = 32;

// Every message has a number, so that those of the socket and of the mailbox have one order; except
// these.
constexpr uint64_t kWake = 0;                // there is something in the mailbox
constexpr uint64_t kMailbox = ~uint64_t{0};  // comes with the file of one

// What is received may wait actively itself, but must not receive meanwhile.
thread_local bool isReceiving = false;

struct Receiving {
  Receiving() { isReceiving = true; }
  Receiving(const Receiving&) = delete;
  ~Receiving() { isReceiving = false; }
};

struct Address {
  sockaddr_un value{};
  socklen_t size = 0;

  explicit Address(const std::string& name) {
    value.sun_family = AF_UNIX;
    const size_t length = std::min(name.size(), sizeof value.sun_path - 1);
    name.copy(value.sun_path + 1, length);  // after a zero byte: abstract
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&value); }
};

[[noreturn]] void throwError(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

ucred credentialsOf(const File& socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket.descriptor(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    credentials = {0, static_cast<uid_t>(-1), static_cast<gid_t>(-1)};
  }
  return credentials;
}

bool isOfSameUser(const File& socket) { return credentialsOf(socket).uid == geteuid(); }

union Control {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

ssize_t sendOnce(const File& socket, const std::string& bytes, const File& file) {
  iovec vector{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  Control control{};
  if (file.isOpen()) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int descriptor = file.descriptor();
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  return sendmsg(socket.descriptor(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

Connection::Connection(File socket)
    : peer_(credentialsOf(socket).pid), socket_(std::move(socket)) {}

void Connection::start() {
  EventLoop::instance().add(socket_.descriptor(), EPOLLIN, shared_from_this());
}

void Connection::offerMailbox() {
  File file = Mailbox::makeFile();
  if (!file.isOpen()) {
    return;  // the socket does as well
  }
  use(file, Mailbox::End::kFirst);
  std::lock_guard lock(mutex_);
  put(kMailbox, {}, std::move(file));
}

void Connection::use(const File& file, Mailbox::End end) {
  mailbox_ = Mailbox::open(file, end);
  if (mailbox_ == nullptr) {
    throw std::runtime_error("no mailbox");
  }
  watchMailbox(shared_from_this());
  hasMailbox_ = true;
}

void Connection::send(Writer message, File file) {
  std::lock_guard lock(mutex_);
  if (!socket_.isOpen() || closing_) {
    return;
  }
  const std::string bytes = message.take();
  const uint64_t sequence = ++lastSent_;
  if (!hasMailbox_ || file.isOpen() || isForked() || !mailbox_->put(sequence, bytes)) {
    put(sequence, bytes, std::move(file));
  } else if (mailbox_->mustWake()) {
    put(kWake, {}, {});
  }
}

void Connection::put(uint64_t sequence, const std::string& bytes, File file) {
  std::string numbered(reinterpret_cast<const char*>(&sequence), sizeof sequence);
  numbered += bytes;
  outgoing_.push_back({std::move(numbered), std::move(file)});
  if (outgoing_.size() == 1) {
    flush();
  }
}

bool Connection::hasUnsent() {
  std::lock_guard lock(mutex_);
  return !outgoing_.empty();
}

void Connection::close() {
  std::lock_guard lock(mutex_);
  closing_ = true;
  if (socket_.isOpen() && outgoing_.empty()) {
    shutDown();
  }
}

void Connection::flush() {
  while (!outgoing_.empty()) {
    const Outgoing& next = outgoing_.front();
    if (sendOnce(socket_, next.bytes, next.file) >= 0) {
      outgoing_.pop_front();
    } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
      break;
    } else if (errno != EINTR) {
      outgoing_.clear();
      shutDown();
    }
  }
  const bool wantsRoom = !outgoing_.empty();
  if (wantsRoom != waitsForRoom_) {
    waitsForRoom_ = wantsRoom;
    EventLoop::instance().change(socket_.descriptor(),
                                 wantsRoom ? EPOLLIN | EPOLLOUT : uint32_t{EPOLLIN});
  }
  if (outgoing_.empty() && closing_) {
    shutDown();
  }
}

// The loop's thread sees this as the end and closes the file, which nobody else then uses.
void Connection::shutDown() { shutdown(socket_.descriptor(), SHUT_RDWR); }

void Connection::ready(uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    std::lock_guard lock(mutex_);
    flush();
  }
  if ((events & ~uint32_t{EPOLLOUT}) == 0) {
    return;
  }
  bool goesOn = true;
  for (int i = 0; i < kMessagesAtATime && goesOn; ++i) {
    goesOn = receive();
  }
}

// Whether there may be more.
bool Connection::receive() {
  static thread_local std::vector<char> bytes(kLongestMessage);
  iovec vector{bytes.data(), bytes.size()};
  Control control{};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  const ssize_t size = recvmsg(socket_.descriptor(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return false;
  }
  if (size < 0 && (errno == EINTR || errno == ECONNRESET)) {
    return true;  // after a reset there may be messages that came before it
  }
  File file;
  const cmsghdr* header = size < 0 ? nullptr : CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    file = File(descriptor);
  }
  if (size <= 0 || (message.msg_flags & MSG_TRUNC) != 0) {
    end();
    return false;
  }
  try {
    Reader reader(bytes.data(), static_cast<size_t>(size));
    const auto sequence = reader.get<uint64_t>();
    std::lock_guard lock(receiving_);
    const Receiving receiving;
    handle(sequence, reader, std::move(file));
  } catch (const std::exception&) {
    end();
    return false;
  }
  return true;
}

void Connection::handle(uint64_t sequence, Reader& message, File file) {
  if (sequence == kMailbox) {
    if (hasMailbox_) {
      throw std::runtime_error("a second mailbox");
    }
    use(file, Mailbox::End::kSecond);
    return;
  }
  if (sequence == kWake && hasMailbox_) {
    mailbox_->woken();
  }
  takeMail();
  if (sequence == kWake) {
    return;
  }
  if (sequence != lastReceived_ + 1) {
    throw std::runtime_error("a message is missing");
  }
  ++lastReceived_;
  received(message, std::move(file));
  takeMail();
}

void Connection::takeMail() {
  std::string bytes;
  while (hasMailbox_ && !hasEnded_ && mailbox_->take(lastReceived_ + 1, &bytes)) {
    ++lastReceived_;
    Reader reader(bytes.data(), bytes.size());
    received(reader, {});
  }
}

bool Connection::look() {
  std::unique_lock lock(receiving_, std::defer_lock);
  return !isReceiving && lock.try_lock() && lookLocked();
}

void Connection::lookWhenFree() {
  std::lock_guard lock(receiving_);
  lookLocked();
}

bool Connection::lookLocked() {
  const Receiving receiving;
  const uint64_t before = lastReceived_;
  try {
    takeMail();
  } catch (const std::exception&) {
    hasEnded_ = true;
    std::lock_guard sending(mutex_);
    if (socket_.isOpen()) {
      shutDown();  // the loop's thread ends it
    }
  }
  return lastReceived_ != before;
}

void Connection::end() {
  const std::shared_ptr<Connection> self = shared_from_this();
  EventLoop::instance().remove(socket_.descriptor());
  {
    std::lock_guard lock(receiving_);
    const Receiving receiving;
    try {
      takeMail();  // what came before the end
    } catch (const std::exception&) {  // it ends anyway
    }
    hasEnded_ = true;
  }
  if (hasMailbox_) {
    forgetMailbox(*this);
  }
  {
    std::lock_guard lock(mutex_);
    socket_ = File();
    outgoing_.clear();
  }
  closed();
}

std::shared_ptr<Listener> Listener::open(const std::string& name, Accepted accepted) {
  File socket(::socket(AF_UNIX, kType, 0));
  if (!socket.isOpen()) {
    throwError("socket");
  }
  const Address address(name);
  if (bind(socket.descriptor(), address.get(), address.size) != 0) {
    throwError("bind");
  }
  if (listen(socket.descriptor(), SOMAXCONN) != 0) {
    throwError("listen");
  }
  const int descriptor = socket.descriptor();
  std::shared_ptr<Listener> listener(new Listener(std::move(socket), std::move(accepted)));
  EventLoop::instance().add(descriptor, EPOLLIN, listener);
  return listener;
}

void Listener::close() {
  std::lock_guard lock(mutex_);
  isClosed_ = true;
  shutdown(socket_.descriptor(), SHUT_RDWR);
}

void Listener::ready(uint32_t) {
  for (;;) {
    File socket(accept4(socket_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.isOpen()) {
      break;
    }
    try {
      if (isOfSameUser(socket)) {
        accepted_(std::move(socket));
      }
    } catch (const std::exception&) {  // the other side sees the end of the connection
    }
  }
  if (errno == EMFILE || errno == ENFILE) {
    // Who knocks remains at the door until there are files again.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const std::shared_ptr<Listener> self = shared_from_this();
  std::lock_guard lock(mutex_);
  if (isClosed_) {
    EventLoop::instance().remove(socket_.descriptor());
    socket_ = File();
  }
}

File connectTo(const std::string& name) {
  // A connection waits for its turn, but not for an answer.
  File socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const Address address(name);
  if (!socket.isOpen() || connect(socket.descriptor(), address.get(), address.size) != 0) {
    return {};
  }
  if (!isOfSameUser(socket)) {
    errno = EACCES;
    return {};
  }
  fcntl(socket.descriptor(), F_SETFL, O_NONBLOCK);
  return socket;
}

std::pair<File, File> socketPair() {
  int ends[2];
  if (socketpair(AF_UNIX, kType, 0, ends) != 0) {
    throwError("socketpair");
  }
  return {File(ends[0]), File(ends[1])};
}

}  // namespace cann4j::ipc
