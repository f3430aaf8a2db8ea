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

// Rows of `width` bytes; a plain copy is one row.
struct Copy {
  Place dst;
  Place src;
  size_t dpitch = 0;
  size_t spitch = 0;
  size_t width = 0;
  size_t height = 1;
  bool nothing = false;

  bool isBetweenHosts() const { return dst.device < 0 && src.device < 0; }
};

bool overlap(const Place& a, const Place& b) {
  const auto beginA = reinterpret_cast<uintptr_t>(a.host);
  const auto beginB = reinterpret_cast<uintptr_t>(b.host);
  return beginA < beginB + b.bytes && beginB < beginA + a.bytes;
}

void run(const Copy& copy) {
  auto* dst = static_cast<char*>(copy.dst.host);
  const auto* src = static_cast<const char*>(copy.src.host);
  const bool isWhole = copy.height == 1 ||
                       (copy.dpitch == copy.width && copy.spitch == copy.width);
  const bool overlaps = overlap(copy.dst, copy.src);
  if (isWhole && !overlaps) {
    copyBytes(dst, src, copy.width * copy.height);
    return;
  }
  if (isWhole) {
    std::memmove(dst, src, copy.width * copy.height);
    return;
  }
  const auto copyRow = [&](size_t row) {
    std::memmove(dst + row * copy.dpitch, src + row * copy.spitch, copy.width);
  };
  constexpr size_t kPiece = size_t{4} << 20;
  const size_t rows = std::max<size_t>(1, kPiece / copy.width);
  if (overlaps || copy.height <= 2 * rows) {
    for (size_t row = 0; row < copy.height; ++row) {
      copyRow(row);
    }
    return;
  }
  ThreadPool::instance().parallelFor(
      static_cast<int64_t>((copy.height + rows - 1) / rows), [&](int64_t piece) {
        const size_t begin = static_cast<size_t>(piece) * rows;
        for (size_t row = begin; row < std::min(begin + rows, copy.height); ++row) {
          copyRow(row);
        }
      });
}

aclError checkPlaces(const char* function, void* dst, size_t dstBytes, const void* src,
                     size_t srcBytes, const Context& context, Copy* copy) {
  if (const aclError error = locate(function, "dst", dst, dstBytes, Access::kWrite, &copy->dst);
      error != ACL_SUCCESS) {
    return error;
  }
  if (const aclError error = locate(function, "src", src, srcBytes, Access::kRead, &copy->src);
      error != ACL_SUCCESS) {
    return error;
  }
  const int from = copy->src.device;
  const int to = copy->dst.device;
  if (from < 0 || to < 0 || from == to) {
    return ACL_SUCCESS;
  }
  for (const int device : {from, to}) {
    if (!canAccess(context.device, device)) {
      return fail(ACL_ERROR_RT_PARAM_INVALID,
                  "%s: copy from device %d to %d without peer access from device %d, the current "
                  "one; call aclrtDeviceEnablePeerAccess",
                  function, from, to, context.device);
    }
  }
  return ACL_SUCCESS;
}

// The direction is told by the addresses; the caller's kind is only a hint.
aclError checkCopy(const char* function, void* dst, size_t destMax, const void* src, size_t count,
                   aclrtMemcpyKind kind, const Context& context, Copy* copy) {
  const int value = static_cast<int>(kind);
  if (value < ACL_MEMCPY_HOST_TO_HOST || value > ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: kind %d is not supported", function, value);
  }
  copy->nothing = count == 0;
  if (copy->nothing) {
    return ACL_SUCCESS;
  }
  if (count > destMax) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: count %zu is more than destMax %zu", function,
                count, destMax);
  }
  copy->width = count;
  copy->nothing = dst == src;
  return checkPlaces(function, dst, count, src, count, context, copy);
}

aclError checkCopy2d(const char* function, void* dst, size_t dpitch, const void* src,
                     size_t spitch, size_t width, size_t height, aclrtMemcpyKind kind,
                     bool mayStayOnDevice, const Context& context, Copy* copy) {
  constexpr size_t kWidest = 5000000;
  constexpr size_t kHighest = 5242880;
  const bool isKind = kind == ACL_MEMCPY_HOST_TO_DEVICE || kind == ACL_MEMCPY_DEVICE_TO_HOST ||
                      (mayStayOnDevice && kind == ACL_MEMCPY_DEVICE_TO_DEVICE);
  if (!isKind) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: kind %d is not supported", function,
                static_cast<int>(kind));
  }
  if (width == 0 || height == 0 || width > kWidest || height > kHighest) {
    return fail(ACL_ERROR_INVALID_PARAM,
                "%s: width %zu and height %zu; from 1 to %zu and to %zu are allowed", function,
                width, height, kWidest, kHighest);
  }
  if (width > dpitch || width > spitch) {
    return fail(ACL_ERROR_INVALID_PARAM,
                "%s: width %zu is more than the pitch: dpitch %zu, spitch %zu", function, width,
                dpitch, spitch);
  }
  size_t dstBytes = 0;
  size_t srcBytes = 0;
  if (__builtin_mul_overflow(height - 1, dpitch, &dstBytes) ||
      __builtin_mul_overflow(height - 1, spitch, &srcBytes) ||
      __builtin_add_overflow(dstBytes, width, &dstBytes) ||
      __builtin_add_overflow(srcBytes, width, &srcBytes)) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: %zu rows with pitches %zu and %zu are no memory",
                function, height, dpitch, spitch);
  }
  copy->dpitch = dpitch;
  copy->spitch = spitch;
  copy->width = width;
  copy->height = height;
  const aclError error = checkPlaces(function, dst, dstBytes, src, srcBytes, context, copy);
  if (error != ACL_SUCCESS) {
    return error;
  }
  if (copy->isBetweenHosts()) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: dst and src are both host memory", function);
  }
  return mayStayOnDevice || copy->dst.device < 0 || copy->src.device < 0
             ? ACL_SUCCESS
             : fail(ACL_ERROR_INVALID_PARAM,
                    "%s: dst and src are both device memory; aclrtMemcpy2dAsync copies there",
                    function);
}

