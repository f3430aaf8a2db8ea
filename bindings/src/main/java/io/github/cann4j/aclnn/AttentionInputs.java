// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.toolkit.OptionalFunctions;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;

/**
 * What all attention functions take, checked against each other. Its methods are the arguments in
 * CANN's words, as the generated functions want them. Immutable.
 */
final class AttentionInputs {
  /** Which version of a function has all that a call needs. */
  enum Version {
    /** The first. */
    V1(""),
    /** With start indices and types of positional bias. */
    V2("V2"),
    /** With rotary parts of query and key. */
    V3("V3"),
    /** With a choice of the statistics' order. */
    V4("V4");

    final String suffix;

    Version(String suffix) {
      this.suffix = suffix;
    }
  }

  private static final long[] NONE = {};

  private final Tensor query;
  private final Tensor key;
  private final Tensor value;
  private final Tensor realShift;
  private final Tensor dropMask;
  private final Tensor attenMask;
  private final Tensor softmaxMax;
  private final Tensor softmaxSum;
  private final long[] prefix;
  private final Long qStartIdx;
  private final Long kvStartIdx;
  private final double scaleValue;
  private final double keepProb;
  private final long preTokens;
  private final long nextTokens;
  private final long innerPrecise;
  private final SparseMode sparseMode;
  private final PseType pseType;
  private final Layout layout;
  private final PackedInputs packed;
  private final AttentionSizes sizes;
  private final MemorySegment unwritten;
  private final NativeArrays arrays;

  /** Checks; {@code packed} is null unless the layout is TND. */
  AttentionInputs(FlashAttentionBuilder<?> from, Layout layout, PackedInputs packed) {
    this.query = Objects.requireNonNull(from.query, "query");
    this.key = Objects.requireNonNull(from.key, "key");
    this.value = Objects.requireNonNull(from.value, "value");
    this.softmaxMax = Objects.requireNonNull(from.softmaxMax, "softmaxMax");
    this.softmaxSum = Objects.requireNonNull(from.softmaxSum, "softmaxSum");
    this.layout = Objects.requireNonNull(layout, "inputLayout");
    this.sparseMode = Objects.requireNonNull(from.sparseMode, "sparseMode");
    this.packed = packed;
    this.realShift = from.realShift;
    this.dropMask = from.dropMask;
    this.attenMask = from.attenMask;
    this.prefix = from.prefix == null ? NONE : from.prefix.clone();
    this.qStartIdx = from.qStartIdx;
    this.kvStartIdx = from.kvStartIdx;
    this.scaleValue = from.scaleValue;
    this.keepProb = from.keepProb;
    this.preTokens = from.preTokens;
    this.nextTokens = from.nextTokens;
    this.innerPrecise = from.innerPrecise;
    this.pseType = from.pseType == null ? PseType.OUTER_ADD_MUL : from.pseType;
    Operand.requireSameDevice(query, operands());
    Operand.requireSameDevice(query, statistics());
    this.sizes = AttentionSizes.of(layout, query, key, value, from.headNum);
    AttentionChecks.attributes(scaleValue, keepProb, innerPrecise);
    SequenceLengths lengths =
        packed == null
            ? SequenceLengths.equal(sizes)
            : SequenceLengths.of(packed.actualSeqQLen(), packed.actualSeqKvLen(), sizes);
    AttentionChecks.mask(attenMask, sparseMode, layout, sizes, lengths);
    if (attenMask != null) {
      WindowChecks.check(sparseMode, preTokens, nextTokens, layout, lengths);
    }
    BiasChecks.prefix(sparseMode, prefix, lengths);
    BiasChecks.bias(this, from.pseType, lengths);
    BiasChecks.dropout(dropMask, keepProb, sizes.queryHeads() * lengths.pairs());
    BiasChecks.rope(this);
    SoftmaxLayout order = packed == null ? SoftmaxLayout.BY_SEQUENCE : packed.softmaxLayout();
    Objects.requireNonNull(order, "softmaxLayout");
    AttentionChecks.statistics(softmaxMax, softmaxSum, sizes.statisticsShape(layout));
    refuseMixedVersions();
    this.unwritten = EmptyTensor.of(query.dataType());
    this.arrays =
        NativeArrays.ownedBy(
            this,
            prefix,
            packed == null ? NONE : packed.actualSeqQLen(),
            packed == null ? NONE : packed.actualSeqKvLen(),
            qStartIdx == null ? NONE : new long[] {qStartIdx},
            kvStartIdx == null ? NONE : new long[] {kvStartIdx});
  }

