// SPDX-License-Identifier: Apache-2.0
// Callbacks of streams: those of subscribed threads, and host functions.
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "device.hpp"

namespace {

// A thread that processes the callbacks of streams until it is told to end.
class Reporter {
 public:
  Reporter() : thread_([this] { work(); }) {
    while (id_ == 0) {
      std::this_thread::yield();
    }
  }
  Reporter(const Reporter&) = delete;
  ~Reporter() {
    ended_ = true;
    thread_.join();
  }
  uint64_t id() const { return id_; }
  int processed() const { return processed_; }

 private:
  void work() {
    id_ = static_cast<uint64_t>(pthread_self());
    while (!ended_) {
      const aclError code = aclrtProcessReport(20);
      if (code == ACL_SUCCESS) {
        ++processed_;
      } else if (code == ACL_ERROR_THREAD_NOT_SUBSCRIBE) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }

  std::atomic<uint64_t> id_{0};
  std::atomic<bool> ended_{false};
  std::atomic<int> processed_{0};
  std::thread thread_;
};

// Subscribes a thread for as long as it lives.
class Subscription {
 public:
  Subscription(uint64_t thread, aclrtStream stream) : thread_(thread), stream_(stream) {
    CHECK_OK(aclrtSubscribeReport(thread, stream));
  }
  Subscription(const Subscription&) = delete;
  ~Subscription() { aclrtUnSubscribeReport(thread_, stream_); }

 private:
  uint64_t thread_;
  aclrtStream stream_;
};

void callFunction(void* data) { (*static_cast<std::function<void()>*>(data))(); }

void waitUntil(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    CHECK(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool isBusy(aclrtStream stream) {
  aclrtStreamStatus status = ACL_STREAM_STATUS_RESERVED;
  CHECK_OK(aclrtStreamQuery(stream, &status));
  return status == ACL_STREAM_STATUS_NOT_READY;
}

void throws(void*) { throw std::runtime_error("no such file"); }

// What a child, in which nothing has happened yet, says before it aborts.
std::string lastWords(void (*body)()) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(60);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    body();
    _exit(0);
  }
  close(ends[1]);
  std::string words;
  char part[512];
  for (ssize_t size; (size = read(ends[0], part, sizeof part)) > 0;) {
    words.append(part, static_cast<size_t>(size));
  }
  close(ends[0]);
  int status = 0;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  return words;
}

}  // namespace

// The first of these, because it is about processes that have not used a device yet.
TEST(aCallbackThatThrowsEndsTheProgramWithItsWords) {
  const auto inHostFunction = [] {
    device::use();
    device::Stream stream;
    CHECK_OK(aclrtLaunchHostFunc(stream, throws, nullptr));
    stream.synchronize();
  };
  const auto inReport = [] {
    device::use();
    device::Stream stream;
    CHECK_OK(aclrtSubscribeReport(static_cast<uint64_t>(pthread_self()), stream));
    CHECK_OK(aclrtLaunchCallback(throws, nullptr, ACL_CALLBACK_BLOCK, stream));
    aclrtProcessReport(-1);
  };
  for (void (*body)() : {+inHostFunction, +inReport}) {
    const std::string words = lastWords(body);
    if (words.find("no such file") == std::string::npos) {
      check::failed(__FILE__, __LINE__, "it said: " + words);
    }
  }
}

TEST(callbacksRunInTheirThreadAndInOrder) {
  device::use();
  device::Stream stream;
  Reporter reporter;
  const Subscription subscription(reporter.id(), stream);
  device::Buffer<uint8_t> buffer(1);
  std::vector<int> order;
  std::atomic<uint64_t> where{0};
  std::vector<std::function<void()>> functions;
  for (int i = 0; i < 20; ++i) {
    functions.emplace_back([&, i] {
      order.push_back(i);
      where = static_cast<uint64_t>(pthread_self());
    });
  }
  for (auto& function : functions) {
    CHECK_OK(aclrtLaunchCallback(callFunction, &function, ACL_CALLBACK_BLOCK, stream));
    CHECK_OK(aclrtMemsetAsync(buffer.address(), 1, 1, 1, stream));
  }
  stream.synchronize();
  CHECK_EQ(order.size(), size_t{20});
  for (int i = 0; i < 20; ++i) {
    CHECK_EQ(order[static_cast<size_t>(i)], i);
  }
  CHECK_EQ(where.load(), reporter.id());
}

TEST(onlyBlockingCallbacksHoldUpTheStream) {
  device::use();
  device::Stream stream;
  std::atomic<bool> ran{false};
  std::function<void()> function = [&ran] { ran = true; };
  const auto self = static_cast<uint64_t>(pthread_self());
  const Subscription subscription(self, stream);
  CHECK_OK(aclrtLaunchCallback(callFunction, &function, ACL_CALLBACK_NO_BLOCK, stream));
  stream.synchronize();
  CHECK(!ran);
  CHECK_OK(aclrtProcessReport(10000));
  CHECK(ran);
  ran = false;
  CHECK_OK(aclrtLaunchCallback(callFunction, &function, ACL_CALLBACK_BLOCK, stream));
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, 30), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT,
              "30 ms");
  CHECK(!ran);
  CHECK_OK(aclrtProcessReport(-1));
  CHECK(ran);
  stream.synchronize();
}

