// SPDX-License-Identifier: Apache-2.0
// What happens to flash attention after phase 1: executors that run again at other addresses, and masks that turn out
// to be wrong when it runs.
#include "attention_draw.hpp"
#include "attention_run.hpp"

using namespace attention;

namespace {

// Runs an executor of `from`'s tensors on those of `to`.
void runElsewhere(const Api& from, const Api& to, bool backward) {
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_OK(backward ? from.prepareBackward(&size, &executor) : from.prepareForward(&size, &executor));
  CHECK_OK(aclSetAclOpExecutorRepeatable(executor));
  const std::vector<const aclTensor*> tensors = to.tensors(backward);
  for (size_t n = 0; n < tensors.size(); ++n) {
    if (tensors[n] == nullptr) continue;
    void* address = nullptr;
    CHECK_OK(aclGetRawTensorAddr(tensors[n], &address));
    CHECK_OK(aclSetTensorAddr(executor, n, const_cast<aclTensor*>(tensors[n]), address));
  }
  device::Buffer<uint8_t> workspace(size);
  for (int times = 0; times < 2; ++times) {
    CHECK_OK((backward ? from.backward() : from.forward())(workspace.address(), size, executor, nullptr));
    CHECK_OK(aclrtSynchronizeStream(nullptr));
  }
  CHECK_OK(aclDestroyAclOpExecutor(executor));
}

void expectSame(const char* name, const Run::Owner& a, const Run::Owner& b) {
  if (a && a->read() != b->read()) throw check::Failure(std::string(name) + " differs at other addresses");
}

// A call with a compressed mask of this content.
class Masked {
 public:
  Masked(int64_t rows, int64_t mode, const std::function<bool(int64_t, int64_t)>& hidden)
      : rows_({1, 8, 1, 4}), statistic_({1, 1, 8, 8}), prefix_({3}) {
    std::vector<double> bits(rows * 2048);
    for (int64_t i = 0; i < rows * 2048; ++i) bits[i] = hidden(i / 2048, i % 2048);
    mask_.reset(new elements::View(ACL_UINT8, {rows, 2048}));
    mask_->fillStorage([&bits](int64_t i) { return bits[i]; });
    for (auto* tensor : {&q_, &k_, &v_, &out_, &dy_, &dq_, &dk_, &dv_}) {
      tensor->reset(new elements::View(ACL_FLOAT, rows_));
      (*tensor)->fillStorage([](int64_t i) { return static_cast<double>(i % 5) / 4; });
    }
    for (auto* tensor : {&max_, &sum_}) {
      tensor->reset(new elements::View(ACL_FLOAT, statistic_));
      (*tensor)->fillStorage([](int64_t) { return 1; });
    }
    api.query = *q_;
    api.key = *k_;
    api.value = *v_;
    api.attenMask = *mask_;
    api.softmaxMax = *max_;
    api.softmaxSum = *sum_;
    api.attention = *out_;
    api.dy = *dy_;
    api.dq = *dq_;
    api.dk = *dk_;
    api.dv = *dv_;
    api.prefix = prefix_;
    api.sparseMode = mode;
  }

  // What the stream says to either direction: the code, and the words in `*words`.
  aclError run(bool backward, std::string* words) const {
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    CHECK_OK(backward ? api.prepareBackward(&size, &executor) : api.prepareForward(&size, &executor));
    const device::Stream stream;
    device::Buffer<uint8_t> workspace(size);
    aclGetRecentErrMsg();
    CHECK_OK((backward ? api.backward() : api.forward())(workspace.address(), size, executor, stream));
    const aclError error = aclrtSynchronizeStream(stream);
    const char* said = aclGetRecentErrMsg();
    *words = said == nullptr ? "" : said;
    return error;
  }

  Api api;

