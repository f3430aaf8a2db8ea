// SPDX-License-Identifier: Apache-2.0
// The same bits whatever the number of threads.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "aclnnop/aclnn_index_add.h"
#include "aclnnop/aclnn_logsumexp.h"
#include "aclnnop/aclnn_reduce_sum.h"
#include "aclnnop/aclnn_softmax.h"
#include "random_views.hpp"

using elements::View;

namespace {

class Digest {
 public:
  void add(const View& view) {
    for (const double value : view.storage()) {
      uint64_t bits = 0;
      std::memcpy(&bits, &value, 8);
      hash_ = (hash_ ^ bits) * 0x100000001B3;
    }
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xCBF29CE484222325;
};

// Of this program, run with that many threads.
std::string digestWith(int threads) {
  char path[4096] = {};
  CHECK(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
  const char* launch = std::getenv("CANN4J_TEST_LAUNCH");  // an emulator
  const std::string command = "CANN4J_CPU_THREADS=" + std::to_string(threads) + " " +
                              (launch != nullptr ? launch : "") + " '" + path + "' digest";
  FILE* output = popen(command.c_str(), "r");
  CHECK(output != nullptr);
  std::string text;
  char line[256];
  while (std::fgets(line, sizeof(line), output) != nullptr) {
    text += line;
  }
  CHECK_EQ(pclose(output), 0);
  return text;
}

}  // namespace

TEST(digest) {
  device::use();
  Digest digest;
  const int64_t dims[] = {0};
  aclIntArray* first = aclCreateIntArray(dims, 1);
  aclIntArray* all = aclCreateIntArray(nullptr, 0);
  for (const auto& shape :
       std::vector<std::vector<int64_t>>{{300000, 3}, {2000, 300}, {3, 200000}}) {
    View self(ACL_FLOAT, shape);
    elements::fillRandom(self, 7);
    View rest(ACL_FLOAT, {shape[1]});
    View one(ACL_FLOAT, {});
    View same(ACL_FLOAT, shape);
    for (int repeat = 0; repeat < 2; ++repeat) {
      elements::call(aclnnReduceSumGetWorkspaceSize, aclnnReduceSum, self, first, false, ACL_FLOAT,
                     rest);
      digest.add(rest);
      elements::call(aclnnLogSumExpGetWorkspaceSize, aclnnLogSumExp, self, all, false, one);
      digest.add(one);
      elements::call(aclnnSoftmaxGetWorkspaceSize, aclnnSoftmax, self, int64_t{1}, same);
      digest.add(same);
    }
  }
  View self(ACL_FLOAT, {50, 200});
  View index(ACL_INT64, {5000});
  View source(ACL_FLOAT, {5000, 200});
  elements::fillRandom(self, 1);
  elements::fillRandom(index, 2, 0, 50);
  elements::fillRandom(source, 3);
  const device::Scalar alpha(0.7);
  elements::call(aclnnIndexAddGetWorkspaceSize, aclnnIndexAdd, self, int64_t{0}, index, source,
                 alpha, self);
  digest.add(self);
  CHECK_OK(aclDestroyIntArray(first));
  CHECK_OK(aclDestroyIntArray(all));
  std::printf("        %016llx\n", static_cast<unsigned long long>(digest.value()));
}

TEST(threadsChangeNoBit) {
  const std::string one = digestWith(1);
  CHECK(one.find("ok      digest") != std::string::npos);
  CHECK_EQ(digestWith(2), one);
  CHECK_EQ(digestWith(7), one);
}
