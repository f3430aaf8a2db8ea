// SPDX-License-Identifier: Apache-2.0
// What happens when work fails: failure modes, aborted streams, time limits, and the words left.
#include <atomic>
#include <thread>

#include "device.hpp"
#include "runtime/error.hpp"
#include "runtime/stream.hpp"

namespace {

// A context of its own, because ACL_STOP_ON_FAILURE ends one for good.
class OwnContext {
 public:
  explicit OwnContext(int id = 0) {
    device::use(id);
    CHECK_OK(aclrtGetCurrentContext(&before_));
    CHECK_OK(aclrtCreateContext(&context_, id));
  }
  OwnContext(const OwnContext&) = delete;
  ~OwnContext() {
    aclrtDestroyContext(context_);
    aclrtSetCurrentContext(before_);
  }

 private:
  aclrtContext before_ = nullptr;
  aclrtContext context_ = nullptr;
};

std::shared_ptr<cann4j::Stream> resolve(aclrtStream handle) {
  std::shared_ptr<cann4j::Stream> stream;
  CHECK_OK(cann4j::resolveStream(handle, &stream));
  return stream;
}

void submitFailure(aclrtStream stream, int value = 42) {
  resolve(stream)->submitKernel([value] {
    return cann4j::fail(ACL_ERROR_RT_AICORE_EXCEPTION, "the value %d is bad", value);
  });
}

void submitCount(aclrtStream stream, std::atomic<int>* count) {
  resolve(stream)->submitKernel([count] {
    ++*count;
    return ACL_SUCCESS;
  });
}

}  // namespace

TEST(byDefaultWorkGoesOn) {
  device::use();
  device::Stream stream;
  device::Stream other;
  std::atomic<int> ran{0};
  submitFailure(stream);
  submitCount(stream, &ran);
  submitCount(other, &ran);
  other.synchronize();
  CHECK_FAILS(aclrtSynchronizeStream(stream), ACL_ERROR_RT_AICORE_EXCEPTION, "the value 42 is bad");
  CHECK_EQ(ran.load(), 2);
  submitCount(stream, &ran);
  stream.synchronize();
  CHECK_EQ(ran.load(), 3);
}

TEST(aStopEndsEveryStreamOfTheContext) {
  OwnContext context;
  aclrtStream failing = nullptr;
  aclrtStream waiting = nullptr;
  aclrtStream idle = nullptr;
  aclrtEvent never = nullptr;
  aclrtEvent behind = nullptr;
  std::atomic<int> ran{0};
  CHECK_OK(aclrtCreateStream(&failing));
  CHECK_OK(aclrtCreateStream(&waiting));
  CHECK_OK(aclrtCreateStream(&idle));
  CHECK_OK(aclrtCreateEventWithFlag(&never, ACL_EVENT_SYNC));
  CHECK_OK(aclrtCreateEventExWithFlag(&behind, ACL_EVENT_SYNC));
  device::Buffer<uint8_t> buffer(8);
  CHECK_OK(aclrtSetStreamFailureMode(idle, ACL_STOP_ON_FAILURE));
  // Nobody will ever record this event, and yet its stream ends.
  CHECK_OK(aclrtStreamWaitEvent(waiting, never));
  submitCount(waiting, &ran);
  {
    device::Gate gate;
    gate.hold(failing);
    submitFailure(failing);
    submitCount(failing, &ran);
    CHECK_OK(aclrtRecordEvent(behind, failing));
    gate.open();
    for (aclrtStream stream : {failing, waiting, idle, static_cast<aclrtStream>(nullptr)}) {
      for (int again = 0; again < 2; ++again) {
        while (aclrtSynchronizeStreamWithTimeout(stream, device::kPatience) == ACL_SUCCESS) {
        }
        CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, device::kPatience),
                    ACL_ERROR_RT_AICORE_EXCEPTION, "the value 42 is bad");
      }
      CHECK_FAILS(aclrtMemsetAsync(buffer.address(), 8, 0, 8, stream),
                  ACL_ERROR_RT_AICORE_EXCEPTION, "takes no new work");
      CHECK_FAILS(aclrtStreamWaitEvent(stream, behind), ACL_ERROR_RT_AICORE_EXCEPTION,
                  "the value 42 is bad");
    }
    CHECK_FAILS(aclrtSynchronizeDeviceWithTimeout(device::kPatience),
                ACL_ERROR_RT_AICORE_EXCEPTION, "the value 42 is bad");
    CHECK_FAILS(aclrtSynchronizeEventWithTimeout(behind, device::kPatience),
                ACL_ERROR_RT_AICORE_EXCEPTION, "given up");
  }
  CHECK_EQ(ran.load(), 0);
  CHECK_FAILS(aclrtDestroyStream(failing), ACL_ERROR_RT_AICORE_EXCEPTION, "stopped");
  CHECK_FAILS(aclrtDestroyStream(failing), ACL_ERROR_RT_INVALID_HANDLE, "not a live stream");
  CHECK_OK(aclrtDestroyEvent(never));
  CHECK_OK(aclrtDestroyEvent(behind));
}

