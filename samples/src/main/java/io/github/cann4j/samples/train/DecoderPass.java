// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.training.GradientCollector;
import io.github.cann4j.samples.model.Decoder;
import io.github.cann4j.samples.model.DecoderConfig;
import io.github.cann4j.samples.model.Rotary;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Forward and backward of a decoder on one rank's rows, with attention computed elsewhere. The
 * framework's graph is cut there into segments: what a segment takes are leaves, and the gradients
 * of these become the gradients of what the segment before gave, through the sum of products that
 * has just these gradients. The segment after layer i's attention reaches to layer i + 1's.
 */
final class DecoderPass {
  // Logits and their gradients of so many elements exist at once.
  private static final long LOGITS_AT_ONCE = 1L << 23;

  private final Decoder decoder;
  private final AttentionBridge attention;
  private final boolean recompute;
  private final ExitGate gate;
  private final NDManager manager;
  private final RankRows rows;
  private final double scale;
  private final double attentionScale;
  private final List<Segment> segments = new ArrayList<>();
  private final List<Leaves> leaves = new ArrayList<>();
  private Rotary rotary;
  private NDArray tokens;

  /** What a segment gave: the rows that go on, and what attention takes of them. */
  private record Segment(NDArray x, Decoder.Projections projections) {}

  /** What a segment takes. */
  private record Leaves(NDArray x, NDArray attention) {}

  /**
   * Prepares a pass.
   *
   * @param recompute whether backward computes segments again, instead of forward keeping all that
   *     they computed
   * @param gate passed between segments
   * @param manager owns all arrays; they are closed in the end
   * @param scale factor of the tokens' losses in what is differentiated
   * @param attentionScale factor of gradients while attention has them, a power of 2
   */
  DecoderPass(
      Decoder decoder,
      AttentionBridge attention,
      boolean recompute,
      ExitGate gate,
      NDManager manager,
      RankRows rows,
      double scale,
      double attentionScale) {
    this.decoder = decoder;
    this.attention = attention;
    this.recompute = recompute;
    this.gate = gate;
    this.manager = manager;
    this.rows = rows;
    this.scale = scale;
    this.attentionScale = attentionScale;
  }

  /**
   * Adds the gradients of the rows to those of the weights.
   *
   * @return the sum of the tokens' losses
   */
  double run() {
    Engine engine = manager.getEngine();
    try (NDScope scope = new NDScope()) {
      DecoderConfig config = decoder.config();
      rotary = new Rotary(manager, rows.positions(), config.headDim(), config.ropeTheta());
      tokens = manager.create(rows.tokens());
      if (recompute) {
        // Graphs are kept only while gradients are collected.
        forward();
        try (GradientCollector collector = engine.newGradientCollector()) {
          return backward(collector);
        }
      }
      try (GradientCollector collector = engine.newGradientCollector()) {
        forward();
        return backward(collector);
      }
    }
  }

  private void forward() {
    for (int layer = 0; layer < decoder.config().layers(); layer++) {
      gate.pass();
      Segment segment = segment(layer);
      Decoder.Projections inputs = segment.projections;
      leaves.add(
          new Leaves(
              leaf(segment.x.stopGradient()),
              leaf(attention.forward(layer, inputs.q(), inputs.k(), inputs.v()))));
      if (recompute) {
        results(segment).forEach(NDArray::close);
      } else {
        segments.add(segment);
      }
    }
  }

  private double backward(GradientCollector collector) {
    double loss = predict(leaves.getLast(), collector);
    for (int layer = decoder.config().layers() - 1; layer >= 0; layer--) {
      gate.pass();
      Leaves given = leaves.removeLast();
      Segment segment = recompute ? segment(layer) : segments.removeLast();
      backward(layer, segment, given, collector);
    }
    return loss;
  }

  /** The segment that ends in a layer's attention, from the leaves that are the last by then. */
  private Segment segment(int layer) {
    Segment segment;
    try (NDScope scope = new NDScope()) {
      NDArray x = layer == 0 ? decoder.embed(tokens) : finish(layer - 1, leaves.getLast());
      segment = new Segment(x, decoder.project(layer, x, rotary));
      results(segment).forEach(NDScope::unregister);
    }
    // What the graph does not keep of the rest is free now.
    results(segment).forEach(NDScope::register);
    return segment;
  }

  private static List<NDArray> results(Segment segment) {
    Decoder.Projections inputs = segment.projections;
    return List.of(segment.x, inputs.q(), inputs.k(), inputs.v());
  }

  private NDArray finish(int layer, Leaves inputs) {
    return decoder.finish(layer, inputs.x, inputs.attention);
  }

  private static NDArray leaf(NDArray array) {
    array.setRequiresGradient(true);
    return array;
  }

  private void backward(int layer, Segment segment, Leaves leaves, GradientCollector collector) {
    try (NDScope scope = new NDScope()) {
      AttentionBridge.Gradients gradients =
          attention.backward(layer, scaled(leaves.attention.getGradient()));
      Decoder.Projections inputs = segment.projections;
      NDArray throughAttention =
          product(inputs.q(), gradients.q())
              .add(product(inputs.k(), gradients.k()))
              .add(product(inputs.v(), gradients.v()));
      collector.backward(
          product(segment.x, leaves.x.getGradient()).add(throughAttention.div(attentionScale)));
    }
    results(segment).forEach(NDArray::close);
    leaves.x.close();
    leaves.attention.close();
  }

  private NDArray scaled(NDArray gradient) {
    return attentionScale == 1 ? gradient : gradient.mul(attentionScale);
  }

  private static NDArray product(NDArray value, NDArray gradient) {
    return value.mul(gradient).sum();
  }

  /** The last segment, which ends in the loss. Only rows that predict go through the head. */
  private double predict(Leaves inputs, GradientCollector collector) {
    try (NDScope scope = new NDScope()) {
      NDArray x = finish(decoder.config().layers() - 1, inputs);
      // A rank on which no row predicts takes part with one that counts nothing.
      boolean none = rows.predicting().length == 0;
      long[] index = none ? new long[1] : rows.predicting();
      long[] labels = none ? new long[1] : rows.labels();
      NDArray normal = decoder.normalize(Decoder.rows(x, manager.create(index)));
      NDArray cut = normal.stopGradient();
      int chunk = Math.clamp(LOGITS_AT_ONCE / decoder.config().vocabulary(), 1, index.length);
      NDList gradients = new NDList();
      double loss = 0;
      for (int begin = 0; begin < index.length; begin += chunk) {
        gate.pass();
        int end = Math.min(begin + chunk, index.length);
        NDArray part = leaf(cut.get(begin + ":" + end));
        NDArray expected = manager.create(Arrays.copyOfRange(labels, begin, end));
        loss += headLoss(part, expected, none ? 0 : scale, collector);
        gradients.add(part.getGradient());
      }
      collector.backward(product(normal, NDArrays.concat(gradients)));
      return none ? 0 : loss;
    }
  }

  private double headLoss(NDArray x, NDArray labels, double factor, GradientCollector collector) {
    try (NDScope scope = new NDScope()) {
      NDArray likelihoods = decoder.logits(x).logSoftmax(1);
      NDArray loss = likelihoods.gather(labels.expandDims(1), 1).sum().neg();
      collector.backward(loss.mul(factor));
      return loss.getFloat();
    }
  }
}
