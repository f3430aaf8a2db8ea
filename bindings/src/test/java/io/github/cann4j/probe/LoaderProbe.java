// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.probe;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.acl.CannLoadException;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.TensorOps;
import io.github.cann4j.aclnn.Workspace;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.ReduceOp;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Runs in a process of its own and says what the loader did. */
public final class LoaderProbe {
  private LoaderProbe() {}

  /** With a class path as argument: the same again in two class loaders of their own. */
  public static void main(String[] args) throws Exception {
    if (args.length == 0) {
      probe();
      return;
    }
    for (int i = 0; i < 2; i++) {
      Class<?> probe =
          new URLClassLoader(urls(args[0]), ClassLoader.getPlatformClassLoader())
              .loadClass(LoaderProbe.class.getName());
      if (probe == LoaderProbe.class) {
        throw new AssertionError("not a class loader of its own");
      }
      try {
        probe.getMethod("probe").invoke(null);
      } catch (InvocationTargetException e) {
        throw new AssertionError(e.getCause());
      }
    }
  }

  private static URL[] urls(String classPath) throws MalformedURLException {
    List<URL> urls = new ArrayList<>();
    for (String entry : classPath.split(":")) {
      urls.add(Path.of(entry).toUri().toURL());
    }
    return urls.toArray(URL[]::new);
  }

  /** Loads, uses a bit of each library, and prints. */
  public static void probe() {
    if (!Cann.isAvailable()) {
      Throwable first = Cann.unavailabilityCause();
      System.out.println("UNAVAILABLE " + first.getMessage());
      System.out.println("TYPES " + DataType.BF16.byteSize() + " " + ReduceOp.SUM.code());
      try {
        Device.open(0);
        System.out.println("NOT REFUSED");
      } catch (CannLoadException e) {
        System.out.println("AGAIN " + e.getMessage().equals(first.getMessage()));
      }
      return;
    }
    System.out.println("BACKEND " + Cann.toolkit().backend());
    System.out.println("HOME " + Cann.toolkit().home());
    System.out.println("DEVICES " + Cann.toolkit().deviceCount());
    System.out.println(Cann.toolkit().describe());
    Device device = Device.open(0);
    try (Stream stream = device.createStream();
        Workspace workspace = new Workspace(device);
        DeviceBuffer buffer = device.allocate(4 * 4);
        Communicator alone = Communicator.initAll(List.of(device)).getFirst()) {
      buffer.copyFrom(MemorySegment.ofArray(new float[] {1, 2, 3, 4}));
      Tensor tensor = Tensor.of(buffer, DataType.FLOAT, 4);
      TensorOps.inplaceMuls(tensor, 3, stream, workspace);
      alone.barrier(stream);
      stream.synchronize();
      float[] values = new float[4];
      buffer.copyTo(MemorySegment.ofArray(values));
      System.out.println("COMPUTED " + values[3]);
    }
  }
}
