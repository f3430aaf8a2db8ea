// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hccl/hccl.h"

namespace cann4j::hccl {

// HCCL takes the calls of one device, over all its communicators, one after the other. This holds
// the device for one call and refuses a second one, whichever thread it comes from.
class Issuing {
 public:
  Issuing() = default;
  Issuing(Issuing&& other) noexcept : device_(other.device_) { other.device_ = -1; }
  Issuing& operator=(Issuing&& other) noexcept;
  ~Issuing() { end(); }

  // Calls with the same `meeting` do not exclude each other: they find out there what is wrong.
  HcclResult begin(const char* function, int device, const void* meeting = nullptr);
  void end();

 private:
  int device_ = -1;
};

}  // namespace cann4j::hccl
