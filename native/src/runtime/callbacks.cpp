// SPDX-License-Identifier: Apache-2.0
#include "callbacks.hpp"

#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <list>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "api.hpp"

namespace cann4j {
namespace {

constinit thread_local int callbackDepth = 0;

struct Report {
  int32_t stream;
  aclrtCallback callback;
  void* userData;
  Stream::Done done;
};

using Reports = std::list<Report>;

// Of a thread that was subscribed to streams of one device.
struct Inbox {
  int device = -1;
  int streams = 0;
  Reports reports;
  std::condition_variable changed;
};

struct Subscriptions {
  std::mutex mutex;
  std::map<uint64_t, std::shared_ptr<Inbox>> inboxes;  // by thread
  std::map<int32_t, uint64_t> threads;                 // by stream
};

Subscriptions& subscriptions() {
  static Subscriptions& instance = *new Subscriptions;
  return instance;
}

// Takes a stream from its thread, with what waits there, and with the lock held.
Reports removeStream(Subscriptions& all, int32_t stream) {
  Reports orphans;
  const auto found = all.threads.find(stream);
  if (found == all.threads.end()) {
    return orphans;
  }
  const auto owner = all.inboxes.find(found->second);
  Inbox& inbox = *owner->second;
  for (auto report = inbox.reports.begin(); report != inbox.reports.end();) {
    const auto next = std::next(report);
    if (report->stream == stream) {
      orphans.splice(orphans.end(), inbox.reports, report);
    }
    report = next;
  }
  if (--inbox.streams == 0) {
    inbox.changed.notify_all();
    all.inboxes.erase(owner);
  }
  all.threads.erase(found);
  return orphans;
}

// Whom nobody will run any more, who waits for it must not wait for ever.
void endOrphans(Reports orphans) {
  const SeparateFailures separate;
  for (Report& report : orphans) {
    if (report.done) {
      report.done(fail(ACL_ERROR_STREAM_NOT_SUBSCRIBE,
                       "stream %d has a callback, but no thread for it any more", report.stream));
    }
  }
}

// The inbox of the calling thread, whatever its number was taken from, with the lock held.
std::shared_ptr<Inbox> ownInbox(Subscriptions& all) {
  for (const uint64_t id : {static_cast<uint64_t>(pthread_self()),
                            static_cast<uint64_t>(gettid())}) {
    if (const auto found = all.inboxes.find(id); found != all.inboxes.end()) {
      return found->second;
    }
  }
  return nullptr;
}

// Threads that are made when all others are busy, and end when nothing comes for a while.
class HostThreads {
 public:
  static HostThreads& instance() {
    static HostThreads& threads = *new HostThreads;
    return threads;
  }

  void run(std::function<void()> function) {
    std::lock_guard lock(mutex_);
    functions_.push_back(std::move(function));
    if (functions_.size() > idle_) {
      try {
        std::thread([this] { work(); }).detach();
      } catch (const std::system_error&) {
        functions_.pop_back();
        throw;
      }
    }
    available_.notify_one();
  }

