// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import io.github.cann4j.samples.cli.BadInputException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.LongConsumer;
import java.util.stream.Stream;

/**
 * A file to be read, or data that comes with the project.
 *
 * @param name what messages call it
 * @param fileName the name without directories
 * @param size its bytes
 */
public record InputFile(String name, String fileName, long size, Opener opener) {
  private static final String SHIPPED = "/io/github/cann4j/samples/data/";

  /** Opens it once more. */
  @FunctionalInterface
  public interface Opener {
    InputStream open() throws IOException;
  }

  /** Data that comes with the project. */
  public static InputFile shipped(String name) {
    URL resource = Objects.requireNonNull(InputFile.class.getResource(SHIPPED + name), name);
    try {
      long size = resource.openConnection().getContentLengthLong();
      return new InputFile(name, name, size, resource::openStream);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Files as given, and those below given directories in the order of their names, hidden ones left
   * out.
   *
   * @param option the option that gives them
   * @throws BadInputException if a path is not there or there is no file at all
   */
  public static List<InputFile> of(String option, List<Path> paths) {
    List<InputFile> files = new ArrayList<>();
    for (Path path : paths) {
      if (!Files.exists(path)) {
        throw new BadInputException(option + " " + path + " does not exist");
      }
      try {
        for (Path file : filesBelow(path)) {
          files.add(
              new InputFile(
                  file.toString(),
                  file.getFileName().toString(),
                  Files.size(file),
                  () -> Files.newInputStream(file)));
        }
      } catch (IOException | UncheckedIOException e) {
        throw new BadInputException(
            option + " " + path + " cannot be listed: " + e.getMessage(), e);
      }
    }
    if (files.isEmpty()) {
      throw new BadInputException(option + " " + paths + " holds no files");
    }
    return files;
  }

  /** Opens it once more; the caller closes the stream. */
  public InputStream open() throws IOException {
    return opener.open();
  }

  /** The same file, which tells how many bytes have been read since it was opened. */
  public InputFile counting(LongConsumer bytesRead) {
    return new InputFile(name, fileName, size, () -> new CountingStream(opener.open(), bytesRead));
  }

  private static final class CountingStream extends FilterInputStream {
    private final LongConsumer listener;
    private long count;

    CountingStream(InputStream in, LongConsumer listener) {
      super(in);
      this.listener = listener;
    }

    @Override
    public int read() throws IOException {
      int value = super.read();
      count(value < 0 ? 0 : 1);
      return value;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      int read = super.read(target, offset, length);
      count(Math.max(0, read));
      return read;
    }

    private void count(int bytes) {
      count += bytes;
      listener.accept(count);
    }
  }

  private static List<Path> filesBelow(Path path) throws IOException {
    if (!Files.isDirectory(path)) {
      return List.of(path);
    }
    try (Stream<Path> walk = Files.walk(path)) {
      return walk.filter(Files::isRegularFile)
          .filter(file -> !isHidden(path.relativize(file)))
          .sorted()
          .toList();
    }
  }

  private static boolean isHidden(Path relative) {
    for (Path part : relative) {
      if (part.toString().startsWith(".")) {
        return true;
      }
    }
    return false;
  }
}
