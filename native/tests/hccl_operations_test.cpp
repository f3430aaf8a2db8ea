// SPDX-License-Identifier: Apache-2.0
// The operations that move or combine data between all ranks: results, in-place forms, arguments.
#include <algorithm>
#include <numeric>

#include "hccl_ranks.hpp"

using ranks::DeviceMemory;
using ranks::OwnStream;
using ranks::Rank;

namespace {

constexpr auto kInt32 = HCCL_DATA_TYPE_INT32;
constexpr auto kFp32 = HCCL_DATA_TYPE_FP32;
constexpr auto kSum = HCCL_REDUCE_SUM;

const std::vector<std::pair<HcclDataType, size_t>> kMovable{
    {HCCL_DATA_TYPE_INT8, 1},   {HCCL_DATA_TYPE_INT16, 2}, {HCCL_DATA_TYPE_INT32, 4},
    {HCCL_DATA_TYPE_FP16, 2},   {HCCL_DATA_TYPE_FP32, 4},  {HCCL_DATA_TYPE_INT64, 8},
    {HCCL_DATA_TYPE_UINT64, 8}, {HCCL_DATA_TYPE_UINT8, 1}, {HCCL_DATA_TYPE_UINT16, 2},
    {HCCL_DATA_TYPE_UINT32, 4}, {HCCL_DATA_TYPE_FP64, 8},  {HCCL_DATA_TYPE_BFP16, 2}};

constexpr HcclDataType kUnmovable[] = {
    HCCL_DATA_TYPE_INT128,  HCCL_DATA_TYPE_HIF8,     HCCL_DATA_TYPE_FP8E4M3,
    HCCL_DATA_TYPE_FP8E5M2, HCCL_DATA_TYPE_FP8E8M0,  HCCL_DATA_TYPE_RESERVED,
    static_cast<HcclDataType>(13), static_cast<HcclDataType>(99)};

uint8_t mark(uint32_t rank, size_t index) {
  return static_cast<uint8_t>(rank * 37 + index * 11 + index / 250 + 1);
}

std::vector<uint8_t> marks(uint32_t rank, size_t begin, size_t end) {
  std::vector<uint8_t> bytes;
  for (size_t i = begin; i < end; ++i) {
    bytes.push_back(mark(rank, i));
  }
  return bytes;
}

int32_t element(uint32_t rank, uint64_t index) {
  return static_cast<int32_t>(rank * 1000 + index * 7);
}

std::vector<int32_t> elements(uint32_t rank, uint64_t count) {
  std::vector<int32_t> values;
  for (uint64_t i = 0; i < count; ++i) {
    values.push_back(element(rank, i));
  }
  return values;
}

int32_t sumOf(uint32_t size, uint64_t index) {
  int32_t sum = 0;
  for (uint32_t rank = 0; rank < size; ++rank) {
    sum += element(rank, index);
  }
  return sum;
}

}  // namespace

TEST(broadcast_every_type_from_every_root) {
  for (uint32_t size : ranks::sizes()) {
    ranks::run(size, [](const Rank& r) {
      for (const auto& [type, width] : kMovable) {
        for (uint32_t root = 0; root < r.size; ++root) {
          const size_t bytes = (100 + root) * width;
          DeviceMemory data(marks(r.rank, 0, bytes));
          CHECK_OK(HcclBroadcast(data.get(), 100 + root, type, root, r.comm, r.stream));
          r.synchronize();
          CHECK(data.download<uint8_t>() == marks(root, 0, bytes));
        }
      }
    });
  }
}

