// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <thread>

#include "device.hpp"

namespace {

enum Kind { kDefault, kWithFlag, kExWithFlag };

class Event {
 public:
  explicit Event(Kind kind, uint32_t flags = ACL_EVENT_SYNC) {
    switch (kind) {
      case kDefault:
        CHECK_OK(aclrtCreateEvent(&handle_));
        break;
      case kWithFlag:
        CHECK_OK(aclrtCreateEventWithFlag(&handle_, flags));
        break;
      case kExWithFlag:
        CHECK_OK(aclrtCreateEventExWithFlag(&handle_, flags));
        break;
    }
  }
  Event(const Event&) = delete;
  ~Event() { aclrtDestroyEvent(handle_); }
  operator aclrtEvent() const { return handle_; }

 private:
  aclrtEvent handle_ = nullptr;
};

aclrtEventRecordedStatus recordedStatus(aclrtEvent event) {
  aclrtEventRecordedStatus status = ACL_EVENT_RECORDED_STATUS_NOT_READY;
  CHECK_OK(aclrtQueryEventStatus(event, &status));
  return status;
}

aclrtEventWaitStatus waitStatus(aclrtEvent event) {
  aclrtEventWaitStatus status = ACL_EVENT_WAIT_STATUS_RESERVED;
  CHECK_OK(aclrtQueryEventWaitStatus(event, &status));
  return status;
}

bool isBusy(aclrtStream stream) {
  aclrtStreamStatus status = ACL_STREAM_STATUS_RESERVED;
  CHECK_OK(aclrtStreamQuery(stream, &status));
  return status == ACL_STREAM_STATUS_NOT_READY;
}

}  // namespace

