// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Operators of a transformer layer around its attention. Each call checks its arguments ({@link
 * IllegalArgumentException}), submits one operator to the stream and returns; what the toolkit
 * refuses is an {@link AclnnException}. All tensors are on the stream's device, views may be
 * strided, and outputs overlap nothing. Platform threads only.
 */
public final class LayerOps {
  private LayerOps() {}

  /**
   * y = x / sqrt(mean(x²) + epsilon) · gamma over the last dimensions ({@code aclnnRmsNorm}).
   *
   * @param x FLOAT, FLOAT16 or BF16
   * @param gamma the factors; its dimensions are the last ones of x
   * @param epsilon what keeps the root from 0
   * @param yOut x's type and shape
   * @param rstdOut FLOAT, 1 / root for each row: x's shape with 1 in place of gamma's dimensions
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void rmsNorm(
      Tensor x,
      Tensor gamma,
      double epsilon,
      Tensor yOut,
      Tensor rstdOut,
      Stream stream,
      Workspace workspace) {
    OperandChecks.requireDevice(stream, x, gamma, yOut, rstdOut);
    OperandChecks.requireFloating(x, "x");
    OperandChecks.requireSameType(yOut, "yOut", x, "x");
    OperandChecks.requireShape(yOut, "yOut", x.shape());
    OperandChecks.requireType(rstdOut, "rstdOut", DataType.FLOAT);
    int rows = x.rank() - gamma.rank();
    if (gamma.rank() < 1 || rows < 0) {
      throw new IllegalArgumentException(
          "gamma (%s) has more dimensions than x (%s)".formatted(gamma, x));
    }
    long[] shape = x.shape();
    OperandChecks.requireShape(gamma, "gamma", Arrays.copyOfRange(shape, rows, shape.length));
    Arrays.fill(shape, rows, shape.length, 1);
    OperandChecks.requireShape(rstdOut, "rstdOut", shape);
    Overlap.refuse(yOut, "yOut", x, "x");
    Overlap.refuse(rstdOut, "rstdOut", yOut, "yOut");
    Operator.run(
        "aclnnRmsNorm",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnRmsNormGetWorkspaceSize(
                x.handle(),
                gamma.handle(),
                epsilon,
                yOut.handle(),
                rstdOut.handle(),
                size,
                executor),
        cann_h.aclnnRmsNorm$address());
    Operator.keep(x, gamma, yOut, rstdOut);
  }

  /**
   * out = silu(a) · b, where a and b are the halves of x along a dimension ({@code aclnnSwiGlu}).
   *
   * @param x FLOAT, FLOAT16 or BF16
   * @param dim the dimension, of even size; negative counts from the end
   * @param out x's type and shape, with half the size at dim
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void swiGlu(Tensor x, int dim, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireDevice(stream, x, out);
    OperandChecks.requireFloating(x, "x");
    OperandChecks.requireSameType(out, "out", x, "x");
    int at = OperandChecks.requireDim(dim, x, "x");
    long[] shape = x.shape();
    if (shape[at] % 2 != 0) {
      throw new IllegalArgumentException(
          "x (%s) has no two halves along dimension %d".formatted(x, at));
    }
    shape[at] /= 2;
    OperandChecks.requireShape(out, "out", shape);
    Overlap.refuse(out, "out", x, "x");
    Operator.run(
        "aclnnSwiGlu",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnSwiGluGetWorkspaceSize(x.handle(), at, out.handle(), size, executor),
        cann_h.aclnnSwiGlu$address());
    Operator.keep(x, out);
  }

  /**
   * The loss of logits against target classes ({@code aclnnCrossEntropyLoss}): the mean over the
   * rows whose target is not ignoreIndex, their sum, or one loss per row.
   *
   * @param input logits [N, C]; FLOAT, FLOAT16 or BF16
   * @param target [N] INT64 or INT32
   * @param reduction mean, sum or none
   * @param ignoreIndex the target of rows without loss
   * @param labelSmoothing 0 … 1, without 1
   * @param lossOut input's type; [1], or [N] without reduction
   * @param logProbOut [N, C] of input's type: the logarithms of the probabilities, for the gradient
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void crossEntropyLoss(
      Tensor input,
      Tensor target,
      Reduction reduction,
      long ignoreIndex,
      double labelSmoothing,
      Tensor lossOut,
      Tensor logProbOut,
      Stream stream,
      Workspace workspace) {
    OperandChecks.requireDevice(stream, input, target, lossOut, logProbOut);
    requireClasses(input, target);
    requireSmoothing(labelSmoothing);
    OperandChecks.requireSameType(lossOut, "lossOut", input, "input");
    OperandChecks.requireShape(lossOut, "lossOut", reduction == Reduction.NONE ? input.size(0) : 1);
    OperandChecks.requireSameType(logProbOut, "logProbOut", input, "input");
    OperandChecks.requireShape(logProbOut, "logProbOut", input.shape());
    Overlap.refuse(logProbOut, "logProbOut", input, "input");
    Overlap.refuse(lossOut, "lossOut", logProbOut, "logProbOut");
    Operator.run(
        "aclnnCrossEntropyLoss",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnCrossEntropyLossGetWorkspaceSize(
                input.handle(),
                target.handle(),
                MemorySegment.NULL,
                reduction.text(),
                ignoreIndex,
                labelSmoothing,
                0,
                false,
                lossOut.handle(),
                logProbOut.handle(),
                EmptyTensor.of(input.dataType()),
                EmptyTensor.of(input.dataType()),
                size,
                executor),
        cann_h.aclnnCrossEntropyLoss$address());
    Operator.keep(input, target, lossOut, logProbOut);
  }

  /**
   * The gradient of {@link #crossEntropyLoss} with respect to the logits ({@code
   * aclnnCrossEntropyLossGrad}).
   *
   * @param gradLoss shape and type of the loss
   * @param logProb [N, C], from the loss
   * @param target [N] INT64 or INT32
   * @param reduction that of the loss
   * @param ignoreIndex that of the loss
   * @param labelSmoothing that of the loss
   * @param out [N, C] of logProb's type
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void crossEntropyLossGrad(
      Tensor gradLoss,
      Tensor logProb,
      Tensor target,
      Reduction reduction,
      long ignoreIndex,
      double labelSmoothing,
      Tensor out,
      Stream stream,
      Workspace workspace) {
    OperandChecks.requireDevice(stream, gradLoss, logProb, target, out);
    requireClasses(logProb, target);
    requireSmoothing(labelSmoothing);
    OperandChecks.requireSameType(gradLoss, "gradLoss", logProb, "logProb");
    OperandChecks.requireShape(
        gradLoss, "gradLoss", reduction == Reduction.NONE ? logProb.size(0) : 1);
    OperandChecks.requireSameType(out, "out", logProb, "logProb");
    OperandChecks.requireShape(out, "out", logProb.shape());
    Overlap.refuse(out, "out", logProb, "logProb");
    Operator.run(
        "aclnnCrossEntropyLossGrad",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnCrossEntropyLossGradGetWorkspaceSize(
                gradLoss.handle(),
                logProb.handle(),
                target.handle(),
                MemorySegment.NULL,
                MemorySegment.NULL,
                MemorySegment.NULL,
                reduction.text(),
                ignoreIndex,
                labelSmoothing,
                0,
                out.handle(),
                size,
                executor),
        cann_h.aclnnCrossEntropyLossGrad$address());
    Operator.keep(gradLoss, logProb, target, out);
  }

  /**
   * Returns how many bytes a dropout mask of so many elements has.
   *
   * @param elements the number of elements, not negative
   * @return a bit each, in whole blocks of 128
   */
  public static long dropoutMaskBytes(long elements) {
    return Math.ceilDiv(elements, 128L) * 16;
  }

