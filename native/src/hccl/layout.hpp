// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "hccl/request.hpp"

namespace cann4j::hccl {

// One side of an operation with a count for every rank, with the names of its arguments.
struct Side {
  const char* bufferName;
  const char* countsName;
  const char* displacementsName;
  const void* buffer;
  const void* counts;
  const void* displacements;
};

// Reads the two arrays and checks that their blocks lie in the buffer, which is returned. A side
// without elements needs no buffer.
Buffer readLayout(Request& request, const Side& side, HcclDataType type, Layout* layout);

// Blocks that are written at the same time must not overlap.
void checkBlocksApart(Request& request, const char* displacementsName, const Layout& layout);

// The block of a rank in a buffer.
Buffer blockOf(const Buffer& buffer, const Layout& layout, uint32_t rank, HcclDataType type);

void checkNotSame(Request& request, const void* sendBuf, const void* recvBuf);

// A block that lies exactly in its place of the larger buffer is in place, any other may not
// overlap it.
void checkInPlaceOrDisjoint(Request& request, const char* blockName, const Buffer& block,
                            const char* wholeName, const Buffer& whole, const Buffer& place);

}  // namespace cann4j::hccl