TEST(scatter_every_type_from_every_root) {
  for (uint32_t size : ranks::sizes()) {
    ranks::run(size, [](const Rank& r) {
      for (const auto& [type, width] : kMovable) {
        for (uint32_t root = 0; root < r.size; ++root) {
          const size_t bytes = 33 * width;
          DeviceMemory in(marks(r.rank, 0, bytes * r.size));
          DeviceMemory out(std::vector<uint8_t>(bytes, 0));
          // Only the root's sendBuf is looked at.
          void* sendBuf = r.rank == root ? in.get() : r.rank % 2 == 0 ? nullptr : out.get();
          CHECK_OK(HcclScatter(sendBuf, out.get(), 33, type, root, r.comm, r.stream));
          r.synchronize();
          CHECK(out.download<uint8_t>() == marks(root, r.rank * bytes, (r.rank + 1) * bytes));
        }
      }
      // In place on the root.
      DeviceMemory data(marks(r.rank, 0, 40 * r.size));
      void* own = data.at(r.rank == r.size - 1 ? r.rank * 40 : 0);
      CHECK_OK(HcclScatter(data.get(), own, 10, kInt32, r.size - 1, r.comm, r.stream));
      r.synchronize();
      std::vector<uint8_t> expected = marks(r.rank, 0, 40 * r.size);
      if (r.rank != r.size - 1) {
        const std::vector<uint8_t> block = marks(r.size - 1, r.rank * 40, (r.rank + 1) * 40);
        std::copy(block.begin(), block.end(), expected.begin());
      }
      CHECK(data.download<uint8_t>() == expected);
    });
  }
}

TEST(reduce_leaves_the_result_on_the_root_alone) {
  for (uint32_t size : ranks::sizes()) {
    ranks::run(size, [](const Rank& r) {
      for (uint32_t root = 0; root < r.size; ++root) {
        for (bool inPlace : {false, true}) {
          DeviceMemory in(elements(r.rank, 2051));
          DeviceMemory out(std::vector<int32_t>(2051, -7));
          CHECK_OK(HcclReduce(in.get(), inPlace ? in.get() : out.get(), 2051, kInt32, kSum, root,
                              r.comm, r.stream));
          r.synchronize();
          const std::vector<int32_t> got = (inPlace ? in : out).download<int32_t>();
          for (uint64_t i = 0; i < got.size(); ++i) {
            const int32_t untouched = inPlace ? element(r.rank, i) : -7;
            CHECK_EQ(got[i], r.rank == root ? sumOf(r.size, i) : untouched);
          }
        }
      }
    });
  }
}

TEST(reduce_scatter_gives_every_rank_its_part) {
  for (uint32_t size : ranks::sizes()) {
    ranks::run(size, [](const Rank& r) {
      const uint64_t count = 70001;
      for (bool inPlace : {false, true}) {
        DeviceMemory in(elements(r.rank, count * r.size));
        DeviceMemory out(std::vector<int32_t>(count, -7));
        void* target = inPlace ? in.at(r.rank * count * 4) : out.get();
        CHECK_OK(HcclReduceScatter(in.get(), target, count, kInt32, kSum, r.comm, r.stream));
        r.synchronize();
        std::vector<int32_t> got = (inPlace ? in : out).download<int32_t>();
        const uint64_t begin = r.rank * count;
        for (uint64_t i = 0; i < got.size(); ++i) {
          const uint64_t index = inPlace ? i : begin + i;
          const bool isOwn = index >= begin && index < begin + count;
          CHECK_EQ(got[i], isOwn ? sumOf(r.size, index) : element(r.rank, index));
        }
      }
    });
  }
}

