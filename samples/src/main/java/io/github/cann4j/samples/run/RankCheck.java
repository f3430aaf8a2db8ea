// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.HalfFloats;
import io.github.cann4j.plan.RowRange;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Compares the results of ranks with those of one device that ran the whole sequence, and with the
 * double-precision reference where it has rows. Rows come from the devices a block at a time.
 */
final class RankCheck {
  private static final int BLOCK = 256;

  private final AttentionInputs inputs;
  private final ReferenceRows reference;
  private final RankTensors oneDevice;
  private final DataType type;
  private final long validLength;

  /**
   * A check against one device.
   *
   * @param oneDevice its results, in global order of rows
   * @param validLength rows before the padding
   */
  RankCheck(
      AttentionInputs inputs,
      ReferenceRows reference,
      RankTensors oneDevice,
      DataType type,
      long validLength) {
    this.inputs = inputs;
    this.reference = reference;
    this.oneDevice = oneDevice;
    this.type = type;
    this.validLength = validLength;
  }

  /**
   * Compares one result of one rank, on the thread of that rank.
   *
   * @param shard the global rows of the rank in local order
   */
  PartCheck compare(OutputPart part, RankTensors rank, List<RowRange> shard) {
    PartCheck check = new PartCheck(part, type);
    int width = inputs.width(part.shapedLike());
    long rowBytes = (long) width * type.byteSize();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment mine = arena.allocate(BLOCK * rowBytes, 64);
      MemorySegment theirs = arena.allocate(BLOCK * rowBytes, 64);
      long local = 0;
      for (RowRange range : shard) {
        for (long begin = range.begin(); begin < range.end(); begin += BLOCK) {
          int rows = (int) Math.min(BLOCK, range.end() - begin);
          float[] actual = download(rank, part, local, rows * rowBytes, rowBytes, mine);
          float[] expected =
              rank == oneDevice
                  ? actual
                  : download(oneDevice, part, begin, rows * rowBytes, rowBytes, theirs);
          for (int i = 0; i < rows; i++) {
            addRow(check, part, begin + i, actual, expected, i * width, width);
          }
          local += rows;
        }
      }
    }
    return check;
  }

  private float[] download(
      RankTensors from, OutputPart part, long row, long bytes, long rowBytes, MemorySegment to) {
    MemorySegment block = to.asSlice(0, bytes);
    from.outputBuffer(part).copyTo(row * rowBytes, block);
    return HalfFloats.decode(type, block);
  }

  private void addRow(
      PartCheck check,
      OutputPart part,
      long row,
      float[] actual,
      float[] expected,
      int offset,
      int width) {
    if (row >= validLength) {
      for (int c = offset; c < offset + width; c++) {
        check.addPadding(row, actual[c]);
      }
      return;
    }
    for (int c = offset; c < offset + width; c++) {
      check.againstOneDevice().add(row, actual[c], expected[c]);
    }
    reference.compare(part, row, actual, offset, check.againstReference());
    reference.compare(part, row, expected, offset, check.oneDeviceAgainstReference());
  }
}
