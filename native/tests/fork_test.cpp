// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "aclnnop/aclnn_exp.h"
#include "device.hpp"
#include "hccl/hccl.h"

namespace {

int statusOf(pid_t child) {
  int status = -1;
  return waitpid(child, &status, 0) == child ? status : -1;
}

bool works() {
  device::use();
  const device::Buffer<float> buffer({7});
  const device::Stream stream;
  return aclrtMemsetAsync(buffer.address(), 4, 0, 4, stream) == ACL_SUCCESS &&
         aclrtSynchronizeStream(stream) == ACL_SUCCESS && buffer.read()[0] == 0;
}

}  // namespace

// The first of these, because it is about processes that have not used a device yet.
TEST(parentAndChildOfAnEarlyForkBothWork) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(20);
    _exit(works() ? 0 : 1);
  }
  CHECK_EQ(statusOf(child), 0);
  CHECK(works());
}

TEST(aForkedChildIsRefusedInsteadOfWaiting) {
  device::use();
  const device::Buffer<float> buffer({1});
  const device::Stream stream;
  const int64_t size = 1;
  aclTensor* tensor =
      aclCreateTensor(&size, 1, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, &size, 1, buffer.address());
  uint64_t workspace = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_OK(aclnnInplaceExpGetWorkspaceSize(tensor, &workspace, &executor));
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(20);
    float value = 0;
    HcclRootInfo root;
    const auto isRefused = [](int code) {
      const char* words = aclGetRecentErrMsg();
      return code != 0 && words != nullptr &&
             std::string(words).find("was made by fork") != std::string::npos;
    };
    _exit(isRefused(aclrtSynchronizeDevice()) && isRefused(aclrtSynchronizeStream(stream)) &&
                  isRefused(aclnnInplaceExp(nullptr, 0, executor, stream)) &&
                  isRefused(aclrtMemcpy(&value, 4, buffer.address(), 4, ACL_MEMCPY_DEVICE_TO_HOST)) &&
                  isRefused(HcclGetRootInfo(&root)) && isRefused(aclFinalize())
              ? 0
              : 1);
  }
  CHECK_EQ(statusOf(child), 0);
  CHECK_OK(aclnnInplaceExp(nullptr, 0, executor, stream));
  CHECK_OK(aclrtSynchronizeStream(stream));
  CHECK_OK(aclDestroyTensor(tensor));
}
