// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import io.github.cann4j.acl.Device;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.CommunicatorOptions;
import io.github.cann4j.hccl.RootInfo;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This process's part in a job of several ranks: the communicator of all ranks, and word of a rank
 * that is lost, since a collective operation would wait for it.
 *
 * <p>Rank 0 listens at the master address; the others connect to it, and the connections stay until
 * the end of the job. A rank is lost if its process ends without {@link #close}, says so by {@link
 * #fail}, or is not heard of for a while. Any thread may use a session.
 */
public final class RankSession implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RankSession.class);

  /** How long a rank may be silent before it counts as lost, unless told otherwise. */
  public static final Duration LOST_AFTER = Duration.ofSeconds(30);

  private final RankEnvironment environment;
  private final RankWatch watch;
  private final CompletableFuture<LostRank> loss;
  private final Communicator world;
  private CompletableFuture<Void> action;
  private boolean failed;
  private boolean closed;

  private RankSession(RankEnvironment environment, RankWatch watch, Communicator world) {
    this.environment = environment;
    this.watch = watch;
    this.loss = watch == null ? new CompletableFuture<>() : watch.loss();
    this.world = world;
  }

  /**
   * Meets the other ranks and makes the communicator of all; blocks until all have come.
   *
   * @param device this rank's device
   * @param options the communicator's, the same on all ranks
   * @param timeout how long to wait for the other ranks
   * @return this rank's session, to be closed
   * @throws io.github.cann4j.samples.cli.BadInputException if ranks are missing, come twice or do
   *     not belong to the same job; all ranks that came get the same message
   * @throws LostRankException if a rank was lost meanwhile
   */
  public static RankSession join(
      RankEnvironment environment, Device device, CommunicatorOptions options, Duration timeout) {
    return join(environment, device, options, timeout, LOST_AFTER);
  }

  /**
   * As {@link #join(RankEnvironment, Device, CommunicatorOptions, Duration)}.
   *
   * @param lostAfter how long a rank may be silent before it counts as lost; at least a second
   */
  public static RankSession join(
      RankEnvironment environment,
      Device device,
      CommunicatorOptions options,
      Duration timeout,
      Duration lostAfter) {
    if (lostAfter.toSeconds() < 1) {
      throw new IllegalArgumentException("lostAfter must be at least a second, not " + lostAfter);
    }
    boolean byTable = environment.rankTable().isPresent();
    if (environment.worldSize() == 1) {
      byte[] own = byTable ? new byte[0] : RootInfo.create(device).toBytes();
      return new RankSession(environment, null, create(environment, device, options, own));
    }
    Rendezvous.Met met =
        Rendezvous.meet(
            environment,
            timeout,
            lostAfter,
            () -> byTable ? new byte[0] : RootInfo.create(device).toBytes());
    // HCCL would wait for a lost rank until its own time is over.
    CompletableFuture<Communicator> world = new CompletableFuture<>();
    Thread.ofPlatform()
        .daemon()
        .name("world-communicator")
        .start(
            () -> {
              try {
                world.complete(create(environment, device, options, met.rootInfo()));
              } catch (Throwable e) {
                world.completeExceptionally(e);
              }
            });
    try {
      CompletableFuture.anyOf(world, met.watch().loss()).get();
    } catch (ExecutionException e) {
      Optional<LostRank> cause = met.watch().fail(String.valueOf(e.getCause().getMessage()));
      met.watch().close();
      if (cause.isEmpty() && e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      throw cause
          .<RuntimeException>map(lost -> LostRankException.of(environment, lost))
          .orElseGet(() -> new IllegalStateException(e.getCause()));
    } catch (InterruptedException e) {
      met.watch().close();
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the ranks met", e);
    }
    if (!world.isDone()) {
      met.watch().close();
      throw LostRankException.of(environment, met.watch().loss().join());
    }
    return new RankSession(environment, met.watch(), world.join());
  }

  private static Communicator create(
      RankEnvironment environment, Device device, CommunicatorOptions options, byte[] rootInfo) {
    int rank = environment.rank();
    return environment
        .rankTable()
        .map(table -> Communicator.create(device, table, rank, options))
        .orElseGet(
            () ->
                Communicator.create(
                    device, RootInfo.ofBytes(rootInfo), environment.worldSize(), rank, options));
  }

  /** The communicator of all ranks; closed with the session. */
  public Communicator world() {
    return world;
  }

  /** Which rank this is. */
  public RankEnvironment environment() {
    return environment;
  }

  /**
   * Says what to do when another rank is lost: once in this process, on a thread of its own, at
   * once if it has happened already. Work that waits for the lost rank does not return, so the
   * process had better end; see {@link ProcessEnd}.
   *
   * @throws IllegalStateException on a second call
   */
  public synchronized void onLost(Consumer<LostRank> whatToDo) {
    if (action != null) {
      throw new IllegalStateException("onLost was called before");
    }
    action =
        loss.thenAcceptAsync(
                whatToDo, task -> Thread.ofPlatform().daemon().name("rank-loss").start(task))
            .exceptionally(
                e -> {
                  LOG.error("What was to be done after the loss of a rank failed", e);
                  return null;
                });
  }

  /**
   * Does this rank's work; the other ranks are told of its failure, as by {@link #fail}.
   *
   * @return what the work returned
   * @throws LostRankException if the failure is the consequence of another rank's loss, after what
   *     {@link #onLost} was told to do
   * @throws Exception what the work threw, otherwise
   */
  public <T> T call(Callable<T> work) throws Exception {
    try {
      return work.call();
    } catch (Throwable e) {
      Optional<LostRank> cause = fail(e.getMessage() == null ? e.toString() : e.getMessage());
      if (cause.isEmpty()) {
        throw e;
      }
      CompletableFuture<Void> reaction;
      synchronized (this) {
        reaction = action;
      }
      if (reaction != null) {
        reaction.join();
      }
      LostRankException lost =
          reaction == null
              ? LostRankException.of(environment, cause.get())
              : new LostRankException(cause.get(), true);
      lost.addSuppressed(e);
      throw lost;
    }
  }

  /**
   * Tells the other ranks that this one cannot go on, and why. A failure may be the consequence of
   * a rank's loss that is not known yet, so that this waits a moment for word of it.
   *
   * @param message what went wrong, for the user
   * @return the lost rank whose consequence the failure is, if so; then nothing is told
   */
  public Optional<LostRank> fail(String message) {
    synchronized (this) {
      failed = true;
      if (watch == null || closed) {
        return Optional.empty();
      }
    }
    return watch.fail(message);
  }

  /**
   * Ends this rank's part: destroys the communicator and says good-bye; rank 0 waits until all
   * others have done so. After a loss or {@link #fail} it ends the connections alone, because
   * operations that wait for a lost rank cannot be ended.
   */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    try {
      if (!failed && !loss.isDone()) {
        world.close();
      }
    } finally {
      if (watch != null) {
        watch.close();
      }
    }
  }
}