TEST(all_gather_v_and_reduce_scatter_v_with_gaps_and_empty_blocks) {
  for (uint32_t size : ranks::sizes()) {
    ranks::run(size, [](const Rank& r) {
      // Rank k has (k % 3) * 50 elements; blocks lie in reverse order with gaps.
      std::vector<uint64_t> counts;
      std::vector<uint64_t> displs;
      for (uint32_t rank = 0; rank < r.size; ++rank) {
        counts.push_back((rank + 1) % 3 * 50);
        displs.push_back((r.size - 1 - rank) * 110 + 5);
      }
      const uint64_t own = counts[r.rank];
      const uint64_t room = r.size * 110 + 5;
      DeviceMemory in(elements(r.rank, own));
      DeviceMemory out(std::vector<int32_t>(room, -3));
      CHECK_OK(HcclAllGatherV(own == 0 ? nullptr : in.get(), own, out.get(), counts.data(),
                              displs.data(), kInt32, r.comm, r.stream));
      r.synchronize();
      std::vector<int32_t> expected(room, -3);
      for (uint32_t rank = 0; rank < r.size; ++rank) {
        for (uint64_t i = 0; i < counts[rank]; ++i) {
          expected[displs[rank] + i] = element(rank, i);
        }
      }
      CHECK(out.download<int32_t>() == expected);

      DeviceMemory whole(elements(r.rank, room));
      DeviceMemory part(std::vector<int32_t>(own, -3));
      CHECK_OK(HcclReduceScatterV(whole.get(), counts.data(), displs.data(),
                                  own == 0 ? nullptr : part.get(), own, kInt32, kSum, r.comm,
                                  r.stream));
      // The arrays belong to the caller again.
      std::fill(counts.begin(), counts.end(), uint64_t{1} << 40);
      r.synchronize();
      const std::vector<int32_t> got = part.download<int32_t>();
      for (uint64_t i = 0; i < own; ++i) {
        CHECK_EQ(got[i], sumOf(r.size, displs[r.rank] + i));
      }
    });
  }
}

TEST(all_to_all_vc_packs_by_the_matrix) {
  for (uint32_t size : ranks::sizes()) {
    ranks::run(size, [](const Rank& r) {
      std::vector<uint64_t> matrix;
      for (uint32_t from = 0; from < r.size; ++from) {
        for (uint32_t to = 0; to < r.size; ++to) {
          matrix.push_back((from * 3 + to) % 4 * 20);
        }
      }
      const auto count = [&](uint32_t from, uint32_t to) { return matrix[from * r.size + to]; };
      uint64_t sent = 0;
      for (uint32_t to = 0; to < r.size; ++to) {
        sent += count(r.rank, to);
      }
      std::vector<int32_t> expected;
      for (uint32_t from = 0; from < r.size; ++from) {
        uint64_t begin = 0;
        for (uint32_t to = 0; to < r.rank; ++to) {
          begin += count(from, to);
        }
        for (uint64_t i = 0; i < count(from, r.rank); ++i) {
          expected.push_back(element(from, begin + i));
        }
      }
      DeviceMemory in(elements(r.rank, sent));
      DeviceMemory out(std::vector<int32_t>(expected.size(), -1));
      CHECK_OK(HcclAlltoAllVC(sent == 0 ? nullptr : in.get(), matrix.data(), kInt32,
                              expected.empty() ? nullptr : out.get(), kInt32, r.comm, r.stream));
      r.synchronize();
      CHECK(out.download<int32_t>() == expected);
    });
  }
}

TEST(nothing_to_do_needs_no_peer_and_no_buffer) {
  ranks::run(2, [](const Rank& r) {
    if (r.rank == 0) {
      CHECK_OK(HcclBroadcast(nullptr, 0, kFp32, 1, r.comm, r.stream));
      CHECK_OK(HcclScatter(nullptr, nullptr, 0, kFp32, 0, r.comm, r.stream));
      CHECK_OK(HcclAllGather(nullptr, nullptr, 0, kFp32, r.comm, r.stream));
      CHECK_OK(HcclAllReduce(nullptr, nullptr, 0, kFp32, kSum, r.comm, r.stream));
      CHECK_OK(HcclReduce(nullptr, nullptr, 0, kFp32, kSum, 1, r.comm, r.stream));
      CHECK_OK(HcclReduceScatter(nullptr, nullptr, 0, kFp32, kSum, r.comm, r.stream));
      r.synchronize();
    }
    // Its type and root are looked at nevertheless.
    CHECK_FAILS(HCCL_E_PARA, HcclBroadcast(nullptr, 0, kFp32, 2, r.comm, r.stream), "root is 2");
    CHECK_FAILS(HCCL_E_NOT_SUPPORT,
                HcclAllGather(nullptr, nullptr, 0, HCCL_DATA_TYPE_INT128, r.comm, r.stream),
                "HCCL_DATA_TYPE_INT128");
  });
}