 private:
  Dims rows_, statistic_;
  IntArray prefix_;
  std::unique_ptr<elements::View> mask_, q_, k_, v_, out_, dy_, dq_, dk_, dv_, max_, sum_;
};

void expectContents(int64_t rows, int64_t mode, bool good, const std::function<bool(int64_t, int64_t)>& hidden) {
  const Masked masked(rows, mode, hidden);
  for (const bool backward : {false, true}) {
    std::string words;
    const aclError error = masked.run(backward, &words);
    CHECK_EQ(error, good ? ACL_SUCCESS : ACL_ERROR_RT_AICORE_EXCEPTION);
    CHECK_EQ(words.find("attenMask has") != std::string::npos, !good);
  }
}

}  // namespace

TEST(executors_run_at_other_addresses) {
  device::use();
  const unsigned seed = elements::seedOf("executors_run_at_other_addresses");
  for (int64_t number = 0; number < 96; ++number) {
    Random random(seed + static_cast<unsigned>(number));
    Case c = Draw(random, number).make();
    Random same = random;
    Run there(random, c), here(same, c);
    try {
      there.forward();
      runElsewhere(there.api, here.api, false);
      expectSame("attentionOut", there.attention, here.attention);
      expectSame("softmaxMax", there.softmaxMax, here.softmaxMax);
      expectSame("softmaxSum", there.softmaxSum, here.softmaxSum);
      there.backward();
      runElsewhere(there.backwardApi(), here.backwardApi(), true);
      expectSame("dq", there.dq, here.dq);
      expectSame("dk", there.dk, here.dk);
      expectSame("dv", there.dv, here.dv);
      expectSame("dqRope", there.dqRope, here.dqRope);
      expectSame("dkRope", there.dkRope, here.dkRope);
      expectSame("dsink", there.dSink, here.dSink);
    } catch (const std::exception& e) {
      throw check::Failure(std::string(e.what()) + "\n        in case " + std::to_string(number) + ": " + c.describe());
    }
  }
}

TEST(phase_two_takes_executors_of_its_own_version_only) {
  device::use();
  const Masked call(2048, 3, [](int64_t row, int64_t column) { return column > row; });
  for (const int version : {1, 2, 3}) {
    for (const int other : {1, 2, 3}) {
      Api api = call.api, wrong = call.api;
      api.version = version;
      wrong.version = other;
      for (const bool backward : {false, true}) {
        uint64_t size = 0;
        aclOpExecutor* executor = nullptr;
        CHECK_OK(backward ? api.prepareBackward(&size, &executor) : api.prepareForward(&size, &executor));
        device::Buffer<uint8_t> workspace(size);
        const Launch launch = backward ? wrong.backward() : wrong.forward();
        if (version == other) {
          CHECK_OK(launch(workspace.address(), size, executor, nullptr));
        } else {
          CHECK_FAILS(launch(workspace.address(), size, executor, nullptr), ACLNN_ERR_PARAM_INVALID,
                      "the executor is one of aclnnFlashAttentionScore");
        }
        CHECK_FAILS(launch(workspace.address(), size, executor, nullptr), ACLNN_ERR_PARAM_INVALID, "was used already");
        CHECK_OK(aclrtSynchronizeStream(nullptr));
      }
    }
  }
}

TEST(compressed_masks_of_other_content_fail_the_stream) {
  device::use();
  for (const int64_t mode : {2, 3, 4}) {
    expectContents(2048, mode, true, [](int64_t row, int64_t column) { return column > row; });
    expectContents(2048, mode, false, [](int64_t, int64_t) { return false; });
    expectContents(2048, mode, false, [](int64_t, int64_t) { return true; });
    expectContents(2048, mode, false, [](int64_t row, int64_t column) { return column <= row; });
    expectContents(2048, mode, false, [](int64_t row, int64_t column) { return column >= row; });
  }
  expectContents(3072, 6, true, [](int64_t row, int64_t column) { return row < 2048 ? column > row : column >= 1024; });
  expectContents(3072, 6, false, [](int64_t row, int64_t column) { return column > row; });
}

// The variant of this test in strict mode finds a single wrong element.
TEST(strict_mode_reads_compressed_masks_wholly) {
  device::use();
  const char* strict = std::getenv("CANN4J_CPU_STRICT");
  expectContents(2048, 3, strict == nullptr, [](int64_t row, int64_t column) {
    return row == 77 && column == 5 ? true : column > row;
  });
}
