// SPDX-License-Identifier: Apache-2.0
// Random sequences of all operations, element types and reductions over several communicators and
// streams per rank, compared byte by byte with plain computations. All ranks draw the same sequence
// from the seed, which CANN4J_TEST_SEED sets.
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
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

enum class Kind { kInteger, kFp16, kBf16, kFp32, kFp64 };

struct Type {
  HcclDataType type;
  size_t width;
  Kind kind;
  bool reducible;
};

const std::vector<Type> kTypes{{HCCL_DATA_TYPE_INT8, 1, Kind::kInteger, true},
                               {HCCL_DATA_TYPE_INT16, 2, Kind::kInteger, true},
                               {HCCL_DATA_TYPE_INT32, 4, Kind::kInteger, true},
                               {HCCL_DATA_TYPE_INT64, 8, Kind::kInteger, true},
                               {HCCL_DATA_TYPE_FP16, 2, Kind::kFp16, true},
                               {HCCL_DATA_TYPE_FP32, 4, Kind::kFp32, true},
                               {HCCL_DATA_TYPE_BFP16, 2, Kind::kBf16, true},
                               {HCCL_DATA_TYPE_UINT8, 1, Kind::kInteger, false},
                               {HCCL_DATA_TYPE_UINT16, 2, Kind::kInteger, false},
                               {HCCL_DATA_TYPE_UINT32, 4, Kind::kInteger, false},
                               {HCCL_DATA_TYPE_UINT64, 8, Kind::kInteger, false},
                               {HCCL_DATA_TYPE_FP64, 8, Kind::kFp64, false}};

// A whole number of at most 2^8 in size, which every type with a sign holds exactly; integers wrap.
void encode(const Type& type, int value, uint8_t* to) {
  uint64_t bits = 0;
  switch (type.kind) {
    case Kind::kInteger:
      bits = static_cast<uint64_t>(static_cast<int64_t>(value));
      break;
    case Kind::kFp16:
      if (value != 0) {
        const int exponent = std::ilogb(std::abs(value));
        bits = static_cast<uint64_t>(exponent + 15) << 10 |
               (static_cast<uint64_t>(std::abs(value)) << (10 - exponent) & 0x3ff) |
               (value < 0 ? 0x8000 : 0);
      }
      break;
    case Kind::kBf16:
    case Kind::kFp32: {
      const auto number = static_cast<float>(value);
      uint32_t single = 0;
      std::memcpy(&single, &number, 4);
      bits = type.kind == Kind::kFp32 ? single : single >> 16;
      break;
    }
    case Kind::kFp64: {
      const double number = value;
      std::memcpy(&bits, &number, 8);
      break;
    }
  }
  for (size_t i = 0; i < type.width; ++i) {
    to[i] = static_cast<uint8_t>(bits >> (8 * i));
  }
}

// A communicator of which the rank is a member, and the stream that it stays on.
struct Lane {
  HcclComm comm;
  aclrtStream stream;
  uint32_t rank;
  uint32_t size;
};

enum class Op {
  kBroadcast,
  kScatter,
  kAllGather,
  kAllGatherV,
  kAlltoAll,
  kAlltoAllV,
  kAlltoAllVC,
  kAllReduce,
  kReduce,
  kReduceScatter,
  kReduceScatterV,
  kBatch,
  kGroup,
  kPairs,
  kBarrier,
  kCount
};

// What all ranks of a communicator draw in common.
struct Plan {
  Op op;
  uint64_t number;
  Type type;
  HcclReduceOp reduce;
  uint32_t root;
  uint64_t count;
  bool inPlace;
  std::vector<uint64_t> counts;         // by rank, with gaps between the blocks
  std::vector<uint64_t> displacements;
  std::vector<uint64_t> matrix;         // by sender and receiver
};

