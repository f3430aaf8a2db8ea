// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.util.Arrays;

/** A sequence that is being filled. Each of its tokens has a mark. */
final class OpenSequence {
  /** Mark of a token that is to be predicted. */
  static final byte TARGET = 1;

  /** Mark of a document's last token; marks are summed up. */
  static final byte END = 2;

  private final int[] ids;
  private final byte[] marks;
  private long[] ends = new long[16];
  private int endCount;
  private int used;

  OpenSequence(int length) {
    ids = new int[length];
    marks = new byte[length];
  }

  int used() {
    return used;
  }

  boolean hasRoomFor(int tokens) {
    return tokens <= ids.length - used;
  }

  /** Appends a part of a document, whose last token ends a document in any case. */
  void append(int[] source, byte[] sourceMarks, int begin, int end) {
    System.arraycopy(source, begin, ids, used, end - begin);
    System.arraycopy(sourceMarks, begin, marks, used, end - begin);
    endAt(used + end - begin);
  }

  void append(DocumentSpool spool, int document) {
    endAt(spool.read(document, ids, marks, used));
  }

  private void endAt(int end) {
    marks[end - 1] |= END;
    for (; used < end; used++) {
      if ((marks[used] & END) != 0) {
        if (endCount == ends.length) {
          ends = Arrays.copyOf(ends, endCount * 2);
        }
        ends[endCount++] = used + 1;
      }
    }
  }

  /** Pads it; nothing can be appended then. */
  PackedTokens close(int padId) {
    Arrays.fill(ids, used, ids.length, padId);
    for (int i = 0; i < used; i++) {
      marks[i] &= TARGET;
    }
    return new PackedTokens(
        PackedSequence.ofOwnedEnds(Arrays.copyOf(ends, endCount), ids.length), ids, marks);
  }
}
