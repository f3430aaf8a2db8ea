// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "acl/acl_rt.h"
#include "handles.hpp"
#include "stream.hpp"

namespace cann4j {

inline constexpr int kSysParamOpts = 2;

struct Context {
  Context(int deviceId, uint64_t handleValue, bool isDefaultContext);

  const int device;
  const uint64_t handle;
  const bool isDefault;
  std::shared_ptr<Stream> defaultStream;
  std::mutex mutex;
  std::array<std::optional<int64_t>, kSysParamOpts> options;
};

Handles<Context>& contexts();
Handles<Stream>& streams();

// The thread's live current context, or nullptr with words for ACL_ERROR_RT_CONTEXT_NULL.
std::shared_ptr<Context> currentContext(const char* function);

std::shared_ptr<Stream> createStream(const Context& context);

// Waits for the streams of a context; timeout as in Stream::synchronize.
aclError synchronizeContext(const Context& context, int32_t timeout);

// The device whose memory `device` may reach: itself, or one with peer access enabled.
bool canAccess(int device, int peer);

// ACL_OPT_DETERMINISTIC of the process or of the current context is on.
bool isDeterministic();

}  // namespace cann4j
