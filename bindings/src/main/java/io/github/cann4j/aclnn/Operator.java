// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.runtime.AclErrors;
import io.github.cann4j.internal.runtime.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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

  /** {@code …GetWorkspaceSize}, with its own arguments bound. */
  @FunctionalInterface
  interface Plan {
    int call(MemorySegment workspaceSize, MemorySegment executor);
  }

  /** The operator itself. */
  @FunctionalInterface
  interface Launch {
    int call(MemorySegment workspace, long size, MemorySegment executor, MemorySegment stream);
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

  /** {@code …GetWorkspaceSize} of an operator that takes three tensors and nothing else. */
  @FunctionalInterface
  interface Plan3 {
    int call(
        MemorySegment a,
        MemorySegment b,
        MemorySegment c,
        MemorySegment workspaceSize,
        MemorySegment executor);
  }

  /** A function of CANN with its arguments bound. */
  record Call(String name, Plan plan, Launch launch) {}

  private Operator() {}

  static void run(
      String name, Stream stream, Workspace workspace, Plan1 plan, Launch launch, Tensor a) {
    run(name, stream, workspace, (size, out) -> plan.call(a.handle(), size, out), launch);
    keep(a);
  }

  static void run(
      String name,
      Stream stream,
      Workspace workspace,
      Plan2 plan,
      Launch launch,
      Tensor a,
      Tensor b) {
    run(
        name,
        stream,
        workspace,
        (size, out) -> plan.call(a.handle(), b.handle(), size, out),
        launch);
    keep(a, b);
  }

  static void run(
      String name,
      Stream stream,
      Workspace workspace,
      Plan3 plan,
      Launch launch,
      Tensor a,
      Tensor b,
      Tensor c) {
    run(
        name,
        stream,
        workspace,
        (size, out) -> plan.call(a.handle(), b.handle(), c.handle(), size, out),
        launch);
    keep(a, b, c);
  }

  /** Keeps alive views, which own the handles that an operator was given. */
  static void keep(Tensor... tensors) {
    for (Tensor tensor : tensors) {
      Reference.reachabilityFence(tensor);
    }
  }

  static void run(Call call, Stream stream, Workspace workspace) {
    run(call.name, stream, workspace, call.plan, call.launch);
  }

  static void run(String name, Stream stream, Workspace workspace, Plan plan, Launch launch) {
    Device device = stream.device();
    MemorySegment queue = stream.handle();
    // Host objects behind tensors are shared by all users of a view.
    synchronized (device) {
      device.makeCurrent();
      workspace.require(stream);
      Scratch scratch = Scratch.get();
      MemorySegment size = scratch.first();
      MemorySegment out = scratch.second();
      int planned = plan.call(size, out);
      if (planned != 0) {
        throw failure(planned, name + "GetWorkspaceSize", device);
      }
      long bytes = size.get(ValueLayout.JAVA_LONG, 0);
      MemorySegment executor = out.get(ValueLayout.ADDRESS, 0);
      MemorySegment memory;
      try {
        memory = workspace.reserve(bytes, stream);
      } catch (RuntimeException e) {
        // Only phase 2 releases the executor; without workspace it does nothing else.
        launch.call(MemorySegment.NULL, bytes, executor, queue);
        throw e;
      }
      int launched = launch.call(memory, bytes, executor, queue);
      if (launched != 0) {
        throw failure(launched, name, device);
      }
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