TEST(aStreamEndsATaskThatIsJustAboutToWait) {
  device::use();
  const device::Stream handle;
  const std::shared_ptr<cann4j::Stream> stream = resolve(handle);
  cann4j::Stream::Done kept;
  stream->submit([&](cann4j::Stream::Done done) {
    kept = std::move(done);
    stream->end(ACL_ERROR_RT_AICORE_EXCEPTION, "it came in between");
  });
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(handle, 5000), ACL_ERROR_RT_AICORE_EXCEPTION,
              "it came in between");
  kept(ACL_SUCCESS);  // without effect
}

TEST(aStopSparesOtherContexts) {
  device::use();
  device::Stream spared;
  std::atomic<int> ran{0};
  {
    OwnContext context;
    aclrtStream failing = nullptr;
    CHECK_OK(aclrtCreateStream(&failing));
    CHECK_OK(aclrtSetStreamFailureMode(failing, ACL_STOP_ON_FAILURE));
    submitFailure(failing);
    CHECK_FAILS(aclrtSynchronizeStream(failing), ACL_ERROR_RT_AICORE_EXCEPTION, "42");
  }
  submitCount(spared, &ran);
  spared.synchronize();
  CHECK_EQ(ran.load(), 1);
}

TEST(failureModeRules) {
  device::use();
  device::Stream stream;
  aclrtStream defaultStream = nullptr;
  CHECK_FAILS(aclrtSetStreamFailureMode(stream, 2), ACL_ERROR_RT_PARAM_INVALID, "mode 2");
  CHECK_FAILS(aclrtSetStreamFailureMode(nullptr, 0), ACL_ERROR_INVALID_PARAM, "NULL");
  CHECK_OK(aclrtCtxGetCurrentDefaultStream(&defaultStream));
  CHECK_FAILS(aclrtSetStreamFailureMode(defaultStream, 0), ACL_ERROR_RT_PARAM_INVALID,
              "default stream");
  CHECK_OK(aclrtSetStreamFailureMode(stream, ACL_CONTINUE_ON_FAILURE));
  CHECK_FAILS(aclrtSetStreamFailureMode(stream, ACL_CONTINUE_ON_FAILURE),
              ACL_ERROR_RT_PARAM_INVALID, "set already");
}

