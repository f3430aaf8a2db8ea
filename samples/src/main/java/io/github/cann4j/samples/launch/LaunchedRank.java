// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import io.github.cann4j.samples.launch.RankEnvironment.Source;
import java.util.List;
import java.util.Optional;

/** What the variables of torchrun, Open MPI or Slurm say, in the order of precedence. */
record LaunchedRank(
    Source source,
    int rank,
    int localRank,
    int worldSize,
    String address,
    String jobId,
    String rankName,
    String sizeName) {

  /** Where a launcher writes the same things. */
  private record Names(
      Source source, String rank, String size, String localRank, String localSize) {}

  private static final Names TORCHRUN =
      new Names(Source.TORCHRUN, "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE");
  private static final Names OPEN_MPI =
      new Names(
          Source.OPEN_MPI,
          "OMPI_COMM_WORLD_RANK",
          "OMPI_COMM_WORLD_SIZE",
          "OMPI_COMM_WORLD_LOCAL_RANK",
          "OMPI_COMM_WORLD_LOCAL_SIZE");

  /** The variables that this class and {@link RankEnvironment} read to find the rank. */
  static final List<String> VARIABLES =
      List.of(
          TORCHRUN.rank,
          TORCHRUN.size,
          TORCHRUN.localRank,
          TORCHRUN.localSize,
          OPEN_MPI.rank,
          OPEN_MPI.size,
          OPEN_MPI.localRank,
          OPEN_MPI.localSize,
          "SLURM_STEP_ID",
          "SLURM_PROCID",
          "RANK_TABLE_FILE",
          "RANK_ID",
          "RANK_SIZE",
          "TORCHELASTIC_RUN_ID");

  static Optional<LaunchedRank> read(Variables all) {
    Optional<LaunchedRank> torchrun = read(all, TORCHRUN);
    // Torchrun itself may be what Open MPI started, once for each host.
    if (torchrun.isPresent() && all.has("TORCHELASTIC_RUN_ID")) {
      return torchrun;
    }
    Optional<LaunchedRank> openMpi = read(all, OPEN_MPI);
    if (torchrun.isPresent() && openMpi.isPresent()) {
      LaunchedRank one = torchrun.get();
      LaunchedRank other = openMpi.get();
      if (one.rank != other.rank || one.worldSize != other.worldSize) {
        throw all.bad(
            "which is not the same; unset the variables of the launcher that did not start this"
                + " process",
            one.rankName,
            one.sizeName,
            other.rankName,
            other.sizeName);
      }
    }
    return torchrun.or(() -> openMpi).or(() -> slurm(all));
  }

  private static Optional<LaunchedRank> read(Variables all, Names names) {
    Optional<Integer> rank = all.number(names.rank);
    Optional<Integer> size = all.number(names.size);
    if (rank.isEmpty() && size.isEmpty() && !all.has(names.localRank)) {
      return Optional.empty();
    }
    if (rank.isEmpty() || size.isEmpty()) {
      throw all.bad(
          "but %s is not; set both, or neither".formatted(rank.isEmpty() ? names.rank : names.size),
          names.rank,
          names.size,
          names.localRank);
    }
    requireOrder(all, names.rank, names.size);
    Optional<Integer> localSize = all.number(names.localSize);
    if (localSize.isPresent() && (localSize.get() < 1 || localSize.get() > size.get())) {
      throw all.bad(
          "which cannot be; it must be 1 to %d".formatted(size.get()), names.size, names.localSize);
    }
    Optional<String> given = all.text("MASTER_ADDR");
    boolean oneHost =
        size.get() == 1
            || localSize.equals(size)
            || localSize.isEmpty() && given.filter(LaunchedRank::isLoopback).isPresent();
    String address =
        given.orElseGet(
            () -> {
              if (!oneHost) {
                throw missingAddress(all, names.size, names.localSize);
              }
              return RankEnvironment.LOOPBACK;
            });
    Optional<Integer> localRank = all.number(names.localRank);
    if (localRank.isEmpty() && !oneHost) {
      throw all.bad(
          "but %s is not; set it to the number of this process on its host"
              .formatted(names.localRank),
          names.rank,
          names.size);
    }
    if (localRank.isPresent()) {
      requireOrder(all, names.localRank, localSize.isPresent() ? names.localSize : names.size);
    }
    String ownId = names == TORCHRUN ? "TORCHELASTIC_RUN_ID" : "PMIX_NAMESPACE";
    return Optional.of(
        new LaunchedRank(
            names.source,
            rank.get(),
            localRank.orElse(rank.get()),
            size.get(),
            address,
            all.text(RankEnvironment.JOB_ID).or(() -> all.text(ownId)).orElse(""),
            names.rank,
            names.size));
  }

  private static Optional<LaunchedRank> slurm(Variables all) {
    Optional<Integer> rank = all.number("SLURM_PROCID");
    if (rank.isEmpty()) {
      return Optional.empty();
    }
    if (!all.has("SLURM_STEP_ID")) {
      if (rank.get() > 0) {
        throw all.bad("but SLURM_STEP_ID is not set; start the ranks with srun", "SLURM_PROCID");
      }
      return Optional.empty();
    }
    String sizeName = all.has("SLURM_STEP_NUM_TASKS") ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS";
    int size =
        all.number(sizeName)
            .orElseThrow(
                () ->
                    all.bad(
                        "but SLURM_NTASKS is not set; give srun the number of ranks with --ntasks",
                        "SLURM_PROCID",
                        "SLURM_STEP_ID"));
    if (size == 1) {
      return Optional.empty();
    }
    requireOrder(all, "SLURM_PROCID", sizeName);
    int localRank =
        all.number("SLURM_LOCALID")
            .orElseThrow(
                () ->
                    all.bad(
                        "but SLURM_LOCALID is not set; start the ranks with srun",
                        "SLURM_PROCID",
                        "SLURM_STEP_ID"));
    String nodesName = all.has("SLURM_STEP_NUM_NODES") ? "SLURM_STEP_NUM_NODES" : "SLURM_NNODES";
    String address =
        all.text("MASTER_ADDR")
            .or(() -> all.number(nodesName).filter(n -> n == 1).map(n -> RankEnvironment.LOOPBACK))
            .or(() -> all.text("SLURM_LAUNCH_NODE_IPADDR"))
            .orElseThrow(() -> missingAddress(all, sizeName, nodesName));
    return Optional.of(
        new LaunchedRank(
            Source.SLURM,
            rank.get(),
            localRank,
            size,
            address,
            all.text(RankEnvironment.JOB_ID)
                .or(
                    () ->
                        all.text("SLURM_JOB_ID")
                            .map(id -> id + "." + all.text("SLURM_STEP_ID").orElseThrow()))
                .orElse(""),
            "SLURM_PROCID",
            sizeName));
  }

  private static RuntimeException missingAddress(Variables all, String size, String local) {
    return all.bad(
        "but MASTER_ADDR is not set; set it to the host of rank 0"
            + (all.has(local) ? "" : ", or " + local + " if all ranks are on this one"),
        size,
        local);
  }

  private static void requireOrder(Variables all, String number, String count) {
    int size = all.number(count).orElseThrow();
    if (all.number(number).orElseThrow() >= size) {
      throw all.bad(
          size == 0
              ? "but there must be at least one process"
              : "but %s must be 0 to %d".formatted(number, size - 1),
          number,
          count);
    }
  }

  static boolean isLoopback(String address) {
    return address.equals("localhost") || address.startsWith("127.") || address.equals("::1");
  }
}
