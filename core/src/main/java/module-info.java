// SPDX-License-Identifier: Apache-2.0
/** Instruction data, packing of documents, context-parallel plans, and context-parallel attention on CANN. */
module io.github.cann4j.core {
  requires transitive io.github.cann4j.bindings;
  requires com.fasterxml.jackson.core;
  requires com.fasterxml.jackson.jr.ob;
  requires org.slf4j;

  exports io.github.cann4j.attention;
  exports io.github.cann4j.instruction;
  exports io.github.cann4j.packing;
  exports io.github.cann4j.plan;
}