Plan draw(std::mt19937& random, uint64_t number, uint32_t size) {
  Plan plan{};
  plan.op = static_cast<Op>(random() % static_cast<unsigned>(Op::kCount));
  plan.number = number;
  const bool reduces = plan.op == Op::kAllReduce || plan.op == Op::kReduce ||
                       plan.op == Op::kReduceScatter || plan.op == Op::kReduceScatterV;
  do {
    plan.type = kTypes[random() % kTypes.size()];
    plan.reduce = static_cast<HcclReduceOp>(random() % 4);
  } while (reduces && (!plan.type.reducible ||
                       (plan.reduce == HCCL_REDUCE_PROD &&
                        (plan.type.type == HCCL_DATA_TYPE_INT16 ||
                         plan.type.type == HCCL_DATA_TYPE_BFP16 ||
                         plan.op == Op::kReduceScatterV))));
  plan.root = static_cast<uint32_t>(random() % size);
  plan.count = 1 + random() % (random() % 20 == 0 ? 100000 : 1500);
  plan.inPlace = random() % 3 == 0;
  uint64_t end = random() % 5;
  for (uint32_t rank = 0; rank < size; ++rank) {
    plan.counts.push_back(random() % 4 == 0 ? 0 : 1 + random() % 600);
    plan.displacements.push_back(end);
    end += plan.counts.back() + random() % 3;
  }
  for (uint32_t i = 0; i < size * size; ++i) {
    plan.matrix.push_back(random() % 4 == 0 ? 0 : 1 + random() % 300);
  }
  return plan;
}

// One operation of one rank: its buffers, and what has to be in them afterwards.
class Step {
 public:
  Step(const Lane& lane, Plan plan) : lane_(lane), plan_(std::move(plan)) {}

  void enqueue() {
    switch (plan_.op) {
      case Op::kBroadcast:
        broadcast();
        break;
      case Op::kScatter:
        scatter();
        break;
      case Op::kAllGather:
        allGather();
        break;
      case Op::kAllGatherV:
        allGatherV();
        break;
      case Op::kAlltoAll:
        allToAll();
        break;
      case Op::kAlltoAllV:
        allToAllV();
        break;
      case Op::kAlltoAllVC:
        allToAllVC();
        break;
      case Op::kAllReduce:
      case Op::kReduce:
        reduce();
        break;
      case Op::kReduceScatter:
        reduceScatter();
        break;
      case Op::kReduceScatterV:
        reduceScatterV();
        break;
      case Op::kBatch:
      case Op::kGroup:
        exchange();
        break;
      case Op::kPairs:
        pairs();
        break;
      default:
        CHECK_OK(HcclBarrier(lane_.comm, lane_.stream));
    }
  }

  void check() const {
    if (out_ != nullptr && out_->download<uint8_t>() != expected_) {
      check::failed(__FILE__, __LINE__,
                    "operation " + std::to_string(static_cast<int>(plan_.op)) + " number " +
                        std::to_string(plan_.number) + " of type " +
                        std::to_string(plan_.type.type) + ", rank " + std::to_string(lane_.rank) +
                        " of " + std::to_string(lane_.size));
    }
  }

 private:
  // The i-th element that a rank has for this operation.
  int value(uint32_t rank, uint64_t i) const {
    const uint64_t mixed = (plan_.number * 131 + rank * 31 + i * 7) * 2654435761u >> 7;
    if (plan_.reduce == HCCL_REDUCE_PROD) {
      return mixed % 3 == 0 ? 2 : mixed % 3 == 1 ? 1 : -1;
    }
    return static_cast<int>(mixed % 31) - 15;
  }

  int combined(uint64_t i) const {
    int result = value(0, i);
    for (uint32_t rank = 1; rank < lane_.size; ++rank) {
      const int next = value(rank, i);
      switch (plan_.reduce) {
        case HCCL_REDUCE_SUM:
          result += next;
          break;
        case HCCL_REDUCE_PROD:
          result *= next;
          break;
        case HCCL_REDUCE_MAX:
          result = std::max(result, next);
          break;
        default:
          result = std::min(result, next);
      }
    }
    return result;
  }

  using Element = std::function<int(uint64_t)>;

  void put(std::vector<uint8_t>& bytes, uint64_t begin, uint64_t count, const Element& of) const {
    for (uint64_t i = 0; i < count; ++i) {
      encode(plan_.type, of(i), bytes.data() + (begin + i) * plan_.type.width);
    }
  }

