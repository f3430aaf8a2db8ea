// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.samples.model.DecoderConfig;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;

/**
 * The decoder written a second time, all of it in the framework, with attention over a dense mask
 * and one graph from the tokens to the loss.
 */
final class DenseDecoder {
  private final DecoderConfig config;
  private final Map<String, NDArray> weights = new LinkedHashMap<>();

  DenseDecoder(DecoderConfig config, Map<String, NDArray> weights, NDManager manager) {
    this.config = config;
    weights.forEach(
        (name, weight) -> {
          NDArray copy = manager.create(weight.toFloatArray(), weight.getShape());
          copy.setRequiresGradient(true);
          this.weights.put(name, copy);
        });
  }

  /** The mean loss of rows with a label; leaves its gradients to be asked for. */
  double differentiate(MicroBatch batch, NDManager manager) {
    try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      NDArray loss = loss(batch, manager);
      collector.backward(loss);
      return loss.getFloat();
    }
  }

  SequencedMap<String, NDArray> gradients() {
    SequencedMap<String, NDArray> gradients = new LinkedHashMap<>();
    weights.forEach((name, weight) -> gradients.put(name, weight.getGradient()));
    return gradients;
  }

  private NDArray loss(MicroBatch batch, NDManager manager) {
    int rows = batch.tokens().length;
    NDArray mask = mask(batch.attention(), manager);
    NDArray angles = angles(batch.positions().positionIds(true), manager);
    // One row per token, which picks it out of the embedding by a product.
    NDArray oneHot = manager.create(batch.tokens()).oneHot(config.vocabulary());
    NDArray x = oneHot.matMul(weights.get("model.embed_tokens.weight"));
    for (int layer = 0; layer < config.layers(); layer++) {
      String prefix = "model.layers." + layer + ".";
      NDArray normal = norm(x, prefix + "input_layernorm.weight");
      x = x.add(attention(normal, prefix + "self_attn.", mask, angles));
      normal = norm(x, prefix + "post_attention_layernorm.weight");
      NDArray gate = times(normal, prefix + "mlp.gate_proj.weight");
      NDArray silu = gate.div(gate.neg().exp().add(1));
      NDArray inner = silu.mul(times(normal, prefix + "mlp.up_proj.weight"));
      x = x.add(times(inner, prefix + "mlp.down_proj.weight"));
    }
    NDArray logits =
        times(
            norm(x, "model.norm.weight"),
            config.tiedHead() ? "model.embed_tokens.weight" : "lm_head.weight");
    float[] weight = new float[rows];
    long[] labels = new long[rows];
    int count = 0;
    for (int row = 0; row < rows; row++) {
      if (batch.labels()[row] != PackedSequence.IGNORE_LABEL) {
        weight[row] = 1;
        labels[row] = batch.labels()[row];
        count++;
      }
    }
    NDArray expected = manager.create(labels).oneHot(config.vocabulary());
    NDArray losses = logits.softmax(1).log().mul(expected).sum(new int[] {1}).neg();
    return losses.mul(manager.create(weight)).sum().div(count);
  }

  private NDArray attention(NDArray x, String prefix, NDArray mask, NDArray angles) {
    NDArray q = rotate(heads(x, prefix + "q_proj", config.heads()), angles);
    NDArray k = rotate(heads(x, prefix + "k_proj", config.kvHeads()), angles);
    NDArray v = heads(x, prefix + "v_proj", config.kvHeads());
    int group = config.heads() / config.kvHeads();
    NDList outputs = new NDList();
    for (int head = 0; head < config.heads(); head++) {
      NDArray kHead = k.get(head / group);
      NDArray scores = q.get(head).matMul(kHead.transpose()).div(Math.sqrt(config.headDim()));
      outputs.add(scores.add(mask).softmax(1).matMul(v.get(head / group)));
    }
    NDArray joined = outputs.get(0);
    for (NDArray output : outputs.subList(1, outputs.size())) {
      joined = joined.concat(output, 1);
    }
    return times(joined, prefix + "o_proj.weight");
  }

  /** {@code [heads, rows, D]}. */
  private NDArray heads(NDArray x, String name, int heads) {
    NDArray y = times(x, name + ".weight");
    NDArray bias = weights.get(name + ".bias");
    if (bias != null) {
      y = y.add(bias);
    }
    return y.reshape(x.getShape().get(0), heads, config.headDim()).transpose(1, 0, 2);
  }

  private NDArray rotate(NDArray x, NDArray angles) {
    int half = config.headDim() / 2;
    NDArray turned = x.get(":, :, " + half + ":").neg().concat(x.get(":, :, :" + half), 2);
    return x.mul(angles.cos()).add(turned.mul(angles.sin()));
  }

  private NDArray norm(NDArray x, String name) {
    NDArray mean = x.mul(x).sum(new int[] {1}, true).div(config.hidden());
    return x.mul(mean.add(config.normEpsilon()).pow(-0.5)).mul(weights.get(name));
  }

  private NDArray times(NDArray x, String name) {
    return x.matMul(weights.get(name).transpose());
  }

  private NDArray angles(long[] positions, NDManager manager) {
    float[] angles = new float[positions.length * config.headDim()];
    int half = config.headDim() / 2;
    for (int i = 0; i < angles.length; i++) {
      int element = i % config.headDim();
      double frequency = Math.pow(config.ropeTheta(), -(element % half) / (double) half);
      angles[i] = (float) (positions[i / config.headDim()] * frequency);
    }
    return manager.create(angles, new Shape(1, positions.length, config.headDim()));
  }

  /** 0 where a row sees another, else far below; padding sees itself, so that nothing is NaN. */
  private static NDArray mask(PackedSequence documents, NDManager manager) {
    int rows = (int) documents.length();
    float[] mask = new float[rows * rows];
    for (int query = 0; query < rows; query++) {
      for (int key = 0; key < rows; key++) {
        int document = documents.documentOf(query);
        boolean seen =
            key == query || key < query && document >= 0 && document == documents.documentOf(key);
        mask[query * rows + key] = seen ? 0 : -1e9f;
      }
    }
    return manager.create(mask, new Shape(rows, rows)).toType(DataType.FLOAT32, false);
  }
}
