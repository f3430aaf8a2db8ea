// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "acl/acl.h"
#include "api.hpp"
#include "options.hpp"
#include "version/cann_version.h"

using namespace cann4j;

namespace {

// What a toolkit with this interface calls itself.
struct Release {
  const char* version;
  const char* parts[4];  // major, minor, release, patch
  int32_t number;        // grows with every release
  int32_t interfaceMinor;
};

constexpr Release kRelease81{"8.1.RC1", {"8", "1", "RC1", "0"}, 80099901, 13};
constexpr Release kNewestRelease{CANN_VERSION_STR, {"9", "0", "0", "0"}, 90000000, ACL_MINOR_VERSION};

const Release& release() { return options().is81 ? kRelease81 : kNewestRelease; }

constexpr const char* kPackages[] = {"runtime", "opbase",   "ops_math", "ops_nn", "ops_transformer",
                                     "hccl",    "hcomm",    "compiler", "toolkit", "opp",
                                     "opp_kernel"};

aclError checkPackage(const char* function, const char* name, const void* result,
                      const char* resultName) {
  if (name == nullptr || result == nullptr) {
    return nullArgument(function, name == nullptr ? "pkgName" : resultName);
  }
  const bool isThere = std::any_of(std::begin(kPackages), std::end(kPackages),
                                   [&](const char* known) { return std::strcmp(known, name) == 0; });
  return isThere ? ACL_SUCCESS
                 : fail(ACL_ERROR_INVALID_FILE, "%s: the CPU toolkit has no package %.64s", function,
                        name);
}

template <size_t N>
void write(char (&to)[N], const char* text) {
  std::snprintf(to, N, "%s", text);
}

}  // namespace

extern "C" {

aclError aclrtGetVersion(int32_t* majorVersion, int32_t* minorVersion, int32_t* patchVersion) {
  return api("aclrtGetVersion", [&](const char* function) -> aclError {
    if (const aclError error = checkResults(function, {{"majorVersion", majorVersion},
                                                       {"minorVersion", minorVersion},
                                                       {"patchVersion", patchVersion}});
        error != ACL_SUCCESS) {
      return error;
    }
    *majorVersion = ACL_MAJOR_VERSION;
    *minorVersion = release().interfaceMinor;
    *patchVersion = ACL_PATCH_VERSION;
    return ACL_SUCCESS;
  });
}

aclError aclsysGetCANNVersion(aclCANNPackageName name, aclCANNPackageVersion* version) {
  return api("aclsysGetCANNVersion", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "version", version); error != ACL_SUCCESS) {
      return error;
    }
    if (name < ACL_PKG_NAME_CANN || name > ACL_PKG_NAME_DRIVER) {
      return fail(ACL_ERROR_INVALID_PARAM, "%s: there is no package %d", function,
                  static_cast<int>(name));
    }
    if (name == ACL_PKG_NAME_DRIVER) {
      return fail(ACL_ERROR_INVALID_FILE, "%s: the CPU toolkit has no driver", function);
    }
    std::memset(version, 0, sizeof(*version));
    write(version->version, release().version);
    write(version->majorVersion, release().parts[0]);
    write(version->minorVersion, release().parts[1]);
    write(version->releaseVersion, release().parts[2]);
    write(version->patchVersion, release().parts[3]);
    write(version->reserved, "cann4j CPU toolkit " CANN4J_VERSION);
    return ACL_SUCCESS;
  });
}

aclError aclsysGetVersionStr(char* pkgName, char* versionStr) {
  return api("aclsysGetVersionStr", [&](const char* function) -> aclError {
    const aclError error = checkPackage(function, pkgName, versionStr, "versionStr");
    if (error == ACL_SUCCESS) {
      std::snprintf(versionStr, ACL_PKG_VERSION_MAX_SIZE, "%s", release().version);
    }
    return error;
  });
}

aclError aclsysGetVersionNum(char* pkgName, int32_t* versionNum) {
  return api("aclsysGetVersionNum", [&](const char* function) -> aclError {
    const aclError error = checkPackage(function, pkgName, versionNum, "versionNum");
    if (error == ACL_SUCCESS) {
      *versionNum = release().number;
    }
    return error;
  });
}

const char* aclrtGetSocName(void) {
  static const std::string& name = *new std::string("cann4j-cpu-" + options().instructionSet);
  return checkOptions() == ACL_SUCCESS ? name.c_str() : nullptr;
}

}  // extern "C"
