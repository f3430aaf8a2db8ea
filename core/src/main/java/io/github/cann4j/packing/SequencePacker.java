// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * Fills sequences of one length with whole documents and records where the padding starts.
 *
 * <p>An EOD token is appended to each document that does not end with one. With {@link
 * PackingStrategy#IN_ORDER} (the default) a document goes into the fullest open sequence that has
 * room for it; when none has and as many as allowed are open, the fullest is padded and handed out.
 * With one open sequence (the default) documents stay in order, but for the whole-sequence pieces
 * of split ones, which are handed out at once. {@link PackingStrategy#FIRST_FIT_DECREASING} and
 * shuffling hand out everything in {@link #finish}.
 *
 * <p>An EOD token inside a {@linkplain #add(int[]) document} ends a document of the sequence there,
 * so that {@link PackedSequence#fromEod} on the packed tokens finds the same documents. A
 * {@linkplain #add(int[], boolean[]) sample} stays one document whatever its tokens are.
 *
 * <p>Handed-out sequences go to the consumer given to {@link Builder#build} on the thread that adds
 * or finishes. Not thread-safe. Closing frees a temporary file, if there is one.
 */
public final class SequencePacker implements AutoCloseable {
  private final int sequenceLength;
  private final int eodId;
  private final int padId;
  private final long vocabSize;
  private final OverlongDocuments overlong;
  private final int openSequences;
  private final Consumer<? super PackedTokens> consumer;
  // Documents that wait for all others, or none if they are placed as they come.
  private final DocumentSpool spool;
  private final PackingStrategy strategy;
  // Null to keep the order.
  private final Random shuffler;
  private final List<OpenSequence> open = new ArrayList<>();
  private final PackingCounts counts;

  private SequencePacker(Builder builder, Consumer<? super PackedTokens> consumer) {
    sequenceLength = builder.sequenceLength;
    eodId = builder.eodId;
    padId = builder.padId == null ? builder.eodId : builder.padId;
    vocabSize = builder.vocabSize;
    overlong = builder.overlong;
    openSequences = builder.openSequences;
    counts = new PackingCounts(sequenceLength);
    this.consumer = consumer;
    strategy = builder.strategy;
    shuffler = builder.shuffleSeed == null ? null : new Random(builder.shuffleSeed);
    spool = builder.collectsFirst() ? new DocumentSpool(builder.spoolDirectory) : null;
  }

  /**
   * Starts a packer.
   *
   * @param sequenceLength rows of each sequence
   * @param eodId the id that ends a document
   * @return a builder
   */
  public static Builder builder(int sequenceLength, int eodId) {
    return new Builder(sequenceLength, eodId);
  }

  /**
   * Adds a document, all of whose tokens are targets. One without tokens is counted and left out.
   *
   * @param document token ids, with or without a trailing EOD
   * @throws IllegalArgumentException if a token is outside the vocabulary, or the document with its
   *     EOD is longer than a sequence and such documents are refused; nothing is added then
   */
  public void add(int[] document) {
    byte[] marks = new byte[document.length];
    for (int i = 0; i < document.length; i++) {
      checkToken(document[i], i);
      marks[i] =
          document[i] == eodId ? OpenSequence.TARGET | OpenSequence.END : OpenSequence.TARGET;
    }
    addMarked(document, marks, false);
  }

  /**
   * Adds a sample, which becomes one document, EOD tokens inside it or not. An EOD token that has
   * to be appended is a target if the last token is. A sample without a target from its second
   * token on, of those that are kept, is counted and left out: nothing could be learnt from it.
   *
   * @param sample token ids, with or without a trailing EOD
   * @param targets which of them are to be predicted
   * @throws IllegalArgumentException as for {@link #add(int[])}, or if there is not one target per
   *     token
   */
  public void add(int[] sample, boolean[] targets) {
    if (targets.length != sample.length) {
      throw new IllegalArgumentException(
          targets.length
              + " targets for "
              + sample.length
              + " tokens of document "
              + counts.documents);
    }
    byte[] marks = new byte[sample.length];
    for (int i = 0; i < sample.length; i++) {
      checkToken(sample[i], i);
      marks[i] = targets[i] ? OpenSequence.TARGET : 0;
    }
    addMarked(sample, marks, true);
  }

  private void addMarked(int[] document, byte[] documentMarks, boolean isSample) {
    counts.documents++;
    int length = document.length;
    if (length == 0) {
      counts.emptyDocuments++;
      return;
    }
    int[] ids = document;
    byte[] marks = documentMarks;
    if (ids[length - 1] != eodId) {
      ids = Arrays.copyOf(ids, length + 1);
      marks = Arrays.copyOf(marks, length + 1);
      ids[length] = eodId;
      marks[length] = marks[length - 1];
      length++;
    }
    if (length > sequenceLength) {
      switch (overlong) {
        case REFUSE -> {
          counts.documents--;
          throw new IllegalArgumentException(
              "document "
                  + counts.documents
                  + " has "
                  + length
                  + " tokens with its EOD, more than a sequence of "
                  + sequenceLength
                  + "; allow OverlongDocuments.SPLIT, TRUNCATE or DROP, or use longer sequences");
        }
        case DROP -> {
          counts.droppedDocuments++;
          counts.droppedTokens += length;
          return;
        }
        case TRUNCATE -> {
          counts.truncatedDocuments++;
          counts.truncatedTokens += length - sequenceLength;
          length = sequenceLength;
        }
        case SPLIT -> counts.splitDocuments++;
      }
    }
    if (isSample && !hasTarget(marks, length)) {
      counts.targetlessDocuments++;
      return;
    }
    int begin = 0;
    for (; length - begin > sequenceLength; begin += sequenceLength) {
      placeWhole(ids, marks, begin);
    }
    place(ids, marks, begin, length);
  }

  private static boolean hasTarget(byte[] marks, int length) {
    for (int i = 1; i < length; i++) {
      if ((marks[i] & OpenSequence.TARGET) != 0) {
        return true;
      }
    }
    return false;
  }

  /**
   * Adds a document held in a segment; see {@link #add(int[])}.
   *
   * @param document token ids, with or without a trailing EOD
   * @param type type of the token ids
   */
  public void add(MemorySegment document, TokenType type) {
    long count = type.count(document);
    if (count > PackedSequence.MAX_LENGTH) {
      throw new IllegalArgumentException(
          "a document of " + count + " tokens is longer than " + PackedSequence.MAX_LENGTH);
    }
    int[] ids = new int[(int) count];
    for (int i = 0; i < ids.length; i++) {
      long token = type.read(document, i);
      checkToken(token, i);
      ids[i] = (int) token;
    }
    add(ids);
  }

  /**
   * Places the documents that wait for that, then pads and hands out the sequences that are still
   * open, the first opened first.
   */
  public void finish() {
    if (spool != null) {
      placeSpooled();
      spool.clear();
    }
    List<OpenSequence> rest = List.copyOf(open);
    open.clear();
    rest.forEach(this::handOut);
    counts.finished();
  }

  private void placeSpooled() {
    int[] lengths = spool.lengths();
    int[] order = IntStream.range(0, lengths.length).toArray();
    if (shuffler != null) {
      for (int i = order.length - 1; i > 0; i--) {
        int other = shuffler.nextInt(i + 1);
        int document = order[i];
        order[i] = order[other];
        order[other] = document;
      }
    }
    int[] ordered = Arrays.stream(order).map(document -> lengths[document]).toArray();
    FirstFitDecreasing.Bins bins =
        strategy == PackingStrategy.IN_ORDER
            ? FirstFitDecreasing.packInOrder(ordered, sequenceLength)
            : FirstFitDecreasing.pack(ordered, sequenceLength);
    int from = 0;
    for (int end : bins.ends()) {
      OpenSequence sequence = new OpenSequence(sequenceLength);
      for (; from < end; from++) {
        sequence.append(spool, order[bins.items()[from]]);
      }
      handOut(sequence);
    }
  }

  /** Frees the temporary file, if there is one. Idempotent. */
  @Override
  public void close() {
    if (spool != null) {
      spool.close();
    }
  }

  /** {@return what has been done so far; sequences that are still open do not count yet} */
  public PackingStatistics statistics() {
    return counts.toStatistics();
  }

  static void checkPadding(int padId, long vocabSize) {
    if (padId < 0 || padId >= vocabSize) {
      throw new IllegalArgumentException(
          "padding id " + padId + " is outside the vocabulary of " + vocabSize + " tokens");
    }
  }

  private void checkToken(long token, int index) {
    if (token < 0 || token >= vocabSize) {
      throw new IllegalArgumentException(
          "token "
              + token
              + " at "
              + index
              + " of document "
              + counts.documents
              + " is outside the vocabulary of "
              + vocabSize
              + " tokens");
    }
  }

  private void placeWhole(int[] ids, byte[] marks, int begin) {
    counts.placedWhole();
    if (spool != null) {
      spool.add(ids, marks, begin, begin + sequenceLength);
      return;
    }
    OpenSequence whole = new OpenSequence(sequenceLength);
    whole.append(ids, marks, begin, begin + sequenceLength);
    handOut(whole);
  }

  private void place(int[] ids, byte[] marks, int begin, int end) {
    counts.placed(end - begin);
    if (spool != null) {
      spool.add(ids, marks, begin, end);
      return;
    }
    OpenSequence target = null;
    OpenSequence fullest = null;
    for (OpenSequence candidate : open) {
      if (candidate.hasRoomFor(end - begin)
          && (target == null || candidate.used() > target.used())) {
        target = candidate;
      }
      if (fullest == null || candidate.used() > fullest.used()) {
        fullest = candidate;
      }
    }
    if (target == null) {
      if (open.size() == openSequences) {
        open.remove(fullest);
        handOut(fullest);
      }
      target = new OpenSequence(sequenceLength);
      open.add(target);
    }
    target.append(ids, marks, begin, end);
    if (!target.hasRoomFor(1)) {
      open.remove(target);
      handOut(target);
    }
  }

  private void handOut(OpenSequence sequence) {
    PackedTokens packed = sequence.close(padId);
    counts.handedOut(packed);
    consumer.accept(packed);
  }

  /** Collects the options of a packer. */
  public static final class Builder {
    private final int sequenceLength;
    private final int eodId;
    private Integer padId;
    private long vocabSize = 1L << 31;
    private OverlongDocuments overlong = OverlongDocuments.REFUSE;
    private int openSequences = 1;
    private PackingStrategy strategy = PackingStrategy.IN_ORDER;
    private Path spoolDirectory;
    private Long shuffleSeed;

    private Builder(int sequenceLength, int eodId) {
      this.sequenceLength = sequenceLength;
      this.eodId = eodId;
    }

    /**
     * The id in padding rows; the EOD id if not said. It has no meaning beyond that.
     *
     * @param padId a token id of the vocabulary
     * @return this
     */
    public Builder padId(int padId) {
      this.padId = padId;
      return this;
    }

    /**
     * Tokens of the vocabulary; ids outside it are refused.
     *
     * @param vocabSize number of token ids; they are 0 … vocabSize − 1
     * @return this
     */
    public Builder vocabSize(long vocabSize) {
      this.vocabSize = vocabSize;
      return this;
    }

    /**
     * What to do with documents longer than a sequence; they are refused if not said.
     *
     * @param overlong refuse, split, truncate or drop
     * @return this
     */
    public Builder overlong(OverlongDocuments overlong) {
      this.overlong = Objects.requireNonNull(overlong, "overlong");
      return this;
    }

    /**
     * How many sequences may be open at once: more waste less padding and reorder more.
     *
     * @param openSequences at least 1; 1 keeps documents in order
     * @return this
     */
    public Builder openSequences(int openSequences) {
      this.openSequences = openSequences;
      return this;
    }

    /**
     * How documents are placed; in order if not said.
     *
     * @param strategy in order or first-fit-decreasing
     * @return this
     */
    public Builder strategy(PackingStrategy strategy) {
      this.strategy = Objects.requireNonNull(strategy, "strategy");
      return this;
    }

    /**
     * Brings documents into a random order before they are placed, which collects them first; they
     * keep theirs if not said.
     *
     * @param seed the same gives the same order
     * @return this
     */
    public Builder shuffle(long seed) {
      shuffleSeed = seed;
      return this;
    }

    private boolean collectsFirst() {
      return strategy == PackingStrategy.FIRST_FIT_DECREASING || shuffleSeed != null;
    }

    /**
     * Where documents that are collected first are kept, 5 bytes per token; the system's directory
     * for temporary files if not said.
     *
     * @param spoolDirectory an existing directory
     * @return this
     */
    public Builder spoolDirectory(Path spoolDirectory) {
      this.spoolDirectory = Objects.requireNonNull(spoolDirectory, "spoolDirectory");
      return this;
    }

    /**
     * Makes the packer.
     *
     * @param consumer receives each finished sequence
     * @return what was built
     * @throws IllegalArgumentException if an option is out of range or contradicts another
     * @throws UncheckedIOException if documents are to be collected first and no temporary file can
     *     be made
     */
    public SequencePacker build(Consumer<? super PackedTokens> consumer) {
      Objects.requireNonNull(consumer, "consumer");
      PackedSequence.checkLength(sequenceLength);
      if (openSequences < 1) {
        throw new IllegalArgumentException("open sequences must be at least 1: " + openSequences);
      }
      if (openSequences > 1 && collectsFirst()) {
        throw new IllegalArgumentException(
            openSequences
                + " open sequences are for documents that are placed as they come, not for "
                + strategy
                + (shuffleSeed == null ? "" : ", shuffled"));
      }
      TokenScan.checkEod(eodId, vocabSize);
      if (padId != null) {
        checkPadding(padId, vocabSize);
      }
      return new SequencePacker(this, consumer);
    }
  }
}
