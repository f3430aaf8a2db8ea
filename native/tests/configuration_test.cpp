// SPDX-License-Identifier: Apache-2.0
// What the environment and the file of aclInit set, and the questions about devices.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <thread>

#include "device.hpp"
#include "runtime/json.hpp"
#include "runtime/options.hpp"
#include "runtime/stream.hpp"

using cann4j::Json;
using device::inThread;

namespace {

constexpr const char* kFile = "configuration_test.json";

// aclInit with a file of this text.
aclError initWith(const std::string& text) {
  // Variants of the test run side by side.
  const std::string name = std::to_string(getpid()) + kFile;
  std::ofstream(name) << text;
  const aclError code = aclInit(name.c_str());
  std::remove(name.c_str());
  return code;
}

std::string visible(const char* text, int count = 8) {
  std::string joined;
  for (const int device : cann4j::visibleDevices(text, count)) {
    joined += std::to_string(device) + " ";
  }
  return joined;
}

std::optional<Json> parse(const std::string& text) {
  size_t position = 0;
  return Json::parse(text, &position);
}

std::string string(const std::string& text) {
  const auto value = parse(text);
  CHECK(value && value->string() != nullptr);
  return *value->string();
}

}  // namespace

TEST(listsOfVisibleDevices) {
  CHECK_EQ(visible(nullptr, 3), "0 1 2 ");
  CHECK_EQ(visible("", 3), "0 1 2 ");
  CHECK_EQ(visible("1"), "1 ");
  CHECK_EQ(visible("1,2,3"), "1 2 3 ");
  CHECK_EQ(visible("0,7"), "0 7 ");
  CHECK_EQ(visible("1, 2,3"), "1 ");   // a blank ends the list
  CHECK_EQ(visible("1 ,2"), "1 ");
  CHECK_EQ(visible(" 1"), "");
  CHECK_EQ(visible("1,3,8"), "1 3 ");  // no such device
  CHECK_EQ(visible("2,1,3"), "2 ");    // must ascend
  CHECK_EQ(visible("2,2,3"), "2 ");
  CHECK_EQ(visible("1,x,3"), "1 ");
  CHECK_EQ(visible("1,2x,3"), "1 ");
  CHECK_EQ(visible("1,,3"), "1 ");
  CHECK_EQ(visible("1,"), "1 ");
  CHECK_EQ(visible("-1,2"), "");
  CHECK_EQ(visible("99999999999999999999,1"), "");
  CHECK_EQ(visible("01,2"), "1 2 ");
}

// The variants of this case run with ASCEND_RT_VISIBLE_DEVICES.
TEST(visibleDevicesAreAllThereAre) {
  const auto expected = cann4j::visibleDevices(std::getenv("ASCEND_RT_VISIBLE_DEVICES"), 8);
  uint32_t count = 99;
  if (expected.empty()) {
    CHECK_FAILS(aclrtGetDeviceCount(&count), ACL_ERROR_RT_NO_DEVICE, "ASCEND_RT_VISIBLE_DEVICES");
    CHECK_EQ(count, 0U);
    CHECK_FAILS(aclrtSetDevice(0), ACL_ERROR_RT_INVALID_DEVICEID, "there are 0");
    return;
  }
  CHECK_OK(aclrtGetDeviceCount(&count));
  CHECK_EQ(static_cast<size_t>(count), expected.size());
  for (uint32_t id = 0; id < count; ++id) {
    CHECK_OK(aclrtSetDevice(static_cast<int32_t>(id)));
    CHECK_EQ(cann4j::options().physicalDevices[id], expected[id]);
  }
  CHECK_FAILS(aclrtSetDevice(static_cast<int32_t>(count)), ACL_ERROR_RT_INVALID_DEVICEID,
              "does not exist");
}

