// SPDX-License-Identifier: Apache-2.0
// Device memory where arrays of the host belong, and views and files that no memory holds.
#include <cstdint>

#include "aclnnop/aclnn_neg.h"
#include "device.hpp"
#include "hccl/hccl.h"

namespace {

using device::Buffer;

// The call gives no object and leaves words.
#define CHECK_NONE(call, words) \
  do { \
    aclGetRecentErrMsg(); \
    CHECK((call) == nullptr); \
    device::expectWords(__FILE__, __LINE__, (words)); \
  } while (false)

aclTensor* create(const int64_t* dims, const int64_t* strides, int64_t offset,
                  const int64_t* storage, void* data) {
  return aclCreateTensor(dims, 2, ACL_FLOAT, strides, offset, ACL_FORMAT_ND, storage, 2, data);
}

TEST(values_are_no_device_memory) {
  device::use();
  Buffer<int64_t> on(64);
  void* p = on.address();
  CHECK_NONE(aclCreateScalar(p, ACL_FLOAT), "value");
  CHECK_NONE(aclCreateIntArray(static_cast<int64_t*>(p), 4), "is device memory");
  CHECK_NONE(aclCreateFloatArray(static_cast<float*>(p), 4), "is device memory");
  CHECK_NONE(aclCreateBoolArray(static_cast<bool*>(p), 4), "is device memory");
  CHECK_NONE(aclCreateTensorList(static_cast<aclTensor**>(p), 4), "is device memory");
  CHECK_NONE(aclCreateScalarList(static_cast<aclScalar**>(p), 4), "is device memory");
}

TEST(shapes_are_no_device_memory) {
  device::use();
  Buffer<int64_t> on(64);
  const auto* there = static_cast<const int64_t*>(on.address());
  const int64_t dims[] = {2, 3};
  CHECK_NONE(create(there, nullptr, 0, dims, on.address()), "viewDims");
  CHECK_NONE(create(dims, there, 0, dims, on.address()), "stride");
  CHECK_NONE(create(dims, nullptr, 0, there, on.address()), "storageDims");
}

TEST(counts_are_no_device_memory) {
  device::use();
  device::Stream stream;
  HcclComm comm = nullptr;
  int32_t id = 0;
  CHECK_OK(HcclCommInitAll(1, &id, &comm));
  Buffer<float> from(16), to(16);
  void* f = from.address();
  void* t = to.address();
  const uint64_t one = 1, zero = 0;
  constexpr HcclDataType type = HCCL_DATA_TYPE_FP32;
  CHECK_FAILS(HcclAlltoAllV(f, f, &zero, type, t, &one, &zero, type, comm, stream), HCCL_E_PARA,
              "sendCounts");
  CHECK_FAILS(HcclAlltoAllV(f, &one, &zero, type, t, &one, t, type, comm, stream), HCCL_E_PARA,
              "rdispls");
  CHECK_FAILS(HcclAlltoAllVC(f, f, type, t, type, comm, stream), HCCL_E_PARA, "sendCountMatrix");
  CHECK_FAILS(HcclAllGatherV(f, 1, t, t, &zero, type, comm, stream), HCCL_E_PARA, "recvCounts");
  CHECK_FAILS(HcclBatchSendRecv(static_cast<HcclSendRecvItem*>(f), 1, comm, stream), HCCL_E_PARA,
              "sendRecvInfo");
  CHECK_OK(HcclAllGatherV(f, 1, t, &one, &zero, type, comm, stream));
  stream.synchronize();
  CHECK_OK(HcclCommDestroy(comm));
}

// 2^128 - 2^66 + 4 bytes: negative as a number of 128 bits, 4 as one of 64.
TEST(a_view_of_more_bytes_than_numbers_count_is_refused) {
  device::use();
  Buffer<float> a(16), b(16);
  device::Tensor from(a.address(), ACL_FLOAT, {INT64_MAX}, {INT64_MIN}, 0);
  device::Tensor to(b.address(), ACL_FLOAT, {INT64_MAX}, {INT64_MIN}, 0);
  uint64_t bytes = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_OK(aclnnNegGetWorkspaceSize(from, to, &bytes, &executor));
  CHECK_FAILS(aclnnNeg(nullptr, 0, executor, nullptr), ACLNN_ERR_PARAM_INVALID,
              "live allocation");
}

TEST(an_offset_of_more_bytes_than_numbers_count_is_refused) {
  device::use();
  Buffer<float> a(16);
  const int64_t dims[] = {2, 3};
  CHECK_NONE(create(dims, nullptr, int64_t{1} << 62, dims, a.address()), "offset");
}

TEST(a_file_without_end_is_refused) {
  CHECK_FAILS(aclInit("/dev/zero"), ACL_ERROR_INVALID_FILE, "/dev/zero");
  device::use();
  HcclComm comm = nullptr;
  CHECK_FAILS(HcclCommInitClusterInfo("/dev/zero", 0, &comm), HCCL_E_INTERNAL, "/dev/zero");
}

TEST(results_do_not_go_to_device_memory) {
  device::use();
  device::Stream stream;
  Buffer<float> on(2048);
  void* p = on.address();
  constexpr aclError kBad = ACL_ERROR_INVALID_PARAM;
  CHECK_FAILS(aclrtGetDevice(static_cast<int32_t*>(p)), kBad, "deviceId");
  CHECK_FAILS(aclrtGetDeviceCount(static_cast<uint32_t*>(p)), kBad, "count");
  CHECK_FAILS(aclrtMalloc(static_cast<void**>(p), 8, ACL_MEM_MALLOC_HUGE_FIRST), kBad, "devPtr");
  CHECK_FAILS(aclrtMallocHost(static_cast<void**>(p), 8), kBad, "hostPtr");
  CHECK_FAILS(aclrtCreateStream(static_cast<aclrtStream*>(p)), kBad, "stream");
  CHECK_FAILS(aclrtCreateEvent(static_cast<aclrtEvent*>(p)), kBad, "event");
  CHECK_FAILS(aclrtGetCurrentContext(static_cast<aclrtContext*>(p)), kBad, "context");
  size_t bytes = 0;
  CHECK_FAILS(aclrtGetMemInfo(ACL_HBM_MEM, &bytes, static_cast<size_t*>(p)), kBad, "total");
  CHECK_FAILS(aclInit(static_cast<const char*>(p)), kBad, "configPath");
  device::Tensor a(p, ACL_FLOAT, {4});
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_FAILS(aclnnNegGetWorkspaceSize(a, a, static_cast<uint64_t*>(p), &executor),
              ACLNN_ERR_PARAM_INVALID, "workspaceSize");
  CHECK_FAILS(aclnnNegGetWorkspaceSize(a, a, &size, static_cast<aclOpExecutor**>(p)),
              ACLNN_ERR_PARAM_INVALID, "executor");
  CHECK_FAILS(HcclGetRootInfo(static_cast<HcclRootInfo*>(p)), HCCL_E_PARA, "rootInfo");
  HcclComm comm = nullptr;
  CHECK_FAILS(HcclCommInitRootInfo(1, static_cast<HcclRootInfo*>(p), 0, &comm), HCCL_E_PARA,
              "rootInfo");
  int32_t id = 0;
  CHECK_FAILS(HcclCommInitAll(1, &id, static_cast<HcclComm*>(p)), HCCL_E_PARA, "comms");
  CHECK_OK(HcclCommInitAll(1, &id, &comm));
  CHECK_FAILS(HcclGetRankId(comm, static_cast<uint32_t*>(p)), HCCL_E_PARA, "rank");
  CHECK_FAILS(HcclGetCommName(comm, static_cast<char*>(p)), HCCL_E_PARA, "commName");
  CHECK_OK(HcclCommDestroy(comm));
}

}  // namespace