TEST(abortEndsWhatWaitsAndDropsTheRest) {
  device::use();
  device::Stream stream;
  device::Stream dependent;
  aclrtEvent never = nullptr;
  aclrtEvent behind = nullptr;
  std::atomic<int> ran{0};
  CHECK_OK(aclrtCreateEventWithFlag(&never, ACL_EVENT_SYNC));
  CHECK_OK(aclrtCreateEventExWithFlag(&behind, ACL_EVENT_SYNC));
  CHECK_OK(aclrtStreamWaitEvent(stream, never));
  submitCount(stream, &ran);
  CHECK_OK(aclrtRecordEvent(behind, stream));
  CHECK_OK(aclrtStreamWaitEvent(dependent, behind));
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, 20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, "");
  aclrtSetDevice(-9);  // words and an error of this thread, which the abort must not touch
  CHECK_OK(aclrtStreamAbort(stream));
  CHECK_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), ACL_ERROR_RT_INVALID_DEVICEID);
  device::expectWords(__FILE__, __LINE__, "-9");
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, device::kPatience),
              ACL_ERROR_RT_STREAM_ABORT, "aclrtStreamAbort");
  CHECK_FAILS(aclrtSynchronizeEventWithTimeout(behind, device::kPatience),
              ACL_ERROR_RT_STREAM_ABORT, "given up");
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(dependent, device::kPatience),
              ACL_ERROR_RT_STREAM_ABORT, "given up");
  aclrtEventWaitStatus status = ACL_EVENT_WAIT_STATUS_RESERVED;
  CHECK_OK(aclrtQueryEventWaitStatus(never, &status));
  CHECK_EQ(status, ACL_EVENT_WAIT_STATUS_COMPLETE);
  CHECK_EQ(ran.load(), 0);
  // The stream works again, also when the old event comes after all.
  CHECK_OK(aclrtRecordEvent(never, dependent));
  submitCount(stream, &ran);
  stream.synchronize();
  dependent.synchronize();
  CHECK_EQ(ran.load(), 1);
  CHECK_OK(aclrtStreamAbort(stream));  // nothing to end
  stream.synchronize();
  CHECK_FAILS(aclrtStreamAbort(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  CHECK_OK(aclrtDestroyEvent(never));
  CHECK_OK(aclrtDestroyEvent(behind));
}

TEST(abortWaitsForAKernelUnderWay) {
  device::use();
  device::Stream stream;
  std::atomic<bool> started{false};
  std::atomic<bool> ended{false};
  std::atomic<int> ran{0};
  std::atomic<aclError> code{ACL_SUCCESS};
  resolve(stream)->submitKernel([&] {
    started = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    ended = true;
    return ACL_SUCCESS;
  });
  submitCount(stream, &ran);
  aclrtContext context = nullptr;
  CHECK_OK(aclrtGetCurrentContext(&context));
  while (!started) {
    std::this_thread::yield();
  }
  std::thread synchronizing([&] {
    aclrtSetCurrentContext(context);
    code = aclrtSynchronizeStreamWithTimeout(stream, device::kPatience);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK_OK(aclrtStreamAbort(stream));
  CHECK(ended);
  synchronizing.join();
  CHECK_EQ(code.load(), ACL_ERROR_RT_STREAM_ABORT);
  CHECK_EQ(ran.load(), 0);
  stream.synchronize();
}

TEST(waitsForEventsHaveATimeLimit) {
  device::use();
  device::Stream stream;
  aclrtEvent event = nullptr;
  std::atomic<int> ran{0};
  CHECK_OK(aclrtCreateEventWithFlag(&event, ACL_EVENT_SYNC));
  CHECK_FAILS(aclrtStreamWaitEventWithTimeout(stream, event, -2), ACL_ERROR_RT_PARAM_INVALID, "-2");
  CHECK_OK(aclrtStreamWaitEventWithTimeout(stream, event, 1));
  submitCount(stream, &ran);
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, device::kPatience),
              ACL_ERROR_RT_TASK_TIMEOUT, "within 1000 ms");
  CHECK_EQ(ran.load(), 1);
  CHECK_OK(aclrtSetOpWaitTimeout(1));
  CHECK_OK(aclrtStreamWaitEvent(stream, event));
  CHECK_OK(aclrtSetOpWaitTimeout(0));
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(stream, device::kPatience),
              ACL_ERROR_RT_TASK_TIMEOUT, "within 1000 ms");
  // In time; and what was given up does not come back when the event is recorded.
  CHECK_OK(aclrtStreamWaitEventWithTimeout(stream, event, 100));
  CHECK_OK(aclrtRecordEvent(event, nullptr));
  stream.synchronize();
  CHECK_OK(aclrtDestroyEvent(event));
}

TEST(kernelsHaveATimeLimit) {
  device::use();
  device::Stream stream;
  const auto submitSleep = [&](int milliseconds) {
    resolve(stream)->submitKernel([milliseconds] {
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      return ACL_SUCCESS;
    });
  };
  CHECK_OK(aclrtSetOpExecuteTimeOutWithMs(20));
  submitSleep(60);
  CHECK_FAILS(aclrtSynchronizeStream(stream), ACL_ERROR_RT_AICORE_TIMEOUT, "allows 20 ms");
  CHECK_OK(aclrtSetOpExecuteTimeOut(60));
  submitSleep(60);
  stream.synchronize();
  CHECK_OK(aclrtSetOpExecuteTimeOutWithMs(0));
  submitSleep(60);
  stream.synchronize();
}

