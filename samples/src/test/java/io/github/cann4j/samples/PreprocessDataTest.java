// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cann4j.instruction.ChatTemplates;
import io.github.cann4j.instruction.Conversation;
import io.github.cann4j.instruction.ConversationReader;
import io.github.cann4j.instruction.EncodedSample;
import io.github.cann4j.instruction.InstructionEncoder;
import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.samples.text.JsonTokenizer;
import java.io.InputStream;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class PreprocessDataTest {
  private static final JsonTokenizer TOKENIZER = JsonTokenizer.shipped(null);
  private static final String CONVERSATIONS =
      """
      {"conversations": [{"from": "human", "value": "Name a colour."}, {"from": "gpt", \
      "value": "Blue."}, {"from": "human", "value": "Another."}, {"from": "gpt", "value": "Red."}]}
      {"conversations": [{"from": "human", "value": "Count to three, slowly."}, {"from": "gpt", \
      "value": "One, and two, and then three."}]}
      {"conversations": [{"from": "human", "value": "Say hello."}, {"from": "gpt", "value": "Hello."}]}
      """;

  @TempDir private Path directory;

  private CommandRun run(String options) {
    List<String> arguments = new ArrayList<>(List.of("--no-progress"));
    arguments.addAll(Arrays.asList(options.split(" ")));
    return CommandRun.of(new PreprocessData(), arguments.toArray(String[]::new));
  }

  private JsonNode prepare(Path output, String options) throws Exception {
    CommandRun run = run("--format=json --output=" + output + " " + options);
    assertEquals(0, run.exitCode(), run::err);
    assertEquals("", run.err());
    return new ObjectMapper().readTree(run.out());
  }

  private Path file(String name, String content) throws Exception {
    return Files.writeString(directory.resolve(name), content);
  }

  private Path output() {
    return directory.resolve("out.packed");
  }

  private static List<EncodedSample> encoded(ConversationReader opened, String template)
      throws Exception {
    InstructionEncoder encoder =
        new InstructionEncoder(ChatTemplates.shipped().get(template), TOKENIZER);
    List<EncodedSample> samples = new ArrayList<>();
    try (ConversationReader reader = opened) {
      for (Optional<Conversation> next = reader.next(); next.isPresent(); next = reader.next()) {
        samples.add(encoder.encode(next.get()));
      }
    }
    return samples;
  }

  private static List<EncodedSample> packed(Path file) {
    List<EncodedSample> samples = new ArrayList<>();
    try (PackedDataset data = PackedDataset.open(file)) {
      for (long i = 0; i < data.sequences(); i++) {
        int[] tokens = data.tokens(i).toArray(ValueLayout.JAVA_INT);
        byte[] targets = data.targets(i).toArray(ValueLayout.JAVA_BYTE);
        PackedSequence sequence = data.samples(i);
        for (int s = 0; s < sequence.documentCount(); s++) {
          int begin = (int) sequence.documentBegin(s);
          boolean[] targeted = new boolean[(int) sequence.documentLength(s)];
          for (int row = 0; row < targeted.length; row++) {
            targeted[row] = targets[begin + row] == 1;
          }
          samples.add(
              new EncodedSample(
                  Arrays.copyOfRange(tokens, begin, begin + targeted.length), targeted));
        }
      }
    }
    return samples;
  }

  private static void assertSame(List<EncodedSample> expected, List<EncodedSample> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i).tokens(), actual.get(i).tokens());
      assertArrayEquals(expected.get(i).targets(), actual.get(i).targets());
    }
  }

  private static List<EncodedSample> sorted(List<EncodedSample> samples) {
    return samples.stream()
        .sorted(Comparator.comparing(EncodedSample::tokens, Arrays::compare))
        .toList();
  }

  static List<String> templates() {
    return ChatTemplates.shipped().names();
  }

  @ParameterizedTest
  @MethodSource("templates")
  void samplesAreWhatTheTemplateMakesOfThem(String template) throws Exception {
    Path input = file("a.jsonl", CONVERSATIONS);
    String options = "--is-instruction-dataset --prompt-type=" + template + " --input=" + input;
    List<EncodedSample> expected = encoded(ConversationReader.open(input), template);
    JsonNode root = prepare(output(), options + " --seq-length=256");
    assertSame(expected, packed(output()));
    assertEquals(3, root.get("samples").asInt());
    assertEquals(template, root.get("promptType").asText());
    assertEquals(
        expected.stream().mapToInt(EncodedSample::targetCount).sum(),
        root.get("targetTokens").asInt());
    // Each alone, in one order or another.
    int longest = expected.stream().mapToInt(EncodedSample::length).max().orElseThrow();
    prepare(
        output(),
        options + " --pack-strategy=first-fit-decreasing --shuffle-seed=3 --seq-length=" + longest);
    assertSame(sorted(expected), sorted(packed(output())));
  }

  @Test
  void targetsAreTheResponses() throws Exception {
    Path input = file("a.jsonl", CONVERSATIONS);
    prepare(
        output(),
        "--is-instruction-dataset --prompt-type=chatml --seq-length=256 --input=" + input);
    EncodedSample first = packed(output()).getFirst();
    StringBuilder learnt = new StringBuilder();
    for (int i = 0; i < first.length(); i++) {
      if (first.targets()[i]) {
        learnt.append(TOKENIZER.decode(first.tokens()[i]));
      }
    }
    assertTrue(learnt.indexOf("Blue.<|im_end|>") >= 0, learnt::toString);
    assertTrue(learnt.indexOf("Red.<|im_end|>") >= 0, learnt::toString);
    assertTrue(learnt.indexOf("colour") < 0, learnt::toString);
    assertTrue(TOKENIZER.decode(first.tokens()).contains("<|im_start|>user\nName a colour."));
  }

  @Test
  void preparesTheDataThatComeWithTheProject() throws Exception {
    JsonNode root = prepare(output(), "--seq-length=2048 --pack-strategy=first-fit-decreasing");
    assertTrue(root.get("samples").asInt() >= 200, root::toString);
    assertEquals(0, root.get("cutSamples").asInt(), root::toString);
    assertTrue(root.get("fillRate").asDouble() > 0.9, root::toString);
    assertTrue(
        root.get("fillRate").asDouble() >= root.get("inOrderFillRate").asDouble(), root::toString);
    try (PackedDataset data = PackedDataset.open(output())) {
      assertEquals(root.get("sequences").asInt(), data.sequences());
      assertEquals(2048, data.sequenceLength());
      assertEquals(4096, data.vocabSize());
      assertEquals("instructions", data.properties().get("dataset"));
      assertEquals("instructions.jsonl, conversations.jsonl", data.properties().get("sources"));
      assertEquals("cann4j", data.properties().get("tokenizer"));
      assertEquals("default", data.properties().get("prompt-type"));
      assertEquals("first-fit-decreasing", data.properties().get("pack-strategy"));
    }
    List<EncodedSample> expected = new ArrayList<>();
    for (String name : List.of("instructions.jsonl", "conversations.jsonl")) {
      InputStream in = PreprocessData.class.getResourceAsStream("data/" + name);
      expected.addAll(encoded(ConversationReader.open(name, in), "default"));
    }
    assertSame(sorted(expected), sorted(packed(output())));
  }

  @Test
  void theSameDataGiveTheSameFile() throws Exception {
    Path input = file("a.jsonl", CONVERSATIONS);
    String options = "--is-instruction-dataset --shuffle-seed=1 --seq-length=256 --input=" + input;
    Path other = directory.resolve("other.packed");
    prepare(output(), options);
    prepare(other, options);
    assertArrayEquals(Files.readAllBytes(output()), Files.readAllBytes(other));
  }

  @ParameterizedTest
  @ValueSource(strings = {"cann4j", "cl100k_base", "r50k_base"})
  void documentsAreSplitAndEndWithEod(String tokenizer) throws Exception {
    file("a.jsonl", "{\"body\": \"One text.\"}\n{\"body\": \"%s\"}\n".formatted("x y ".repeat(99)));
    Path input = directory.resolve("a.jsonl");
    JsonNode root =
        prepare(
            output(),
            "--text-field=body --seq-length=64 --tokenizer-name-or-path="
                + tokenizer
                + " --input="
                + input);
    assertEquals(2, root.get("samples").asInt());
    assertEquals(1, root.get("splitSamples").asInt());
    assertEquals(root.get("tokens").asInt(), root.get("targetTokens").asInt());
    try (PackedDataset data = PackedDataset.open(output())) {
      assertEquals("documents", data.properties().get("dataset"));
      assertEquals(tokenizer, data.properties().get("tokenizer"));
      for (long i = 0; i < data.sequences(); i++) {
        assertEquals(data.documents(i), data.samples(i));
      }
    }
  }

  @Test
  void readsATokenizerFile() throws Exception {
    try (InputStream in = JsonTokenizer.class.getResourceAsStream("tokenizer.json")) {
      Files.copy(in, directory.resolve("tokenizer.json"));
    }
    Path input = file("a.txt", "Some text.");
    prepare(
        output(),
        "--seq-length=32 --eod-token=</s> --tokenizer-name-or-path="
            + directory
            + " --input="
            + input);
    try (PackedDataset data = PackedDataset.open(output())) {
      assertEquals(TOKENIZER.specialToken("</s>").orElseThrow(), data.eodId());
    }
    run("--seq-length=32 --tokenizer-name-or-path=" + directory + " --output=" + output())
        .assertBadInput("eos_token", "--eod-token");
  }

  @Test
  void longSamplesAreCutOrDroppedAndCounted() throws Exception {
    Path input = file("a.jsonl", CONVERSATIONS);
    int length =
        encoded(ConversationReader.open(input), "default").stream()
                .mapToInt(EncodedSample::length)
                .max()
                .orElseThrow()
            - 1;
    String options = "--is-instruction-dataset --input=" + input + " --seq-length=" + length;
    JsonNode root = prepare(output(), options);
    assertEquals(1, root.get("cutSamples").asInt());
    assertEquals(1, root.get("cutTokens").asInt());
    root = prepare(output(), options + " --overlong=drop");
    assertEquals(1, root.get("droppedSamples").asInt());
    assertEquals(length + 1, root.get("droppedTokens").asInt());
    run(options + " --overlong=refuse --output=" + output())
        .assertBadInput("more than a sequence of " + length);
    run("--is-instruction-dataset --seq-length=4 --overlong=drop --input=" + input + " --output=x")
        .assertBadInput("no sample is left", "3 are longer than 4");
    CommandRun table = run(options + " --output=" + output());
    assertTrue(table.out().contains("3: 1 cut by 1 tokens"), table::out);
    assertTrue(table.out().contains("% in order"), table::out);
  }

  @Test
  void recordsWithoutAResponseAreCounted() throws Exception {
    Path input =
        file(
            "a.json",
            "[{\"instruction\": \"a\", \"output\": \"b\"}, {\"instruction\": \"a\", \"output\":"
                + " \"\"}]");
    String options = "--is-instruction-dataset --seq-length=64 --input=" + input;
    JsonNode root = prepare(output(), options);
    assertEquals(1, root.get("samples").asInt());
    assertEquals(1, root.at("/skippedRecords/blank").asInt(), root::toString);
    CommandRun table = run(options + " --output=" + output());
    assertTrue(table.out().contains("left out when reading: 1 blank"), table::out);
  }

  @Test
  void showsProgressOnStandardError() throws Exception {
    Path input = file("a.txt", "Some text.");
    CommandRun run =
        CommandRun.of(
            new PreprocessData(),
            "--input=" + input,
            "--output-prefix=" + directory.resolve("some"),
            "--seq-length=16");
    assertEquals(0, run.exitCode(), run::err);
    assertTrue(run.err().contains("reading " + input), run::err);
    assertTrue(Files.exists(directory.resolve("some.packed")));
  }

  @Test
  void contradictoryOptionsAreRefused() throws Exception {
    Path input = file("a.jsonl", CONVERSATIONS);
    String some = "--output=" + output() + " ";
    run(some + "--prompt-type=qwen --input=" + input)
        .assertBadInput("--prompt-type qwen", "--is-instruction-dataset");
    run(some + "--prompt-type-path=x.json --input=" + input)
        .assertBadInput("--prompt-type-path x.json", "--is-instruction-dataset");
    run(some + "--text-field=body").assertBadInput("--text-field body", "instruction");
    run(some + "--overlong=split").assertBadInput("--overlong split", "cut or drop");
    run("--seq-length=16").assertBadInput("--output=FILE or --output-prefix");
    run(some + "--output-prefix=x").assertBadInput("--output ", "--output-prefix x");
    run(some + "--input=" + output() + "," + input).assertBadInput("is an input");
    run("--output=" + directory).assertBadInput("is a directory");
    run("--output=" + directory.resolve("no").resolve("x")).assertBadInput("no directory");
    assertFalse(Files.exists(output()));
  }

  @Test
  void unknownNamesAreRefused() throws Exception {
    String some = "--output=" + output() + " ";
    run(some + "--prompt-type=qwem").assertBadInput("qwem", "nearest is qwen");
    run(some + "--prompt-type-path=" + directory.resolve("no.json")).assertBadInput("no.json");
    run(some + "--tokenizer-name-or-path=gpt9").assertBadInput("gpt9", "cl100k_base");
    run(some + "--tokenizer-name-or-path=cl100k_base --prompt-type=chatml")
        .assertBadInput("<|im_start|>", "'chatml'");
    run(some + "--eod-token=<nothing>").assertBadInput("<nothing>");
    run(some + "--pack-strategy=best").assertBadInput("best", "in-order or first-fit-decreasing");
    run(some + "--overlong=keep").assertBadInput("keep", "cut or drop or split or refuse");
    run(some + "--format=xml").assertBadInput("xml", "table or json");
    run(some + "--seq-length=0").assertBadInput("--seq-length", "0");
    run(some + "--seq-len=5").assertBadInput("--seq-len", "--seq-length");
  }

  @Test
  void badDataIsRefusedAndTheOldFileStays() throws Exception {
    Path input = file("a.jsonl", CONVERSATIONS);
    String options = "--is-instruction-dataset --seq-length=64 --output=" + output() + " --input=";
    assertEquals(0, run(options + input).exitCode());
    byte[] before = Files.readAllBytes(output());
    run(options + directory.resolve("missing")).assertBadInput("--input", "missing");
    file("a.jsonl", CONVERSATIONS + "{\"conversations\": 1}\n");
    run(options + input).assertBadInput("a.jsonl: record 4 (line 4)", "conversations");
    file("a.jsonl", CONVERSATIONS + "{");
    run(options + input).assertBadInput("a.jsonl: record 4", "not JSON");
    file("b.jsonl", "{\"text\": 1}\n");
    run("--seq-length=8 --output=" + output() + " --input=" + directory.resolve("b.jsonl"))
        .assertBadInput("b.jsonl:1", "'text'");
    assertArrayEquals(before, Files.readAllBytes(output()));
    try (Stream<Path> files = Files.list(directory)) {
      assertEquals(3, files.count(), "a.jsonl, b.jsonl and the output");
    }
  }

  @Test
  void helpAndVersion() {
    CommandRun help = run("--help");
    assertEquals(0, help.exitCode());
    for (String option : List.of("--input", "--output-prefix", "--shuffle-seed", "--eod-token")) {
      assertTrue(help.out().contains(option), option);
    }
    assertTrue(run("--version").out().startsWith("cann4j "));
  }
}
