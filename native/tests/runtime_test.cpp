// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "device.hpp"

using device::inThread;

namespace {

uint32_t deviceCount() {
  const char* text = std::getenv("CANN4J_CPU_DEVICES");
  return text == nullptr ? 8 : static_cast<uint32_t>(std::atoi(text));
}

bool is81() {
  const char* text = std::getenv("CANN4J_CPU_VERSION");
  return text != nullptr && std::string(text) == "8.1";
}

std::string fileWith(const char* name, const char* text) {
  std::ofstream(name) << text;
  return name;
}

}  // namespace

TEST(noContext) {
  inThread([] {
    int32_t device = -7;
    CHECK_FAILS(aclrtGetDevice(&device), ACL_ERROR_RT_CONTEXT_NULL, "aclrtSetDevice first");
    CHECK_EQ(device, -7);
    aclrtContext context = nullptr;
    CHECK_FAILS(aclrtGetCurrentContext(&context), ACL_ERROR_RT_CONTEXT_NULL, "no current context");
    aclrtStream stream = nullptr;
    CHECK_FAILS(aclrtCreateStream(&stream), ACL_ERROR_RT_CONTEXT_NULL, "aclrtCreateStream");
    CHECK_FAILS(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_CONTEXT_NULL, "context");
    CHECK_FAILS(aclrtSynchronizeDevice(), ACL_ERROR_RT_CONTEXT_NULL, "context");
    void* memory = nullptr;
    CHECK_FAILS(aclrtMalloc(&memory, 8, ACL_MEM_MALLOC_HUGE_FIRST), ACL_ERROR_RT_CONTEXT_NULL,
                "context");
    size_t free = 0;
    size_t total = 0;
    CHECK_FAILS(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total), ACL_ERROR_RT_CONTEXT_NULL, "context");
  });
}

TEST(initAndFinalize) {
  CHECK_FAILS(aclFinalize(), ACL_ERROR_REPEAT_FINALIZE, "not initialised");
  CHECK_FAILS(aclInit("no such file.json"), ACL_ERROR_INVALID_FILE, "no such file.json");
  const std::string bad = fileWith("bad_config.json", "{\"dump\": [1, 2,}");
  CHECK_FAILS(aclInit(bad.c_str()), ACL_ERROR_PARSE_FILE, "byte");
  const std::string good =
      fileWith("good_config.json", " {\"a\": {\"b\": [1.5e3, true, null, \"\\\"x\"]}} ");
  CHECK_OK(aclInit(good.c_str()));
  CHECK_FAILS(aclInit(nullptr), ACL_ERROR_REPEAT_INITIALIZE, "already");
  CHECK_OK(aclFinalize());
  CHECK_FAILS(aclFinalize(), ACL_ERROR_REPEAT_FINALIZE, "");
  CHECK_OK(aclInit(nullptr));
  CHECK_OK(aclnnInit(nullptr));
  CHECK_FAILS(aclnnInit(bad.c_str()), ACLNN_ERR_PARAM_INVALID, "JSON");
  CHECK_OK(aclnnFinalize());
  std::remove(bad.c_str());
  std::remove(good.c_str());
}

TEST(versions) {
  int32_t major = 0;
  int32_t minor = 0;
  int32_t patch = -1;
  CHECK_OK(aclrtGetVersion(&major, &minor, &patch));
  CHECK_EQ(major, ACL_MAJOR_VERSION);
  CHECK_EQ(minor, is81() ? 13 : ACL_MINOR_VERSION);
  CHECK_EQ(patch, ACL_PATCH_VERSION);
  CHECK_FAILS(aclrtGetVersion(nullptr, &minor, &patch), ACL_ERROR_INVALID_PARAM, "NULL");
  aclCANNPackageVersion version;
  CHECK_EQ(sizeof(version), size_t{512});
  CHECK_OK(aclsysGetCANNVersion(ACL_PKG_NAME_CANN, &version));
  CHECK_EQ(std::string(version.version), is81() ? "8.1.RC1" : "9.0.0");
  CHECK_EQ(std::string(version.majorVersion), is81() ? "8" : "9");
  CHECK_EQ(std::string(version.minorVersion), is81() ? "1" : "0");
  CHECK_EQ(std::string(version.releaseVersion), is81() ? "RC1" : "0");
  CHECK_FAILS(aclsysGetCANNVersion(ACL_PKG_NAME_DRIVER, &version), ACL_ERROR_INVALID_FILE,
              "driver");
  CHECK_EQ(std::string(aclrtGetSocName()).rfind("cann4j-cpu-", 0), size_t{0});
  aclrtRunMode mode = ACL_DEVICE;
  CHECK_OK(aclrtGetRunMode(&mode));
  CHECK_EQ(mode, ACL_HOST);
}

