// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.runtime.AclErrors;
import io.github.cann4j.internal.runtime.Scratch;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;
import java.util.Map;

/** One operator's two phases, run without a gap on one thread. */
final class Operator {
  private static final Map<Integer, String> NAMES =
      Map.ofEntries(
          Map.entry(161001, "ACLNN_ERR_PARAM_NULLPTR"),
          Map.entry(161002, "ACLNN_ERR_PARAM_INVALID"),
          Map.entry(361001, "ACLNN_ERR_RUNTIME_ERROR"),
          Map.entry(561000, "ACLNN_ERR_INNER"),
          Map.entry(561001, "ACLNN_ERR_INNER_INFERSHAPE_ERROR"),
          Map.entry(561002, "ACLNN_ERR_INNER_TILING_ERROR"),
          Map.entry(561003, "ACLNN_ERR_INNER_FIND_KERNEL_ERROR"),
          Map.entry(561101, "ACLNN_ERR_INNER_CREATE_EXECUTOR"),
          Map.entry(561102, "ACLNN_ERR_INNER_NOT_TRANS_EXECUTOR"),
          Map.entry(561103, "ACLNN_ERR_INNER_NULLPTR"),
          Map.entry(561104, "ACLNN_ERR_INNER_WRONG_ATTR_INFO_SIZE"),
          Map.entry(561105, "ACLNN_ERR_INNER_KEY_CONFILICT"),
          Map.entry(561106, "ACLNN_ERR_INNER_INVALID_IMPL_MODE"),
          Map.entry(561107, "ACLNN_ERR_INNER_OPP_PATH_NOT_FOUND"),
          Map.entry(561108, "ACLNN_ERR_INNER_LOAD_JSON_FAILED"),
          Map.entry(561109, "ACLNN_ERR_INNER_JSON_VALUE_NOT_FOUND"),
          Map.entry(561110, "ACLNN_ERR_INNER_JSON_FORMAT_INVALID"),
          Map.entry(561111, "ACLNN_ERR_INNER_JSON_DTYPE_INVALID"),
          Map.entry(561112, "ACLNN_ERR_INNER_OPP_KERNEL_PKG_NOT_FOUND"),
          Map.entry(561113, "ACLNN_ERR_INNER_OP_FILE_INVALID"),
          Map.entry(561114, "ACLNN_ERR_INNER_ATTR_NUM_OUT_OF_BOUND"),
          Map.entry(561115, "ACLNN_ERR_INNER_ATTR_LEN_NOT_ENOUGH"),
          Map.entry(561116, "ACLNN_ERR_INNER_INPUT_NUM_IN_JSON_TOO_LARGE"),
          Map.entry(561117, "ACLNN_ERR_INNER_INPUT_JSON_IS_NULL"),
          Map.entry(561118, "ACLNN_ERR_INNER_STATIC_WORKSPACE_INVALID"),
          Map.entry(561119, "ACLNN_ERR_INNER_STATIC_BLOCK_DIM_INVALID"));

