// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LongSequenceTest {
  private static final String SMALL =
      "--seq-length=960 --num-attention-heads=8 --num-query-groups=4 --kv-channels=32"
          + " --no-progress";

  @TempDir private Path directory;

  private static CommandRun run(String options) {
    return CommandRun.of(new LongSequence(), options.split(" "));
  }

  @Test
  void printsOneCheckedLinePerAlgorithm() {
    CommandRun run = run(SMALL);
    assertEquals(0, run.exitCode(), run::err);
    assertEquals("", run.err());
    for (String name :
        List.of("one device", "megatron_cp_algo", "ulysses_cp_algo", "hybrid_cp_algo")) {
      List<String> lines = run.out().lines().filter(line -> line.startsWith(name)).toList();
      assertEquals(1, lines.size(), run::out);
      assertTrue(lines.getFirst().endsWith("PASS"), run::out);
    }
    assertFalse(run.out().contains("NaN"), run::out);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--dtype=bf16",
        "--layout=bsnd",
        "--exchange-pattern=ring",
        "--sharding=contiguous",
        "--dtype=fp16",
        "--attention-mask-type=general",
        "--attention-mask-type=general --exchange-pattern=ring --sharding=contiguous --dtype=bf16",
        "--no-reset-attention-mask",
        "--no-reset-position-ids",
        "--no-reset-attention-mask --reset-position-ids --layout=bsnd --dtype=bf16",
        "--iterations=2 --warmup=1",
        "--context-parallel-size=1",
        "--context-parallel-size=2",
        "--context-parallel-size=3 --context-parallel-algo=megatron_cp_algo",
        "--context-parallel-size=8 --ulysses-degree-in-cp=4 --context-parallel-algo=hybrid_cp_algo",
        "--context-parallel-size=5 --context-parallel-algo megatron_cp_algo"
            + " --exchange-pattern=ring",
        "--kv-channels=40 --num-query-groups=8",
        "--context-parallel-size=8 --num-query-groups=2",
        "--context-parallel-size=3 --num-attention-heads=10 --num-query-groups=5",
        "--eod-id=13"
      })
  void passesWith(String options) throws Exception {
    JsonNode root = json(SMALL + " " + options);
    for (JsonNode run : root.get("runs")) {
      assertTrue(run.get("passed").asBoolean(), run::toString);
      assertTrue(run.get("forwardMillis").asDouble() > 0, run::toString);
      assertTrue(run.get("backwardMillis").asDouble() > 0, run::toString);
    }
  }

  private static JsonNode json(String options) throws Exception {
    CommandRun run = run(options + " --format=json");
    assertEquals(0, run.exitCode(), run::err);
    return new ObjectMapper().readTree(run.out());
  }

  @Test
  void jsonHasWhatTheTableHas() throws Exception {
    JsonNode root = json(SMALL);
    assertEquals(960, root.at("/sequence/length").asInt());
    assertTrue(root.at("/sequence/documents").asInt() > 1);
    assertTrue(root.at("/referenceRows").asInt() > 10);
    assertEquals(5, root.get("runs").size());
    JsonNode oneDevice = root.get("runs").get(0);
    assertEquals(0, oneDevice.get("sentBytesPerRank").asLong());
    // q, k, v, out, dOut, dq, dk, dv in fp32.
    long tensors = 960L * 32 * 4 * (4 * 8 + 4 * 4);
    assertTrue(oneDevice.get("peakBytesPerRank").asLong() >= tensors, oneDevice::toString);
    JsonNode ulysses = root.get("runs").get(2);
    // Three quarters of q, k, v, out and dOut, dq, dk, dv go to others.
    assertEquals(tensors / 4 * 3 / 4, ulysses.get("sentBytesPerRank").asLong());
  }

  @Test
  void attentionOverTheWholeSequenceHasMorePairs() throws Exception {
    String one = SMALL + " --context-parallel-algo=megatron_cp_algo --no-verify";
    double documents = json(one).at("/attention/forwardFlops").asDouble();
    JsonNode root = json(one + " --no-reset-attention-mask");
    double whole = root.at("/attention/forwardFlops").asDouble();
    double rows = root.at("/sequence/validLength").asDouble();
    assertEquals(rows * (rows + 1) / 2 * 4 * 32 * 8, whole);
    assertTrue(documents < whole / 2, () -> documents + " of " + whole);
  }

  @Test
  void withoutVerifyOnlyTimes() {
    CommandRun run = run(SMALL + " --no-verify --context-parallel-algo=ulysses_cp_algo");
    assertEquals(0, run.exitCode(), run::err);
    assertFalse(run.out().contains("PASS"));
    assertFalse(run.out().contains("one device  "));
    assertTrue(run.out().contains("ulysses_cp_algo"));
  }

  @Test
  void showsProgressOnStandardError() {
    CommandRun run =
        run("--seq-length=64 --kv-channels=16 --context-parallel-algo=megatron_cp_algo");
    assertEquals(0, run.exitCode(), run::err);
    assertTrue(run.err().contains("megatron_cp_algo: forward and backward"), run::err);
  }

  @Test
  void readsTextAndJsonLinesAndRepeatsThem() throws Exception {
    Path text = Files.writeString(directory.resolve("a.txt"), "One short text.");
    Path lines =
        Files.writeString(
            directory.resolve("b.jsonl"), "{\"body\":\"Another text, also short.\"}\n");
    JsonNode root =
        json(
            "--seq-length=256 --kv-channels=16 --text-field=body --no-progress --data="
                + text
                + ","
                + lines);
    assertTrue(root.at("/sequence/documents").asInt() > 40, root::toString);
    assertTrue(root.at("/sequence/longestDocument").asInt() < 10, root::toString);
  }

  @Test
  void paddingIsReportedAndChecked() throws Exception {
    // Documents of 5 tokens do not fill 64 rows.
    Path file = Files.writeString(directory.resolve("a.txt"), "one two three four");
    JsonNode root = json("--seq-length=64 --kv-channels=16 --no-progress --data=" + file);
    assertEquals(60, root.at("/sequence/validLength").asInt());
    assertEquals(12, root.at("/sequence/documents").asInt());
  }

  @Test
  void lengthMustBeDivisible() {
    run(SMALL + " --seq-length=1000 --context-parallel-size=3")
        .assertBadInput("1000", "3", "999 or 1002");
  }

  @Test
  void headsMustBeSplittable() {
    run(SMALL + " --context-parallel-size=8 --num-attention-heads=6 --num-query-groups=3")
        .assertBadInput("Ulysses degree 8", "heads=6", "hybrid_cp_algo with degree 4");
    run(SMALL + " --num-query-groups=3").assertBadInput("heads=8", "kvHeads=3");
  }

  @Test
  void unknownNamesAreRefused() {
    run("--context-parallel-algo=magic").assertBadInput("magic", "megatron_cp_algo");
    run("--context-parallel-algo=adaptive_cp_algo")
        .assertBadInput("adaptive_cp_algo", "not supported", "megatron_cp_algo");
    run("--context-parallel-algo=hybrid_adaptive_cp_algo")
        .assertBadInput("hybrid_adaptive_cp_algo", "hybrid_cp_algo");
    run("--attention-mask-type=diagonal").assertBadInput("diagonal", "causal or general");
    run("--dtype=fp64").assertBadInput("fp64", "fp32 or bf16 or fp16");
    run("--layout=bnsd").assertBadInput("bnsd", "tnd or bsnd");
    run("--sharding=random").assertBadInput("random", "zigzag or contiguous");
    run("--exchange-pattern=star").assertBadInput("star", "direct or ring");
    run("--format=xml").assertBadInput("xml", "table or json");
    run("--context-parallel-siz=4")
        .assertBadInput("--context-parallel-siz=4", "did you mean", "--context-parallel-size?");
    run("--zzz").assertBadInput("--zzz", "--help");
    run("--seq-length=many").assertBadInput("--seq-length", "many");
  }

  @Test
  void numbersMustBeInRange() {
    run("--seq-length=0").assertBadInput("--seq-length", "0");
    run("--context-parallel-size=-1").assertBadInput("--context-parallel-size", "-1");
    run("--iterations=0").assertBadInput("--iterations", "0");
    run("--warmup=-1").assertBadInput("--warmup", "-1");
    run("--kv-channels=0").assertBadInput("D=0");
    run("--ulysses-degree-in-cp=3").assertBadInput("ulysses-degree-in-cp 3", "4");
    run("--eod-id=100277").assertBadInput("--eod-id 100277", "100276");
    run("--eod-id=-1").assertBadInput("--eod-id -1");
  }

  @Test
  void moreRanksThanDevicesAreRefused() {
    run(SMALL
            + " --seq-length=1024 --context-parallel-size=64"
            + " --context-parallel-algo=megatron_cp_algo")
        .assertBadInput("--context-parallel-size 64", "CANN4J_CPU_DEVICES=64");
  }

  @Test
  void badDataIsRefused() throws Exception {
    run("--data=" + directory.resolve("missing")).assertBadInput("missing", "does not exist");
    run("--data=" + directory).assertBadInput("no files");
    Path blank = Files.writeString(directory.resolve("blank.txt"), "  \n ");
    run("--data=" + blank).assertBadInput("empty");
    Path binary = Files.write(directory.resolve("binary.txt"), new byte[] {(byte) 0xff, 1});
    run("--data=" + binary).assertBadInput("binary.txt", "UTF-8");
    Path lines = Files.writeString(directory.resolve("a.jsonl"), "{\"text\":\"x\"}\n{\"txt\":1}\n");
    run("--data=" + lines).assertBadInput("a.jsonl:2", "'text'", "txt");
  }

  @Test
  void versionIsOneLine() {
    CommandRun run = run("--version");
    assertEquals(0, run.exitCode());
    assertTrue(run.out().startsWith("cann4j "), run::out);
  }
}