  std::vector<uint8_t> own(uint64_t count) const {
    std::vector<uint8_t> bytes(count * plan_.type.width);
    put(bytes, 0, count, [this](uint64_t i) { return value(lane_.rank, i); });
    return bytes;
  }

  // The buffers with their contents before, and expected_ to be changed into that afterwards.
  void prepare(uint64_t inCount, uint64_t outCount) {
    in_ = std::make_unique<DeviceMemory>(own(inCount));
    expected_.assign(outCount * plan_.type.width, 0xA5);
    out_ = std::make_unique<DeviceMemory>(expected_);
  }
  void prepareInPlace(uint64_t count) {
    expected_ = own(count);
    out_ = std::make_unique<DeviceMemory>(expected_);
  }
  void* outAt(uint64_t element) const { return out_->at(element * plan_.type.width); }

  void broadcast() {
    prepareInPlace(plan_.count);
    put(expected_, 0, plan_.count, [this](uint64_t i) { return value(plan_.root, i); });
    CHECK_OK(HcclBroadcast(out_->get(), plan_.count, plan_.type.type, plan_.root, lane_.comm,
                           lane_.stream));
  }

  void scatter() {
    const uint64_t n = plan_.count;
    const bool isRoot = lane_.rank == plan_.root;
    const auto part = [&](uint64_t i) { return value(plan_.root, lane_.rank * n + i); };
    if (isRoot && plan_.inPlace) {
      prepareInPlace(n * lane_.size);
      CHECK_OK(HcclScatter(out_->get(), outAt(lane_.rank * n), n, plan_.type.type, plan_.root,
                           lane_.comm, lane_.stream));
      return;
    }
    prepare(n * lane_.size, n);
    put(expected_, 0, n, part);
    CHECK_OK(HcclScatter(isRoot ? in_->get() : nullptr, out_->get(), n, plan_.type.type,
                         plan_.root, lane_.comm, lane_.stream));
  }

  void allGather() {
    const uint64_t n = plan_.count;
    prepare(n, n * lane_.size);
    void* in = in_->get();
    if (plan_.inPlace) {
      put(expected_, lane_.rank * n, n, [&](uint64_t i) { return value(lane_.rank, i); });
      out_->upload(expected_);
      in = outAt(lane_.rank * n);
    }
    for (uint32_t rank = 0; rank < lane_.size; ++rank) {
      put(expected_, rank * n, n, [&](uint64_t i) { return value(rank, i); });
    }
    CHECK_OK(HcclAllGather(in, out_->get(), n, plan_.type.type, lane_.comm, lane_.stream));
  }

  uint64_t endOfBlocks() const { return plan_.displacements.back() + plan_.counts.back(); }

  void allGatherV() {
    prepare(plan_.counts[lane_.rank], endOfBlocks());
    for (uint32_t rank = 0; rank < lane_.size; ++rank) {
      put(expected_, plan_.displacements[rank], plan_.counts[rank],
          [&](uint64_t i) { return value(rank, i); });
    }
    CHECK_OK(HcclAllGatherV(in_->get(), plan_.counts[lane_.rank], out_->get(),
                            plan_.counts.data(), plan_.displacements.data(), plan_.type.type,
                            lane_.comm, lane_.stream));
  }

  void allToAll() {
    const uint64_t n = plan_.count % 2000;
    prepare(n * lane_.size, n * lane_.size);
    for (uint32_t rank = 0; rank < lane_.size; ++rank) {
      put(expected_, rank * n, n, [&](uint64_t i) { return value(rank, lane_.rank * n + i); });
    }
    CHECK_OK(HcclAlltoAll(in_->get(), n, plan_.type.type, out_->get(), n, plan_.type.type,
                          lane_.comm, lane_.stream));
  }

  uint64_t sent(uint32_t from, uint32_t to) const { return plan_.matrix[from * lane_.size + to]; }
  // Where the block for `to` begins if blocks lie one behind the other, `gap` apart.
  uint64_t beginOf(uint32_t from, uint32_t to, uint64_t gap) const {
    uint64_t begin = 0;
    for (uint32_t rank = 0; rank < to; ++rank) {
      begin += sent(from, rank) + gap;
    }
    return begin;
  }
  uint64_t arrivesAt(uint32_t from, uint64_t gap) const {
    uint64_t begin = 0;
    for (uint32_t rank = 0; rank < from; ++rank) {
      begin += sent(rank, lane_.rank) + gap;
    }
    return begin;
  }