  /**
   * Draws a dropout mask ({@code aclnnDropoutGenMaskV2}): one bit per element, 1 = kept, the least
   * significant bit of a byte first. The same seed and offset give the same mask on the same
   * toolkit.
   *
   * @param elements how many
   * @param keepProb the probability of 1, in (0, 1]
   * @param seed of the random stream
   * @param offset where in the stream, not negative
   * @param out UINT8, {@link #dropoutMaskBytes} of them
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void dropoutGenMask(
      long elements,
      double keepProb,
      long seed,
      long offset,
      Tensor out,
      Stream stream,
      Workspace workspace) {
    OperandChecks.requireDevice(stream, out);
    requireKeepProb(keepProb);
    OperandChecks.requireType(out, "out", DataType.UINT8);
    OperandChecks.requireShape(out, "out", dropoutMaskBytes(elements));
    try (IntArray shape = new IntArray(new long[] {elements})) {
      Operator.run(
          "aclnnDropoutGenMaskV2",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnDropoutGenMaskV2GetWorkspaceSize(
                  shape.pointer(),
                  1 - keepProb,
                  seed,
                  offset,
                  DataType.FLOAT.aclCode(),
                  out.handle(),
                  size,
                  executor),
          cann_h.aclnnDropoutGenMaskV2$address());
      Operator.keep(out);
    }
  }

  /**
   * out = self / keepProb where the mask's bit is 1, else 0 ({@code aclnnDropoutDoMask}).
   *
   * @param self FLOAT, FLOAT16 or BF16
   * @param mask UINT8 as {@link #dropoutGenMask} makes it
   * @param keepProb that of the mask
   * @param out self's type and shape; may be self
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void dropoutDoMask(
      Tensor self, Tensor mask, double keepProb, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireUnary(self, out, stream);
    OperandChecks.requireDevice(stream, mask);
    OperandChecks.requireFloating(self, "self");
    requireKeepProb(keepProb);
    OperandChecks.requireType(mask, "mask", DataType.UINT8);
    if (mask.elements() < dropoutMaskBytes(self.elements())) {
      throw new IllegalArgumentException(
          "mask needs %d bytes for %s, but is %s"
              .formatted(dropoutMaskBytes(self.elements()), self, mask));
    }
    Overlap.refuse(out, "out", mask, "mask");
    Operator.run(
        "aclnnDropoutDoMask",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnDropoutDoMaskGetWorkspaceSize(
                self.handle(), mask.handle(), 1 - keepProb, out.handle(), size, executor),
        cann_h.aclnnDropoutDoMask$address());
    Operator.keep(self, mask, out);
  }

  private static void requireClasses(Tensor input, Tensor target) {
    OperandChecks.requireFloating(input, "the logits");
    OperandChecks.requireRank(input, "the logits", 2);
    OperandChecks.requireIndices(target, "target");
    OperandChecks.requireShape(target, "target", input.size(0));
  }

  private static void requireSmoothing(double labelSmoothing) {
    if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
      throw new IllegalArgumentException("labelSmoothing must be in [0, 1), not " + labelSmoothing);
    }
  }

  private static void requireKeepProb(double keepProb) {
    if (!(keepProb > 0 && keepProb <= 1)) {
      throw new IllegalArgumentException("keepProb must be in (0, 1], not " + keepProb);
    }
  }
}