TEST(types_and_operators_that_are_not_supported) {
  ranks::run(2, [](const Rank& r) {
    DeviceMemory data(std::vector<float>(64, 1.0f));
    void* p = data.get();
    void* q = data.at(128);
    const uint64_t counts[] = {1, 1};
    const uint64_t displs[] = {0, 1};
    const uint64_t matrix[] = {1, 1, 1, 1};
    const uint32_t peer = 1 - r.rank;
    for (HcclDataType type : kUnmovable) {
      const std::string words = "which cannot be transferred";
      const auto refused = [&](HcclResult result) {
        CHECK_EQ(result, HCCL_E_NOT_SUPPORT);
        CHECK(ranks::recentWords().find(words) != std::string::npos);
      };
      refused(HcclBroadcast(p, 1, type, 0, r.comm, r.stream));
      refused(HcclScatter(p, q, 1, type, 0, r.comm, r.stream));
      refused(HcclAllGather(p, q, 1, type, r.comm, r.stream));
      refused(HcclAllGatherV(p, 1, q, counts, displs, type, r.comm, r.stream));
      refused(HcclAlltoAll(p, 1, type, q, 1, type, r.comm, r.stream));
      refused(HcclAlltoAllV(p, counts, displs, type, q, counts, displs, type, r.comm, r.stream));
      refused(HcclAlltoAllVC(p, matrix, type, q, type, r.comm, r.stream));
      refused(HcclSend(p, 1, type, peer, r.comm, r.stream));
      refused(HcclRecv(p, 1, type, peer, r.comm, r.stream));
      HcclSendRecvItem item{HCCL_SEND, p, 1, type, peer};
      refused(HcclBatchSendRecv(&item, 1, r.comm, r.stream));
    }
    struct Bad {
      HcclDataType type;
      HcclReduceOp op;
    };
    std::vector<Bad> bad{{HCCL_DATA_TYPE_INT16, HCCL_REDUCE_PROD},
                         {HCCL_DATA_TYPE_BFP16, HCCL_REDUCE_PROD},
                         {kFp32, HCCL_REDUCE_RESERVED},
                         {kFp32, static_cast<HcclReduceOp>(4)}};
    for (HcclDataType type : {HCCL_DATA_TYPE_UINT8, HCCL_DATA_TYPE_UINT16, HCCL_DATA_TYPE_UINT32,
                              HCCL_DATA_TYPE_UINT64, HCCL_DATA_TYPE_FP64}) {
      bad.push_back({type, kSum});
    }
    for (HcclDataType type : kUnmovable) {
      bad.push_back({type, kSum});
    }
    for (const auto& [type, op] : bad) {
      const auto refused = [&](HcclResult result) {
        CHECK_EQ(result, HCCL_E_NOT_SUPPORT);
        CHECK(ranks::recentWords().find("is not supported; SUM, MAX and MIN take") !=
              std::string::npos);
      };
      refused(HcclAllReduce(p, p, 1, type, op, r.comm, r.stream));
      refused(HcclReduce(p, p, 1, type, op, 0, r.comm, r.stream));
      refused(HcclReduceScatter(p, q, 1, type, op, r.comm, r.stream));
      refused(HcclReduceScatterV(p, counts, displs, q, 1, type, op, r.comm, r.stream));
    }
    CHECK_FAILS(HCCL_E_NOT_SUPPORT,
                HcclReduceScatterV(p, counts, displs, q, 1, kFp32, HCCL_REDUCE_PROD, r.comm,
                                   r.stream),
                "HCCL_REDUCE_PROD", "use HCCL_REDUCE_SUM");
  });
}

