// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.Activation;
import ai.djl.nn.core.Linear;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * The weights of a decoder under their Hugging Face names, and what it computes outside attention,
 * in pieces: {@link #embed}, then per layer {@link #project}, attention by someone else, {@link
 * #finish}, and at the end {@link #normalize} and {@link #logits}. Arrays are FLOAT32 and have a
 * row per token.
 */
public final class Decoder implements AutoCloseable {
  private static final float INITIAL_DEVIATION = 0.02f;
  private static final String EMBEDDING = "model.embed_tokens.weight";
  private static final String HEAD = "lm_head.weight";
  private static final String LAST_NORM = "model.norm.weight";

  private final DecoderConfig config;
  private final NDManager manager;
  private final SequencedMap<String, NDArray> weights = new LinkedHashMap<>();

  /**
   * The inputs of a layer's attention.
   *
   * @param q {@code [rows, heads, D]}, rotated
   * @param k {@code [rows, kvHeads, D]}, rotated
   * @param v {@code [rows, kvHeads, D]}
   */
  public record Projections(NDArray q, NDArray k, NDArray v) {}

  /**
   * Makes a decoder with random weights.
   *
   * @param config its shape
   * @param parent owns the weights until the decoder is closed
   * @param seed same seed, same weights
   */
  public Decoder(DecoderConfig config, NDManager parent, int seed) {
    this.config = config;
    manager = parent.newSubManager();
    manager.getEngine().setRandomSeed(seed);
    // What is added to the residual grows with the layers unless it starts smaller.
    float residual = INITIAL_DEVIATION / (float) Math.sqrt(2.0 * config.layers());
    int hidden = config.hidden();
    int qColumns = config.heads() * config.headDim();
    int kvColumns = config.kvHeads() * config.headDim();
    matrix(EMBEDDING, config.vocabulary(), hidden, INITIAL_DEVIATION);
    for (int layer = 0; layer < config.layers(); layer++) {
      vector(name(layer, "input_layernorm.weight"), hidden, 1);
      projection(layer, "q_proj", qColumns);
      projection(layer, "k_proj", kvColumns);
      projection(layer, "v_proj", kvColumns);
      matrix(name(layer, "self_attn.o_proj.weight"), hidden, qColumns, residual);
      vector(name(layer, "post_attention_layernorm.weight"), hidden, 1);
      matrix(name(layer, "mlp.gate_proj.weight"), config.feedForward(), hidden, INITIAL_DEVIATION);
      matrix(name(layer, "mlp.up_proj.weight"), config.feedForward(), hidden, INITIAL_DEVIATION);
      matrix(name(layer, "mlp.down_proj.weight"), hidden, config.feedForward(), residual);
    }
    vector(LAST_NORM, hidden, 1);
    if (!config.tiedHead()) {
      matrix(HEAD, config.vocabulary(), hidden, INITIAL_DEVIATION);
    }
    weights.forEach(
        (name, weight) -> {
          weight.setName(name);
          weight.setRequiresGradient(true);
        });
  }

  private void projection(int layer, String name, int columns) {
    matrix(
        name(layer, "self_attn." + name + ".weight"), columns, config.hidden(), INITIAL_DEVIATION);
    if (config.qkvBias()) {
      vector(name(layer, "self_attn." + name + ".bias"), columns, 0);
    }
  }

  private void matrix(String name, long rows, long columns, float deviation) {
    weights.put(
        name, manager.randomNormal(0, deviation, new Shape(rows, columns), DataType.FLOAT32));
  }

  private void vector(String name, long size, float value) {
    weights.put(name, manager.full(new Shape(size), value, DataType.FLOAT32));
  }

  private static String name(int layer, String rest) {
    return "model.layers." + layer + "." + rest;
  }

  /** {@return the shape} */
  public DecoderConfig config() {
    return config;
  }

  /** {@return the weights by name, always in the same order; they stay this decoder's} */
  public SequencedMap<String, NDArray> weights() {
    return Collections.unmodifiableSequencedMap(weights);
  }

  private NDArray weight(int layer, String rest) {
    return weights.get(name(layer, rest));
  }

  /**
   * Looks tokens up.
   *
   * @param tokens INT64 {@code [rows]}
   * @return {@code [rows, hidden]}
   */
  public NDArray embed(NDArray tokens) {
    return rows(weights.get(EMBEDDING), tokens);
  }

  /**
   * Takes rows out of a matrix.
   *
   * @param matrix {@code [n, columns]}
   * @param index INT64 {@code [rows]}
   * @return {@code [rows, columns]}
   */
  public static NDArray rows(NDArray matrix, NDArray index) {
    return index
        .getNDArrayInternal()
        .embedding(index, matrix, SparseFormat.DENSE)
        .singletonOrThrow();
  }

  /**
   * The first part of a layer.
   *
   * @param layer its number, from 0
   * @param x {@code [rows, hidden]}
   * @param rotary angles of the rows
   * @return what its attention takes
   */
  public Projections project(int layer, NDArray x, Rotary rotary) {
    NDArray normal = norm(x, weight(layer, "input_layernorm.weight"));
    NDArray q = heads(layer, "q_proj", normal, config.heads());
    NDArray k = heads(layer, "k_proj", normal, config.kvHeads());
    NDArray v = heads(layer, "v_proj", normal, config.kvHeads());
    return new Projections(rotary.rotate(q), rotary.rotate(k), v);
  }

  private NDArray heads(int layer, String name, NDArray x, int heads) {
    NDArray y =
        linear(
            x,
            weight(layer, "self_attn." + name + ".weight"),
            weight(layer, "self_attn." + name + ".bias"));
    return y.reshape(x.getShape().get(0), heads, config.headDim());
  }

  /**
   * The rest of a layer after attention.
   *
   * @param layer its number, from 0
   * @param x what the layer began with, {@code [rows, hidden]}
   * @param attention {@code [rows, heads, D]}
   * @return what the next layer begins with, {@code [rows, hidden]}
   */
  public NDArray finish(int layer, NDArray x, NDArray attention) {
    NDArray flat = attention.reshape(x.getShape().get(0), -1);
    NDArray y = x.add(linear(flat, weight(layer, "self_attn.o_proj.weight"), null));
    NDArray normal = norm(y, weight(layer, "post_attention_layernorm.weight"));
    NDArray gate = linear(normal, weight(layer, "mlp.gate_proj.weight"), null);
    NDArray up = linear(normal, weight(layer, "mlp.up_proj.weight"), null);
    NDArray inner = gate.mul(Activation.sigmoid(gate)).mul(up);
    return y.add(linear(inner, weight(layer, "mlp.down_proj.weight"), null));
  }

  /**
   * The norm before the output head.
   *
   * @param x {@code [rows, hidden]}
   * @return {@code [rows, hidden]}
   */
  public NDArray normalize(NDArray x) {
    return norm(x, weights.get(LAST_NORM));
  }

  /**
   * The output head.
   *
   * @param x {@code [rows, hidden]}, normalized
   * @return {@code [rows, vocabulary]}
   */
  public NDArray logits(NDArray x) {
    return linear(x, weights.get(config.tiedHead() ? EMBEDDING : HEAD), null);
  }

  private NDArray norm(NDArray x, NDArray weight) {
    NDArray meanSquare = x.square().mean(new int[] {1}, true);
    return x.div(meanSquare.add(config.normEpsilon()).sqrt()).mul(weight);
  }

  private static NDArray linear(NDArray x, NDArray weight, NDArray bias) {
    return Linear.linear(x, weight, bias).singletonOrThrow();
  }

  @Override
  public void close() {
    manager.close();
  }
}
