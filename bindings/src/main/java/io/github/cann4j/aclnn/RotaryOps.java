// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.toolkit.OptionalFunctions;

/**
 * Rotary position embeddings. Each call checks its arguments ({@link IllegalArgumentException}),
 * submits one operator to the stream and returns; what the toolkit refuses is an {@link
 * AclnnException}. All tensors are on the stream's device, views may be strided, and outputs
 * overlap nothing. Platform threads only.
 */
public final class RotaryOps {
  private static final long BSND = 1;

  private RotaryOps() {}

  /**
   * Rotates queries and keys in place, half against half: q = q · cos + rotate(q) · sin ({@code
   * aclnnApplyRotaryPosEmb}).
   *
   * @param query [B, S, N, D]; FLOAT, FLOAT16 or BF16
   * @param key [B, S, N, D], with heads of its own
   * @param cos [B, S, 1, D]
   * @param sin as cos
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void applyRotaryPosEmb(
      Tensor query, Tensor key, Tensor cos, Tensor sin, Stream stream, Workspace workspace) {
    OperandChecks.requireDevice(stream, query, key, cos, sin);
    OperandChecks.requireFloating(query, "query");
    for (Operand operand :
        new Operand[] {
          new Operand("query", query),
          new Operand("key", key),
          new Operand("cos", cos),
          new Operand("sin", sin)
        }) {
      OperandChecks.requireRank(operand.tensor(), operand.name(), 4);
      OperandChecks.requireSameType(operand.tensor(), operand.name(), query, "query");
      long heads =
          operand.tensor() == cos || operand.tensor() == sin ? 1 : operand.tensor().size(2);
      OperandChecks.requireShape(
          operand.tensor(), operand.name(), query.size(0), query.size(1), heads, query.size(3));
    }
    Overlap.refuse(query, "query", key, "key");
    Operator.run(
        "aclnnApplyRotaryPosEmb",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnApplyRotaryPosEmbGetWorkspaceSize(
                query.handle(), key.handle(), cos.handle(), sin.handle(), BSND, size, executor),
        cann_h.aclnnApplyRotaryPosEmb$address());
    Operator.keep(query, key, cos, sin);
  }

  /**
   * out = x · cos + rotate(x) · sin ({@code aclnnRotaryPositionEmbedding}). Where both elements of
   * a pair have the same angle, the same call with −sin turns back, which is the gradient; not so
   * in {@link RotaryMode#INTERLEAVE_HALF}, which also reorders.
   *
   * @param x four dimensions, the last one the head's; FLOAT, FLOAT16 or BF16
   * @param cos of x's type; the first three dimensions are x's or 1
   * @param sin as cos
   * @param mode which elements belong together
   * @param out x's type and shape
   * @param stream the stream
   * @param workspace the stream's workspace
   * @throws UnsupportedOperationException if the toolkit lacks the operator, as CANN 8.1 does
   */
  public static void rotaryPositionEmbedding(
      Tensor x,
      Tensor cos,
      Tensor sin,
      RotaryMode mode,
      Tensor out,
      Stream stream,
      Workspace workspace) {
    OperandChecks.requireDevice(stream, x, cos, sin, out);
    OperandChecks.requireFloating(x, "x");
    OperandChecks.requireRank(x, "x", 4);
    if (x.size(3) == 0 || x.size(3) % mode.parts() != 0) {
      throw new IllegalArgumentException(
          "the last dimension of x (%s) is no multiple of %d, which %s needs"
              .formatted(x, mode.parts(), mode));
    }
    OperandChecks.requireSameType(cos, "cos", x, "x");
    OperandChecks.requireRank(cos, "cos", 4);
    long[] angles = x.shape();
    for (int i = 0; i < 3; i++) {
      angles[i] = cos.size(i) == 1 ? 1 : angles[i];
    }
    OperandChecks.requireShape(cos, "cos", angles);
    OperandChecks.requireSameType(sin, "sin", x, "x");
    OperandChecks.requireShape(sin, "sin", angles);
    OperandChecks.requireSameType(out, "out", x, "x");
    OperandChecks.requireShape(out, "out", x.shape());
    Overlap.refuse(out, "out", x, "x");
    Overlap.refuse(out, "out", cos, "cos");
    Overlap.refuse(out, "out", sin, "sin");
    OptionalFunctions.require(
        "aclnnRotaryPositionEmbedding",
        "an embedding that is not in place",
        "use applyRotaryPosEmb, or a newer toolkit");
    Operator.run(
        "aclnnRotaryPositionEmbedding",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnRotaryPositionEmbeddingGetWorkspaceSize(
                x.handle(), cos.handle(), sin.handle(), mode.code(), out.handle(), size, executor),
        cann_h.aclnnRotaryPositionEmbedding$address());
    Operator.keep(x, cos, sin, out);
  }
}
