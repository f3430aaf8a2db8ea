// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.samples.cli.BadInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RankEnvironmentTest {
  private static final String TWO_SERVERS =
      """
      {"status": "completed", "version": "1.0", "server_count": "2", "server_list": [
        {"server_id": "10.0.0.1", "device": [
          {"device_id": "4", "device_ip": "192.168.0.1", "rank_id": "0"},
          {"device_id": "5", "device_ip": "192.168.0.2", "rank_id": "1"}]},
        {"server_id": "10.0.0.2", "device": [
          {"device_id": "4", "device_ip": "192.168.1.1", "rank_id": "2"},
          {"device_id": "5", "device_ip": "192.168.1.2", "rank_id": "3"}]}]}
      """;

  @TempDir private Path directory;

  /** Variables as in a shell: {@code NAME=value NAME=value}. */
  private static Map<String, String> variables(String text) {
    Map<String, String> variables = new HashMap<>();
    for (String assignment : text.strip().split("\\s+")) {
      String[] parts = assignment.split("=", 2);
      if (parts.length == 2) {
        variables.put(parts[0], parts[1]);
      }
    }
    return variables;
  }

  @ParameterizedTest
  @CsvSource({
    "RANK=3 LOCAL_RANK=1 WORLD_SIZE=4 LOCAL_WORLD_SIZE=2 MASTER_ADDR=h MASTER_PORT=1, "
        + "TORCHRUN 3 1 4 h:1",
    "RANK=3 WORLD_SIZE=4 LOCAL_WORLD_SIZE=4 MASTER_PORT=29500, TORCHRUN 3 3 4 127.0.0.1:29500",
    "RANK=1 WORLD_SIZE=2 MASTER_ADDR=localhost MASTER_PORT=9, TORCHRUN 1 1 2 localhost:9",
    "RANK=0 WORLD_SIZE=1 MASTER_PORT=9, TORCHRUN 0 0 1 127.0.0.1:9",
    "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=1"
        + " OMPI_COMM_WORLD_LOCAL_SIZE=2 MASTER_PORT=5, OPEN_MPI 1 1 2 127.0.0.1:5",
    "OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_RANK=1"
        + " OMPI_COMM_WORLD_LOCAL_SIZE=2 MASTER_ADDR=n0 MASTER_PORT=5"
        + " SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_NTASKS=2 SLURM_LOCALID=0, OPEN_MPI 3 1 4 n0:5",
    "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=0"
        + " RANK=9 WORLD_SIZE=16 LOCAL_RANK=1 TORCHELASTIC_RUN_ID=j MASTER_ADDR=n MASTER_PORT=7, "
        + "TORCHRUN 9 1 16 n:7",
    "SLURM_STEP_ID=0 SLURM_PROCID=5 SLURM_LOCALID=1 SLURM_NTASKS=8 SLURM_NNODES=2"
        + " SLURM_LAUNCH_NODE_IPADDR=10.0.0.7 MASTER_PORT=6, SLURM 5 1 8 10.0.0.7:6",
    "SLURM_STEP_ID=0 SLURM_PROCID=5 SLURM_LOCALID=1 SLURM_NTASKS=8 SLURM_STEP_NUM_TASKS=6"
        + " SLURM_LAUNCH_NODE_IPADDR=10.0.0.7 MASTER_ADDR=n0 MASTER_PORT=6, SLURM 5 1 6 n0:6",
    "SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_LOCALID=1 SLURM_NTASKS=2 SLURM_STEP_NUM_NODES=1"
        + " SLURM_LAUNCH_NODE_IPADDR=10.0.0.7 MASTER_PORT=6, SLURM 1 1 2 127.0.0.1:6",
    "RANK=1 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=9 SLURM_STEP_ID=0 SLURM_PROCID=0"
        + " SLURM_NTASKS=8, TORCHRUN 1 1 2 127.0.0.1:9",
  })
  void launchersAreUnderstood(String variables, String expected) {
    RankEnvironment read = RankEnvironment.read(variables(variables)).orElseThrow();
    assertEquals(expected, text(read));
    assertEquals(read.localRank(), read.deviceId());
    assertEquals(Optional.empty(), read.rankTable());
  }

  private static String text(RankEnvironment read) {
    return "%s %d %d %d %s:%d"
        .formatted(
            read.source().name(),
            read.rank(),
            read.localRank(),
            read.worldSize(),
            read.masterAddress(),
            read.masterPort());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "PATH=/bin MASTER_ADDR=here MASTER_PORT=1",
        "RANK= WORLD_SIZE=",
        // A batch script without srun, and an interactive step of one process.
        "SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=8 SLURM_NNODES=2",
        "SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_STEP_NUM_TASKS=1 SLURM_NTASKS=8",
        "RANK_ID=0 RANK_SIZE=1 DEVICE_ID=3",
      })
  void oneProcessIsNoJob(String variables) {
    assertEquals(Optional.empty(), RankEnvironment.read(variables(variables)));
  }

  @ParameterizedTest
  @CsvSource({
    "RANK=1, RANK is 1|WORLD_SIZE is not",
    "WORLD_SIZE=2, WORLD_SIZE is 2|RANK is not",
    "LOCAL_RANK=0, LOCAL_RANK is 0|RANK is not",
    "RANK=4 WORLD_SIZE=4 MASTER_PORT=1 MASTER_ADDR=h LOCAL_RANK=0,"
        + " RANK is 4 and WORLD_SIZE is 4|0 to 3",
    "RANK=0 WORLD_SIZE=0, WORLD_SIZE is 0|at least one",
    "RANK=-1 WORLD_SIZE=4, RANK is '-1'",
    "RANK=one WORLD_SIZE=4, RANK is 'one'|whole number",
    "RANK=0 WORLD_SIZE=2 LOCAL_WORLD_SIZE=2, MASTER_PORT is not",
    "RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 MASTER_PORT=1, WORLD_SIZE is 2|MASTER_ADDR is not"
        + "|LOCAL_WORLD_SIZE",
    "RANK=0 WORLD_SIZE=2 MASTER_ADDR=h MASTER_PORT=1, LOCAL_RANK is not",
    "RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 MASTER_ADDR=h MASTER_PORT=0, MASTER_PORT is 0|1 to 65535",
    "RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 MASTER_ADDR=h MASTER_PORT=70000, MASTER_PORT is 70000",
    "RANK=0 WORLD_SIZE=2 LOCAL_RANK=2 LOCAL_WORLD_SIZE=2 MASTER_PORT=1, LOCAL_RANK is 2",
    "RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 LOCAL_WORLD_SIZE=3 MASTER_PORT=1, LOCAL_WORLD_SIZE is 3",
    "OMPI_COMM_WORLD_RANK=1, OMPI_COMM_WORLD_RANK is 1|OMPI_COMM_WORLD_SIZE is not",
    "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_RANK=1"
        + " OMPI_COMM_WORLD_LOCAL_SIZE=2, OMPI_COMM_WORLD_SIZE is 4|MASTER_ADDR is not",
    "RANK=1 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=9 OMPI_COMM_WORLD_RANK=0"
        + " OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_SIZE=2,"
        + " RANK is 1|OMPI_COMM_WORLD_RANK is 0|not the same",
    "SLURM_PROCID=1 SLURM_NTASKS=2, SLURM_PROCID is 1|SLURM_STEP_ID|srun",
    "SLURM_PROCID=0 SLURM_STEP_ID=1 SLURM_LOCALID=0, SLURM_NTASKS is not",
    "SLURM_PROCID=0 SLURM_STEP_ID=1 SLURM_NTASKS=2, SLURM_LOCALID is not",
    "SLURM_PROCID=2 SLURM_STEP_ID=1 SLURM_NTASKS=2 SLURM_LOCALID=0, SLURM_PROCID is 2|0 to 1",
    "SLURM_PROCID=0 SLURM_STEP_ID=1 SLURM_NTASKS=2 SLURM_LOCALID=0 SLURM_NNODES=2,"
        + " SLURM_NNODES is 2|MASTER_ADDR is not",
    "RANK_ID=1 RANK_SIZE=2, RANK_ID is 1 and RANK_SIZE is 2|RANK_TABLE_FILE",
  })
  void contradictionsAreRefused(String variables, String words) {
    assertRefused(variables, words);
  }

  private static void assertRefused(String variables, String words) {
    String message =
        assertThrows(BadInputException.class, () -> RankEnvironment.read(variables(variables)))
            .getMessage();
    for (String word : words.split("\\|")) {
      assertTrue(message.contains(word.strip()), () -> "'" + word + "' is not in: " + message);
    }
  }

  @Test
  void aJobsPortFollowsFromItsId() {
    String start =
        "SLURM_STEP_ID=0 SLURM_LOCALID=0 SLURM_NTASKS=2 SLURM_NNODES=1 SLURM_PROCID=%d"
            + " SLURM_JOB_ID=%d";
    RankEnvironment first = RankEnvironment.read(variables(start.formatted(0, 1))).orElseThrow();
    RankEnvironment second = RankEnvironment.read(variables(start.formatted(1, 1))).orElseThrow();
    RankEnvironment other = RankEnvironment.read(variables(start.formatted(0, 2))).orElseThrow();
    assertEquals("1.0", first.jobId());
    assertEquals(first.masterPort(), second.masterPort());
    assertTrue(first.masterPort() != other.masterPort());
  }

  @ParameterizedTest
  @CsvSource({
    "RANK_ID=2, RANK_TABLE 2 0 4 10.0.0.1:5, 4",
    "RANK_ID=3 RANK_SIZE=4 DEVICE_ID=1 MASTER_ADDR=n0, RANK_TABLE 3 1 4 n0:5, 1",
    "RANK_ID=1 ASCEND_RT_VISIBLE_DEVICES=4;5, RANK_TABLE 1 1 4 10.0.0.1:5, 1",
    "OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_RANK=1 MASTER_ADDR=n0,"
        + " RANK_TABLE 3 1 4 n0:5, 5",
  })
  void aRankTableIsUnderstood(String variables, String expected, int device) throws Exception {
    Path table = Files.writeString(directory.resolve("table"), TWO_SERVERS);
    RankEnvironment read =
        RankEnvironment.read(
                variables(variables.replace(';', ',') + " MASTER_PORT=5 RANK_TABLE_FILE=" + table))
            .orElseThrow();
    assertEquals(expected, text(read));
    assertEquals(Optional.of(table), read.rankTable());
    assertEquals(device, read.deviceId());
  }

  @ParameterizedTest
  @CsvSource({
    "'', 4 ranks|RANK_ID is not set",
    "RANK_ID=4, RANK_ID is 4|0 to 3",
    "RANK_ID=1 RANK_SIZE=8, RANK_SIZE is 8|4 ranks",
    "RANK_ID=1 ASCEND_RT_VISIBLE_DEVICES=0, device_id 5",
    "RANK_ID=1 RANK=2 WORLD_SIZE=4 MASTER_ADDR=127.0.0.1 MASTER_PORT=1,"
        + " RANK_ID is 1 and RANK is 2|rank 1 of 4",
    "RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=1, WORLD_SIZE is 2|of 4",
  })
  void aRankTableThatDoesNotFitIsRefused(String variables, String words) throws Exception {
    Path table = Files.writeString(directory.resolve("table"), TWO_SERVERS);
    assertRefused("RANK_TABLE_FILE=" + table + " " + variables, words);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'{'|is not JSON",
        "'{}'|has none",
        "'{\"server_list\":[{\"server_id\":\"a\",\"device\":[{\"device_id\":\"0\","
            + "\"rank_id\":\"1\"}]}]}'|[1]",
        "'{\"server_list\":[{\"server_id\":\"a\",\"device\":[{\"device_id\":\"x\","
            + "\"rank_id\":\"0\"}]}]}'|device_id 'x'",
      })
  void aDamagedRankTableIsRefused(String text, String words) throws Exception {
    Path table = Files.writeString(directory.resolve("table"), text);
    assertRefused("RANK_ID=0 RANK_TABLE_FILE=" + table, table + "|" + words);
  }

  @Test
  void aMissingRankTableIsRefused() {
    Path table = directory.resolve("missing");
    assertRefused("RANK_ID=0 RANK_TABLE_FILE=" + table, table + "|cannot be read");
  }
}