TEST(arguments_of_the_operations_with_one_count) {
  ranks::run(2, [](const Rank& r) {
    DeviceMemory data(std::vector<float>(64, 1.0f));
    std::vector<float> host(64);
    void* p = data.get();
    const uint64_t many = 0x800000000;
    const std::string most = "at most 34359738367 elements";
    CHECK_FAILS(HCCL_E_PTR, HcclBroadcast(p, 1, kFp32, 0, nullptr, r.stream), "comm is NULL");
    CHECK_FAILS(HCCL_E_PTR, HcclBroadcast(p, 1, kFp32, 0, r.comm, nullptr), "stream is NULL");
    CHECK_FAILS(HCCL_E_PTR, HcclBroadcast(nullptr, 1, kFp32, 0, r.comm, r.stream), "buf is NULL");
    CHECK_FAILS(HCCL_E_PARA, HcclBroadcast(p, 1, kFp32, 2, r.comm, r.stream), "root is 2",
                "2 ranks");
    CHECK_FAILS(HCCL_E_PARA, HcclBroadcast(p, many, kFp32, 0, r.comm, r.stream), most);
    CHECK_FAILS(HCCL_E_PARA, HcclBroadcast(p, 100, kFp32, 0, r.comm, r.stream), "400 bytes of buf");
    CHECK_FAILS(HCCL_E_PARA, HcclBroadcast(host.data(), 1, kFp32, 0, r.comm, r.stream),
                "not device memory");

    CHECK_FAILS(HCCL_E_PARA, HcclScatter(p, p, 1, kFp32, 5, r.comm, r.stream), "root is 5");
    CHECK_FAILS(HCCL_E_PTR, HcclScatter(p, nullptr, 1, kFp32, 0, r.comm, r.stream),
                "recvBuf is NULL");
    CHECK_FAILS(HCCL_E_PARA, HcclScatter(p, p, many, kFp32, 0, r.comm, r.stream), most);
    CHECK_FAILS(HCCL_E_PTR, HcclScatter(nullptr, p, 1, kFp32, r.rank, r.comm, r.stream),
                "sendBuf is NULL");
    CHECK_FAILS(HCCL_E_PARA,
                HcclScatter(p, data.at((1 - r.rank) * 16), 4, kFp32, r.rank, r.comm, r.stream),
                "overlap");

    CHECK_FAILS(HCCL_E_PARA, HcclReduce(p, p, 1, kFp32, kSum, 2, r.comm, r.stream), "root is 2");
    CHECK_FAILS(HCCL_E_PTR, HcclReduce(p, nullptr, 1, kFp32, kSum, 0, r.comm, r.stream),
                "recvBuf is NULL");
    CHECK_FAILS(HCCL_E_PARA, HcclReduce(p, data.at(4), 8, kFp32, kSum, 0, r.comm, r.stream),
                "overlap");
    CHECK_FAILS(HCCL_E_PARA, HcclReduce(p, p, many, kFp32, kSum, 0, r.comm, r.stream), most);
    CHECK_FAILS(HCCL_E_PARA, HcclReduce(data.at(2), p, 1, kFp32, kSum, 0, r.comm, r.stream),
                "sendBuf", "not aligned to the 4 bytes of a HCCL_DATA_TYPE_FP32");
    CHECK_FAILS(HCCL_E_PARA, HcclAllReduce(p, data.at(6), 1, kFp32, kSum, r.comm, r.stream),
                "recvBuf", "not aligned");

    CHECK_FAILS(HCCL_E_PARA, HcclReduceScatter(p, data.at(1), 1, kFp32, kSum, r.comm, r.stream),
                "not aligned");
    CHECK_FAILS(HCCL_E_PARA,
                HcclReduceScatter(p, data.at((1 - r.rank) * 16), 4, kFp32, kSum, r.comm, r.stream),
                "overlap");
    CHECK_FAILS(HCCL_E_PARA, HcclReduceScatter(p, p, 50, kFp32, kSum, r.comm, r.stream),
                "400 bytes of sendBuf");
    CHECK_FAILS(HCCL_E_PARA, HcclReduceScatter(p, p, many, kFp32, kSum, r.comm, r.stream), most);
    // What only moves data needs no alignment.
    CHECK_OK(HcclBroadcast(data.at(3), 2, kFp32, 0, r.comm, r.stream));
    r.synchronize();
  });
}