  private void refuseMixedVersions() {
    if (sameAsInput() && (hasRope() || needsStartOrType())) {
      throw new UnsupportedOperationException(
          "CANN has no function that takes softmaxLayout %s together with %s; use %s"
              .formatted(
                  SoftmaxLayout.SAME_AS_INPUT,
                  hasRope() ? "queryRope and keyRope" : "pseType " + pseType + " or start indices",
                  SoftmaxLayout.BY_SEQUENCE));
    }
  }

  private boolean needsStartOrType() {
    return realShift != null && pseType != PseType.OUTER_ADD_MUL
        || qStartIdx != null
        || kvStartIdx != null;
  }

  private boolean sameAsInput() {
    return packed != null && packed.softmaxLayout() == SoftmaxLayout.SAME_AS_INPUT;
  }

  boolean hasRope() {
    return packed != null && packed.queryRope() != null;
  }

  /** The oldest version with all that this call needs, so that old toolkits do what they can. */
  Version version() {
    if (hasRope()) {
      return Version.V3;
    }
    if (sameAsInput()) {
      return Version.V4;
    }
    return needsStartOrType() ? Version.V2 : Version.V1;
  }

  /** Throws if the toolkit lacks the version that this call needs. */
  void requireFunction(String base) {
    if (version() == Version.V3) {
      OptionalFunctions.require(
          base + Version.V3.suffix, "queryRope and keyRope", "append them to query and key");
    } else if (version() == Version.V4) {
      OptionalFunctions.require(
          base + Version.V4.suffix,
          "softmaxLayout " + SoftmaxLayout.SAME_AS_INPUT,
          "use " + SoftmaxLayout.BY_SEQUENCE);
    }
  }

  List<Operand> operands() {
    return List.of(
        new Operand("query", query),
        new Operand("key", key),
        new Operand("value", value),
        new Operand("realShift", realShift),
        new Operand("dropMask", dropMask),
        new Operand("attenMask", attenMask),
        new Operand("queryRope", packed == null ? null : packed.queryRope()),
        new Operand("keyRope", packed == null ? null : packed.keyRope()));
  }

  /** The statistics, outputs of the forward functions and inputs of the gradients. */
  List<Operand> statistics() {
    return List.of(new Operand("softmaxMax", softmaxMax), new Operand("softmaxSum", softmaxSum));
  }

  /** The arrays of a call; they live as long as this. */
  NativeArrays arrays() {
    return arrays;
  }

  Tensor queryTensor() {
    return query;
  }

  Tensor keyTensor() {
    return key;
  }

  Tensor valueTensor() {
    return value;
  }

  Tensor realShiftTensor() {
    return realShift;
  }

  PackedInputs packed() {
    return packed;
  }

  AttentionSizes sizes() {
    return sizes;
  }

  Layout inputLayout() {
    return layout;
  }

  SparseMode mode() {
    return attenMask == null ? SparseMode.DEFAULT_MASK : sparseMode;
  }

  private static MemorySegment handle(Tensor tensor) {
    return tensor == null ? MemorySegment.NULL : tensor.handle();
  }

  MemorySegment query() {
    return query.handle();
  }

  MemorySegment queryRope() {
    return handle(packed.queryRope());
  }

  MemorySegment key() {
    return key.handle();
  }

  MemorySegment keyRope() {
    return handle(packed.keyRope());
  }

  MemorySegment value() {
    return value.handle();
  }

  MemorySegment realShift() {
    return handle(realShift);
  }

  MemorySegment dropMask() {
    return handle(dropMask);
  }

  MemorySegment attenMask() {
    return handle(attenMask);
  }

  MemorySegment softmaxMax() {
    return softmaxMax.handle();
  }

  MemorySegment softmaxSum() {
    return softmaxSum.handle();
  }

  /** For outputs that are declared but never written. */
  MemorySegment unwritten() {
    return unwritten;
  }

  double scaleValue() {
    return scaleValue;
  }

  double keepProb() {
    return keepProb;
  }

  long preTokens() {
    return preTokens;
  }

  long nextTokens() {
    return nextTokens;
  }

  long headNum() {
    return sizes.queryHeads();
  }

  MemorySegment layout() {
    return layout.text();
  }

  long innerPrecise() {
    return innerPrecise;
  }

  long sparseMode() {
    return sparseMode.code();
  }

  PseType pse() {
    return pseType;
  }

  long pseType() {
    return pseType.code();
  }

  boolean hasMask() {
    return attenMask != null;
  }

  boolean hasStartIndex() {
    return qStartIdx != null || kvStartIdx != null;
  }

  MemorySegment softmaxLayout() {
    return packed.softmaxLayout().text();
  }
}
