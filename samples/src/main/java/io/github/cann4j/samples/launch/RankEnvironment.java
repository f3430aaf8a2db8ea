// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import io.github.cann4j.samples.cli.BadInputException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.zip.CRC32;

/**
 * Which rank of which job this process is, as its launcher says in environment variables.
 *
 * <p>The first of these that is set counts, for rank, local rank and number of ranks:
 *
 * <ol>
 *   <li>{@code RANK_TABLE_FILE}, HCCL's table; the rank is {@code RANK_ID}, or what one of the
 *       following says; the device is {@code DEVICE_ID}, or the table's.
 *   <li>torchrun's {@code RANK}, {@code WORLD_SIZE}, {@code LOCAL_RANK}, {@code LOCAL_WORLD_SIZE}.
 *   <li>Open MPI's {@code OMPI_COMM_WORLD_RANK}, {@code _SIZE}, {@code _LOCAL_RANK}, {@code
 *       _LOCAL_SIZE}, also below Slurm.
 *   <li>Slurm's {@code SLURM_PROCID}, {@code SLURM_LOCALID}, {@code SLURM_STEP_NUM_TASKS} or {@code
 *       SLURM_NTASKS}, in a step of several tasks that srun started ({@code SLURM_STEP_ID}). A
 *       batch script has these variables too, without a step.
 * </ol>
 *
 * <p>{@code MASTER_ADDR} and {@code MASTER_PORT} say where rank 0 listens, for all of them. Without
 * the address it is the loopback address if all ranks are on one host, else what the rank table or
 * {@code SLURM_LAUNCH_NODE_IPADDR} says. Without the port, which torchrun's variables must have, it
 * follows from the job's id. What contradicts itself is refused.
 *
 * @param rank this process, 0 … worldSize − 1
 * @param localRank its number among those of its host
 * @param worldSize the number of processes
 * @param masterAddress host name or address of rank 0
 * @param masterPort the port where rank 0 listens
 * @param source who says so
 * @param rankTable HCCL's rank table; empty if HCCL finds the ranks by root info
 * @param deviceId the device to open
 * @param jobId the same for all ranks of a job and no other job's; empty if nothing says it
 */