template <class Check>
aclError copyNow(const char* function, const Check& check) {
  const auto context = currentContext(function);
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  Copy copy;
  const aclError error = check(*context, &copy);
  if (error == ACL_SUCCESS && !copy.nothing) {
    run(copy);
  }
  return error;
}

// With pageable memory the caller may do as it likes after the call, so that it has to wait.
template <class Check>
aclError copyInStream(const char* function, aclrtStream handle, const Check& check) {
  std::shared_ptr<Stream> stream;
  if (const aclError error = resolveStream(handle, &stream); error != ACL_SUCCESS) {
    return error;
  }
  const auto context = currentContext(function);
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  Copy copy;
  if (const aclError error = check(*context, &copy); error != ACL_SUCCESS) {
    return error;
  }
  if (copy.nothing) {
    return ACL_SUCCESS;
  }
  if (copy.isBetweenHosts()) {
    return fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "%s: dst and src are both host memory; use aclrtMemcpy", function);
  }
  if (copy.dst.isPageable() || copy.src.isPageable()) {
    bool completed = true;
    const aclError earlier = stream->synchronize(-1, &completed);
    if (earlier == ACL_SUCCESS) {
      run(copy);
    }
    return earlier;
  }
  stream->submitKernel([copy = std::move(copy), function] {
    const PlaceInUse dst(copy.dst);
    const PlaceInUse src(copy.src);
    aclError error = dst.check(function, "dst");
    if (error == ACL_SUCCESS) {
      error = src.check(function, "src");
    }
    if (error == ACL_SUCCESS) {
      run(copy);
    }
    return error;
  });
  return ACL_SUCCESS;
}

aclError copyAsync(const char* name, void* dst, size_t destMax, const void* src, size_t count,
                   aclrtMemcpyKind kind, aclrtStream stream) {
  return api(name, [&](const char* function) {
    return copyInStream(function, stream, [&](const Context& context, Copy* copy) {
      return checkCopy(function, dst, destMax, src, count, kind, context, copy);
    });
  });
}

}  // namespace

extern "C" {

aclError aclrtMemcpy(void* dst, size_t destMax, const void* src, size_t count,
                     aclrtMemcpyKind kind) {
  return api("aclrtMemcpy", [&](const char* function) {
    return copyNow(function, [&](const Context& context, Copy* copy) {
      return checkCopy(function, dst, destMax, src, count, kind, context, copy);
    });
  });
}

aclError aclrtMemcpyAsync(void* dst, size_t destMax, const void* src, size_t count,
                          aclrtMemcpyKind kind, aclrtStream stream) {
  return copyAsync("aclrtMemcpyAsync", dst, destMax, src, count, kind, stream);
}

aclError aclrtMemcpyAsyncWithCondition(void* dst, size_t destMax, const void* src, size_t count,
                                       aclrtMemcpyKind kind, aclrtStream stream) {
  return copyAsync("aclrtMemcpyAsyncWithCondition", dst, destMax, src, count, kind, stream);
}

aclError aclrtMemcpy2d(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width,
                       size_t height, aclrtMemcpyKind kind) {
  return api("aclrtMemcpy2d", [&](const char* function) {
    return copyNow(function, [&](const Context& context, Copy* copy) {
      return checkCopy2d(function, dst, dpitch, src, spitch, width, height, kind, false, context,
                         copy);
    });
  });
}

aclError aclrtMemcpy2dAsync(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width,
                            size_t height, aclrtMemcpyKind kind, aclrtStream stream) {
  return api("aclrtMemcpy2dAsync", [&](const char* function) {
    return copyInStream(function, stream, [&](const Context& context, Copy* copy) {
      return checkCopy2d(function, dst, dpitch, src, spitch, width, height, kind, true, context,
                         copy);
    });
  });
}

}  // extern "C"