TEST(jsonValues) {
  for (const char* good : {"{}", "[]", " [ 1 , 2 ] ", "null", "true", "-0", "0.5", "1e9", "1E-5",
                           "-12.25e+3", "\"\"", "{\"a\":{\"b\":[{}]}}"}) {
    CHECK(parse(good).has_value());
  }
  for (const char* bad :
       {"", " ", "{", "}", "[1,]", "{,}", "{\"a\"}", "{\"a\":}", "{a:1}", "01", "1.", ".5", "+1",
        "1e", "--1", "nul", "tru", "'a'", "\"a", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"", "[1 2]",
        "{} {}", "\"\\ud800\\u0041\"", "\"a\nb\""}) {
    CHECK(!parse(bad).has_value());
  }
  CHECK(!parse(std::string("[1]\0", 4)).has_value());
  CHECK_EQ(string(R"("a\"\\\/\b\f\n\r\tz")"), "a\"\\/\b\f\n\r\tz");
  CHECK_EQ(string(R"("\u0041\u00e9\u20AC\ud83d\ude00")"), "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  const auto object = parse(R"({"a": 1, "b": [true, "7", 2.5, null], "a": "-3"})");
  CHECK(object.has_value());
  CHECK_EQ(object->find("a")->integer().value(), int64_t{-3});  // the last one
  CHECK(object->find("c") == nullptr);
  const auto& items = object->find("b")->items();
  CHECK_EQ(items.size(), size_t{4});
  CHECK(items[0].boolean().value());
  CHECK_EQ(items[1].integer().value(), int64_t{7});
  CHECK(!items[2].integer().has_value());
  CHECK(items[3].kind() == Json::Kind::kNull && !items[3].integer() && items[3].string() == nullptr);
  size_t position = 0;
  CHECK(!Json::parse("[1, x]", &position).has_value());
  CHECK_EQ(position, size_t{4});
  CHECK(!parse(std::string(100000, '[')).has_value());  // refused by depth, not by the stack
}

TEST(filesOfAclInit) {
  CHECK_FAILS(aclInit("there/is/no/such.json"), ACL_ERROR_INVALID_FILE, "such.json");
  for (const char* bad : {"", "[]", "\"text\"", "{\"a\":1,}", "{}x"}) {
    CHECK_FAILS(initWith(bad), ACL_ERROR_PARSE_FILE, "byte");
  }
  CHECK_FAILS(initWith(std::string(11, '[')), ACL_ERROR_PARSE_FILE, "10 levels");
  std::string nested;
  for (int i = 0; i < 10; ++i) {
    nested += "{\"a\":";
  }
  CHECK_OK(initWith(nested + "1" + std::string(10, '}')));
  CHECK_OK(aclFinalize());
  CHECK_FAILS(initWith("{\"a\":" + nested + "1" + std::string(11, '}')), ACL_ERROR_PARSE_FILE,
              "levels");
  CHECK_FAILS(initWith(R"({"err_msg_mode": "2"})"), ACL_ERROR_INVALID_PARAM, "err_msg_mode");
  CHECK_FAILS(initWith(R"({"err_msg_mode": true})"), ACL_ERROR_INVALID_PARAM, "err_msg_mode");
  CHECK_FAILS(initWith(R"({"defaultDevice": {}})"), ACL_ERROR_INVALID_PARAM, "default_device");
  CHECK_FAILS(initWith(R"({"defaultDevice": {"default_device": "x"}})"), ACL_ERROR_INVALID_PARAM,
              "default_device");
  CHECK_FAILS(initWith(R"({"defaultDevice": {"default_device": "64"}})"),
              ACL_ERROR_RT_INVALID_DEVICEID, "64");
  CHECK_OK(initWith(R"({"dump": {"dump_list": []}, "profiler": {"switch": "on"}})"));
  CHECK_OK(aclFinalize());
}

TEST(usesOfAclInitAreCounted) {
  uint64_t left = 99;
  CHECK_FAILS(aclFinalizeReference(&left), ACL_ERROR_REPEAT_FINALIZE, "not initialised");
  CHECK_EQ(left, uint64_t{99});
  CHECK_OK(aclInit(nullptr));
  CHECK_FAILS(aclInit(nullptr), ACL_ERROR_REPEAT_INITIALIZE, "2 uses");
  CHECK_FAILS(aclInit(nullptr), ACL_ERROR_REPEAT_INITIALIZE, "3 uses");
  CHECK_OK(aclFinalizeReference(&left));
  CHECK_EQ(left, uint64_t{2});
  CHECK_OK(aclFinalizeReference(nullptr));
  CHECK_OK(aclFinalizeReference(&left));
  CHECK_EQ(left, uint64_t{0});
  CHECK_FAILS(aclFinalizeReference(&left), ACL_ERROR_REPEAT_FINALIZE, "");
  CHECK_OK(aclInit(nullptr));
  CHECK_FAILS(aclInit(nullptr), ACL_ERROR_REPEAT_INITIALIZE, "");
  CHECK_OK(aclFinalize());  // all at once
  CHECK_FAILS(aclFinalize(), ACL_ERROR_REPEAT_FINALIZE, "finalised already");
}

TEST(theDefaultDevice) {
  CHECK_OK(initWith(R"({"defaultDevice": {"default_device": "2"}})"));
  inThread([] {
    int32_t device = -1;
    CHECK_OK(aclrtGetDevice(&device));
    CHECK_EQ(device, 2);
    device::Buffer<int> buffer(std::vector<int>{1, 2});
    CHECK_EQ(buffer.read()[1], 2);
    CHECK_OK(aclrtSetDevice(1));  // goes before
    CHECK_OK(aclrtGetDevice(&device));
    CHECK_EQ(device, 1);
  });
  CHECK_OK(aclFinalize());
  inThread([] {
    int32_t device = -1;
    CHECK_FAILS(aclrtGetDevice(&device), ACL_ERROR_RT_CONTEXT_NULL, "aclrtSetDevice first");
  });
}

TEST(messagesOfTheProcess) {
  while (aclGetRecentErrMsg() != nullptr) {
  }
  CHECK_OK(initWith(R"({"err_msg_mode": "1"})"));
  inThread([] { aclrtSetDevice(-41); });
  aclrtSetDevice(-42);
  const std::string words = aclGetRecentErrMsg();
  CHECK(words.find("-42") < words.find("-41"));
  CHECK(words.find("-41") != std::string::npos);
  CHECK(aclGetRecentErrMsg() == nullptr);
  CHECK_OK(aclFinalize());
  inThread([] { aclrtSetDevice(-43); });
  CHECK(aclGetRecentErrMsg() == nullptr);
}

TEST(questionsAboutDevices) {
  device::use();
  aclrtDeviceStatus status = ACL_RT_DEVICE_STATUS_END;
  CHECK_OK(aclrtQueryDeviceStatus(0, &status));
  CHECK_EQ(status, ACL_RT_DEVICE_STATUS_NORMAL);
  CHECK_FAILS(aclrtQueryDeviceStatus(99, &status), ACL_ERROR_RT_INVALID_DEVICEID, "99");
  CHECK_FAILS(aclrtQueryDeviceStatus(0, nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  aclrtUtilizationInfo usage{};
  CHECK_FAILS(aclrtGetDeviceUtilizationRate(-1, &usage), ACL_ERROR_RT_INVALID_DEVICEID, "-1");
  CHECK_FAILS(aclrtGetDeviceUtilizationRate(0, nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  int64_t value = -1;
  CHECK_OK(aclGetDeviceCapability(0, ACL_DEVICE_INFO_AI_CORE_NUM, &value));
  CHECK_EQ(value, int64_t{cann4j::options().threads});
  CHECK_OK(aclGetDeviceCapability(0, ACL_DEVICE_INFO_VECTOR_CORE_NUM, &value));
  CHECK_EQ(value, int64_t{cann4j::options().threads});
  const aclError code = aclGetDeviceCapability(0, ACL_DEVICE_INFO_L2_SIZE, &value);
  CHECK((code == ACL_SUCCESS && value >= 1024) || code == ACL_ERROR_FEATURE_UNSUPPORTED);
  CHECK_FAILS(aclGetDeviceCapability(0, ACL_DEVICE_INFO_UNDEFINED, &value), ACL_ERROR_INVALID_PARAM,
              "-1");
  CHECK_FAILS(aclGetDeviceCapability(UINT32_MAX, ACL_DEVICE_INFO_L2_SIZE, &value),
              ACL_ERROR_RT_INVALID_DEVICEID, "does not exist");
  const aclCannAttr* attributes = nullptr;
  size_t count = 0;
  int32_t attribute = -1;
  CHECK_OK(aclGetCannAttributeList(&attributes, &count));
  CHECK_EQ(count, size_t{3});
  for (size_t i = 0; i < count; ++i) {
    CHECK_OK(aclGetCannAttribute(attributes[i], &attribute));
    CHECK_EQ(attribute, attributes[i] == ACL_CANN_ATTR_JIT_COMPILE ? 0 : 1);
  }
  CHECK_FAILS(aclGetCannAttribute(ACL_CANN_ATTR_UNDEFINED, &attribute), ACL_ERROR_INVALID_PARAM,
              "-1");
  CHECK_FAILS(aclGetCannAttributeList(nullptr, &count), ACL_ERROR_INVALID_PARAM, "NULL");
}

TEST(modesOfADevice) {
  device::use();
  CHECK_OK(aclrtSetTsDevice(ACL_TS_ID_AICORE));
  CHECK_OK(aclrtSetTsDevice(ACL_TS_ID_AIVECTOR));
  CHECK_FAILS(aclrtSetTsDevice(ACL_TS_ID_RESERVED), ACL_ERROR_INVALID_PARAM, "tsId 2");
  aclrtFloatOverflowMode mode = ACL_RT_OVERFLOW_MODE_UNDEF;
  CHECK_OK(aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_INFNAN));
  CHECK_OK(aclrtGetDeviceSatMode(&mode));
  CHECK_EQ(mode, ACL_RT_OVERFLOW_MODE_INFNAN);
  CHECK_FAILS(aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_SATURATION),
              ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "INFNAN");
  CHECK_FAILS(aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_UNDEF), ACL_ERROR_INVALID_PARAM, "mode 2");
  CHECK_FAILS(aclrtGetDeviceSatMode(nullptr), ACL_ERROR_INVALID_PARAM, "NULL");
  inThread([] {
    aclrtFloatOverflowMode other;
    CHECK_FAILS(aclrtSetTsDevice(ACL_TS_ID_AICORE), ACL_ERROR_RT_CONTEXT_NULL, "context");
    CHECK_FAILS(aclrtGetDeviceSatMode(&other), ACL_ERROR_RT_CONTEXT_NULL, "context");
  });
}

TEST(aBusyDeviceSaysSo) {
  device::use(1);
  device::Stream stream;
  aclrtUtilizationInfo usage{};
  CHECK_OK(aclrtGetDeviceUtilizationRate(1, &usage));
  std::shared_ptr<cann4j::Stream> resolved;
  CHECK_OK(cann4j::resolveStream(stream, &resolved));
  resolved->submitKernel([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return ACL_SUCCESS;
  });
  stream.synchronize();
  CHECK_OK(aclrtGetDeviceUtilizationRate(1, &usage));
  CHECK(usage.cubeUtilization > 0 && usage.cubeUtilization <= 100);
  CHECK_EQ(usage.vectorUtilization, usage.cubeUtilization);
  CHECK_EQ(usage.aicpuUtilization, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK_OK(aclrtGetDeviceUtilizationRate(1, &usage));
  CHECK_EQ(usage.cubeUtilization, 0);
}

TEST(versionsByPackage) {
  char runtime[] = "runtime";
  char driver[] = "driver";
  char text[ACL_PKG_VERSION_MAX_SIZE];
  int32_t number = 0;
  CHECK_OK(aclsysGetVersionStr(runtime, text));
  CHECK_OK(aclsysGetVersionNum(runtime, &number));
  CHECK_EQ(std::string(text), cann4j::options().is81 ? "8.1.RC1" : "9.0.0");
  CHECK(number > 80000000);
  CHECK_FAILS(aclsysGetVersionStr(driver, text), ACL_ERROR_INVALID_FILE, "driver");
  CHECK_FAILS(aclsysGetVersionNum(driver, &number), ACL_ERROR_INVALID_FILE, "driver");
  CHECK_FAILS(aclsysGetVersionStr(nullptr, text), ACL_ERROR_INVALID_PARAM, "pkgName");
  CHECK_FAILS(aclsysGetVersionNum(runtime, nullptr), ACL_ERROR_INVALID_PARAM, "versionNum");
}

TEST(optionsOfTheNewestRelease) {
  device::use();
  int64_t value = -1;
  if (cann4j::options().is81) {
    for (const int option : {2, 3}) {
      CHECK_FAILS(aclrtSetSysParamOpt(static_cast<aclSysParamOpt>(option), 1),
                  ACL_ERROR_INVALID_PARAM, "there is no option");
    }
    return;
  }
  CHECK_OK(aclrtSetSysParamOpt(ACL_OPT_ENABLE_KERNEL_EARLY_START, 1));
  CHECK_OK(aclrtGetSysParamOpt(ACL_OPT_ENABLE_KERNEL_EARLY_START, &value));
  CHECK_EQ(value, int64_t{1});
  CHECK_OK(aclrtSetSysParamOpt(ACL_OPT_ENABLE_KERNEL_EARLY_START, 0));
  CHECK_FAILS(aclrtCtxSetSysParamOpt(ACL_OPT_ENABLE_KERNEL_EARLY_START, 1), ACL_ERROR_INVALID_PARAM,
              "process only");
  CHECK_FAILS(aclrtCtxGetSysParamOpt(ACL_OPT_STRONG_CONSISTENCY, &value),
              ACL_ERROR_RT_SYSPARAMOPT_NOT_SET, "not set");
  CHECK_OK(aclrtCtxSetSysParamOpt(ACL_OPT_STRONG_CONSISTENCY, 1));
  CHECK_OK(aclrtCtxGetSysParamOpt(ACL_OPT_STRONG_CONSISTENCY, &value));
  CHECK_EQ(value, int64_t{1});
}