TEST(theLastErrorOfAThread) {
  device::use();
  aclrtGetLastError(ACL_RT_THREAD_LEVEL);
  CHECK_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), ACL_SUCCESS);
  CHECK_FAILS(aclrtSetDevice(-1), ACL_ERROR_RT_INVALID_DEVICEID, "-1");
  CHECK_FAILS(aclrtFree(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  CHECK_OK(aclrtSynchronizeStream(nullptr));  // what works leaves it as it is
  std::thread([] { CHECK_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), ACL_SUCCESS); }).join();
  CHECK_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), ACL_ERROR_INVALID_PARAM);
  CHECK_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), ACL_ERROR_INVALID_PARAM);
  CHECK_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), ACL_SUCCESS);
  // Codes of aclnn are none of the runtime.
  CHECK(aclSetAclOpExecutorRepeatable(nullptr) != ACL_SUCCESS);
  CHECK_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), ACL_SUCCESS);
  // An asynchronous one is that of the thread that synchronises.
  device::Stream stream;
  submitFailure(stream);
  CHECK_FAILS(aclrtSynchronizeStream(stream), ACL_ERROR_RT_AICORE_EXCEPTION, "42");
  CHECK_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), ACL_ERROR_RT_AICORE_EXCEPTION);
  CHECK_FAILS(aclrtPeekAtLastError(static_cast<aclrtLastErrLevel>(1)), ACL_ERROR_INVALID_PARAM,
              "level 1");
  CHECK_FAILS(aclrtGetLastError(static_cast<aclrtLastErrLevel>(1)), ACL_ERROR_INVALID_PARAM,
              "level 1");
}

TEST(errorsSurfaceOnTheirStreamAndOnce) {
  device::use();
  device::Stream a;
  device::Stream b;
  device::Stream c;
  submitFailure(a, 1);
  submitFailure(b, 2);
  submitFailure(a, 3);
  c.synchronize();
  CHECK_FAILS(aclrtSynchronizeStream(b), ACL_ERROR_RT_AICORE_EXCEPTION, "the value 2 is bad");
  CHECK_FAILS(aclrtSynchronizeStream(a), ACL_ERROR_RT_AICORE_EXCEPTION, "the value 1 is bad");
  a.synchronize();
  b.synchronize();
  submitFailure(a, 4);
  submitFailure(b, 5);
  CHECK_FAILS(aclrtSynchronizeDevice(), ACL_ERROR_RT_AICORE_EXCEPTION, "is bad");
  CHECK_OK(aclrtSynchronizeDevice());
  // A pageable copy waits, and so it meets the failure; it does not copy then.
  device::Buffer<uint8_t> buffer(std::vector<uint8_t>{1, 2, 3});
  std::vector<uint8_t> host(3, 9);
  submitFailure(a, 6);
  CHECK_FAILS(aclrtMemcpyAsync(host.data(), 3, buffer.address(), 3, ACL_MEMCPY_DEVICE_TO_HOST, a),
              ACL_ERROR_RT_AICORE_EXCEPTION, "the value 6 is bad");
  CHECK_EQ(static_cast<int>(host[0]), 9);
  CHECK_OK(aclrtMemcpyAsync(host.data(), 3, buffer.address(), 3, ACL_MEMCPY_DEVICE_TO_HOST, a));
  CHECK_EQ(static_cast<int>(host[2]), 3);
}

namespace {

// Destroyed after the thread_local objects of the main thread, and after those of the library.
struct Late {
  ~Late() {
    const bool refused = aclrtSetDevice(-77) == ACL_ERROR_RT_INVALID_DEVICEID;
    const char* words = aclGetRecentErrMsg();
    if (!refused || words == nullptr || std::string(words).find("-77") == std::string::npos) {
      std::printf("FAILED  a call at the end of the program\n");
      std::fflush(stdout);
      _exit(1);
    }
  }
};

const Late late;

struct LateInThread {
  ~LateInThread() {
    CHECK_EQ(aclrtSetDevice(-78), ACL_ERROR_RT_INVALID_DEVICEID);
    CHECK(std::string(aclGetRecentErrMsg()).find("-78") != std::string::npos);
  }
};

}  // namespace

TEST(callsFromLateDestructors) {
  std::thread([] {
    // Made before the library makes what it keeps for the thread, so destroyed after that.
    thread_local LateInThread inThread;
    (void)inThread;
    aclrtSetDevice(-1);
  }).join();
}
