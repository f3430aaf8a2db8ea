// SPDX-License-Identifier: Apache-2.0
#include "acl/acl.h"

#include <cstdio>
#include <cstring>
#include <mutex>

#include "error.hpp"
#include "half.hpp"
#include "json.hpp"
#include "options.hpp"

using cann4j::fail;

namespace {

std::mutex initMutex;
int initialisations = 0;

// The interface that is implemented, as a toolkit of that version reports it.
constexpr const char* kCannVersion[] = {"8.1.RC1", "8", "1", "RC1", ""};

}  // namespace

extern "C" {

aclError aclInit(const char* configPath) {
  if (const aclError error = cann4j::checkOptions(); error != ACL_SUCCESS) {
    return error;
  }
  if (const aclError error = cann4j::checkConfigFile("aclInit", configPath);
      error != ACL_SUCCESS) {
    return error;
  }
  std::lock_guard lock(initMutex);
  return ++initialisations == 1
             ? ACL_SUCCESS
             : fail(ACL_ERROR_REPEAT_INITIALIZE, "aclInit: already initialised, %d uses now",
                    initialisations);
}

aclError aclFinalize(void) {
  std::lock_guard lock(initMutex);
  if (initialisations == 0) {
    return fail(ACL_ERROR_REPEAT_FINALIZE, "aclFinalize: not initialised, or finalised already");
  }
  initialisations = 0;
  return ACL_SUCCESS;
}

aclError aclrtGetVersion(int32_t* majorVersion, int32_t* minorVersion, int32_t* patchVersion) {
  if (majorVersion == nullptr || minorVersion == nullptr || patchVersion == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtGetVersion: a result pointer is NULL");
  }
  *majorVersion = ACL_MAJOR_VERSION;
  *minorVersion = ACL_MINOR_VERSION;
  *patchVersion = ACL_PATCH_VERSION;
  return ACL_SUCCESS;
}

aclError aclsysGetCANNVersion(aclCANNPackageName name, aclCANNPackageVersion* version) {
  if (version == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclsysGetCANNVersion: version is NULL");
  }
  if (name < ACL_PKG_NAME_CANN || name > ACL_PKG_NAME_DRIVER) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclsysGetCANNVersion: there is no package %d", name);
  }
  if (name == ACL_PKG_NAME_DRIVER) {
    return fail(ACL_ERROR_INVALID_FILE, "aclsysGetCANNVersion: the CPU toolkit has no driver");
  }
  std::memset(version, 0, sizeof(*version));
  std::snprintf(version->version, sizeof(version->version), "%s", kCannVersion[0]);
  std::snprintf(version->majorVersion, sizeof(version->majorVersion), "%s", kCannVersion[1]);
  std::snprintf(version->minorVersion, sizeof(version->minorVersion), "%s", kCannVersion[2]);
  std::snprintf(version->releaseVersion, sizeof(version->releaseVersion), "%s", kCannVersion[3]);
  std::snprintf(version->patchVersion, sizeof(version->patchVersion), "%s", kCannVersion[4]);
  std::snprintf(version->reserved, sizeof(version->reserved), "cann4j CPU toolkit %s",
                CANN4J_VERSION);
  return ACL_SUCCESS;
}

const char* aclrtGetSocName(void) { return "cann4j-cpu"; }

aclError aclrtGetRunMode(aclrtRunMode* runMode) {
  if (runMode == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtGetRunMode: runMode is NULL");
  }
  *runMode = ACL_HOST;
  return ACL_SUCCESS;
}

size_t aclDataTypeSize(aclDataType dataType) {
  switch (dataType) {
    case ACL_INT8:
    case ACL_UINT8:
    case ACL_BOOL:
      return 1;
    case ACL_FLOAT16:
    case ACL_BF16:
    case ACL_INT16:
    case ACL_UINT16:
      return 2;
    case ACL_FLOAT:
    case ACL_INT32:
    case ACL_UINT32:
    case ACL_COMPLEX32:
      return 4;
    case ACL_INT64:
    case ACL_UINT64:
    case ACL_DOUBLE:
    case ACL_COMPLEX64:
      return 8;
    case ACL_COMPLEX128:
      return 16;
    default:
      return 0;
  }
}

float aclFloat16ToFloat(aclFloat16 value) { return cann4j::halfToFloat(value); }

aclFloat16 aclFloatToFloat16(float value) { return cann4j::floatToHalf(value); }

}  // extern "C"