  void prepareMatrix(uint64_t gap) {
    prepare(beginOf(lane_.rank, lane_.size, gap), arrivesAt(lane_.size, gap));
    for (uint32_t rank = 0; rank < lane_.size; ++rank) {
      const uint64_t begin = beginOf(rank, lane_.rank, gap);
      put(expected_, arrivesAt(rank, gap), sent(rank, lane_.rank),
          [&](uint64_t i) { return value(rank, begin + i); });
    }
  }

  void allToAllV() {
    prepareMatrix(2);
    std::vector<uint64_t> sendCounts, sendDispls, recvCounts, recvDispls;
    for (uint32_t rank = 0; rank < lane_.size; ++rank) {
      sendCounts.push_back(sent(lane_.rank, rank));
      sendDispls.push_back(beginOf(lane_.rank, rank, 2));
      recvCounts.push_back(sent(rank, lane_.rank));
      recvDispls.push_back(arrivesAt(rank, 2));
    }
    CHECK_OK(HcclAlltoAllV(in_->get(), sendCounts.data(), sendDispls.data(), plan_.type.type,
                           out_->get(), recvCounts.data(), recvDispls.data(), plan_.type.type,
                           lane_.comm, lane_.stream));
  }

  void allToAllVC() {
    prepareMatrix(0);
    CHECK_OK(HcclAlltoAllVC(in_->get(), plan_.matrix.data(), plan_.type.type, out_->get(),
                            plan_.type.type, lane_.comm, lane_.stream));
  }

  void reduce() {
    const uint64_t n = plan_.count;
    if (plan_.inPlace) {
      prepareInPlace(n);
    } else {
      prepare(n, n);
    }
    void* in = plan_.inPlace ? out_->get() : in_->get();
    const auto result = [this](uint64_t i) { return combined(i); };
    if (plan_.op == Op::kAllReduce || lane_.rank == plan_.root) {
      put(expected_, 0, n, result);
    }
    CHECK_OK(plan_.op == Op::kAllReduce
                 ? HcclAllReduce(in, out_->get(), n, plan_.type.type, plan_.reduce, lane_.comm,
                                 lane_.stream)
                 : HcclReduce(in, out_->get(), n, plan_.type.type, plan_.reduce, plan_.root,
                              lane_.comm, lane_.stream));
  }

  void reduceScatter() {
    const uint64_t n = plan_.count;
    const uint64_t begin = lane_.rank * n;
    const auto result = [&](uint64_t i) { return combined(begin + i); };
    if (plan_.inPlace) {
      prepareInPlace(n * lane_.size);
      put(expected_, begin, n, result);
    } else {
      prepare(n * lane_.size, n);
      put(expected_, 0, n, result);
    }
    CHECK_OK(HcclReduceScatter(plan_.inPlace ? out_->get() : in_->get(),
                               plan_.inPlace ? outAt(begin) : out_->get(), n, plan_.type.type,
                               plan_.reduce, lane_.comm, lane_.stream));
  }

  void reduceScatterV() {
    const uint64_t begin = plan_.displacements[lane_.rank];
    prepare(endOfBlocks(), plan_.counts[lane_.rank]);
    put(expected_, 0, plan_.counts[lane_.rank], [&](uint64_t i) { return combined(begin + i); });
    CHECK_OK(HcclReduceScatterV(in_->get(), plan_.counts.data(), plan_.displacements.data(),
                                out_->get(), plan_.counts[lane_.rank], plan_.type.type,
                                plan_.reduce, lane_.comm, lane_.stream));
  }

