// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import io.github.cann4j.acl.CannLoadException;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Stream;

/**
 * The CPU toolkit in its jar. It is unpacked once per version and content into a directory of the
 * user, which then is a toolkit's home like any other.
 */
final class CpuToolkitArchive {
  private static final String DESCRIPTION = "toolkit.properties";
  // Holds the state of the library when its hash was last compared, which takes as long as all the
  // rest of a start.
  private static final String SEAL = "verified";
  private static final String LIBRARY = "lib64/" + ToolkitHome.CPU_LIBRARY;
  private static final List<String> CANN_NAMES =
      List.of("libascendcl.so", "libnnopbase.so", "libopapi.so", "libhccl.so");
  private static final Duration LOCK_TIMEOUT = Duration.ofMinutes(2);

  private final URL description;
  private final String root;
  private final String version;
  private final String sha256;

  private CpuToolkitArchive(URL description, String root, String version, String sha256) {
    this.description = description;
    this.root = root;
    this.version = version;
    this.sha256 = sha256;
  }

  /** Finds the jar for this machine on the class path or among the modules. */
  static CpuToolkitArchive find() {
    String classifier = classifier();
    String root = "META-INF/cann4j/" + classifier + "/";
    URL url = resource(root + DESCRIPTION);
    if (url == null) {
      throw new CannLoadException(
          ("The CPU toolkit is not there: put io.github.cann4j:cann4j-native with classifier %s on"
               + " the class path, or on the module path with --add-modules io.github.cann4j.cpu,"
               + " or name a toolkit with -Dcann4j.home (looked for the resource %s)")
              .formatted(classifier, root + DESCRIPTION),
          null);
    }
    Properties properties = new Properties();
    try (InputStream in = url.openStream()) {
      properties.load(in);
    } catch (IOException e) {
      throw new CannLoadException("Cannot read " + url + ": " + e, e);
    }
    String version = properties.getProperty("version", "");
    String sha256 = properties.getProperty("sha256", "");
    if (!version.matches("[\\w.+-]+") || !sha256.matches("[0-9a-f]{64}")) {
      throw new CannLoadException(
          "%s is damaged: version='%s', sha256='%s'".formatted(url, version, sha256), null);
    }
    return new CpuToolkitArchive(url, root, version, sha256);
  }

  static String classifier() {
    String arch = System.getProperty("os.arch");
    String os = System.getProperty("os.name");
    if (!os.equals("Linux")) {
      throw new CannLoadException("CANN exists for Linux only; this JVM runs on " + os, null);
    }
    return switch (arch) {
      case "amd64", "x86_64" -> "linux-x86_64";
      case "aarch64", "arm64" -> "linux-aarch_64";
      default -> "linux-" + arch;
    };
  }

  private static URL resource(String name) {
    URL url = CpuToolkitArchive.class.getClassLoader().getResource(name);
    ClassLoader context = Thread.currentThread().getContextClassLoader();
    return url == null && context != null ? context.getResource(name) : url;
  }

  /** Unpacks the archive unless that has been done, and returns the home. */
  Path unpack() {
    Path cache = cache();
    Path home = cache.resolve("cpu-" + version + "-" + sha256.substring(0, 16));
    try {
      Files.createDirectories(cache);
      try (FileChannel channel =
              FileChannel.open(
                  cache.resolve(home.getFileName() + ".lock"),
                  StandardOpenOption.CREATE,
                  StandardOpenOption.WRITE);
          FileLock lock = lock(channel, home)) {
        if (!lock.isValid()) {
          throw new IOException("lost the lock of " + home);
        }
        if (!isComplete(home)) {
          unpackInto(cache, home);
        }
      }
    } catch (IOException e) {
      throw new CannLoadException(
          ("Cannot unpack the CPU toolkit into %s: %s. Name a writable directory with"
                  + " -Dcann4j.cache (or CANN4J_CACHE)")
              .formatted(home, e),
          e);
    }
    return home;
  }

  private static Path cache() {
    Path chosen = Settings.CACHE.path();
    if (chosen != null) {
      return chosen;
    }
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path base =
        xdg != null && xdg.startsWith("/")
            ? Path.of(xdg)
            : Path.of(System.getProperty("user.home"), ".cache");
    return base.resolve("cann4j");
  }