TEST(aThreadIsKnownByItsSystemNumberToo) {
  device::use();
  device::Stream stream;
  std::atomic<bool> ran{false};
  std::function<void()> function = [&ran] { ran = true; };
  const Subscription subscription(static_cast<uint64_t>(gettid()), stream);
  CHECK_OK(aclrtLaunchCallback(callFunction, &function, ACL_CALLBACK_NO_BLOCK, stream));
  CHECK_OK(aclrtProcessReport(10000));
  CHECK(ran);
}

TEST(oneThreadServesManyStreams) {
  device::use();
  Reporter reporter;
  device::Stream a;
  device::Stream b;
  std::atomic<int> ran{0};
  std::function<void()> function = [&ran] { ++ran; };
  {
    const Subscription first(reporter.id(), a);
    const Subscription second(reporter.id(), b);
    const Subscription third(reporter.id(), nullptr);
    for (aclrtStream stream : {static_cast<aclrtStream>(a), static_cast<aclrtStream>(b),
                               static_cast<aclrtStream>(nullptr)}) {
      CHECK_OK(aclrtLaunchCallback(callFunction, &function, ACL_CALLBACK_BLOCK, stream));
    }
    CHECK_OK(aclrtSynchronizeDeviceWithTimeout(device::kPatience));
  }
  CHECK_EQ(ran.load(), 3);
  waitUntil([&] { return reporter.processed() == 3; });
}

TEST(subscriptionRules) {
  device::use();
  device::Stream stream;
  device::Stream other;
  const auto self = static_cast<uint64_t>(pthread_self());
  std::function<void()> nothing = [] {};
  CHECK_FAILS(aclrtLaunchCallback(callFunction, &nothing, ACL_CALLBACK_BLOCK, stream),
              ACL_ERROR_STREAM_NOT_SUBSCRIBE, "aclrtSubscribeReport");
  CHECK_FAILS(aclrtProcessReport(1), ACL_ERROR_THREAD_NOT_SUBSCRIBE, "no stream was subscribed");
  CHECK_FAILS(aclrtUnSubscribeReport(self, stream), ACL_ERROR_THREAD_NOT_SUBSCRIBE, "no streams");
  {
    const Subscription subscription(self, stream);
    CHECK_FAILS(aclrtSubscribeReport(self, stream), ACL_ERROR_RT_STREAM_SUBSCRIBE, "already");
    CHECK_FAILS(aclrtSubscribeReport(self + 1, stream), ACL_ERROR_RT_STREAM_SUBSCRIBE, "already");
    CHECK_FAILS(aclrtUnSubscribeReport(self, other), ACL_ERROR_STREAM_NOT_SUBSCRIBE,
                "does not have stream");
    CHECK_FAILS(aclrtProcessReport(5), ACL_ERROR_WAIT_CALLBACK_TIMEOUT, "within 5 ms");
    CHECK_FAILS(aclrtProcessReport(0), ACL_ERROR_RT_PARAM_INVALID, "timeout 0");
    CHECK_FAILS(aclrtProcessReport(-2), ACL_ERROR_RT_PARAM_INVALID, "timeout -2");
    CHECK_FAILS(aclrtLaunchCallback(nullptr, nullptr, ACL_CALLBACK_BLOCK, stream),
                ACL_ERROR_INVALID_PARAM, "fn is NULL");
    CHECK_FAILS(aclrtLaunchCallback(callFunction, &nothing, static_cast<aclrtCallbackBlockType>(2),
                                    stream),
                ACL_ERROR_INVALID_PARAM, "blockType 2");
    CHECK_FAILS(aclrtLaunchHostFunc(stream, callFunction, &nothing), ACL_ERROR_RT_STREAM_SUBSCRIBE,
                "must not be mixed");
    // A thread serves one device.
    device::use(1);
    device::Stream elsewhere;
    CHECK_FAILS(aclrtSubscribeReport(self, elsewhere), ACL_ERROR_RT_THREAD_SUBSCRIBE, "device 1");
    CHECK_FAILS(aclrtSubscribeReport(self, stream), ACL_ERROR_RT_STREAM_CONTEXT, "another context");
    device::use(0);
  }
  CHECK_FAILS(aclrtProcessReport(1), ACL_ERROR_THREAD_NOT_SUBSCRIBE, "no stream was subscribed");
}

TEST(whoWaitsForALostCallbackLearnsOfIt) {
  device::use();
  device::Stream stream;
  const auto self = static_cast<uint64_t>(pthread_self());
  std::function<void()> nothing = [] {};
  CHECK_OK(aclrtSubscribeReport(self, stream));
  CHECK_OK(aclrtLaunchCallback(callFunction, &nothing, ACL_CALLBACK_BLOCK, stream));
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, 30), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, "");
  CHECK_OK(aclrtUnSubscribeReport(self, stream));
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, device::kPatience),
              ACL_ERROR_STREAM_NOT_SUBSCRIBE, "no thread for it any more");
  stream.synchronize();
}

