// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.image.BufferedImage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The program on one rank, in this process. */
class LongSequenceFinetuneTest {
  private static final String ALONE =
      "--context-parallel-size=1 --seq-length=512 --num-layers=1 --hidden-size=32"
          + " --ffn-hidden-size=64 --kv-channels=16 --no-progress ";

  @TempDir private static Path shared;
  private static Path packed;

  @TempDir private Path directory;

  private static CommandRun run(String options) {
    return CommandRun.of(new LongSequenceFinetune(), options.split(" "));
  }

  @BeforeAll
  static void pack() {
    packed = shared.resolve("data.packed");
    CommandRun run =
        CommandRun.of(
            new PreprocessData(),
            "--is-instruction-dataset",
            "--prompt-type=qwen",
            "--seq-length=512",
            "--no-progress",
            "--output=" + packed);
    assertEquals(0, run.exitCode(), run::err);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          --context-parallel-siz=2                   | --context-parallel-size?
          --seq-length=513 --context-parallel-size=4 | 513, 512 or 516
          --seq-length=0                             | --seq-length
          --nproc=6                                  | 6 ranks, 4 or 8
          --nproc=0                                  | --nproc
          --nproc=8 --global-batch-size=3            | --global-batch-size 3, 2 or 4
          --micro-batch-size=0                       | --micro-batch-size
          --tensor-model-parallel-size=2             | --tensor-model-parallel-size, --context-parallel-size
          --pipeline-model-parallel-size=2           | --pipeline-model-parallel-size
          --context-parallel-algo=adaptive_cp_algo   | megatron_cp_algo
          --context-parallel-algo=ulysses_cp_algo --context-parallel-size=8 | Ulysses degree 8, hybrid_cp_algo
          --attention-mask-type=diagonal             | causal or general
          --dtype=fp64                               | fp32 or bf16 or fp16
          --model=70b                                | tiny, small, 7b
          --num-attention-heads=5                    | heads 5
          --kv-channels=7                            | even, 7
          --neat-pack --no-reset-attention-mask      | --neat-pack, --no-reset-attention-mask
          --prompt-type=qwem                         | qwen
          --input=nowhere                            | nowhere
          --lr=0                                     | --lr
          --lr-decay-style=zigzag                    | constant or linear or cosine
          --lr-warmup-iters=50                       | 49
          --adam-beta2=1                             | --adam-beta2
          --train-iters=0                            | --train-iters
          --save-interval=5                          | --save DIR
          --load=nowhere                             | nowhere
          --loss-curve=loss.jpg                      | .png
          --metrics=nowhere/metrics                  | nowhere/metrics
          --dry-run --save=checkpoints               | --dry-run, --save
          --pretrained=nowhere                       | nowhere, config.json
          --pretrained=nowhere --num-layers=3        | --num-layers, --pretrained
          --data-path=nowhere                        | nowhere
          --data-path=pom.xml                        | pom.xml
          --data-path=DATA --seq-length=1024         | --seq-length 1024, 512
          --data-path=DATA --prompt-type=llama3      | llama3, qwen
          --data-path=DATA --overlong=drop           | --overlong, --data-path
          --format=xml                               | table or json
          """)
  void refusesBeforeAnythingStarts(String options, String words) {
    run(options.replace("DATA", packed.toString())).assertBadInput(words.split(", "));
  }

  @Test
  void trainsAndRecordsWhatHappened() throws Exception {
    Path metrics = directory.resolve("metrics.jsonl");
    Path curve = directory.resolve("loss.png");
    CommandRun run =
        run(
            ALONE
                + "--train-iters=30 --lr=1e-2 --format=json --data-path=%s --metrics=%s --loss-curve=%s"
                    .formatted(packed, metrics, curve));
    assertEquals(0, run.exitCode(), run::err);
    JsonNode result = new ObjectMapper().readTree(run.out());
    assertEquals("1/1/1", result.get("TP/PP/CP").asText());
    assertTrue(
        result.get("last loss").asDouble() < 0.9 * result.get("first loss").asDouble(), run::out);
    List<String> lines = Files.readAllLines(metrics);
    assertEquals(30, lines.size());
    for (int i = 0; i < 30; i++) {
      JsonNode step = new ObjectMapper().readTree(lines.get(i));
      assertEquals(i + 1, step.get("iteration").asInt());
      for (String name :
          List.of("loss", "gradNorm", "learningRate", "tokensPerSecond", "teraflopsPerRank")) {
        assertTrue(step.get(name).asDouble() > 0, name);
      }
      assertTrue(step.get("trainedTokens").asLong() < step.get("tokens").asLong());
    }
    BufferedImage image = ImageIO.read(curve.toFile());
    assertTrue(image.getWidth() > 500 && image.getHeight() > 300);
  }

  @Test
  void metricsOfAResumedRunGoOnWhereItsCheckpointIs() throws Exception {
    Path metrics = directory.resolve("metrics.jsonl");
    String options =
        ALONE
            + "--lr-decay-style=constant --data-path=%s --metrics=%s --save=%s "
                .formatted(packed, metrics, directory);
    assertEquals(0, run(options + "--train-iters=6 --save-interval=2").exitCode());
    List<String> unbroken = Files.readAllLines(metrics);
    Files.writeString(directory.resolve("latest_checkpointed_iteration.txt"), "4");
    Files.writeString(metrics, "{\"iteration\":7,\"lo", StandardOpenOption.APPEND);
    CommandRun resumed = run(options + "--train-iters=6 --load=" + directory);
    assertEquals(0, resumed.exitCode(), resumed::err);
    List<String> lines = Files.readAllLines(metrics);
    assertEquals(6, lines.size());
    for (int i = 0; i < 6; i++) {
      JsonNode expected = new ObjectMapper().readTree(unbroken.get(i));
      JsonNode actual = new ObjectMapper().readTree(lines.get(i));
      assertEquals(expected.get("iteration"), actual.get("iteration"));
      assertEquals(expected.get("loss").asDouble(), actual.get("loss").asDouble(), 1e-6);
    }
    run(options + "--train-iters=6 --load=" + directory).assertBadInput("6 iterations already");
  }

  @Test
  void aCheckpointIsAModelToBeginWith() throws Exception {
    String options = "--context-parallel-size=1 --no-progress --lr-decay-style=constant --seed=7 ";
    Path metrics = directory.resolve("metrics.jsonl");
    String data = "--data-path=%s --metrics=%s ".formatted(packed, metrics);
    CommandRun first = run(ALONE + data + "--lr=1e-2 --train-iters=12 --save=" + directory);
    assertEquals(0, first.exitCode(), first::err);
    Path model = directory.resolve("iter_0000012");
    assertTrue(Files.exists(model));
    CommandRun again = run(options + data + "--train-iters=1 --pretrained=" + model);
    assertEquals(0, again.exitCode(), again::err);
    double loss = new ObjectMapper().readTree(Files.readString(metrics)).get("loss").asDouble();
    assertTrue(loss < 8.0, "the loss of trained weights: " + loss);

    Files.writeString(
        model.resolve("config.json"),
        Files.readString(model.resolve("config.json")).replace("silu", "gelu"));
    run(options + data + "--pretrained=" + model).assertBadInput("hidden_act gelu", "silu");
  }

  @Test
  void aLossThatIsNoNumberEndsTheRun() {
    CommandRun run = run(ALONE + "--lr=1e30 --clip-grad=0 --train-iters=20");
    assertEquals(1, run.exitCode(), run::err);
    assertEquals(1, run.err().lines().count(), run::err);
    assertTrue(run.err().contains("lower --lr"), run::err);
  }

  @Test
  void conversationsAreDocumentsUnlessAskedOtherwise() {
    // The end of each message is the EOD token.
    String options =
        ALONE + "--dry-run --prompt-type=qwen --is-instruction-dataset --eod-token=<|im_end|> ";
    long samples = documents(run(options).out());
    assertEquals(samples, documents(run(options + "--neat-pack").out()));
    assertTrue(documents(run(options + "--no-neat-pack").out()) >= 3 * samples);
    assertEquals(1, documents(run(options + "--no-reset-attention-mask").out()));
  }

  private static long documents(String dryRun) {
    Matcher matcher = Pattern.compile("first step +(\\d+) documents").matcher(dryRun);
    assertTrue(matcher.find(), dryRun);
    return Long.parseLong(matcher.group(1));
  }

  @Test
  void aDryRunShowsPlanMemoryAndSpeedAndDoesNotTrain() {
    CommandRun run =
        run(
            "--dry-run --seq-length=512 --context-parallel-algo=hybrid_cp_algo"
                + " --global-batch-size=2");
    assertEquals(0, run.exitCode(), run::err);
    for (String word :
        List.of(
            "tiny: 2 layers",
            "CP 4 (hybrid_cp_algo",
            "2 sequences a step",
            "device MiB",
            "tokens/s",
            "prompt-type=default")) {
      assertTrue(run.out().contains(word), run::out);
    }
    List<String> ranks = run.out().lines().filter(line -> line.matches("[0-3] +128 .*")).toList();
    assertEquals(4, ranks.size(), run::out);
    assertFalse(run.out().contains("NaN"), run::out);
  }
}