  // The lock holds between processes; class loaders of one process see the overlap and wait.
  private static FileLock lock(FileChannel channel, Path home) throws IOException {
    long deadline = System.nanoTime() + LOCK_TIMEOUT.toNanos();
    while (true) {
      try {
        FileLock lock = channel.tryLock();
        if (lock != null) {
          return lock;
        }
      } catch (OverlappingFileLockException e) {
        // held by another class loader of this process
      }
      if (System.nanoTime() > deadline) {
        throw new IOException(
            "another process has held " + home + ".lock for " + LOCK_TIMEOUT.toSeconds() + " s");
      }
      try {
        Thread.sleep(20);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while waiting for " + home + ".lock", e);
      }
    }
  }

  private boolean isComplete(Path home) throws IOException {
    Path library = home.resolve(LIBRARY);
    if (!Files.exists(home.resolve(DESCRIPTION)) || !Files.exists(library)) {
      return false;
    }
    Path seal = home.resolve(SEAL);
    if (Files.exists(seal) && Files.readString(seal).equals(state(library))) {
      return true;
    }
    if (!sha256(library).equals(sha256)) {
      return false;
    }
    Files.writeString(seal, state(library));
    return true;
  }

  /** What the file system changes when it changes a file; not even its owner can set the time. */
  private static String state(Path library) throws IOException {
    Map<String, Object> attributes = Files.readAttributes(library, "unix:ino,size,ctime");
    return "inode %s, %s bytes, changed %s%n"
        .formatted(attributes.get("ino"), attributes.get("size"), attributes.get("ctime"));
  }

  private void unpackInto(Path cache, Path home) throws IOException {
    Path fresh = Files.createTempDirectory(cache, ".unpack-");
    try {
      copyEntries(fresh);
      Path library = fresh.resolve(LIBRARY);
      if (!Files.exists(library)) {
        throw new IOException("no " + LIBRARY + " beside " + description);
      }
      String found = sha256(library);
      if (!found.equals(sha256)) {
        throw new IOException(
            "the library beside %s has SHA-256 %s, not %s".formatted(description, found, sha256));
      }
      for (String name : CANN_NAMES) {
        Files.createSymbolicLink(
            fresh.resolve("lib64").resolve(name), Path.of(ToolkitHome.CPU_LIBRARY));
      }
      Files.writeString(fresh.resolve(SEAL), state(library));
      if (Files.exists(home)) {
        delete(home);
      }
      Files.move(fresh, home, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      if (Files.exists(fresh)) {
        delete(fresh);
      }
    }
  }

  private void copyEntries(Path target) throws IOException {
    URLConnection connection = description.openConnection();
    if (connection instanceof JarURLConnection jarConnection) {
      jarConnection.setUseCaches(false);
      try (JarFile jar = jarConnection.getJarFile()) {
        for (JarEntry entry : Collections.list(jar.entries())) {
          if (entry.getName().startsWith(root) && !entry.isDirectory()) {
            try (InputStream in = jar.getInputStream(entry)) {
              copy(in, target, entry.getName().substring(root.length()));
            }
          }
        }
      }
    } else if (description.getProtocol().equals("file")) {
      Path source = directory();
      try (Stream<Path> files = Files.walk(source)) {
        for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
          try (InputStream in = Files.newInputStream(file)) {
            copy(in, target, source.relativize(file).toString());
          }
        }
      }
    } else {
      throw new IOException("cannot list the files beside " + description);
    }
  }

  private Path directory() throws IOException {
    try {
      return Path.of(description.toURI()).getParent();
    } catch (URISyntaxException e) {
      throw new IOException(e);
    }
  }

  private static void copy(InputStream in, Path target, String name) throws IOException {
    Path file = target.resolve(name).normalize();
    if (!file.startsWith(target)) {
      throw new IOException("the entry " + name + " leaves its directory");
    }
    Files.createDirectories(file.getParent());
    Files.copy(in, file);
  }

  private static void delete(Path directory) throws IOException {
    Files.walkFileTree(
        directory,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path visited, IOException e)
              throws IOException {
            if (e != null) {
              throw e;
            }
            Files.delete(visited);
            return FileVisitResult.CONTINUE;
          }
        });
  }

  private static String sha256(Path file) throws IOException {
    try (DigestInputStream in =
        new DigestInputStream(Files.newInputStream(file), MessageDigest.getInstance("SHA-256"))) {
      byte[] buffer = new byte[1 << 16];
      while (in.read(buffer) >= 0) {
        // the stream digests what it reads
      }
      return HexFormat.of().formatHex(in.getMessageDigest().digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IOException(e);
    }
  }
}
