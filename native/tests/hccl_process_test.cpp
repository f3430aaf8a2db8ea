// SPDX-License-Identifier: Apache-2.0
// Communicators whose ranks are processes, or threads of several processes.
#include <dirent.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "processes.hpp"

using processes::Process;
using processes::Shape;
using ranks::DeviceMemory;
using ranks::OwnStream;
using ranks::Rank;

#define THIS_TEST (__func__ + std::strlen("test_"))

namespace {

const std::vector<Shape> kShapes{{{0}, {1}}, {{0, 1}, {2, 3}}, {{2}, {0, 3}, {1}}};

}  // namespace

TEST(sends_and_receives_between_all_pairs) {
  for (const Shape& shape : kShapes) {
    processes::run(THIS_TEST, shape, [](const Rank& r) {
      for (uint64_t count : {uint64_t{1}, uint64_t{1000}, uint64_t{300001}}) {
        for (uint32_t source = 0; source < r.size; ++source) {
          for (uint32_t target = 0; target < r.size; ++target) {
            std::vector<int32_t> sent(count);
            std::iota(sent.begin(), sent.end(), static_cast<int32_t>(source * 1000 + target));
            if (source != target && r.rank == source) {
              DeviceMemory data(sent);
              CHECK_OK(HcclSend(data.get(), count, HCCL_DATA_TYPE_INT32, target, r.comm, r.stream));
              r.synchronize();
            } else if (source != target && r.rank == target) {
              DeviceMemory data(count * sizeof(int32_t));
              CHECK_OK(HcclRecv(data.get(), count, HCCL_DATA_TYPE_INT32, source, r.comm, r.stream));
              r.synchronize();
              CHECK(data.download<int32_t>() == sent);
            }
          }
        }
      }
    });
  }
}
