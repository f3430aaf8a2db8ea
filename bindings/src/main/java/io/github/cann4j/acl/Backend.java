// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

/** What a CANN toolkit drives. */
public enum Backend {
  /** Ascend NPUs, through Huawei's CANN toolkit. */
  NPU,
  /** Simulated devices of cann4j's CPU toolkit, which has the same C interface. */
  CPU
}
