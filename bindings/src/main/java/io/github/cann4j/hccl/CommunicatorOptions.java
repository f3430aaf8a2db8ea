// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import io.github.cann4j.internal.ffi.HcclCommConfig;
import io.github.cann4j.internal.ffi.HcclCommConfigInfo;
import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Settings of one communicator ({@code HcclCommConfig}); all ranks give the same.
 *
 * @param bufferSizeMb size of each of its two buffers in MB, at least 1; empty takes {@code
 *     HCCL_BUFFSIZE}, by default 200
 * @param deterministic whether reductions always add in the same order; empty takes {@code
 *     HCCL_DETERMINISTIC}
 * @param name a name that is unique in the process, up to 127 bytes of UTF-8; empty for one made by
 *     HCCL
 */
public record CommunicatorOptions(
    OptionalInt bufferSizeMb, Optional<Boolean> deterministic, String name) {
  private static final CommunicatorOptions DEFAULTS =
      new CommunicatorOptions(OptionalInt.empty(), Optional.empty(), "");
  // The structure as CANN 8.1 knows it, which newer toolkits read too. They may look at the bytes
  // behind it, which are zero.
  private static final long CONFIG_BYTES = 300;
  private static final int CONFIG_VERSION = 5;

  /** Checks the values. */
  public CommunicatorOptions {
    Objects.requireNonNull(deterministic, "deterministic");
    if (bufferSizeMb.isPresent() && bufferSizeMb.getAsInt() < 1) {
      throw new IllegalArgumentException(
          "bufferSizeMb must be at least 1, not " + bufferSizeMb.getAsInt());
    }
    int bytes = name.getBytes(StandardCharsets.UTF_8).length;
    if (bytes >= cann_h.COMM_NAME_MAX_LENGTH() || name.indexOf('\0') >= 0) {
      throw new IllegalArgumentException(
          "a communicator's name has up to %d bytes and no NUL: '%s' has %d"
              .formatted(cann_h.COMM_NAME_MAX_LENGTH() - 1, name, bytes));
    }
  }

  /**
   * Returns options that leave all to HCCL.
   *
   * @return the defaults
   */
  public static CommunicatorOptions defaults() {
    return DEFAULTS;
  }

  /**
   * Starts from the defaults.
   *
   * @return a builder
   */
  public static Builder builder() {
    return new Builder();
  }

  /** What the header's inline HcclCommConfigInit writes, in CANN 8.1's layout, and the values. */
  MemorySegment toNative(Arena arena) {
    MemorySegment config = arena.allocate(HcclCommConfig.sizeof(), 8);
    MemorySegment info = HcclCommConfig.reserved(config);
    HcclCommConfigInfo.configSize(info, CONFIG_BYTES);
    HcclCommConfigInfo.magicWord(info, cann_h.HCCL_COMM_CONFIG_MAGIC_WORD());
    HcclCommConfigInfo.version(info, CONFIG_VERSION);
    HcclCommConfig.hcclBufferSize(
        config, bufferSizeMb.orElse(cann_h.HCCL_COMM_BUFFSIZE_CONFIG_NOT_SET()));
    HcclCommConfig.hcclDeterministic(
        config,
        deterministic
            .map(value -> value ? 1 : 0)
            .orElse(cann_h.HCCL_COMM_DETERMINISTIC_CONFIG_NOT_SET()));
    HcclCommConfig.hcclCommName(config).setString(0, name);
    HcclCommConfig.hcclOpExpansionMode(config, cann_h.HCCL_COMM_DEFAULT_OP_EXPANSION_MODE());
    HcclCommConfig.hcclRdmaTrafficClass(config, cann_h.HCCL_COMM_TRAFFIC_CLASS_CONFIG_NOT_SET());
    HcclCommConfig.hcclRdmaServiceLevel(config, cann_h.HCCL_COMM_SERVICE_LEVEL_CONFIG_NOT_SET());
    return config;
  }

  /** Collects options. For one thread. */
  public static final class Builder {
    private OptionalInt bufferSizeMb = OptionalInt.empty();
    private Optional<Boolean> deterministic = Optional.empty();
    private String name = "";

    private Builder() {}

    /**
     * Sets the size of each of the two buffers.
     *
     * @param megabytes at least 1
     * @return this builder
     */
    public Builder bufferSizeMb(int megabytes) {
      bufferSizeMb = OptionalInt.of(megabytes);
      return this;
    }

    /**
     * Sets whether reductions always add in the same order.
     *
     * @param value true for the same bits each time
     * @return this builder
     */
    public Builder deterministic(boolean value) {
      deterministic = Optional.of(value);
      return this;
    }

    /**
     * Sets the name.
     *
     * @param value unique in the process, up to 127 bytes of UTF-8
     * @return this builder
     */
    public Builder name(String value) {
      name = value;
      return this;
    }

    /**
     * Checks and makes the options.
     *
     * @return the options
     */
    public CommunicatorOptions build() {
      return new CommunicatorOptions(bufferSizeMb, deterministic, name);
    }
  }
}
