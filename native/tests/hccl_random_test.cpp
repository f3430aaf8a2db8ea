// SPDX-License-Identifier: Apache-2.0
// Random sequences of operations over several communicators and streams per rank. All ranks draw
// the same sequence from the seed, which CANN4J_TEST_SEED sets.
#include <algorithm>
#include <memory>
#include <random>

#include "hccl_ranks.hpp"

using ranks::DeviceMemory;
using ranks::OwnStream;
using ranks::Rank;

namespace {

unsigned seed() {
  const char* text = std::getenv("CANN4J_TEST_SEED");
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10))
                         : std::random_device{}();
}

int32_t value(uint64_t step, uint32_t source, uint32_t target, uint64_t i) {
  return static_cast<int32_t>((step * 1000003 + source * 10007 + target * 101 + i * 7) % 2000003);
}

// A communicator of which the rank is a member, and the stream that it stays on.
struct Lane {
  HcclComm comm;
  aclrtStream stream;
  uint32_t rank;
  uint32_t size;
};

class Step {
 public:
  Step(const Lane& lane, uint64_t number, uint64_t count)
      : lane_(lane), number_(number), count_(count) {}

  void enqueue(unsigned kind) {
    switch (kind) {
      case 0:
        allReduce();
        break;
      case 1:
        allGather();
        break;
      case 2:
        allToAll();
        break;
      case 3:
        ring();
        break;
      default:
        allToAllV();
    }
  }

  void check() const {
    const std::vector<int32_t> got = out_->download<int32_t>();
    CHECK(got == expected_);
  }

 private:
  std::vector<int32_t> own(uint32_t blocks) const {
    std::vector<int32_t> values;
    for (uint32_t target = 0; target < blocks; ++target) {
      for (uint64_t i = 0; i < count_; ++i) {
        values.push_back(value(number_, lane_.rank, target, i));
      }
    }
    return values;
  }

  void prepare(uint32_t inBlocks) {
    in_ = std::make_unique<DeviceMemory>(own(inBlocks));
    out_ = std::make_unique<DeviceMemory>(std::vector<int32_t>(expected_.size(), -1));
  }

  void allReduce() {
    for (uint64_t i = 0; i < count_; ++i) {
      int32_t sum = 0;
      for (uint32_t source = 0; source < lane_.size; ++source) {
        sum += value(number_, source, 0, i);
      }
      expected_.push_back(sum);
    }
    prepare(1);
    CHECK_OK(HcclAllReduce(in_->get(), out_->get(), count_, HCCL_DATA_TYPE_INT32, HCCL_REDUCE_SUM,
                           lane_.comm, lane_.stream));
  }

  void allGather() {
    for (uint32_t source = 0; source < lane_.size; ++source) {
      for (uint64_t i = 0; i < count_; ++i) {
        expected_.push_back(value(number_, source, 0, i));
      }
    }
    prepare(1);
    CHECK_OK(HcclAllGather(in_->get(), out_->get(), count_, HCCL_DATA_TYPE_INT32, lane_.comm,
                           lane_.stream));
  }

  void expectOneBlockFromEach() {
    for (uint32_t source = 0; source < lane_.size; ++source) {
      for (uint64_t i = 0; i < count_; ++i) {
        expected_.push_back(value(number_, source, lane_.rank, i));
      }
    }
    prepare(lane_.size);
  }

  void allToAll() {
    expectOneBlockFromEach();
    CHECK_OK(HcclAlltoAll(in_->get(), count_, HCCL_DATA_TYPE_INT32, out_->get(), count_,
                          HCCL_DATA_TYPE_INT32, lane_.comm, lane_.stream));
  }

  void allToAllV() {
    expectOneBlockFromEach();
    std::vector<uint64_t> counts(lane_.size, count_);
    std::vector<uint64_t> displacements(lane_.size);
    for (uint32_t i = 0; i < lane_.size; ++i) {
      displacements[i] = i * count_;
    }
    CHECK_OK(HcclAlltoAllV(in_->get(), counts.data(), displacements.data(), HCCL_DATA_TYPE_INT32,
                           out_->get(), counts.data(), displacements.data(), HCCL_DATA_TYPE_INT32,
                           lane_.comm, lane_.stream));
  }

  void ring() {
    const uint32_t next = (lane_.rank + 1) % lane_.size;
    const uint32_t previous = (lane_.rank + lane_.size - 1) % lane_.size;
    for (uint64_t i = 0; i < count_; ++i) {
      expected_.push_back(value(number_, previous, 0, i));
    }
    prepare(1);
    HcclSendRecvItem items[] = {{HCCL_SEND, in_->get(), count_, HCCL_DATA_TYPE_INT32, next},
                                {HCCL_RECV, out_->get(), count_, HCCL_DATA_TYPE_INT32, previous}};
    CHECK_OK(HcclBatchSendRecv(items, 2, lane_.comm, lane_.stream));
  }

  const Lane lane_;
  const uint64_t number_;
  const uint64_t count_;
  std::vector<int32_t> expected_;
  std::unique_ptr<DeviceMemory> in_;
  std::unique_ptr<DeviceMemory> out_;
};

HcclComm split(HcclComm world, std::vector<uint32_t> members, uint64_t id, uint32_t index) {
  HcclCommConfig config;
  HcclCommConfigInit(&config);
  HcclComm sub = nullptr;
  CHECK_OK(HcclCreateSubCommConfig(&world, static_cast<uint32_t>(members.size()), members.data(),
                                   id, index, &config, &sub));
  return sub;
}

void randomOperations(uint32_t size, unsigned seed, int steps) {
  ranks::run(size, [&](const Rank& r) {
    const uint32_t half = size / 2;
    const uint32_t lower = r.rank % half;
    const uint32_t upper = r.rank / half * half;
    std::vector<uint32_t> row(half);
    for (uint32_t i = 0; i < half; ++i) {
      row[i] = upper + i;
    }
    OwnStream rowStream;
    OwnStream columnStream;
    const std::vector<Lane> lanes{
        {r.comm, r.stream, r.rank, r.size},
        {split(r.comm, row, 1, lower), rowStream, lower, half},
        {split(r.comm, {lower, lower + half}, 2, r.rank / half), columnStream, r.rank / half, 2}};
    std::mt19937 random(seed);
    std::vector<std::unique_ptr<Step>> open;
    for (int number = 0; number < steps; ++number) {
      const Lane& lane = lanes[random() % lanes.size()];
      const bool large = random() % 20 == 0;
      const uint64_t count = 1 + random() % (large ? 200000 : 3000);
      const unsigned kind = random() % 5;
      open.push_back(std::make_unique<Step>(lane, number, count));
      open.back()->enqueue(kind);
      if (random() % 10 == 0) {
        for (const Lane& each : lanes) {
          CHECK_OK(aclrtSynchronizeStream(each.stream));
        }
        for (const auto& step : open) {
          step->check();
        }
        open.clear();
      }
    }
    for (const Lane& lane : lanes) {
      CHECK_OK(aclrtSynchronizeStream(lane.stream));
    }
    for (const auto& step : open) {
      step->check();
    }
    CHECK_OK(HcclCommDestroy(lanes[1].comm));
    CHECK_OK(HcclCommDestroy(lanes[2].comm));
  });
}

}  // namespace

TEST(random_operations_on_world_rows_and_columns) {
  const unsigned start = seed();
  for (uint32_t size : {2u, 4u, 8u}) {
    std::printf("        size %u, CANN4J_TEST_SEED=%u\n", size, start);
    randomOperations(size, start, 400);
  }
}
