// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Device;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** One lock per device: host objects behind tensors are shared by all users of a view. */
final class SubmissionLock {
  private static final Map<Device, SubmissionLock> LOCKS = new ConcurrentHashMap<>();

  private SubmissionLock() {}

  static SubmissionLock of(Device device) {
    return LOCKS.computeIfAbsent(device, d -> new SubmissionLock());
  }
}