public record RankEnvironment(
    int rank,
    int localRank,
    int worldSize,
    String masterAddress,
    int masterPort,
    Source source,
    Optional<Path> rankTable,
    int deviceId,
    String jobId) {
  /** Who set the variables. */
  public enum Source {
    TORCHRUN("torchrun's variables"),
    OPEN_MPI("Open MPI"),
    SLURM("Slurm"),
    RANK_TABLE("RANK_TABLE_FILE");

    private final String text;

    Source(String text) {
      this.text = text;
    }

    @Override
    public String toString() {
      return text;
    }
  }

  static final String LOOPBACK = "127.0.0.1";
  static final String JOB_ID = "CANN4J_JOB_ID";
  // Below the range of ports that connections are given, away from what HCCL uses.
  private static final int FIRST_PORT = 20_000;
  private static final int PORTS = 10_000;

  /** Reads the variables of this process. */
  public static Optional<RankEnvironment> read() {
    return read(System.getenv());
  }

  /**
   * Reads variables.
   *
   * @param variables of a process, by name
   * @return empty if no launcher started it as one of several ranks
   * @throws BadInputException if variables are missing or contradict each other
   */
  public static Optional<RankEnvironment> read(Map<String, String> variables) {
    Variables all = new Variables(variables);
    Optional<LaunchedRank> launched = LaunchedRank.read(all);
    Optional<String> table = all.text("RANK_TABLE_FILE");
    if (table.isPresent()) {
      return Optional.of(ofTable(all, Path.of(table.get()), launched));
    }
    if (launched.isEmpty() && all.number("RANK_SIZE").orElse(1) > 1) {
      throw all.bad(
          "but neither RANK_TABLE_FILE nor another launcher's variables are; set it to HCCL's rank"
              + " table",
          "RANK_ID",
          "RANK_SIZE");
    }
    return launched.map(rank -> of(all, rank));
  }

  private static RankEnvironment of(Variables all, LaunchedRank launched) {
    String jobId = launched.jobId();
    return new RankEnvironment(
        launched.rank(),
        launched.localRank(),
        launched.worldSize(),
        launched.address(),
        launched.source() == Source.TORCHRUN && launched.worldSize() > 1
            ? all.port("MASTER_PORT")
                .orElseThrow(
                    () ->
                        all.bad(
                            "but MASTER_PORT is not; set it to a port that is free on rank 0's"
                                + " host, the same for all ranks",
                            "RANK",
                            "WORLD_SIZE"))
            : port(all, jobId),
        launched.source(),
        Optional.empty(),
        launched.localRank(),
        jobId);
  }

  private static RankEnvironment ofTable(
      Variables all, Path file, Optional<LaunchedRank> launched) {
    RankTable table = RankTable.read(file);
    int size = table.ranks().size();
    Optional<Integer> id = all.number("RANK_ID");
    if (id.isEmpty() && launched.isEmpty() && size > 1) {
      throw all.bad(
          "and lists %d ranks, but RANK_ID is not set; set it to this process's rank_id"
              .formatted(size),
          "RANK_TABLE_FILE");
    }
    int rank = id.or(() -> launched.map(LaunchedRank::rank)).orElse(0);
    if (rank >= size) {
      throw all.bad(
          "but the table's %d ranks are 0 to %d".formatted(size, size - 1),
          "RANK_TABLE_FILE",
          id.isPresent() ? "RANK_ID" : launched.orElseThrow().rankName());
    }
    all.number("RANK_SIZE")
        .filter(ranks -> ranks != size)
        .ifPresent(
            ranks -> {
              throw all.bad(
                  "but the table has %d ranks; correct one of them".formatted(size),
                  "RANK_TABLE_FILE",
                  "RANK_SIZE");
            });
    launched
        .filter(other -> other.rank() != rank || other.worldSize() != size)
        .ifPresent(
            other -> {
              throw all.bad(
                  "but by the table this is rank %d of %d; correct or unset one of them"
                      .formatted(rank, size),
                  "RANK_TABLE_FILE",
                  "RANK_ID",
                  other.rankName(),
                  other.sizeName());
            });
    RankTable.Place place = table.ranks().get(rank);
    String jobId = launched.map(LaunchedRank::jobId).or(() -> all.text(JOB_ID)).orElse("");
    return new RankEnvironment(
        rank,
        table.localRank(rank),
        size,
        all.text("MASTER_ADDR")
            .or(table::address)
            .orElseThrow(
                () ->
                    all.bad(
                        "and has several servers, but neither MASTER_ADDR nor the table's host_ip"
                            + " of rank 0 is set; set MASTER_ADDR to the host of rank 0",
                        "RANK_TABLE_FILE")),
        port(all, jobId),
        Source.RANK_TABLE,
        Optional.of(file),
        all.number("DEVICE_ID").orElseGet(() -> visibleDevice(all, place.deviceId())),
        jobId);
  }

  /** The number under which a process sees a device that is listed by its physical one. */
  private static int visibleDevice(Variables all, int physical) {
    Optional<String> visible = all.text("ASCEND_RT_VISIBLE_DEVICES");
    if (visible.isEmpty()) {
      return physical;
    }
    String[] devices = visible.get().split(",");
    for (int i = 0; i < devices.length; i++) {
      if (devices[i].strip().equals(String.valueOf(physical))) {
        return i;
      }
    }
    throw all.bad(
        "but the table puts this rank on device_id %d, which is not among them".formatted(physical),
        "RANK_TABLE_FILE",
        "ASCEND_RT_VISIBLE_DEVICES");
  }

  /** Two jobs on one host seldom meet on a port that follows from the job's id. */
  private static int port(Variables all, String jobId) {
    CRC32 hash = new CRC32();
    hash.update(jobId.getBytes(StandardCharsets.UTF_8));
    return all.port("MASTER_PORT").orElse(FIRST_PORT + (int) (hash.getValue() % PORTS));
  }
}
