// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.peers;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import io.github.cann4j.benchmarks.attention.AttentionInputs;
import io.github.cann4j.benchmarks.attention.AttentionInputs.Input;
import io.github.cann4j.benchmarks.attention.AttentionRunner;
import io.github.cann4j.benchmarks.attention.AttentionShape;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The kernels that scaled_dot_product_attention and its gradient are on a CPU, which DJL's arrays
 * do not have, called through a script.
 */
final class DjlAttention implements AttentionRunner {
  private static final String METHODS =
      """
      def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tuple[Tensor, Tensor]:
        return torch._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0., True)
      def gradient(self, dy: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        return torch._scaled_dot_product_flash_attention_for_cpu_backward(dy, q, k, v, out, lse, 0., True)
      def convert(self, x: Tensor, type: int) -> Tensor:
        return torch.to(x, type, False, True)
      """;

  private static final int FLOAT = 6;

  private final PtNDManager manager;
  private final PtSymbolBlock script;

  DjlAttention(int threads) {
    manager = (PtNDManager) NDManager.newBaseManager("PyTorch");
    JniUtils.setNumThreads(threads);
    JniUtils.setGradMode(false);
    try {
      Path file = Files.createTempFile("attention", ".pt");
      try {
        try (OutputStream out = Files.newOutputStream(file)) {
          ScriptArchive.write(out, "Attention", METHODS);
        }
        script = JniUtils.loadModule(manager, file, false, new String[0], new String[0], false);
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public String description() {
    return "libtorch %s of DJL %s, with MKL"
        .formatted(Engine.getEngine("PyTorch").getVersion(), Engine.getDjlVersion());
  }

  @Override
  public Prepared prepare(AttentionShape shape) {
    return new Case(shape);
  }

  @Override
  public void close() {
    script.close();
    manager.close();
  }

  private final class Case implements Prepared {
    private final AttentionShape shape; // as it is exchanged: in fp32, which holds all others
    private final PtNDManager own = (PtNDManager) manager.newSubManager();
    private final IValue[] inputs = new IValue[Input.values().length];
    private IValue[] outputs = {};
    private IValue[] gradients = {};

    Case(AttentionShape shape) {
      if (shape.packed() || shape.heads() != shape.kvHeads()) {
        throw new IllegalArgumentException(
            "packed documents and groups of heads are not supported");
      }
      AttentionShape floats = shape.withType(io.github.cann4j.acl.DataType.FLOAT);
      this.shape = floats;
      for (Input input : Input.values()) {
        int dim = input == Input.QUERY || input == Input.KEY ? shape.dim() : shape.valueDim();
        Shape sizes = new Shape(1, shape.heads(), shape.length(), dim);
        ByteBuffer values =
            ByteBuffer.allocateDirect(Math.toIntExact(sizes.size() * Float.BYTES))
                .order(ByteOrder.nativeOrder());
        AttentionInputs.fill(MemorySegment.ofBuffer(values), floats, input, true);
        try (PtNDArray array = own.create(sizes, DataType.FLOAT32)) {
          array.set(values);
          inputs[input.ordinal()] = convert(IValue.from(array), scalarType(shape));
        }
      }
    }

    /** Number of a type in libtorch; DJL's arrays know no BF16. */
    private static int scalarType(AttentionShape shape) {
      return switch (shape.type()) {
        case FLOAT -> FLOAT;
        case BF16 -> 15;
        case FLOAT16 -> 5;
        default -> throw new IllegalArgumentException("type " + shape.type());
      };
    }

    private IValue convert(IValue tensor, int type) {
      try (IValue number = IValue.from((long) type)) {
        return IValueUtils.runMethod(script, "convert", tensor, number);
      }
    }

    @Override
    public void forward() {
      free(gradients);
      free(outputs);
      gradients = new IValue[0];
      outputs = run("forward", inputs[0], inputs[1], inputs[2]);
    }

    @Override
    public void backward() {
      gradients =
          run("gradient", inputs[3], inputs[0], inputs[1], inputs[2], outputs[0], outputs[1]);
    }

    private IValue[] run(String method, IValue... arguments) {
      try (IValue tuple = IValueUtils.runMethod(script, method, arguments)) {
        return tuple.toIValueTuple();
      }
    }

    private static void free(IValue[] values) {
      for (IValue value : values) {
        value.close();
      }
    }

    @Override
    public double[] sample(Result result) {
      IValue value = result == Result.OUT ? outputs[0] : gradients[result.ordinal() - 1];
      try (IValue floats = convert(value, FLOAT);
          PtNDArray array = floats.toTensor(own)) {
        ByteBuffer bytes = array.toByteBuffer();
        return AttentionInputs.sample(MemorySegment.ofBuffer(bytes), shape, result, true);
      }
    }

    @Override
    public void close() {
      free(gradients);
      free(outputs);
      free(inputs);
      own.close();
    }
  }
}
