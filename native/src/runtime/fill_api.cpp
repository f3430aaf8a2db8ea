// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "acl/acl_rt.h"
#include "api.hpp"
#include "context.hpp"
#include "memory_place.hpp"
#include "thread_pool.hpp"

using namespace cann4j;

namespace {

void fillWords(void* dst, uint32_t value, size_t count) {
  constexpr size_t kPiece = size_t{2} << 20;
  auto* words = static_cast<unsigned char*>(dst);
  const auto fill = [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      std::memcpy(words + i * sizeof(value), &value, sizeof(value));
    }
  };
  if (count <= kPiece) {
    fill(0, count);
    return;
  }
  ThreadPool::instance().parallelFor(
      static_cast<int64_t>((count + kPiece - 1) / kPiece), [&](int64_t piece) {
        const size_t begin = static_cast<size_t>(piece) * kPiece;
        fill(begin, std::min(begin + kPiece, count));
      });
}

// What a fill writes: bytes of one value, or words.
struct Fill {
  Place place;
  size_t count = 0;
  uint32_t value = 0;
  bool isWords = false;

  void run() const {
    if (isWords) {
      fillWords(place.host, value, count);
    } else {
      fillBytes(place.host, static_cast<int>(value), count);
    }
  }
};

aclError check(const char* function, const char* name, void* p, size_t capacity, size_t bytes,
               Fill* fill) {
  if (bytes > capacity) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: %zu bytes are more than the %zu there are",
                function, bytes, capacity);
  }
  return bytes == 0 ? ACL_SUCCESS
                    : locate(function, name, p, bytes, Access::kWrite, &fill->place);
}

aclError checkBytes(const char* function, void* p, size_t maxCount, int32_t value, size_t count,
                    Fill* fill) {
  fill->count = count;
  fill->value = static_cast<unsigned char>(value);
  if (count > maxCount) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: count %zu is more than maxCount %zu", function,
                count, maxCount);
  }
  return check(function, "devPtr", p, maxCount, count, fill);
}

aclError checkWords(const char* function, void* p, size_t memSize, uint32_t value, size_t count,
                    Fill* fill) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, sizeof(value), &bytes)) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: N is %zu", function, count);
  }
  fill->count = count;
  fill->value = value;
  fill->isWords = true;
  return check(function, "ptr", p, memSize, bytes, fill);
}

template <class Check>
aclError fillNow(const char* function, const Check& check) {
  if (currentContext(function) == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  Fill fill;
  const aclError error = check(&fill);
  if (error == ACL_SUCCESS && fill.count > 0) {
    fill.run();
  }
  return error;
}

// Host memory is filled by the call, after what the stream has to do.
template <class Check>
aclError fillInStream(const char* function, aclrtStream handle, const Check& check) {
  std::shared_ptr<Stream> stream;
  if (const aclError error = resolveStream(handle, &stream); error != ACL_SUCCESS) {
    return error;
  }
  Fill fill;
  if (const aclError error = check(&fill); error != ACL_SUCCESS || fill.count == 0) {
    return error;
  }
  if (fill.place.device < 0) {
    bool completed = true;
    const aclError earlier = stream->synchronize(-1, &completed);
    if (earlier == ACL_SUCCESS) {
      fill.run();
    }
    return earlier;
  }
  stream->submitKernel([fill = std::move(fill), function] {
    const aclError error = PlaceInUse(fill.place).check(function, "the memory at");
    if (error == ACL_SUCCESS) {
      fill.run();
    }
    return error;
  });
  return ACL_SUCCESS;
}

}  // namespace

extern "C" {

aclError aclrtMemset(void* devPtr, size_t maxCount, int32_t value, size_t count) {
  return api("aclrtMemset", [&](const char* function) {
    return fillNow(function, [&](Fill* fill) {
      return checkBytes(function, devPtr, maxCount, value, count, fill);
    });
  });
}

aclError aclrtMemsetAsync(void* devPtr, size_t maxCount, int32_t value, size_t count,
                          aclrtStream stream) {
  return api("aclrtMemsetAsync", [&](const char* function) {
    return fillInStream(function, stream, [&](Fill* fill) {
      return checkBytes(function, devPtr, maxCount, value, count, fill);
    });
  });
}

aclError aclrtMemsetD32(void* ptr, size_t memSize, uint32_t value, size_t N) {
  return api("aclrtMemsetD32", [&](const char* function) {
    return fillNow(function, [&](Fill* fill) {
      return checkWords(function, ptr, memSize, value, N, fill);
    });
  });
}

aclError aclrtMemsetD32Async(void* ptr, size_t memSize, uint32_t value, size_t N,
                             aclrtStream stream) {
  return api("aclrtMemsetD32Async", [&](const char* function) {
    return fillInStream(function, stream, [&](Fill* fill) {
      return checkWords(function, ptr, memSize, value, N, fill);
    });
  });
}

}  // extern "C"