TEST(dataTypeSizes) {
  const std::pair<aclDataType, size_t> sizes[] = {
      {ACL_FLOAT, 4},  {ACL_FLOAT16, 2}, {ACL_BF16, 2},   {ACL_INT8, 1},       {ACL_UINT8, 1},
      {ACL_BOOL, 1},   {ACL_INT16, 2},   {ACL_UINT16, 2}, {ACL_INT32, 4},      {ACL_UINT32, 4},
      {ACL_INT64, 8},  {ACL_UINT64, 8},  {ACL_DOUBLE, 8}, {ACL_COMPLEX64, 8},  {ACL_STRING, 0},
      {ACL_INT4, 0},   {ACL_DT_UNDEFINED, 0},             {ACL_COMPLEX128, 16}};
  for (const auto& [type, size] : sizes) {
    CHECK_EQ(aclDataTypeSize(type), size);
  }
}

TEST(halfConversionsRoundTripAndRound) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = aclFloat16ToFloat(half);
    if ((bits & 0x7FFF) > 0x7C00) {
      CHECK(std::isnan(value));
      CHECK(std::isnan(aclFloat16ToFloat(aclFloatToFloat16(value))));
      continue;
    }
    const int exponent = (bits >> 10) & 31;
    const double significand = bits & 1023;
    const double magnitude = exponent == 31  ? INFINITY
                             : exponent == 0 ? std::ldexp(significand, -24)
                                             : std::ldexp(1024 + significand, exponent - 25);
    CHECK_EQ(static_cast<double>(value), (bits & 0x8000) != 0 ? -magnitude : magnitude);
    CHECK_EQ(aclFloatToFloat16(value), half);
    // Half way to the next one: to the even neighbour.
    if (exponent < 31 && (bits & 0x8000) == 0 && bits < 0x7BFF) {
      const float next = aclFloat16ToFloat(static_cast<uint16_t>(bits + 1));
      const float middle = (value + next) / 2;
      CHECK_EQ(aclFloatToFloat16(middle), static_cast<uint16_t>(bits + (bits & 1)));
      CHECK_EQ(aclFloatToFloat16(std::nextafter(middle, INFINITY)),
               static_cast<uint16_t>(bits + 1));
      CHECK_EQ(aclFloatToFloat16(std::nextafter(middle, 0.0F)), half);
    }
  }
  CHECK_EQ(aclFloatToFloat16(65519.0F), uint16_t{0x7BFF});
  CHECK_EQ(aclFloatToFloat16(65520.0F), uint16_t{0x7C00});
  CHECK_EQ(aclFloatToFloat16(-1e30F), uint16_t{0xFC00});
}

TEST(devices) {
  uint32_t count = 0;
  CHECK_OK(aclrtGetDeviceCount(&count));
  CHECK_EQ(count, deviceCount());
  CHECK_FAILS(aclrtSetDevice(-1), ACL_ERROR_RT_INVALID_DEVICEID, "-1");
  CHECK_FAILS(aclrtSetDevice(static_cast<int32_t>(count)), ACL_ERROR_RT_INVALID_DEVICEID,
              "does not exist");
  for (uint32_t i = 0; i < count; ++i) {
    CHECK_OK(aclrtSetDevice(static_cast<int32_t>(i)));
    int32_t device = -1;
    CHECK_OK(aclrtGetDevice(&device));
    CHECK_EQ(device, static_cast<int32_t>(i));
  }
}

TEST(threadsShareTheDefaultContext) {
  CHECK_OK(aclrtSetDevice(1));
  aclrtContext mine = nullptr;
  CHECK_OK(aclrtGetCurrentContext(&mine));
  inThread([mine] {
    CHECK_OK(aclrtSetDevice(1));
    aclrtContext theirs = nullptr;
    CHECK_OK(aclrtGetCurrentContext(&theirs));
    CHECK_EQ(theirs, mine);
    CHECK_OK(aclrtSetDevice(0));
  });
  int32_t device = -1;
  CHECK_OK(aclrtGetDevice(&device));
  CHECK_EQ(device, 1);
  CHECK_FAILS(aclrtDestroyContext(mine), ACL_ERROR_RT_PARAM_INVALID, "default context");
}

