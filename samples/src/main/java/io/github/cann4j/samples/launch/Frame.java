// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.StreamCorruptedException;

/** What ranks say to each other: a byte for the kind, then its fields. */
sealed interface Frame {
  /** Rank 0 has taken a rank in, and waits so long for the others. */
  record Accepted(long waitMillis) implements Frame {}

  /** There will be no job. */
  record Refused(String message) implements Frame {}

  /** All ranks are there; root info, or nothing where a rank table has it. */
  record Start(byte[] rootInfo) implements Frame {}

  /** The sender lives. */
  record Heartbeat() implements Frame {}

  /** The sender is done; its connection ends now. */
  record GoodBye() implements Frame {}

  /** The sender cannot go on. */
  record Failed(String why) implements Frame {}

  /** Rank 0 tells of another rank. */
  record Lost(LostRank rank) implements Frame {}

  int LONGEST_TEXT = 4_000;
  int LONGEST_ROOT_INFO = 1 << 16;

  static Frame read(DataInputStream in) throws IOException {
    int kind = in.readByte();
    return switch (kind) {
      case 1 -> new Accepted(in.readLong());
      case 2 -> new Refused(in.readUTF());
      case 3 -> {
        int length = in.readInt();
        if (length < 0 || length > LONGEST_ROOT_INFO) {
          throw new StreamCorruptedException("root info of " + length + " bytes");
        }
        yield new Start(in.readNBytes(length));
      }
      case 4 -> new Heartbeat();
      case 5 -> new GoodBye();
      case 6 -> new Failed(in.readUTF());
      case 7 -> {
        int rank = in.readInt();
        int how = in.readByte();
        if (how < 0 || how >= LostRank.How.values().length) {
          throw new StreamCorruptedException("a loss of unknown kind " + how);
        }
        yield new Lost(new LostRank(rank, LostRank.How.values()[how], in.readUTF()));
      }
      default -> throw new StreamCorruptedException("a message of unknown kind " + kind);
    };
  }

  default void write(DataOutputStream out) throws IOException {
    switch (this) {
      case Accepted accepted -> {
        out.writeByte(1);
        out.writeLong(accepted.waitMillis());
      }
      case Refused refused -> {
        out.writeByte(2);
        out.writeUTF(cut(refused.message()));
      }
      case Start start -> {
        out.writeByte(3);
        out.writeInt(start.rootInfo().length);
        out.write(start.rootInfo());
      }
      case Heartbeat() -> out.writeByte(4);
      case GoodBye() -> out.writeByte(5);
      case Failed failed -> {
        out.writeByte(6);
        out.writeUTF(cut(failed.why()));
      }
      case Lost lost -> {
        out.writeByte(7);
        out.writeInt(lost.rank().rank());
        out.writeByte(lost.rank().how().ordinal());
        out.writeUTF(cut(lost.rank().message()));
      }
    }
  }

  private static String cut(String text) {
    return text.length() <= LONGEST_TEXT ? text : text.substring(0, LONGEST_TEXT) + "...";
  }
}
