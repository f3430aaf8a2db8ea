// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.StreamCorruptedException;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;

/** A connection between rank 0 and another rank. One thread reads, any may send. */
final class Link implements AutoCloseable {
  private static final byte[] MAGIC = "cann4jRK".getBytes(StandardCharsets.US_ASCII);

  /** What a rank says first. */
  record Hello(int version, int worldSize, int rank, String jobId) {
    static final int VERSION = 1;
  }

  private final Socket socket;
  private final DataInputStream in;
  private final DataOutputStream out;
  private final ReentrantLock sending = new ReentrantLock();
  private volatile long heard = System.nanoTime();
  // Who is at the other end.
  private volatile int rank = -1;

  Link(Socket socket) throws IOException {
    this.socket = socket;
    socket.setTcpNoDelay(true);
    socket.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
    in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
    out = new DataOutputStream(new BufferedOutputStream(socket.getOutputStream()));
  }

  int rank() {
    return rank;
  }

  void setRank(int rank) {
    this.rank = rank;
  }

  String peer() {
    return socket.getRemoteSocketAddress().toString();
  }

  /** When something came from the peer for the last time. */
  long heard() {
    return heard;
  }

  /** Zero is for ever. */
  void setReadTimeout(Duration timeout) throws IOException {
    socket.setSoTimeout(Math.clamp(timeout.toMillis(), 0, Integer.MAX_VALUE));
  }

  void sendHello(Hello hello) throws IOException {
    out.write(MAGIC);
    out.writeInt(hello.version());
    out.writeInt(hello.worldSize());
    out.writeInt(hello.rank());
    out.writeUTF(hello.jobId());
    out.flush();
  }

  /**
   * Reads what a rank says first.
   *
   * @throws StreamCorruptedException if the peer is something else than a rank
   */
  Hello readHello() throws IOException {
    requireMagic();
    int version = in.readInt();
    if (version != Hello.VERSION) {
      return new Hello(version, 0, 0, "");
    }
    Hello hello = new Hello(version, in.readInt(), in.readInt(), in.readUTF());
    if (hello.rank() < 1 || hello.rank() >= hello.worldSize()) {
      throw new StreamCorruptedException(
          "rank %d of %d".formatted(hello.rank(), hello.worldSize()));
    }
    return hello;
  }

  /** Answers {@link #sendHello}, so that the peer knows whom it met. */
  void tryAnswer(Frame frame) {
    try {
      out.write(MAGIC);
      send(frame);
    } catch (IOException e) {
      // The reader gets an end, too.
    }
  }

  Frame readAnswer() throws IOException {
    requireMagic();
    return read();
  }

  private void requireMagic() throws IOException {
    byte[] magic = in.readNBytes(MAGIC.length);
    if (!Arrays.equals(magic, MAGIC)) {
      throw new StreamCorruptedException("it does not speak as a rank does");
    }
  }

  Frame read() throws IOException {
    Frame frame = Frame.read(in);
    heard = System.nanoTime();
    return frame;
  }

  void send(Frame frame) throws IOException {
    sending.lock();
    try {
      frame.write(out);
      out.flush();
    } finally {
      sending.unlock();
    }
  }

  /** Sends unless the connection has ended, which its reader sees too. */
  void trySend(Frame frame) {
    try {
      send(frame);
    } catch (IOException e) {
      // The reader gets an end, too.
    }
  }

  /** Hands over what comes until the connection ends, which is a null frame. */
  void readAll(BiConsumer<Link, Frame> consumer) {
    try {
      while (true) {
        Frame frame = read();
        if (!(frame instanceof Frame.Heartbeat)) {
          consumer.accept(this, frame);
        }
      }
    } catch (IOException e) {
      consumer.accept(this, null);
    }
  }

  @Override
  public void close() {
    try {
      socket.close();
    } catch (IOException e) {
      // Nothing is lost: all that matters was flushed.
    }
  }
}
