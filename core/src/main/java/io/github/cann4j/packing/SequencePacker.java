// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * Fills sequences of one length with whole documents and records where the padding starts.
 *
 * <p>An EOD token is appended to each document that does not end with one. A document goes into the
 * fullest open sequence that has room for it; when none has and as many as allowed are open, the
 * fullest is padded and handed out. With one open sequence (the default) documents stay in order,
 * but for the whole-sequence pieces of split ones, which are handed out at once. An EOD token
 * inside a document ends a document of the sequence there, so that {@link PackedSequence#fromEod}
 * on the packed tokens finds the same documents.
 *
 * <p>Handed-out sequences go to the consumer given to {@link Builder#build} on the thread that
 * adds. Not thread-safe.
 */
public final class SequencePacker {
  private final int sequenceLength;
  private final int eodId;
  private final int padId;
  private final long vocabSize;
  private final OverlongDocuments overlong;
  private final int openSequences;
  private final Consumer<? super PackedTokens> consumer;
  private final List<OpenSequence> open = new ArrayList<>();
  private long documents;
  private long emptyDocuments;
  private long splitDocuments;
  private long truncatedDocuments;
  private long truncatedTokens;
  private long sequences;
  private long tokens;
  private long paddingRows;

  private SequencePacker(Builder builder, Consumer<? super PackedTokens> consumer) {
    sequenceLength = builder.sequenceLength;
    eodId = builder.eodId;
    padId = builder.padId == null ? builder.eodId : builder.padId;
    vocabSize = builder.vocabSize;
    overlong = builder.overlong;
    openSequences = builder.openSequences;
    this.consumer = consumer;
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
   * Adds a document. One without tokens is counted and left out.
   *
   * @param document token ids, with or without a trailing EOD
   * @throws IllegalArgumentException if a token is outside the vocabulary, or the document with its
   *     EOD is longer than a sequence and such documents are refused; nothing is added then
   */
  public void add(int[] document) {
    for (int i = 0; i < document.length; i++) {
      checkToken(document[i], i);
    }
    documents++;
    if (document.length == 0) {
      emptyDocuments++;
      return;
    }
    int[] ended = document;
    if (document[document.length - 1] != eodId) {
      ended = Arrays.copyOf(document, document.length + 1);
      ended[document.length] = eodId;
    }
    if (ended.length <= sequenceLength) {
      place(ended, 0, ended.length);
      return;
    }
    switch (overlong) {
      case REFUSE -> {
        documents--;
        throw new IllegalArgumentException(
            "document "
                + documents
                + " has "
                + ended.length
                + " tokens with its EOD, more than a sequence of "
                + sequenceLength
                + "; allow OverlongDocuments.SPLIT or TRUNCATE, or use longer sequences");
      }
      case TRUNCATE -> {
        truncatedDocuments++;
        truncatedTokens += ended.length - sequenceLength;
        place(ended, 0, sequenceLength);
      }
      case SPLIT -> {
        splitDocuments++;
        int begin = 0;
        for (; ended.length - begin > sequenceLength; begin += sequenceLength) {
          OpenSequence whole = new OpenSequence();
          whole.append(ended, begin, begin + sequenceLength);
          handOut(whole);
        }
        place(ended, begin, ended.length);
      }
    }
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

  /** Pads and hands out the sequences that are still open, the first opened first. */
  public void finish() {
    List<OpenSequence> rest = List.copyOf(open);
    open.clear();
    rest.forEach(this::handOut);
  }

  /** {@return what has been done so far; sequences that are still open do not count yet} */
  public PackingStatistics statistics() {
    return new PackingStatistics(
        documents,
        emptyDocuments,
        splitDocuments,
        truncatedDocuments,
        truncatedTokens,
        sequences,
        tokens,
        paddingRows);
  }

  private void checkToken(long token, int index) {
    if (token < 0 || token >= vocabSize) {
      throw new IllegalArgumentException(
          "token "
              + token
              + " at "
              + index
              + " of document "
              + documents
              + " is outside the vocabulary of "
              + vocabSize
              + " tokens");
    }
  }

  private void place(int[] ids, int begin, int end) {
    OpenSequence target = null;
    OpenSequence fullest = null;
    for (OpenSequence candidate : open) {
      if (candidate.used + end - begin <= sequenceLength
          && (target == null || candidate.used > target.used)) {
        target = candidate;
      }
      if (fullest == null || candidate.used > fullest.used) {
        fullest = candidate;
      }
    }
    if (target == null) {
      if (open.size() == openSequences) {
        open.remove(fullest);
        handOut(fullest);
      }
      target = new OpenSequence();
      open.add(target);
    }
    target.append(ids, begin, end);
    if (target.used == sequenceLength) {
      open.remove(target);
      handOut(target);
    }
  }

  private void handOut(OpenSequence sequence) {
    sequences++;
    tokens += sequence.used;
    paddingRows += sequenceLength - sequence.used;
    consumer.accept(sequence.close());
  }

  private final class OpenSequence {
    private final int[] ids = new int[sequenceLength];
    private long[] ends = new long[16];
    private int endCount;
    private int used;

    void append(int[] source, int begin, int end) {
      for (int i = begin; i < end; i++) {
        ids[used++] = source[i];
        if (source[i] == eodId || i == end - 1) {
          if (endCount == ends.length) {
            ends = Arrays.copyOf(ends, endCount * 2);
          }
          ends[endCount++] = used;
        }
      }
    }

    PackedTokens close() {
      Arrays.fill(ids, used, sequenceLength, padId);
      return new PackedTokens(
          PackedSequence.ofOwnedEnds(Arrays.copyOf(ends, endCount), sequenceLength), ids);
    }
  }

  /** Collects the options of a packer. */
  public static final class Builder {
    private final int sequenceLength;
    private final int eodId;
    private Integer padId;
    private long vocabSize = 1L << 31;
    private OverlongDocuments overlong = OverlongDocuments.REFUSE;
    private int openSequences = 1;

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
     * @param overlong refuse, split or truncate
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
     * Makes the packer.
     *
     * @param consumer receives each finished sequence
     * @return what was built
     * @throws IllegalArgumentException if an option is out of range
     */
    public SequencePacker build(Consumer<? super PackedTokens> consumer) {
      Objects.requireNonNull(consumer, "consumer");
      PackedSequence.checkLength(sequenceLength);
      if (openSequences < 1) {
        throw new IllegalArgumentException("open sequences must be at least 1: " + openSequences);
      }
      TokenScan.checkEod(eodId, vocabSize);
      if (padId != null && (padId < 0 || padId >= vocabSize)) {
        throw new IllegalArgumentException(
            "padding id " + padId + " is outside the vocabulary of " + vocabSize + " tokens");
      }
      return new SequencePacker(this, consumer);
    }
  }
}
