// SPDX-License-Identifier: Apache-2.0
#include "hccl/layout.hpp"

#include <algorithm>
#include <vector>

#include "runtime/error.hpp"

namespace cann4j::hccl {

Buffer readLayout(Request& request, const Side& side, HcclDataType type, Layout* layout) {
  request.checkArray(side.countsName, side.counts);
  request.checkArray(side.displacementsName, side.displacements);
  if (!request.ok()) {
    return {};
  }
  const uint32_t size = request.size();
  const auto* counts = static_cast<const uint64_t*>(side.counts);
  const auto* displacements = static_cast<const uint64_t*>(side.displacements);
  layout->counts.assign(counts, counts + size);
  layout->displacements.assign(displacements, displacements + size);
  uint64_t end = 0;
  for (uint32_t rank = 0; rank < size && request.ok(); ++rank) {
    if (counts[rank] > 0) {
      request.checkCount(side.countsName, counts[rank]);
      request.checkCount(side.displacementsName, displacements[rank]);
      end = std::max(end, displacements[rank] + counts[rank]);
    }
  }
  const Buffer buffer = elementsAt(side.buffer, end, type);
  if (end > 0) {
    request.checkBuffer(side.bufferName, buffer);
  }
  return buffer;
}

void checkBlocksApart(Request& request, const char* displacementsName, const Layout& layout) {
  if (!request.ok()) {
    return;
  }
  std::vector<uint32_t> order;
  for (uint32_t rank = 0; rank < layout.counts.size(); ++rank) {
    if (layout.counts[rank] > 0) {
      order.push_back(rank);
    }
  }
  const auto& at = layout.displacements;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return at[a] < at[b]; });
  for (size_t i = 1; i < order.size(); ++i) {
    const uint32_t first = order[i - 1];
    const uint32_t second = order[i];
    if (at[first] + layout.counts[first] > at[second]) {
      request.refuse(fail(HCCL_E_PARA,
                          "%s: the received blocks of rank %u (%s %llu, count %llu) and rank %u "
                          "(%s %llu) overlap",
                          request.function(), first, displacementsName,
                          static_cast<unsigned long long>(at[first]),
                          static_cast<unsigned long long>(layout.counts[first]), second,
                          displacementsName, static_cast<unsigned long long>(at[second])));
      return;
    }
  }
}

Buffer blockOf(const Buffer& buffer, const Layout& layout, uint32_t rank, HcclDataType type) {
  return elementsAt(static_cast<const char*>(buffer.device) +
                        layout.displacements[rank] * elementSize(type),
                    layout.counts[rank], type);
}

void checkNotSame(Request& request, const void* sendBuf, const void* recvBuf) {
  if (request.ok() && sendBuf != nullptr && sendBuf == recvBuf) {
    request.refuse(fail(HCCL_E_PARA,
                        "%s: sendBuf and recvBuf are both %p; it cannot be done in-place",
                        request.function(), sendBuf));
  }
}

void checkInPlaceOrDisjoint(Request& request, const char* blockName, const Buffer& block,
                            const char* wholeName, const Buffer& whole, const Buffer& place) {
  if (block.device != place.device || block.bytes != place.bytes) {
    request.checkDisjoint(blockName, block, wholeName, whole);
  }
}

}  // namespace cann4j::hccl
