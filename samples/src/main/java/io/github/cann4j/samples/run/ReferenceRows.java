// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * Attention and its gradient in double precision for a bounded number of rows: the last rows of
 * some documents. A key there is seen by queries that are there too, so that all four results of
 * these rows are complete at the cost of a few rows, however long their document is.
 */
final class ReferenceRows {
  /** Documents of which the end is computed. */
  private static final int DOCUMENTS = 8;

  /** (Query, key) pairs of a head, summed over heads: about a second on a core. */
  private static final long PAIRS = 1_000_000;

  /** The results of global rows begin .. end - 1. */
  private record Tail(long begin, long end, Map<OutputPart, double[]> results) {}

  private final AttentionInputs inputs;
  private final AttentionConfig config;
  private final List<Tail> tails = new ArrayList<>();

  /** Computes the sampled rows. */
  ReferenceRows(
      AttentionInputs inputs, AttentionConfig config, PackedSequence sequence, int ranks) {
    this.inputs = inputs;
    this.config = config;
    TreeSet<Integer> documents = sample(sequence, ranks);
    for (int document : documents) {
      long begin = sequence.documentBegin(document);
      long end = sequence.documentEnd(document);
      long length = end - begin;
      long rows = PAIRS / (documents.size() * config.heads() * length);
      tails.add(tail(begin, end - Math.clamp(rows, 1, length), end));
    }
  }

  /**
   * The longest documents, the shortest, the last one, those that are spread over ranks, and two
   * that can be computed whole: near the end of a long document key gradients are tiny.
   */
  private TreeSet<Integer> sample(PackedSequence sequence, int ranks) {
    TreeSet<Integer> sample = new TreeSet<>();
    if (sequence.documentCount() == 0) {
      return sample;
    }
    sample.add(sequence.documentCount() - 1);
    List<Integer> longestFirst =
        IntStream.range(0, sequence.documentCount())
            .boxed()
            .sorted(Comparator.comparingLong(sequence::documentLength).reversed())
            .toList();
    sample.add(longestFirst.getLast());
    longestFirst.stream().limit(2).forEach(sample::add);
    double whole = Math.sqrt((double) PAIRS / DOCUMENTS / config.heads());
    longestFirst.stream()
        .filter(document -> sequence.documentLength(document) <= whole)
        .limit(2)
        .forEach(sample::add);
    for (int rank = 1; rank < ranks && sample.size() < DOCUMENTS; rank++) {
      int document = sequence.documentOf(sequence.length() * rank / ranks);
      if (document >= 0) {
        sample.add(document);
      }
    }
    return sample;
  }

  private Tail tail(long documentBegin, long begin, long end) {
    Map<OutputPart, double[]> results = new EnumMap<>(OutputPart.class);
    for (OutputPart part : OutputPart.values()) {
      int width = inputs.width(part.shapedLike());
      results.put(part, new double[Math.toIntExact((end - begin) * width)]);
    }
    Tail tail = new Tail(begin, end, results);
    IntStream.range(0, config.kvHeads())
        .parallel()
        .forEach(kvHead -> attend(documentBegin, tail, kvHead));
    return tail;
  }

  private void attend(long documentBegin, Tail tail, int kvHead) {
    int dim = config.headDim();
    int length = Math.toIntExact(tail.end() - documentBegin);
    float[][] keys = new float[length][dim];
    float[][] values = new float[length][dim];
    for (int j = 0; j < length; j++) {
      inputs.roundedRow(Part.KEY, documentBegin + j, kvHead, kvHead + 1, keys[j], 0);
      inputs.roundedRow(Part.VALUE, documentBegin + j, kvHead, kvHead + 1, values[j], 0);
    }
    int firstTail = Math.toIntExact(tail.begin() - documentBegin);
    int group = config.heads() / config.kvHeads();
    float[] query = new float[dim];
    float[] outGradient = new float[dim];
    double[] p = new double[length];
    for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
      for (int i = firstTail; i < length; i++) {
        inputs.roundedRow(Part.QUERY, documentBegin + i, head, head + 1, query, 0);
        inputs.roundedRow(Part.OUT_GRADIENT, documentBegin + i, head, head + 1, outGradient, 0);
        softmax(query, keys, i + 1, p);
        int row = i - firstTail;
        int q = (row * config.heads() + head) * dim;
        double[] out = tail.results().get(OutputPart.OUT);
        for (int j = 0; j <= i; j++) {
          addScaled(p[j], values[j], out, q);
        }
        double delta = 0;
        for (int d = 0; d < dim; d++) {
          delta += outGradient[d] * out[q + d];
        }
        for (int j = 0; j <= i; j++) {
          double ds = p[j] * (dot(outGradient, values[j]) - delta) * config.scale();
          addScaled(ds, keys[j], tail.results().get(OutputPart.QUERY_GRADIENT), q);
          if (j >= firstTail) {
            int kv = ((j - firstTail) * config.kvHeads() + kvHead) * dim;
            addScaled(ds, query, tail.results().get(OutputPart.KEY_GRADIENT), kv);
            addScaled(p[j], outGradient, tail.results().get(OutputPart.VALUE_GRADIENT), kv);
          }
        }
      }
    }
  }

  private void softmax(float[] query, float[][] keys, int visible, double[] p) {
    double max = Double.NEGATIVE_INFINITY;
    for (int j = 0; j < visible; j++) {
      p[j] = dot(query, keys[j]) * config.scale();
      max = Math.max(max, p[j]);
    }
    double sum = 0;
    for (int j = 0; j < visible; j++) {
      p[j] = Math.exp(p[j] - max);
      sum += p[j];
    }
    for (int j = 0; j < visible; j++) {
      p[j] /= sum;
    }
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int d = 0; d < a.length; d++) {
      sum += (double) a[d] * b[d];
    }
    return sum;
  }

  private static void addScaled(double factor, float[] source, double[] target, int offset) {
    for (int d = 0; d < source.length; d++) {
      target[offset + d] += factor * source[d];
    }
  }

  /** How many rows are known. */
  long rows() {
    return tails.stream().mapToLong(tail -> tail.end() - tail.begin()).sum();
  }

  /** Compares one row with its reference, if it has one. */
  void compare(OutputPart part, long row, float[] values, int offset, ErrorMeter meter) {
    for (Tail tail : tails) {
      if (row >= tail.begin() && row < tail.end()) {
        int width = inputs.width(part.shapedLike());
        double[] expected = tail.results().get(part);
        int from = (int) (row - tail.begin()) * width;
        for (int c = 0; c < width; c++) {
          meter.add(row, values[offset + c], expected[from + c]);
        }
      }
    }
  }
}