 private:
  void work() {
    constexpr std::chrono::seconds kPatience{5};
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      const bool some =
          available_.wait_for(lock, kPatience, [this] { return !functions_.empty(); });
      --idle_;
      if (!some) {
        return;
      }
      auto function = std::move(functions_.front());
      functions_.pop_front();
      lock.unlock();
      function();
      function = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable available_;
  std::deque<std::function<void()>> functions_;
  size_t idle_ = 0;
};

}  // namespace

InsideCallback::InsideCallback() { ++callbackDepth; }

InsideCallback::~InsideCallback() { --callbackDepth; }

bool isInsideCallback() { return callbackDepth > 0; }

aclError refuseInsideCallback(const char* function) {
  return fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
              "%s: a callback of a stream must not call the runtime", function);
}

void runHostFunction(std::function<void()> function) {
  HostThreads::instance().run(std::move(function));
}

aclError subscribe(const char* function, uint64_t threadId, const Stream& stream) {
  Subscriptions& all = subscriptions();
  std::lock_guard lock(all.mutex);
  if (const auto found = all.threads.find(stream.id()); found != all.threads.end()) {
    return fail(ACL_ERROR_RT_STREAM_SUBSCRIBE, "%s: stream %d has thread %llu already", function,
                stream.id(), static_cast<unsigned long long>(found->second));
  }
  const auto known = all.inboxes.find(threadId);
  if (known != all.inboxes.end() && known->second->device != stream.device()) {
    return fail(ACL_ERROR_RT_THREAD_SUBSCRIBE,
                "%s: thread %llu has streams of device %d and cannot take stream %d of device %d",
                function, static_cast<unsigned long long>(threadId), known->second->device,
                stream.id(), stream.device());
  }
  const auto inbox = known != all.inboxes.end() ? known->second : std::make_shared<Inbox>();
  inbox->device = stream.device();
  const auto thread = all.threads.emplace(stream.id(), threadId).first;
  try {
    all.inboxes.emplace(threadId, inbox);
  } catch (...) {
    all.threads.erase(thread);
    throw;
  }
  ++inbox->streams;
  return ACL_SUCCESS;
}

aclError unsubscribe(const char* function, uint64_t threadId, const Stream& stream) {
  Reports orphans;
  {
    Subscriptions& all = subscriptions();
    std::lock_guard lock(all.mutex);
    if (all.inboxes.count(threadId) == 0) {
      return fail(ACL_ERROR_THREAD_NOT_SUBSCRIBE, "%s: thread %llu has no streams", function,
                  static_cast<unsigned long long>(threadId));
    }
    const auto found = all.threads.find(stream.id());
    if (found == all.threads.end() || found->second != threadId) {
      return fail(ACL_ERROR_STREAM_NOT_SUBSCRIBE, "%s: thread %llu does not have stream %d",
                  function, static_cast<unsigned long long>(threadId), stream.id());
    }
    orphans = removeStream(all, stream.id());
  }
  endOrphans(std::move(orphans));
  return ACL_SUCCESS;
}

bool isSubscribed(const Stream& stream) {
  Subscriptions& all = subscriptions();
  std::lock_guard lock(all.mutex);
  return all.threads.count(stream.id()) != 0;
}

void forgetCallbacksOf(const Stream& stream) {
  Reports orphans;
  {
    Subscriptions& all = subscriptions();
    std::lock_guard lock(all.mutex);
    orphans = removeStream(all, stream.id());
  }
  endOrphans(std::move(orphans));
}

void deliverCallback(int32_t stream, aclrtCallback callback, void* userData,
                     Stream::Done done) {
  Reports report;
  report.push_back({stream, callback, userData, std::move(done)});
  {
    Subscriptions& all = subscriptions();
    std::lock_guard lock(all.mutex);
    if (const auto found = all.threads.find(stream); found != all.threads.end()) {
      Inbox& inbox = *all.inboxes[found->second];
      inbox.reports.splice(inbox.reports.end(), report);
      inbox.changed.notify_all();
      return;
    }
  }
  endOrphans(std::move(report));
}

aclError processCallback(const char* function, int32_t timeout) {
  Report report{};
  {
    Subscriptions& all = subscriptions();
    std::unique_lock lock(all.mutex);
    const auto inbox = ownInbox(all);
    if (inbox == nullptr) {
      return fail(ACL_ERROR_THREAD_NOT_SUBSCRIBE, "%s: no stream was subscribed to this thread",
                  function);
    }
    const auto hasNews = [&] { return !inbox->reports.empty() || inbox->streams == 0; };
    if (timeout < 0) {
      inbox->changed.wait(lock, hasNews);
    } else if (!inbox->changed.wait_for(lock, std::chrono::milliseconds(timeout), hasNews)) {
      return fail(ACL_ERROR_WAIT_CALLBACK_TIMEOUT, "%s: no callback came within %d ms", function,
                  timeout);
    }
    if (inbox->reports.empty()) {
      return fail(ACL_ERROR_THREAD_NOT_SUBSCRIBE, "%s: this thread has lost its streams meanwhile",
                  function);
    }
    report = std::move(inbox->reports.front());
    inbox->reports.pop_front();
  }
  {
    const InsideCallback inside;
    callBack(report.callback, report.userData);
  }
  if (report.done) {
    report.done(ACL_SUCCESS);
  }
  return ACL_SUCCESS;
}

}  // namespace cann4j