TEST(explicitContexts) {
  CHECK_OK(aclrtSetDevice(0));
  aclrtContext first = nullptr;
  CHECK_OK(aclrtGetCurrentContext(&first));
  aclrtContext context = nullptr;
  CHECK_OK(aclrtCreateContext(&context, 1));
  aclrtContext current = nullptr;
  CHECK_OK(aclrtGetCurrentContext(&current));
  CHECK_EQ(current, context);
  int32_t device = -1;
  CHECK_OK(aclrtGetDevice(&device));
  CHECK_EQ(device, 1);
  aclrtStream stream = nullptr;
  CHECK_OK(aclrtCreateStream(&stream));
  CHECK_OK(aclrtSetCurrentContext(first));
  CHECK_OK(aclrtGetDevice(&device));
  CHECK_EQ(device, 0);
  CHECK_FAILS(aclrtSynchronizeStream(stream), ACL_ERROR_RT_STREAM_CONTEXT, "another context");
  CHECK_FAILS(aclrtSetCurrentContext(&device), ACL_ERROR_RT_INVALID_HANDLE, "not a live context");
  CHECK_FAILS(aclrtSetCurrentContext(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  CHECK_OK(aclrtSetCurrentContext(context));
  CHECK_OK(aclrtDestroyContext(context));
  CHECK_FAILS(aclrtGetDevice(&device), ACL_ERROR_RT_CONTEXT_NULL, "was destroyed");
  CHECK_FAILS(aclrtDestroyContext(context), ACL_ERROR_RT_INVALID_HANDLE, "not a live context");
  CHECK_OK(aclrtSetCurrentContext(first));
  CHECK_FAILS(aclrtSynchronizeStream(stream), ACL_ERROR_RT_INVALID_HANDLE, "not a live stream");
}

TEST(resetEndsTheDefaultContext) {
  CHECK_OK(aclrtSetDevice(2));
  CHECK_OK(aclrtSetDevice(2));
  aclrtContext context = nullptr;
  CHECK_OK(aclrtGetCurrentContext(&context));
  aclrtStream stream = nullptr;
  CHECK_OK(aclrtCreateStream(&stream));
  int uses = 0;
  aclrtContext current = context;
  while (aclrtGetCurrentContext(&current) == ACL_SUCCESS) {
    CHECK_OK(aclrtResetDevice(2));
    ++uses;
  }
  CHECK(uses >= 2);
  CHECK_FAILS(aclrtResetDevice(2), ACL_ERROR_RT_CONTEXT_NULL, "not in use");
  CHECK_OK(aclrtSetDevice(2));
  CHECK_OK(aclrtGetCurrentContext(&current));
  CHECK(current != context);
  CHECK_FAILS(aclrtDestroyStream(stream), ACL_ERROR_RT_INVALID_HANDLE, "not a live stream");
  CHECK_OK(aclrtSetDevice(2));
  CHECK_OK(aclrtResetDeviceForce(2));
  CHECK_FAILS(aclrtGetCurrentContext(&current), ACL_ERROR_RT_CONTEXT_NULL, "was destroyed");
}

TEST(sysParamOpts) {
  device::use();
  int64_t value = -1;
  CHECK_OK(aclrtGetSysParamOpt(ACL_OPT_DETERMINISTIC, &value));
  CHECK_EQ(value, int64_t{0});
  CHECK_OK(aclrtSetSysParamOpt(ACL_OPT_DETERMINISTIC, 1));
  CHECK_OK(aclrtGetSysParamOpt(ACL_OPT_DETERMINISTIC, &value));
  CHECK_EQ(value, int64_t{1});
  CHECK_OK(aclrtSetSysParamOpt(ACL_OPT_DETERMINISTIC, 0));
  CHECK_FAILS(aclrtCtxGetSysParamOpt(ACL_OPT_ENABLE_DEBUG_KERNEL, &value),
              ACL_ERROR_RT_SYSPARAMOPT_NOT_SET, "not set");
  CHECK_OK(aclrtCtxSetSysParamOpt(ACL_OPT_DETERMINISTIC, 1));
  CHECK_OK(aclrtCtxGetSysParamOpt(ACL_OPT_DETERMINISTIC, &value));
  CHECK_EQ(value, int64_t{1});
  CHECK_FAILS(aclrtSetSysParamOpt(static_cast<aclSysParamOpt>(99), 1), ACL_ERROR_INVALID_PARAM,
              "99");
  CHECK_FAILS(aclrtGetSysParamOpt(ACL_OPT_DETERMINISTIC, nullptr), ACL_ERROR_INVALID_PARAM,
              "NULL");
}

TEST(peerAccess) {
  device::use(0);
  int32_t can = 0;
  CHECK_OK(aclrtDeviceCanAccessPeer(&can, 0, 1));
  CHECK_EQ(can, 1);
  CHECK_FAILS(aclrtDeviceCanAccessPeer(&can, 1, 1), ACL_ERROR_INVALID_PARAM, "both");
  CHECK_FAILS(aclrtDeviceEnablePeerAccess(1, 1), ACL_ERROR_FEATURE_UNSUPPORTED, "flags 1");
  CHECK_FAILS(aclrtDeviceEnablePeerAccess(0, 0), ACL_ERROR_INVALID_PARAM, "current");
  CHECK_FAILS(aclrtDeviceEnablePeerAccess(99, 0), ACL_ERROR_RT_INVALID_DEVICEID, "99");
}

TEST(messagesBelongToTheirThread) {
  while (aclGetRecentErrMsg() != nullptr) {
  }
  aclrtSetDevice(-5);
  aclrtSetDevice(-6);
  inThread([] { CHECK(aclGetRecentErrMsg() == nullptr); });
  const std::string words = aclGetRecentErrMsg();
  CHECK(words.find("E107001") == 0);
  CHECK(words.find("-6") < words.find("-5"));
  CHECK(aclGetRecentErrMsg() == nullptr);
}
