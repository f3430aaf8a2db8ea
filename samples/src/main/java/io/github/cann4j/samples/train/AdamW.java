// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101), whose state can be
 * saved: DJL's own keeps it to itself. Vectors, which are norms and biases, do not decay.
 */
final class AdamW extends Optimizer implements AutoCloseable {
  private final AdamSettings settings;
  private final Tracker learningRate;
  private final NDManager manager;
  private final SequencedMap<String, NDArray> state = new LinkedHashMap<>();
  private int step;
  private double gradientFactor = 1;

  private static final class Options extends OptimizerBuilder<Options> {
    @Override
    protected Options self() {
      return this;
    }
  }

  /** Makes the state of weights, all 0. */
  AdamW(
      AdamSettings settings,
      Tracker learningRate,
      SequencedMap<String, NDArray> weights,
      NDManager parent) {
    super(new Options());
    this.settings = settings;
    this.learningRate = learningRate;
    manager = parent.newSubManager();
    weights.forEach(
        (name, weight) -> {
          state.put(meanOf(name), manager.zeros(weight.getShape()));
          state.put(squareOf(name), manager.zeros(weight.getShape()));
        });
  }

  private static String meanOf(String name) {
    return name + ".exp_avg";
  }

  private static String squareOf(String name) {
    return name + ".exp_avg_sq";
  }

  /** {@return mean and mean square of each weight's gradients by name; they stay this object's} */
  SequencedMap<String, NDArray> state() {
    return state;
  }

  /**
   * Begins an update of all weights.
   *
   * @param number of the step, from 1
   * @param factor of all gradients
   * @return the learning rate
   */
  double begin(int number, double factor) {
    step = number;
    gradientFactor = factor;
    return learningRate.getNewValue(number - 1);
  }

  /** Updates a weight and sets its gradient to 0. */
  @Override
  public void update(String name, NDArray weight, NDArray gradient) {
    double rate = learningRate.getNewValue(step - 1);
    double meanBias = 1 - Math.pow(settings.beta1(), step);
    double squareBias = Math.sqrt(1 - Math.pow(settings.beta2(), step));
    boolean decays = weight.getShape().dimension() > 1;
    // The engine corrects both biases by one factor of the rate; epsilon is to be scaled with it.
    weight
        .getNDArrayInternal()
        .adamUpdate(
            new NDList(weight, gradient, state.get(meanOf(name)), state.get(squareOf(name))),
            new NDList(weight),
            (float) rate,
            (float) (rate * squareBias / meanBias),
            decays ? (float) settings.weightDecay() : 0,
            (float) gradientFactor,
            -1,
            (float) settings.beta1(),
            (float) settings.beta2(),
            (float) (settings.epsilon() * squareBias),
            false,
            true);
  }

  @Override
  public void close() {
    manager.close();
  }
}
