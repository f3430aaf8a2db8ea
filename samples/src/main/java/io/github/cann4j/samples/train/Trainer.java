// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.attention.ContextParallelGroups;
import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.DeepJavaLibrary;
import io.github.cann4j.samples.cli.FailedException;
import io.github.cann4j.samples.model.Decoder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trains a decoder on packed sequences: DJL computes the model and its gradients on the host,
 * attention is computed by devices, over the ranks of a replica. All ranks hold all weights and sum
 * their gradients.
 *
 * <p>One object per rank and process, since DJL collects gradients for one at a time; all methods
 * but the getters are collective and blocking, and come from one platform thread.
 */
public final class Trainer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Trainer.class);

  private final TrainingConfig config;
  private final PackedDataset data;
  private final RankPlace place;
  private final int replicas;
  private final DataOrder order;
  private final StepClock clock = new StepClock();
  private final ExitGate gate = new ExitGate();
  private final NDManager manager;
  private final Decoder decoder;
  private final AdamW optimizer;
  private final ContextParallelGroups groups;
  private final AttentionBridge attention;
  private final WorldSums sums;
  private int iteration;
  private long consumed;

  private Trainer(TrainingConfig config, PackedDataset data, RankPlace place, int replicas) {
    this.config = config;
    this.data = data;
    this.place = place;
    this.replicas = replicas;
    order = new DataOrder(data.sequences(), config.seed());
    manager = NDManager.newBaseManager(ai.djl.Device.cpu(), "PyTorch");
    decoder = new Decoder(config.model(), manager, Long.hashCode(config.seed()));
    optimizer =
        new AdamW(config.optimizer(), config.learningRate().tracker(), decoder.weights(), manager);
    groups = groups(config, place);
    attention =
        new AttentionBridge(config.attention(), config.model().layers(), groups, clock, gate);
    sums = new WorldSums(place.device(), place.world(), config.model().parameters(), gate);
  }

  /**
   * Makes a trainer with random weights.
   *
   * @param config the same on every rank
   * @param data the same on every rank; must outlive the trainer
   * @param place of this rank
   * @return the trainer, before the first step
   * @throws BadInputException if configuration, data and ranks do not fit, before anything is made;
   *     or if the ranks' differ, on every rank
   */
  public static Trainer open(TrainingConfig config, PackedDataset data, RankPlace place) {
    int replicas = config.replicas(place.size());
    config.requireShardable(data.sequenceLength());
    if (data.sequences() < 1) {
      throw new BadInputException("the data has no sequences");
    }
    if (data.vocabSize() > config.model().vocabulary()) {
      throw new BadInputException(
          "the data has token ids up to %d, the model's vocabulary is %d; use the vocabulary of the data's tokenizer"
              .formatted(data.vocabSize() - 1, config.model().vocabulary()));
    }
    configureFramework(place.threads());
    Trainer trainer = new Trainer(config, data, place, replicas);
    try {
      trainer.requireSameOnAllRanks();
    } catch (RuntimeException e) {
      trainer.close();
      throw e;
    }
    return trainer;
  }

  /** Ranks that were told different things would add up gradients that do not belong together. */
  private void requireSameOnAllRanks() {
    // Not the hash of the record: that of an enum's constant differs from process to process.
    long told = config.toString().hashCode() * 0x9E3779B97F4A7C15L + data.checksum();
    long mixed = (told ^ told >>> 29) * 0xBF58476D1CE4E5B9L;
    long[] sums = this.sums.count(told, mixed);
    if (sums[0] != told * place.size() || sums[1] != mixed * place.size()) {
      throw new BadInputException(
          "the ranks were told different things; rank %d: %s, data %016x; start all with the same options and data"
              .formatted(place.rank(), config, data.checksum()));
    }
  }

  /** Before the framework starts, which reads these once. */
  private static void configureFramework(int threads) {
    DeepJavaLibrary.stayOffline();
    HostAllocator.keepFreedMemory();
    System.setProperty("ai.djl.pytorch.graph_optimizer", "false");
    if (threads > 0) {
      System.setProperty("ai.djl.pytorch.num_threads", String.valueOf(threads));
    }
  }

  private static ContextParallelGroups groups(TrainingConfig config, RankPlace place) {
    int size = config.parallelism().grid().size();
    if (size == 1) {
      return ContextParallelGroups.single(place.device());
    }
    int replica = place.rank() / size;
    List<Integer> ranks = IntStream.range(replica * size, (replica + 1) * size).boxed().toList();
    return ContextParallelGroups.create(
        place.world().orElseThrow(), ranks, config.parallelism().grid(), replica, place.options());
  }

  /**
   * Trains on the next global batch.
   *
   * @throws FailedException on every rank, if loss or gradients are not finite; the weights are as
   *     before
   */
  public StepResult step() {
    gate.enter();
    try {
      return stepInside();
    } finally {
      gate.leave();
    }
  }

  private StepResult stepInside() {
    clock.start();
    BatchLoss batch = differentiateInside();
    iteration++;
    consumed += config.globalBatchSize();
    clock.enter(StepClock.Part.OPTIMIZER);
    double norm;
    double rate;
    try (NDScope scope = new NDScope()) {
      Map<String, NDArray> gradients = gradients();
      norm = norm(gradients);
      requireFinite(batch.loss, norm);
      rate = update(gradients, norm);
    }
    return new StepResult(
        iteration,
        batch.loss,
        batch.tokens,
        batch.predicted,
        norm,
        rate,
        order.epoch(consumed - 1),
        config.model().linearFlops(batch.tokens, batch.predicted),
        config.model().attentionFlops(batch.pairs),
        clock.stop());
  }

  /** Of the whole global batch: mean loss of predicted tokens, and what there is of everything. */
  record BatchLoss(double loss, long tokens, long predicted, long pairs) {}

  /** Leaves the gradients of the mean loss of the next global batch in the weights. */
  BatchLoss differentiate() {
    gate.enter();
    try {
      return differentiateInside();
    } finally {
      gate.leave();
    }
  }

  private BatchLoss differentiateInside() {
    List<RankRows> batches = new ArrayList<>();
    for (long[] sequences : microBatches()) {
      MicroBatch batch = MicroBatch.read(data, sequences, config.documents());
      batches.add(RankRows.of(batch, config.parallelism(), groups.cpRank()));
    }
    clock.enter(StepClock.Part.REDUCTION);
    boolean first = groups.cpRank() == 0;
    long[] counts =
        sums.count(
            batches.stream().mapToLong(rows -> rows.predicting().length).sum(),
            first ? batches.stream().mapToLong(r -> r.plan().sequence().validLength()).sum() : 0,
            first ? batches.stream().mapToLong(rows -> rows.plan().totalWork()).sum() : 0);
    clock.enter(StepClock.Part.MODEL);
    long predicted = counts[0];
    double loss = 0;
    // Without a token to predict all gradients are 0.
    double scale = predicted == 0 ? 0 : 1.0 / predicted;
    try (NDManager passManager = manager.newSubManager()) {
      for (RankRows rows : batches) {
        gate.outside(() -> attention.begin(rows.plan()));
        loss +=
            new DecoderPass(
                    decoder,
                    attention,
                    config.recompute(),
                    gate,
                    passManager,
                    rows,
                    scale,
                    attentionScale(predicted))
                .run();
        attention.end();
      }
    }
    clock.enter(StepClock.Part.REDUCTION);
    double meanLoss = predicted == 0 ? 0 : sums.sum(loss) / predicted;
    try (NDScope scope = new NDScope()) {
      sums.sum(gradients().values());
    }
    clock.enter(StepClock.Part.MODEL);
    return new BatchLoss(meanLoss, counts[1], predicted, counts[2]);
  }

  /**
   * The mean over so many tokens leaves each a gradient too small for FLOAT16, so that attention is
   * given that of their sum, nearly.
   */
  private double attentionScale(long predicted) {
    return config.parallelism().dataType() == DataType.FLOAT16 && predicted > 0
        ? Long.highestOneBit(predicted)
        : 1;
  }

  /** The gradients of the weights, by name; to be closed. */
  SequencedMap<String, NDArray> gradients() {
    SequencedMap<String, NDArray> gradients = new LinkedHashMap<>();
    decoder.weights().forEach((name, weight) -> gradients.put(name, weight.getGradient()));
    return gradients;
  }

  /** The sequences of this rank's replica in each of its micro batches. */
  private List<long[]> microBatches() {
    int micro = config.microBatchSize();
    int replica = place.rank() / groups.grid().size();
    int count = config.globalBatchSize() / (micro * replicas);
    List<long[]> batches = new ArrayList<>();
    for (int m = 0; m < count; m++) {
      long first = consumed + ((long) m * replicas + replica) * micro;
      batches.add(IntStream.range(0, micro).mapToLong(i -> order.at(first + i)).toArray());
    }
    return batches;
  }

  private static double norm(Map<String, NDArray> gradients) {
    double squares = 0;
    for (NDArray gradient : gradients.values()) {
      double norm = gradient.norm().getFloat();
      squares += norm * norm;
    }
    return Math.sqrt(squares);
  }

  private void requireFinite(double loss, double norm) {
    if (!Double.isFinite(loss) || !Double.isFinite(norm)) {
      throw new FailedException(
          "iteration %d has loss %s and gradient norm %s; lower --lr, or raise --lr-warmup-iters"
              .formatted(iteration, loss, norm));
    }
  }

  private double update(Map<String, NDArray> gradients, double norm) {
    double limit = config.optimizer().clipGradient();
    double factor = limit > 0 && norm > limit ? limit / norm : 1;
    double rate = optimizer.begin(iteration, factor);
    decoder
        .weights()
        .forEach((name, weight) -> optimizer.update(name, weight, gradients.get(name)));
    return rate;
  }

  /** {@return steps done, those before a pause included} */
  public int iteration() {
    return iteration;
  }

  /** {@return most device memory that this rank's device held at once, in bytes} */
  public long deviceMemoryBytes() {
    return place.device().peakAllocatedBytes();
  }

  /** The weights, by name. */
  SequencedMap<String, NDArray> weights() {
    return decoder.weights();
  }

  /**
   * Begins with trained weights instead of random ones; before the first step.
   *
   * @throws BadInputException if they do not fit the model or are damaged
   */
  public void load(PretrainedModel model) {
    model.read(decoder.weights());
  }

  /**
   * Saves weights, optimizer and position in the data, so that {@link #resume} goes on as if there
   * had been no pause. Rank 0 writes, the others wait.
   *
   * @param directory of all checkpoints of this training
   * @return the new checkpoint's directory
   * @throws java.io.UncheckedIOException if it cannot be written
   */
  public Path save(Path directory) {
    Checkpoint checkpoint = checkpoint(directory);
    RuntimeException failure = null;
    if (place.rank() == 0) {
      try {
        checkpoint.write(iteration, consumed);
      } catch (RuntimeException e) {
        failure = e;
      }
    }
    boolean failed = sums.count(failure == null ? 0L : 1L)[0] > 0;
    if (failure != null) {
      throw failure;
    }
    if (failed) {
      throw new IllegalStateException("rank 0 could not write the checkpoint in " + directory);
    }
    return checkpoint.directory(iteration);
  }

  /**
   * Goes on from the last checkpoint of a directory.
   *
   * @param directory where {@link #save} put checkpoints
   * @return steps done before
   * @throws BadInputException if there is none, it is damaged, or of another model, seed or data
   */
  public int resume(Path directory) {
    Checkpoint.Position position = checkpoint(directory).read();
    iteration = position.iteration();
    consumed = position.consumedSequences();
    if (place.rank() == 0 && !position.changes().isEmpty()) {
      LOG.warn("options changed since iteration {}: {}", iteration, position.changes());
    }
    if (sums.count(iteration)[0] != (long) iteration * place.size()) {
      throw new BadInputException(
          "ranks see different checkpoints in %s: rank %d that of iteration %d; use a directory that all share"
              .formatted(directory, place.rank(), iteration));
    }
    return iteration;
  }

  private Checkpoint checkpoint(Path directory) {
    return new Checkpoint(
        directory,
        config,
        "%016x".formatted(data.checksum()),
        decoder.weights(),
        optimizer.state());
  }

  @Override
  public void close() {
    attention.close();
    groups.close();
    sums.close();
    optimizer.close();
    decoder.close();
    manager.close();
    gate.close();
  }
}
