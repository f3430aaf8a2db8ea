// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.preprocess;

import io.github.cann4j.instruction.ChatTemplates;
import io.github.cann4j.instruction.Conversation;
import io.github.cann4j.instruction.ConversationReader;
import io.github.cann4j.instruction.EncodedSample;
import io.github.cann4j.instruction.InstructionEncoder;
import io.github.cann4j.packing.PackedDatasetWriter;
import io.github.cann4j.packing.PackingStatistics;
import io.github.cann4j.packing.SequencePacker;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.Progress;
import io.github.cann4j.samples.text.DocumentReader;
import io.github.cann4j.samples.text.InputFile;
import io.github.cann4j.samples.text.Tokenizer;
import io.github.cann4j.samples.text.Tokenizers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** Turns instruction data or documents into a file of packed sequences. */
public final class Preprocessing {
  /** Steps that progress is shown in. */
  public static final int STEPS = 100;

  private static final int STEPS_OF_READING = 90;
  private static final int BATCH = 256;

  private final PreprocessingJob job;
  private final Progress progress;
  private final Tokenizer tokenizer;
  private final Optional<InstructionEncoder> encoder;
  private final List<Supplier<Encoded>> batch = new ArrayList<>();
  private final Map<String, Long> skipped = new TreeMap<>();
  private final long inputSize;
  private long readBefore;
  private int steps;

  /** Tokens on their way to the packer. */
  @FunctionalInterface
  private interface Encoded {
    void addTo(SequencePacker packer);
  }

  private Preprocessing(PreprocessingJob job, Progress progress) {
    this.job = job;
    this.progress = progress;
    tokenizer = Tokenizers.open(job.tokenizer(), job.eodToken().orElse(null));
    encoder = job.instructions().map(this::encoder);
    inputSize = Math.max(1, job.inputs().stream().mapToLong(InputFile::size).sum());
  }

  /**
   * Does all of it.
   *
   * @param target the file to write; one that is there is replaced once the new one is complete
   * @param progress is moved by {@link #STEPS} steps
   * @throws BadInputException if anything is wrong with options or data; nothing is written then
   */
  public static PreprocessingResult run(PreprocessingJob job, Path target, Progress progress) {
    try {
      return new Preprocessing(job, progress).write(target);
    } catch (IllegalArgumentException | UnsupportedOperationException e) {
      throw new BadInputException(e.getMessage(), e);
    } catch (IOException | UncheckedIOException e) {
      throw new BadInputException("the data cannot be prepared: " + e.getMessage(), e);
    }
  }

  private InstructionEncoder encoder(PreprocessingJob.Instructions instructions) {
    try {
      ChatTemplates templates =
          instructions.file().isPresent()
              ? ChatTemplates.read(instructions.file().get())
              : ChatTemplates.shipped();
      return new InstructionEncoder(templates.get(instructions.promptType()), tokenizer);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private PreprocessingResult write(Path target) throws IOException {
    int eodId = tokenizer.eodId();
    try (PackedDatasetWriter writer =
            PackedDatasetWriter.create(
                target, job.seqLength(), tokenizer.vocabSize(), eodId, eodId);
        SequencePacker packer = packing(target, eodId).build(writer)) {
      for (InputFile file : job.inputs()) {
        progress.say("reading " + file.name());
        read(file.counting(this::showRead), packer);
        readBefore += file.size();
      }
      encodeBatch(packer);
      stepTo(STEPS_OF_READING);
      progress.say("packing");
      packer.finish();
      requireSequences(packer.statistics());
      describe(writer, packer.statistics());
      writer.commit();
      stepTo(STEPS);
      return new PreprocessingResult(
          target,
          Files.size(target),
          tokenizer.name(),
          tokenizer.vocabSize(),
          skipped,
          packer.statistics());
    }
  }

  private SequencePacker.Builder packing(Path target, int eodId) {
    SequencePacker.Builder builder =
        SequencePacker.builder(job.seqLength(), eodId)
            .vocabSize(tokenizer.vocabSize())
            .overlong(job.overlong())
            .strategy(job.strategy())
            .spoolDirectory(target.toAbsolutePath().getParent());
    job.shuffleSeed().ifPresent(builder::shuffle);
    return builder;
  }

  private void read(InputFile file, SequencePacker packer) throws IOException {
    if (encoder.isPresent()) {
      readConversations(file, encoder.get(), packer);
    } else {
      readDocuments(file, packer);
    }
  }

  private void readConversations(
      InputFile file, InstructionEncoder instructions, SequencePacker packer) throws IOException {
    try (ConversationReader reader = ConversationReader.open(file.name(), file.open())) {
      for (Optional<Conversation> next = reader.next(); next.isPresent(); next = reader.next()) {
        Conversation conversation = next.get();
        String where = reader.where();
        encodeLater(
            () -> {
              EncodedSample sample = encode(instructions, conversation, where);
              return to -> to.add(sample.tokens(), sample.targets());
            },
            packer);
      }
      reader.skipped().forEach((reason, count) -> skipped.merge(reason.name(), count, Long::sum));
    }
  }

  private static EncodedSample encode(
      InstructionEncoder instructions, Conversation conversation, String where) {
    try {
      return instructions.encode(conversation);
    } catch (IllegalArgumentException | UnsupportedOperationException e) {
      throw new BadInputException(where + ": " + e.getMessage(), e);
    }
  }

  private void readDocuments(InputFile file, SequencePacker packer) {
    new DocumentReader(List.of(file), job.textField())
        .read(
            document -> {
              encodeLater(
                  () -> {
                    int[] tokens = tokenizer.encodeOrdinary(document.text());
                    return to -> to.add(tokens);
                  },
                  packer);
              return true;
            });
  }

  private void encodeLater(Supplier<Encoded> sample, SequencePacker packer) {
    batch.add(sample);
    if (batch.size() == BATCH) {
      encodeBatch(packer);
    }
  }

  /** Encodes on all processors, and adds in order. */
  private void encodeBatch(SequencePacker packer) {
    List<Encoded> encoded = batch.parallelStream().map(Supplier::get).toList();
    batch.clear();
    encoded.forEach(sample -> sample.addTo(packer));
  }

  private void requireSequences(PackingStatistics statistics) {
    if (statistics.sequences() == 0) {
      throw new BadInputException(
          "no sample is left to pack: of %d, %d are longer than %d tokens and dropped, and %d have"
                  .formatted(
                      statistics.documents(),
                      statistics.droppedDocuments(),
                      job.seqLength(),
                      statistics.targetlessDocuments())
              + " no token to predict; records left out when reading: "
              + skipped);
    }
  }

  private void describe(PackedDatasetWriter writer, PackingStatistics statistics) {
    writer
        .property("dataset", encoder.isPresent() ? "instructions" : "documents")
        .property(
            "sources",
            job.inputs().stream().map(InputFile::fileName).collect(Collectors.joining(", ")))
        .property("tokenizer", tokenizer.name());
    job.instructions().ifPresent(i -> writer.property("prompt-type", i.promptType()));
    writer
        .property("pack-strategy", word(job.strategy()))
        .property("overlong", word(job.overlong()))
        .property("samples", Long.toString(statistics.documents()));
    job.shuffleSeed().ifPresent(seed -> writer.property("shuffle-seed", Long.toString(seed)));
  }

  private static String word(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private void showRead(long bytesOfFile) {
    // A file may have grown.
    double part = Math.min(1, (double) (readBefore + bytesOfFile) / inputSize);
    stepTo((int) (part * STEPS_OF_READING));
  }

  private void stepTo(int step) {
    for (; steps < step; steps++) {
      progress.step();
    }
  }
}