TEST(arguments_of_the_operations_with_counts_for_every_rank) {
  ranks::run(2, [](const Rank& r) {
    DeviceMemory a(std::vector<float>(64, 1.0f));
    DeviceMemory b(std::vector<float>(64, 1.0f));
    const uint64_t counts[] = {4, 4};
    const uint64_t displs[] = {0, 4};
    const uint64_t colliding[] = {0, 3};
    const uint64_t huge[] = {4, 0x800000000};
    const uint64_t far[] = {0, 100};
    const auto gather = [&](const void* in, uint64_t count, const void* out, const void* recvCounts,
                            const void* recvDispls) {
      return HcclAllGatherV(const_cast<void*>(in), count, const_cast<void*>(out), recvCounts,
                            recvDispls, kFp32, r.comm, r.stream);
    };
    CHECK_FAILS(HCCL_E_PTR, gather(a.get(), 4, b.get(), nullptr, displs), "recvCounts is NULL");
    CHECK_FAILS(HCCL_E_PTR, gather(a.get(), 4, b.get(), counts, nullptr), "recvDispls is NULL");
    CHECK_FAILS(HCCL_E_PTR, gather(nullptr, 4, b.get(), counts, displs), "sendBuf is NULL");
    CHECK_FAILS(HCCL_E_PTR, gather(a.get(), 4, nullptr, counts, displs), "recvBuf is NULL");
    CHECK_FAILS(HCCL_E_PARA, gather(a.get(), 4, a.get(), counts, displs), "in-place");
    CHECK_FAILS(HCCL_E_PARA, gather(b.at(12), 4, b.get(), counts, displs), "overlap");
    CHECK_FAILS(HCCL_E_PARA, gather(a.get(), 4, b.get(), counts, colliding), "overlap",
                "recvDispls 3");
    CHECK_FAILS(HCCL_E_PARA, gather(a.get(), 4, b.get(), huge, displs), "recvCounts is 34359738368");
    CHECK_FAILS(HCCL_E_PARA, gather(a.get(), 4, b.get(), counts, far), "416 bytes of recvBuf");
    CHECK_FAILS(HCCL_E_PARA, gather(a.get(), 5, b.get(), counts, displs), "sendCount is 5",
                "recvCounts[" + std::to_string(r.rank) + "], of the caller, is 4");

    const auto scatter = [&](const void* in, const void* sendCounts, const void* sendDispls,
                             const void* out, uint64_t count) {
      return HcclReduceScatterV(const_cast<void*>(in), sendCounts, sendDispls,
                                const_cast<void*>(out), count, kFp32, kSum, r.comm, r.stream);
    };
    CHECK_FAILS(HCCL_E_PTR, scatter(a.get(), nullptr, displs, b.get(), 4), "sendCounts is NULL");
    CHECK_FAILS(HCCL_E_PTR, scatter(a.get(), counts, nullptr, b.get(), 4), "sendDispls is NULL");
    CHECK_FAILS(HCCL_E_PTR, scatter(nullptr, counts, displs, b.get(), 4), "sendBuf is NULL");
    CHECK_FAILS(HCCL_E_PTR, scatter(a.get(), counts, displs, nullptr, 4), "recvBuf is NULL");
    CHECK_FAILS(HCCL_E_PARA, scatter(a.get(), counts, displs, a.get(), 4), "in-place");
    CHECK_FAILS(HCCL_E_PARA, scatter(a.get(), counts, displs, a.at(8), 4), "overlap");
    CHECK_FAILS(HCCL_E_PARA, scatter(a.at(2), counts, displs, b.get(), 4), "not aligned");
    CHECK_FAILS(HCCL_E_PARA, scatter(a.get(), counts, displs, b.get(), 3), "recvCount is 3",
                "of the caller, is 4");

    const uint64_t matrix[] = {4, 4, 4, 4};
    const uint64_t wide[] = {4, 4, 0x800000000, 4};
    const auto fp32 = kFp32;
    const auto exchange = [&](const void* in, const void* counts2, const void* out) {
      return HcclAlltoAllVC(in, counts2, fp32, out, fp32, r.comm, r.stream);
    };
    CHECK_FAILS(HCCL_E_PTR, exchange(a.get(), nullptr, b.get()), "sendCountMatrix is NULL");
    CHECK_FAILS(HCCL_E_PTR, exchange(nullptr, matrix, b.get()), "sendBuf is NULL");
    CHECK_FAILS(HCCL_E_PTR, exchange(a.get(), matrix, nullptr), "recvBuf is NULL");
    CHECK_FAILS(HCCL_E_PARA, exchange(a.get(), matrix, a.get()), "in-place");
    CHECK_FAILS(HCCL_E_PARA, exchange(a.get(), matrix, a.at(16)), "overlap");
    CHECK_FAILS(HCCL_E_PARA, exchange(a.get(), wide, b.get()), "sendCountMatrix is 34359738368");
    CHECK_FAILS(HCCL_E_PARA,
                HcclAlltoAllVC(a.get(), matrix, fp32, b.get(), kInt32, r.comm, r.stream),
                "they must be equal");
    // The communicator works on.
    CHECK_OK(exchange(a.get(), matrix, b.get()));
    r.synchronize();
  });
}