  // A block from everybody to everybody, as the matrix says; itself only in a batch.
  void exchange() {
    const bool batch = plan_.op == Op::kBatch;
    prepareMatrix(1);
    if (!batch) {
      const size_t begin = arrivesAt(lane_.rank, 1) * plan_.type.width;
      std::fill_n(expected_.begin() + static_cast<ptrdiff_t>(begin),
                  sent(lane_.rank, lane_.rank) * plan_.type.width, 0xA5);
    }
    std::vector<HcclSendRecvItem> items;
    for (uint32_t peer = 0; peer < lane_.size; ++peer) {
      items.push_back({HCCL_SEND, in_->at(beginOf(lane_.rank, peer, 1) * plan_.type.width),
                       sent(lane_.rank, peer), plan_.type.type, peer});
      items.push_back({HCCL_RECV, outAt(arrivesAt(peer, 1)), sent(peer, lane_.rank),
                       plan_.type.type, peer});
    }
    std::mt19937 ownOrder(static_cast<unsigned>(plan_.number * 100 + lane_.rank));
    std::shuffle(items.begin(), items.end(), ownOrder);
    if (batch) {
      CHECK_OK(HcclBatchSendRecv(items.data(), static_cast<uint32_t>(items.size()), lane_.comm,
                                 lane_.stream));
      return;
    }
    CHECK_OK(HcclGroupStart());
    for (const HcclSendRecvItem& item : items) {
      if (item.remoteRank != lane_.rank) {
        CHECK_OK(transfer(item));
      }
    }
    CHECK_OK(HcclGroupEnd());
  }

  HcclResult transfer(const HcclSendRecvItem& item) const {
    return item.sendRecvType == HCCL_SEND
               ? HcclSend(item.buf, item.count, item.dataType, item.remoteRank, lane_.comm,
                          lane_.stream)
               : HcclRecv(item.buf, item.count, item.dataType, item.remoteRank, lane_.comm,
                          lane_.stream);
  }

  // Neighbours exchange one after the other, the lower one sends first.
  void pairs() {
    const uint64_t n = plan_.count;
    const uint32_t peer = lane_.rank ^ 1;
    prepare(n, n);
    if (peer >= lane_.size) {
      return;
    }
    put(expected_, 0, n, [&](uint64_t i) { return value(peer, i); });
    const HcclSendRecvItem send{HCCL_SEND, in_->get(), n, plan_.type.type, peer};
    const HcclSendRecvItem receive{HCCL_RECV, out_->get(), n, plan_.type.type, peer};
    CHECK_OK(transfer(lane_.rank < peer ? send : receive));
    CHECK_OK(transfer(lane_.rank < peer ? receive : send));
  }

  const Lane lane_;
  const Plan plan_;
  std::vector<uint8_t> expected_;
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
    std::iota(row.begin(), row.end(), upper);
    OwnStream rowStream;
    OwnStream columnStream;
    const std::vector<Lane> lanes{
        {r.comm, r.stream, r.rank, r.size},
        {split(r.comm, row, 1, lower), rowStream, lower, half},
        {split(r.comm, {lower, lower + half}, 2, r.rank / half), columnStream, r.rank / half, 2}};
    std::mt19937 random(seed);
    std::vector<std::unique_ptr<Step>> open;
    const auto finish = [&] {
      for (const Lane& each : lanes) {
        CHECK_OK(aclrtSynchronizeStream(each.stream));
      }
      for (const auto& step : open) {
        step->check();
      }
      open.clear();
    };
    for (int number = 0; number < steps; ++number) {
      const Lane& lane = lanes[random() % lanes.size()];
      open.push_back(std::make_unique<Step>(lane, draw(random, number, lane.size)));
      open.back()->enqueue();
      if (random() % 10 == 0) {
        finish();
      }
    }
    finish();
    CHECK_OK(HcclCommDestroy(lanes[1].comm));
    CHECK_OK(HcclCommDestroy(lanes[2].comm));
  });
}

}  // namespace

TEST(random_operations_on_world_rows_and_columns) {
  const unsigned start = seed();
  for (uint32_t size : {2u, 4u, 6u, 8u}) {
    std::printf("        size %u, again with: CANN4J_TEST_SEED=%u hccl_random_test\n", size, start);
    std::fflush(stdout);
    randomOperations(size, start, 300);
  }
}
