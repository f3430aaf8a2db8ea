// SPDX-License-Identifier: Apache-2.0

/** CANN's acl runtime, aclnn operators and HCCL as safe Java types. */
module io.github.cann4j.bindings {
  requires org.slf4j;

  exports io.github.cann4j.acl;
  exports io.github.cann4j.aclnn;
  exports io.github.cann4j.hccl;
}