TEST(ranks_that_disagree_all_learn_both_calls) {
  struct Case {
    std::function<HcclResult(const Rank&, void*, void*, bool)> call;  // the last: differently
    std::vector<std::string> words;
  };
  static const uint64_t kCounts[] = {4, 4, 4};
  static const uint64_t kDispls[] = {0, 4, 8};
  static const uint64_t kOtherDispls[] = {0, 5, 10};
  static const uint64_t kMatrix[] = {4, 4, 4, 4, 4, 4, 4, 4, 4};
  static const uint64_t kOtherMatrix[] = {4, 5, 4, 4, 4, 4, 4, 4, 4};
  const std::vector<Case> cases{
      {[](const Rank& r, void* p, void*, bool other) {
         return HcclBroadcast(p, 4, kFp32, other ? 1 : 0, r.comm, r.stream);
       },
       {"HcclBroadcast(count 4, HCCL_DATA_TYPE_FP32, root 0)",
        "HcclBroadcast(count 4, HCCL_DATA_TYPE_FP32, root 1)"}},
      {[](const Rank& r, void* p, void* q, bool other) {
         return other ? HcclReduceScatter(p, q, 4, kFp32, kSum, r.comm, r.stream)
                      : HcclAllGather(p, q, 4, kFp32, r.comm, r.stream);
       },
       {"HcclAllGather(count 4, HCCL_DATA_TYPE_FP32)",
        "HcclReduceScatter(count 4, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM)"}},
      {[](const Rank& r, void* p, void* q, bool other) {
         return HcclReduce(p, q, 4, kFp32, other ? HCCL_REDUCE_MIN : kSum, 2, r.comm, r.stream);
       },
       {"HCCL_REDUCE_SUM, root 2)", "HCCL_REDUCE_MIN, root 2)"}},
      {[](const Rank& r, void* p, void* q, bool other) {
         return HcclScatter(p, q, other ? 3 : 4, kFp32, 0, r.comm, r.stream);
       },
       {"HcclScatter(count 4,", "HcclScatter(count 3,"}},
      {[](const Rank& r, void* p, void* q, bool other) {
         return HcclAllGatherV(p, 4, q, kCounts, other ? kOtherDispls : kDispls, kFp32, r.comm,
                               r.stream);
       },
       {"HcclAllGatherV: recvDispls[1] is"}},
      {[](const Rank& r, void* p, void* q, bool other) {
         return HcclReduceScatterV(p, kCounts, other ? kOtherDispls : kDispls, q, 4, kFp32, kSum,
                                   r.comm, r.stream);
       },
       {"HcclReduceScatterV: sendDispls[1] is"}},
      {[](const Rank& r, void* p, void* q, bool other) {
         return HcclAlltoAllVC(p, other ? kOtherMatrix : kMatrix, kFp32, q, kFp32, r.comm,
                               r.stream);
       },
       {"HcclAlltoAllVC: sendCountMatrix[1] is"}}};
  for (const Case& c : cases) {
    ranks::run(3, [&](const Rank& r) {
      DeviceMemory in(std::vector<float>(64, 1.0f));
      DeviceMemory out(std::vector<float>(64, 2.0f));
      ranks::link(r);
      const HcclResult result = c.call(r, in.get(), out.get(), r.rank == 2);
      if (result == HCCL_E_REMOTE) {
        return;  // the others had found out before this one came
      }
      CHECK_OK(result);
      const int code = aclrtSynchronizeStream(r.stream);
      const std::string text = ranks::recentWords();
      CHECK_EQ(code, ACL_ERROR_RT_AICPU_EXCEPTION);
      for (const std::string& word : c.words) {
        if (text.find(word) == std::string::npos) {
          check::failed(__FILE__, __LINE__, "no \"" + word + "\" in: " + text);
        }
      }
      CHECK(text.find("rank 2") != std::string::npos);
      CHECK(out.download<float>() == std::vector<float>(64, 2.0f));
    });
  }
}