TEST(aWaitingThreadEndsWithItsLastStream) {
  device::use();
  aclrtStream stream = nullptr;
  CHECK_OK(aclrtCreateStream(&stream));
  std::atomic<uint64_t> id{0};
  std::atomic<bool> subscribed{false};
  std::atomic<aclError> code{ACL_SUCCESS};
  std::thread thread([&] {
    id = static_cast<uint64_t>(pthread_self());
    while (!subscribed) {
      std::this_thread::yield();
    }
    code = aclrtProcessReport(-1);
  });
  waitUntil([&] { return id != 0; });
  CHECK_OK(aclrtSubscribeReport(id, stream));
  subscribed = true;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK_OK(aclrtDestroyStream(stream));
  thread.join();
  CHECK_EQ(code.load(), ACL_ERROR_THREAD_NOT_SUBSCRIBE);
}

TEST(hostFunctionsHoldUpTheirStreamOnly) {
  device::use();
  device::Stream stream;
  device::Stream other;
  std::atomic<bool> released{false};
  std::atomic<int> ran{0};
  std::function<void()> waiting = [&] {
    while (!released) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ++ran;
  };
  std::function<void()> quick = [&] { ++ran; };
  CHECK_OK(aclrtLaunchHostFunc(stream, callFunction, &waiting));
  CHECK_OK(aclrtLaunchHostFunc(stream, callFunction, &quick));
  CHECK_OK(aclrtLaunchHostFunc(other, callFunction, &quick));
  other.synchronize();
  CHECK_EQ(ran.load(), 1);
  CHECK(isBusy(stream));
  released = true;
  stream.synchronize();
  CHECK_EQ(ran.load(), 3);
  CHECK_FAILS(aclrtLaunchHostFunc(stream, nullptr, nullptr), ACL_ERROR_INVALID_PARAM, "fn is NULL");
  CHECK_FAILS(aclrtSubscribeReport(1, stream), ACL_ERROR_RT_STREAM_SUBSCRIBE, "must not be mixed");
}

// More functions that wait for each other than the pool has threads.
TEST(hostFunctionsMayWaitForEachOther) {
  device::use();
  constexpr int kCount = 40;
  std::vector<std::unique_ptr<device::Stream>> streams;
  std::atomic<int> arrived{0};
  std::function<void()> meet = [&arrived] {
    ++arrived;
    while (arrived < kCount) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  };
  for (int i = 0; i < kCount; ++i) {
    streams.push_back(std::make_unique<device::Stream>());
    CHECK_OK(aclrtLaunchHostFunc(*streams.back(), callFunction, &meet));
  }
  for (const auto& stream : streams) {
    stream->synchronize();
  }
  CHECK_EQ(arrived.load(), kCount);
}

TEST(callbacksCannotCallTheRuntime) {
  device::use();
  device::Stream stream;
  device::Buffer<uint8_t> buffer(8);
  std::string problem;
  std::function<void()> calling = [&] {
    try {
      void* memory = nullptr;
      aclrtStream made = nullptr;
      const char* words = "must not call the runtime";
      CHECK_FAILS(aclrtSetDevice(0), ACL_ERROR_RT_FEATURE_NOT_SUPPORT, words);
      CHECK_FAILS(aclrtMalloc(&memory, 8, ACL_MEM_MALLOC_HUGE_FIRST),
                  ACL_ERROR_RT_FEATURE_NOT_SUPPORT, words);
      CHECK_FAILS(aclrtFree(buffer.address()), ACL_ERROR_RT_FEATURE_NOT_SUPPORT, words);
      CHECK_FAILS(aclrtCreateStream(&made), ACL_ERROR_RT_FEATURE_NOT_SUPPORT, words);
      CHECK_FAILS(aclrtSynchronizeStream(stream), ACL_ERROR_RT_FEATURE_NOT_SUPPORT, words);
      CHECK_FAILS(aclrtMemsetAsync(buffer.address(), 8, 0, 8, stream),
                  ACL_ERROR_RT_FEATURE_NOT_SUPPORT, words);
      CHECK_FAILS(aclrtLaunchHostFunc(stream, callFunction, nullptr),
                  ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "aclrtLaunchHostFunc");
      CHECK_FAILS(aclInit(nullptr), ACL_ERROR_RT_FEATURE_NOT_SUPPORT, words);
      CHECK_EQ(aclDataTypeSize(ACL_FLOAT), size_t{4});
    } catch (const std::exception& e) {
      problem = e.what();
    }
  };
  CHECK_OK(aclrtLaunchHostFunc(stream, callFunction, &calling));
  stream.synchronize();
  CHECK_EQ(problem, std::string());
  device::Stream reported;
  const Subscription subscription(static_cast<uint64_t>(pthread_self()), reported);
  CHECK_OK(aclrtLaunchCallback(callFunction, &calling, ACL_CALLBACK_BLOCK, reported));
  CHECK_OK(aclrtProcessReport(10000));
  CHECK_EQ(problem, std::string());
  reported.synchronize();
}