  // All operators have this type. The executor goes as a number: a segment would be made for it in
  // each call.
  private static final MethodHandle LAUNCH =
      Linker.nativeLinker()
          .downcallHandle(
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT,
                  ValueLayout.ADDRESS,
                  ValueLayout.JAVA_LONG,
                  ValueLayout.JAVA_LONG,
                  ValueLayout.ADDRESS));

  /** {@code …GetWorkspaceSize}, with its own arguments bound. */
  @FunctionalInterface
  interface Plan {
    int call(MemorySegment workspaceSize, MemorySegment executor);
  }

  /** {@code …GetWorkspaceSize}, with its own arguments taken from an object. */
  @FunctionalInterface
  interface PlanOf<T> {
    int call(T arguments, MemorySegment workspaceSize, MemorySegment executor);
  }

  /** {@code …GetWorkspaceSize} of an operator that takes one tensor and nothing else. */
  @FunctionalInterface
  interface Plan1 {
    int call(MemorySegment a, MemorySegment workspaceSize, MemorySegment executor);
  }

  /** {@code …GetWorkspaceSize} of an operator that takes two tensors and nothing else. */
  @FunctionalInterface
  interface Plan2 {
    int call(MemorySegment a, MemorySegment b, MemorySegment workspaceSize, MemorySegment executor);
  }

  /** {@code …GetWorkspaceSize} of an operator that takes three pointers and nothing else. */
  @FunctionalInterface
  interface Plan3 {
    int call(
        MemorySegment a,
        MemorySegment b,
        MemorySegment c,
        MemorySegment workspaceSize,
        MemorySegment executor);
  }

  /** A function of CANN with its arguments bound; {@code launch} is the address of phase 2. */
  record Call(String name, Plan plan, MemorySegment launch) {}

  private Operator() {}

  static void run(
      String name, Stream stream, Workspace workspace, Plan1 plan, MemorySegment launch, Tensor a) {
    synchronized (workspace.lock()) {
      Scratch scratch = begin(stream, workspace);
      int planned = plan.call(a.handle(), scratch.first(), scratch.second());
      finish(name, planned, scratch, stream, workspace, launch);
    }
    keep(a);
  }

  static void run(
      String name,
      Stream stream,
      Workspace workspace,
      Plan2 plan,
      MemorySegment launch,
      Tensor a,
      Tensor b) {
    synchronized (workspace.lock()) {
      Scratch scratch = begin(stream, workspace);
      int planned = plan.call(a.handle(), b.handle(), scratch.first(), scratch.second());
      finish(name, planned, scratch, stream, workspace, launch);
    }
    keep(a, b);
  }

  static void run(
      String name,
      Stream stream,
      Workspace workspace,
      Plan3 plan,
      MemorySegment launch,
      Tensor a,
      Tensor b,
      Tensor c) {
    run(name, stream, workspace, plan, launch, a, b, c.handle());
    keep(c);
  }

  /** The last argument is no tensor, such as a factor. */
  static void run(
      String name,
      Stream stream,
      Workspace workspace,
      Plan3 plan,
      MemorySegment launch,
      Tensor a,
      Tensor b,
      MemorySegment last) {
    synchronized (workspace.lock()) {
      Scratch scratch = begin(stream, workspace);
      int planned = plan.call(a.handle(), b.handle(), last, scratch.first(), scratch.second());
      finish(name, planned, scratch, stream, workspace, launch);
    }
    keep(a, b);
  }

  static void run(Call call, Stream stream, Workspace workspace) {
    run(call.name, stream, workspace, call.plan, call.launch);
  }

  static void run(
      String name, Stream stream, Workspace workspace, Plan plan, MemorySegment launch) {
    run(name, stream, workspace, Plan::call, plan, launch);
  }

  static <T> void run(
      String name,
      Stream stream,
      Workspace workspace,
      PlanOf<? super T> plan,
      T arguments,
      MemorySegment launch) {
    synchronized (workspace.lock()) {
      Scratch scratch = begin(stream, workspace);
      int planned = plan.call(arguments, scratch.first(), scratch.second());
      finish(name, planned, scratch, stream, workspace, launch);
    }
  }

  /** Keeps alive a view, which owns the handle that an operator was given. */
  static void keep(Tensor a) {
    Reference.reachabilityFence(a);
  }

  static void keep(Tensor a, Tensor b) {
    Reference.reachabilityFence(a);
    Reference.reachabilityFence(b);
  }

  static void keep(Tensor a, Tensor b, Tensor c) {
    keep(a, b);
    Reference.reachabilityFence(c);
  }

  static void keep(Tensor... tensors) {
    for (Tensor tensor : tensors) {
      Reference.reachabilityFence(tensor);
    }
  }

  private static Scratch begin(Stream stream, Workspace workspace) {
    stream.handle();
    stream.device().makeCurrent();
    workspace.require(stream);
    return Scratch.get();
  }

  private static void finish(
      String name,
      int planned,
      Scratch scratch,
      Stream stream,
      Workspace workspace,
      MemorySegment launch) {
    if (planned != 0) {
      throw failure(planned, name + "GetWorkspaceSize", stream.device());
    }
    long bytes = scratch.firstValue();
    long executor = scratch.secondValue();
    MemorySegment queue = stream.handle();
    MemorySegment memory;
    try {
      memory = workspace.reserve(bytes, stream);
    } catch (RuntimeException e) {
      // Only phase 2 releases the executor; without workspace it does nothing else.
      launch(launch, MemorySegment.NULL, bytes, executor, queue);
      throw e;
    }
    int launched = launch(launch, memory, bytes, executor, queue);
    if (launched != 0) {
      throw failure(launched, name, stream.device());
    }
  }

  private static int launch(
      MemorySegment function,
      MemorySegment memory,
      long bytes,
      long executor,
      MemorySegment queue) {
    try {
      return (int) LAUNCH.invokeExact(function, memory, bytes, executor, queue);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  private static AclnnException failure(int code, String function, Device device) {
    String text = AclErrors.recentText();
    String codeName = NAMES.getOrDefault(code, AclErrors.name(code));
    return new AclnnException(
        AclErrors.message(function, codeName, code, device.toString(), text),
        function,
        code,
        codeName,
        text);
  }
}