TEST(freed_buffers_foreign_handles_and_wrong_devices) {
  HcclComm destroyed = nullptr;
  int32_t device = 0;
  CHECK_OK(HcclCommInitAll(1, &device, &destroyed));
  CHECK_OK(HcclCommDestroy(destroyed));
  ranks::run(2, [&](const Rank& r) {
    DeviceMemory data(std::vector<float>(16, 1.0f));
    void* freed = nullptr;
    CHECK_OK(aclrtMalloc(&freed, 64, ACL_MEM_MALLOC_HUGE_FIRST));
    CHECK_OK(aclrtFree(freed));
    CHECK_FAILS(HCCL_E_PARA, HcclBroadcast(freed, 16, kFp32, 0, r.comm, r.stream),
                "do not lie in one live allocation");
    CHECK_FAILS(HCCL_E_PARA, HcclBroadcast(data.get(), 16, kFp32, 0, destroyed, r.stream),
                "no live communicator", "was destroyed");
    CHECK_FAILS(HCCL_E_PARA, HcclBroadcast(data.get(), 16, kFp32, 0, r.stream, r.stream),
                "no live communicator");
    CHECK_FAILS(HCCL_E_RUNTIME, HcclBroadcast(data.get(), 16, kFp32, 0, r.comm, r.comm),
                "not a live stream", "cannot be used");
    aclrtStream gone = nullptr;
    CHECK_OK(aclrtCreateStream(&gone));
    CHECK_OK(aclrtDestroyStream(gone));
    CHECK_FAILS(HCCL_E_RUNTIME, HcclBarrier(r.comm, gone), "not a live stream");
    // A rank of another device: the stream belongs to the wrong context.
    CHECK_OK(aclrtSetDevice(static_cast<int32_t>(2 + r.rank)));
    {
      OwnStream other;
      DeviceMemory elsewhere(std::vector<float>(16, 1.0f));
      CHECK_FAILS(HCCL_E_RUNTIME, HcclBroadcast(data.get(), 16, kFp32, 0, r.comm, r.stream),
                  "belongs to another context");
      CHECK_FAILS(HCCL_E_PARA, HcclBroadcast(data.get(), 16, kFp32, 0, r.comm, other),
                  "is of device " + std::to_string(2 + r.rank));
      CHECK_OK(aclrtSetDevice(static_cast<int32_t>(r.rank)));
      CHECK_FAILS(HCCL_E_PARA, HcclBroadcast(elsewhere.get(), 16, kFp32, 0, r.comm, r.stream),
                  "memory of device " + std::to_string(2 + r.rank));
      CHECK_OK(aclrtSetDevice(static_cast<int32_t>(2 + r.rank)));
    }
    CHECK_OK(aclrtSetDevice(static_cast<int32_t>(r.rank)));
    // A thread without a device.
    std::thread([&] {
      CHECK_FAILS(HCCL_E_RUNTIME, HcclBarrier(r.comm, r.stream), "no current context");
    }).join();
    CHECK_OK(HcclBarrier(r.comm, r.stream));
    r.synchronize();
  });
}