TEST(creation) {
  device::use();
  aclrtEvent event = nullptr;
  CHECK_FAILS(aclrtCreateEvent(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  CHECK_FAILS(aclrtCreateEventWithFlag(&event, 0), ACL_ERROR_INVALID_PARAM, "flag 0x0");
  CHECK_FAILS(aclrtCreateEventExWithFlag(&event, 0x4), ACL_ERROR_INVALID_PARAM, "flag 0x4");
  for (const uint32_t flag : {ACL_EVENT_DEVICE_USE_ONLY, ACL_EVENT_IPC}) {
    CHECK_FAILS(aclrtCreateEventExWithFlag(&event, flag), ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "not supported");
  }
  CHECK_OK(aclrtCreateEventWithFlag(&event, ACL_EVENT_EXTERNAL | ACL_EVENT_SYNC));
  CHECK_OK(aclrtDestroyEvent(event));
  CHECK_OK(aclrtCreateEvent(&event));
  CHECK_OK(aclrtDestroyEvent(event));
  CHECK_FAILS(aclrtDestroyEvent(event), ACL_ERROR_RT_INVALID_HANDLE, "not a live event");
  CHECK_FAILS(aclrtRecordEvent(event, nullptr), ACL_ERROR_RT_INVALID_HANDLE, "not a live event");
  CHECK_FAILS(aclrtSynchronizeEvent(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
}

TEST(beforeAnyRecord) {
  device::use();
  device::Stream stream;
  Event plain(kDefault);
  Event flagged(kWithFlag);
  Event ex(kExWithFlag);
  CHECK_EQ(recordedStatus(plain), ACL_EVENT_RECORDED_STATUS_NOT_READY);
  CHECK_EQ(recordedStatus(flagged), ACL_EVENT_RECORDED_STATUS_NOT_READY);
  CHECK_EQ(recordedStatus(ex), ACL_EVENT_RECORDED_STATUS_COMPLETE);
  CHECK_OK(aclrtSynchronizeEvent(plain));
  CHECK_OK(aclrtSynchronizeEvent(flagged));
  CHECK_OK(aclrtSynchronizeEvent(ex));
  CHECK_FAILS(aclrtStreamWaitEvent(stream, plain), ACL_ERROR_RT_PARAM_INVALID, "not recorded");
  CHECK_OK(aclrtStreamWaitEvent(stream, ex));
  stream.synchronize();
  // The third kind's wait blocks until someone records.
  CHECK_OK(aclrtStreamWaitEvent(stream, flagged));
  CHECK(isBusy(stream));
  CHECK_EQ(waitStatus(flagged), ACL_EVENT_WAIT_STATUS_NOT_READY);
  CHECK_OK(aclrtRecordEvent(flagged, nullptr));
  stream.synchronize();
  CHECK_EQ(waitStatus(flagged), ACL_EVENT_WAIT_STATUS_COMPLETE);
}

// Every cell of the table of the three kinds, in the rows of CANN's documentation.
TEST(recordingAgain) {
  device::use();
  device::Stream stream;
  for (const Kind kind : {kDefault, kExWithFlag}) {
    Event event(kind);
    for (int i = 0; i < 3; ++i) {
      CHECK_OK(aclrtRecordEvent(event, stream));
    }
    stream.synchronize();
  }
  Event flagged(kWithFlag);
  CHECK_OK(aclrtRecordEvent(flagged, stream));
  CHECK_FAILS(aclrtRecordEvent(flagged, stream), ACL_ERROR_RT_PARAM_INVALID, "aclrtResetEvent");
  stream.synchronize();
  CHECK_FAILS(aclrtRecordEvent(flagged, stream), ACL_ERROR_RT_PARAM_INVALID, "aclrtResetEvent");
  CHECK_OK(aclrtResetEvent(flagged, stream));
  CHECK_OK(aclrtRecordEvent(flagged, stream));
  stream.synchronize();
  // Without SYNC there is no reset, so that a time may be taken again.
  Event timing(kWithFlag, ACL_EVENT_TIME_LINE);
  CHECK_OK(aclrtRecordEvent(timing, stream));
  CHECK_OK(aclrtRecordEvent(timing, stream));
  stream.synchronize();
}

TEST(resetsByKindAndFlag) {
  device::use();
  device::Stream stream;
  Event plain(kDefault);
  CHECK_OK(aclrtRecordEvent(plain, stream));
  CHECK_OK(aclrtResetEvent(plain, stream));
  for (const uint32_t flags : {ACL_EVENT_TIME_LINE, ACL_EVENT_CAPTURE_STREAM_PROGRESS}) {
    Event unsynced(kWithFlag, flags);
    CHECK_FAILS(aclrtResetEvent(unsynced, stream), ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "ACL_EVENT_SYNC");
  }
  for (const uint32_t flags : {ACL_EVENT_SYNC, ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE}) {
    Event synced(kWithFlag, flags);
    CHECK_OK(aclrtResetEvent(synced, stream));
    Event ex(kExWithFlag, flags);
    CHECK_FAILS(aclrtResetEvent(ex, stream), ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "ExWithFlag");
  }
}

TEST(waitsBeforeARecordByFlag) {
  device::use();
  device::Stream stream;
  for (const Kind kind : {kWithFlag, kExWithFlag}) {
    for (const uint32_t flags : {ACL_EVENT_TIME_LINE, ACL_EVENT_CAPTURE_STREAM_PROGRESS}) {
      Event unsynced(kind, flags);
      CHECK_FAILS(aclrtStreamWaitEvent(stream, unsynced), ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                  "ACL_EVENT_SYNC");
    }
  }
  // After a reset it is as before any record.
  Event flagged(kWithFlag);
  CHECK_OK(aclrtRecordEvent(flagged, stream));
  CHECK_OK(aclrtResetEvent(flagged, stream));
  CHECK_EQ(recordedStatus(flagged), ACL_EVENT_RECORDED_STATUS_NOT_READY);
  device::Stream other;
  CHECK_OK(aclrtStreamWaitEvent(other, flagged));
  CHECK_EQ(waitStatus(flagged), ACL_EVENT_WAIT_STATUS_NOT_READY);
  CHECK(isBusy(other));
  CHECK_OK(aclrtRecordEvent(flagged, stream));
  other.synchronize();
  CHECK_EQ(waitStatus(flagged), ACL_EVENT_WAIT_STATUS_COMPLETE);
}

TEST(queriesByKind) {
  device::use();
  device::Stream stream;
  device::Gate gate;
  for (const Kind kind : {kDefault, kWithFlag}) {
    Event event(kind);
    aclrtEventStatus status = ACL_EVENT_STATUS_RESERVED;
    CHECK_OK(aclrtQueryEvent(event, &status));
    CHECK_EQ(status, ACL_EVENT_STATUS_NOT_READY);
    CHECK_EQ(waitStatus(event), ACL_EVENT_WAIT_STATUS_COMPLETE);
  }
  gate.hold(stream);
  std::vector<std::unique_ptr<Event>> events;
  for (const Kind kind : {kDefault, kWithFlag, kExWithFlag}) {
    events.push_back(std::make_unique<Event>(kind));
    CHECK_OK(aclrtRecordEvent(*events.back(), stream));
    CHECK_EQ(recordedStatus(*events.back()), ACL_EVENT_RECORDED_STATUS_NOT_READY);
    CHECK_FAILS(aclrtSynchronizeEventWithTimeout(*events.back(), 5),
                ACL_ERROR_RT_EVENT_SYNC_TIMEOUT, "5 ms");
  }
  gate.open();
  stream.synchronize();
  for (const auto& event : events) {
    CHECK_EQ(recordedStatus(*event), ACL_EVENT_RECORDED_STATUS_COMPLETE);
    CHECK_OK(aclrtSynchronizeEvent(*event));
  }
  aclrtEvent ex = *events.back();
  CHECK_FAILS(aclrtQueryEvent(ex, nullptr), ACL_ERROR_INVALID_PARAM, "status is NULL");
  CHECK_FAILS(aclrtQueryEventStatus(ex, nullptr), ACL_ERROR_INVALID_PARAM, "status is NULL");
  CHECK_FAILS(aclrtQueryEventWaitStatus(ex, nullptr), ACL_ERROR_INVALID_PARAM, "status is NULL");
  for (const int32_t timeout : {0, -2}) {
    CHECK_FAILS(aclrtSynchronizeEventWithTimeout(ex, timeout), ACL_ERROR_RT_PARAM_INVALID,
                "timeout");
  }
}

TEST(eventsEndWithTheirContext) {
  device::use();
  aclrtContext before = nullptr;
  aclrtContext context = nullptr;
  aclrtEvent event = nullptr;
  CHECK_OK(aclrtGetCurrentContext(&before));
  CHECK_OK(aclrtCreateContext(&context, 0));
  CHECK_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE));
  CHECK_OK(aclrtRecordEvent(event, nullptr));
  CHECK_OK(aclrtDestroyContext(context));
  CHECK_OK(aclrtSetCurrentContext(before));
  const char* words = "was destroyed";
  uint64_t time = 0;
  float ms = 0;
  aclrtEventRecordedStatus status = ACL_EVENT_RECORDED_STATUS_NOT_READY;
  CHECK_FAILS(aclrtRecordEvent(event, nullptr), ACL_ERROR_RT_INVALID_HANDLE, words);
  CHECK_FAILS(aclrtStreamWaitEvent(nullptr, event), ACL_ERROR_RT_INVALID_HANDLE, words);
  CHECK_FAILS(aclrtSynchronizeEvent(event), ACL_ERROR_RT_INVALID_HANDLE, words);
  CHECK_FAILS(aclrtQueryEventStatus(event, &status), ACL_ERROR_RT_INVALID_HANDLE, words);
  CHECK_FAILS(aclrtEventGetTimestamp(event, &time), ACL_ERROR_RT_INVALID_HANDLE, words);
  CHECK_FAILS(aclrtEventElapsedTime(&ms, event, event), ACL_ERROR_RT_INVALID_HANDLE, words);
  CHECK_OK(aclrtDestroyEvent(event));
}

TEST(waitsOrderStreams) {
  device::use();
  for (const Kind kind : {kDefault, kWithFlag, kExWithFlag}) {
    for (int round = 0; round < 20; ++round) {
      device::Stream producer;
      device::Stream consumer;
      device::Buffer<uint8_t> a(1 << 16);
      device::Buffer<uint8_t> b(1 << 16);
      Event ready(kind);
      device::Gate gate;
      gate.hold(producer);
      CHECK_OK(aclrtMemsetAsync(a.address(), 1 << 16, round, 1 << 16, producer));
      CHECK_OK(aclrtRecordEvent(ready, producer));
      CHECK_OK(aclrtStreamWaitEvent(consumer, ready));
      CHECK_OK(aclrtMemcpyAsync(b.address(), 1 << 16, a.address(), 1 << 16,
                                ACL_MEMCPY_DEVICE_TO_DEVICE, consumer));
      CHECK(isBusy(consumer));
      CHECK_EQ(recordedStatus(ready), ACL_EVENT_RECORDED_STATUS_NOT_READY);
      gate.open();
      consumer.synchronize();
      CHECK_EQ(recordedStatus(ready), ACL_EVENT_RECORDED_STATUS_COMPLETE);
      CHECK_EQ(static_cast<int>(b.read()[65535]), round);
      producer.synchronize();
    }
  }
}

TEST(waitsKeepTheRecordTheySaw) {
  device::use();
  device::Stream first;
  device::Stream second;
  device::Stream waiter;
  Event event(kExWithFlag);
  device::Gate gate;
  CHECK_OK(aclrtRecordEvent(event, first));
  CHECK_OK(aclrtStreamWaitEvent(waiter, event));
  gate.hold(second);
  CHECK_OK(aclrtRecordEvent(event, second));
  waiter.synchronize();  // does not see the second record
  CHECK_EQ(recordedStatus(event), ACL_EVENT_RECORDED_STATUS_NOT_READY);
  CHECK_FAILS(aclrtSynchronizeEventWithTimeout(event, 10), ACL_ERROR_RT_EVENT_SYNC_TIMEOUT, "10 ms");
  CHECK_OK(aclrtStreamWaitEvent(waiter, event));
  CHECK(isBusy(waiter));
  gate.open();
  CHECK_OK(aclrtSynchronizeEvent(event));
  waiter.synchronize();
}

TEST(aRecordWaitsForEarlierWorkOnly) {
  device::use();
  device::Stream stream;
  Event event(kExWithFlag);
  device::Gate gate;
  CHECK_OK(aclrtRecordEvent(event, stream));
  gate.hold(stream);
  CHECK_OK(aclrtSynchronizeEvent(event));
  CHECK(isBusy(stream));
  gate.open();
}

TEST(resets) {
  device::use();
  device::Stream stream;
  Event ex(kExWithFlag);
  Event flagged(kWithFlag);
  Event unsynced(kWithFlag, ACL_EVENT_TIME_LINE);
  CHECK_FAILS(aclrtResetEvent(ex, stream), ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
              "aclrtCreateEventExWithFlag");
  CHECK_FAILS(aclrtResetEvent(unsynced, stream), ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
              "ACL_EVENT_SYNC");
  CHECK_OK(aclrtRecordEvent(flagged, stream));
  CHECK_OK(aclrtStreamWaitEvent(stream, flagged));
  CHECK_OK(aclrtResetEvent(flagged, stream));
  stream.synchronize();
  CHECK_EQ(recordedStatus(flagged), ACL_EVENT_RECORDED_STATUS_NOT_READY);
  CHECK_OK(aclrtRecordEvent(flagged, stream));
  stream.synchronize();
  CHECK_EQ(recordedStatus(flagged), ACL_EVENT_RECORDED_STATUS_COMPLETE);
}

TEST(oldQueries) {
  device::use();
  Event plain(kDefault);
  Event ex(kExWithFlag);
  aclrtEventStatus status = ACL_EVENT_STATUS_RESERVED;
  CHECK_OK(aclrtRecordEvent(plain, nullptr));
  CHECK_OK(aclrtSynchronizeEvent(plain));
  CHECK_OK(aclrtQueryEvent(plain, &status));
  CHECK_EQ(status, ACL_EVENT_STATUS_COMPLETE);
  CHECK_FAILS(aclrtQueryEvent(ex, &status), ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "ExWithFlag");
  aclrtEventWaitStatus wait = ACL_EVENT_WAIT_STATUS_RESERVED;
  CHECK_FAILS(aclrtQueryEventWaitStatus(ex, &wait), ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
              "ExWithFlag");
}

TEST(waitNeedsTheSyncFlag) {
  device::use();
  Event event(kExWithFlag, ACL_EVENT_TIME_LINE);
  CHECK_OK(aclrtRecordEvent(event, nullptr));
  CHECK_FAILS(aclrtStreamWaitEvent(nullptr, event), ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
              "ACL_EVENT_SYNC");
}

TEST(eventsBelongToADevice) {
  device::use(0);
  Event event(kExWithFlag);
  CHECK_OK(aclrtRecordEvent(event, nullptr));
  device::use(1);
  CHECK_FAILS(aclrtRecordEvent(event, nullptr), ACL_ERROR_RT_STREAM_CONTEXT, "device 0");
  CHECK_FAILS(aclrtStreamWaitEvent(nullptr, event), ACL_ERROR_RT_STREAM_CONTEXT, "device 0");
  CHECK_OK(aclrtSynchronizeEvent(event));
  CHECK_EQ(recordedStatus(event), ACL_EVENT_RECORDED_STATUS_COMPLETE);
}

TEST(elapsedTime) {
  device::use();
  device::Stream stream;
  Event start(kDefault);
  Event end(kExWithFlag, ACL_EVENT_TIME_LINE);
  Event without(kExWithFlag);
  float ms = -1;
  CHECK_FAILS(aclrtEventElapsedTime(&ms, start, end), ACL_ERROR_RT_INTERNAL_ERROR, "not recorded");
  CHECK_FAILS(aclrtEventElapsedTime(&ms, without, end), ACL_ERROR_RT_PARAM_INVALID,
              "ACL_EVENT_TIME_LINE");
  device::Gate gate;
  CHECK_OK(aclrtRecordEvent(start, stream));
  gate.hold(stream);
  CHECK_OK(aclrtRecordEvent(end, stream));
  CHECK_OK(aclrtSynchronizeEvent(start));
  CHECK_FAILS(aclrtEventElapsedTime(&ms, start, end), ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID,
              "not complete");
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  gate.open();
  stream.synchronize();
  CHECK_OK(aclrtEventElapsedTime(&ms, start, end));
  CHECK(ms >= 30 && ms < 60000);
  CHECK_FAILS(aclrtEventElapsedTime(&ms, end, start), ACL_ERROR_RT_EVENT_TIMESTAMP_REVERSAL,
              "before");
  uint64_t first = 0;
  uint64_t second = 0;
  CHECK_OK(aclrtEventGetTimestamp(start, &first));
  CHECK_OK(aclrtEventGetTimestamp(end, &second));
  CHECK_NEAR(static_cast<double>(second - first), ms * 1000.0, 2.0 + ms * 0.001);
}

TEST(whatAStreamDropsEndsItsEvents) {
  device::use();
  device::Gate gate;
  device::Stream other;
  aclrtStream forced = nullptr;
  aclrtEvent recorded = nullptr;
  aclrtEvent awaited = nullptr;
  CHECK_OK(aclrtCreateStream(&forced));
  CHECK_OK(aclrtCreateEvent(&recorded));
  CHECK_OK(aclrtCreateEvent(&awaited));
  CHECK_OK(aclrtRecordEvent(awaited, other));
  gate.hold(forced);
  CHECK_OK(aclrtRecordEvent(recorded, forced));
  CHECK_OK(aclrtStreamWaitEvent(forced, awaited));
  CHECK_OK(aclrtStreamWaitEvent(other, recorded));
  CHECK_FAILS(aclrtSynchronizeStreamWithTimeout(other, 50), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT,
              "not done");
  CHECK_OK(aclrtDestroyStreamForce(forced));
  CHECK_OK(aclrtSynchronizeStreamWithTimeout(other, 20000));
  CHECK_OK(aclrtSynchronizeEventWithTimeout(recorded, 20000));
  aclrtEventWaitStatus status = ACL_EVENT_WAIT_STATUS_RESERVED;
  CHECK_OK(aclrtQueryEventWaitStatus(awaited, &status));
  CHECK_EQ(status, ACL_EVENT_WAIT_STATUS_COMPLETE);
  CHECK_OK(aclrtDestroyEvent(recorded));
  CHECK_OK(aclrtDestroyEvent(awaited));
}

TEST(destroyedEventsStillCompleteTheirWaits) {
  device::use();
  device::Stream producer;
  device::Stream consumer;
  device::Gate gate;
  {
    Event event(kExWithFlag);
    gate.hold(producer);
    CHECK_OK(aclrtRecordEvent(event, producer));
    CHECK_OK(aclrtStreamWaitEvent(consumer, event));
  }
  CHECK(isBusy(consumer));
  gate.open();
  consumer.synchronize();
}
