// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Random;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;

class AdamWTest {
  private static final int SIZE = 12;
  private static final AdamSettings SETTINGS = new AdamSettings(0.9, 0.95, 1e-3, 0.1, 0);
  private static final LearningRateSchedule SCHEDULE =
      new LearningRateSchedule(LearningRateSchedule.Style.COSINE, 0.01, 0.001, 3, 10);

  /** The update of the paper, with both biases corrected, in double precision. */
  private static final class Expected {
    private final double[] weight;
    private final double[] mean = new double[SIZE];
    private final double[] square = new double[SIZE];
    private final double decay;

    Expected(float[] weight, double decay) {
      this.weight = new double[SIZE];
      Arrays.setAll(this.weight, i -> weight[i]);
      this.decay = decay;
    }

    void update(int step, double rate, double factor, float[] gradient) {
      for (int i = 0; i < SIZE; i++) {
        double g = gradient[i] * factor;
        mean[i] = 0.9 * mean[i] + 0.1 * g;
        square[i] = 0.95 * square[i] + 0.05 * g * g;
        double first = mean[i] / (1 - Math.pow(0.9, step));
        double second = square[i] / (1 - Math.pow(0.95, step));
        weight[i] -= rate * decay * weight[i] + rate * first / (Math.sqrt(second) + 1e-3);
      }
    }
  }

  @Test
  void updatesAsThePaperSays() {
    try (NDManager manager = NDManager.newBaseManager()) {
      Random random = new Random(3);
      SequencedMap<String, NDArray> weights = new LinkedHashMap<>();
      weights.put("matrix", manager.create(floats(random), new Shape(3, 4)));
      weights.put("vector", manager.create(floats(random)));
      weights.values().forEach(weight -> weight.setRequiresGradient(true));
      List<Expected> expected =
          List.of(
              new Expected(weights.get("matrix").toFloatArray(), 0.1),
              new Expected(weights.get("vector").toFloatArray(), 0));
      try (AdamW adam = new AdamW(SETTINGS, SCHEDULE.tracker(), weights, manager)) {
        for (int step = 1; step <= 10; step++) {
          double factor = step == 4 ? 0.25 : 1;
          double rate = adam.begin(step, factor);
          int index = 0;
          for (String name : weights.keySet()) {
            float[] gradient = floats(random);
            NDArray weight = weights.get(name);
            differentiate(weight, manager.create(gradient, weight.getShape()));
            adam.update(name, weight, weight.getGradient());
            assertArrayEquals(new float[SIZE], weight.getGradient().toFloatArray());
            Expected one = expected.get(index++);
            one.update(step, rate, factor, gradient);
            float[] found = weight.toFloatArray();
            for (int i = 0; i < SIZE; i++) {
              assertEquals(one.weight[i], found[i], 3e-6, name + " in step " + step);
            }
          }
        }
      }
    }
  }

  private static float[] floats(Random random) {
    float[] values = new float[SIZE];
    for (int i = 0; i < SIZE; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static void differentiate(NDArray weight, NDArray gradient) {
    try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      collector.backward(weight.mul(gradient).sum());
    }
  }

  @Test
  void ratesFollowTheirSchedule() {
    double[] cosine = rates(LearningRateSchedule.Style.COSINE);
    assertEquals(0.8 / 3, cosine[0], 1e-6, "warm-up does not begin at 0");
    assertEquals(0.8, cosine[3], 1e-6);
    assertEquals(0.1 + 0.35 * (1 + Math.cos(Math.PI * 2 / 7)), cosine[5], 1e-6);
    assertEquals(0.1, cosine[10], 1e-6);
    assertEquals(0.1, cosine[15], 1e-6);
    double[] linear = rates(LearningRateSchedule.Style.LINEAR);
    assertEquals(0.8 - 0.7 * 2 / 7, linear[5], 1e-6);
    assertEquals(0.1, linear[15], 1e-6);
    double[] constant = rates(LearningRateSchedule.Style.CONSTANT);
    assertEquals(0.8, constant[3], 1e-6);
    assertEquals(0.8, constant[15], 1e-6);
    for (double[] some : List.of(cosine, linear, constant)) {
      assertEquals(0.8 / 3 + (0.8 - 0.8 / 3) * 2 / 3, some[2], 1e-6);
    }
  }

  private static double[] rates(LearningRateSchedule.Style style) {
    var tracker = new LearningRateSchedule(style, 0.8, 0.1, 3, 10).tracker();
    double[] rates = new double[16];
    Arrays.setAll(rates, tracker::getNewValue);
    return rates;
  }
}
