// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.peers;

import io.github.cann4j.benchmarks.attention.AttentionInputs;
import io.github.cann4j.benchmarks.attention.AttentionInputs.Input;
import io.github.cann4j.benchmarks.attention.AttentionRunner;
import io.github.cann4j.benchmarks.attention.AttentionShape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** scaled_dot_product_attention and its gradient by autograd; rows of a head follow one another. */
final class JavaCppAttention implements AttentionRunner {
  JavaCppAttention(int threads) {
    torch.set_num_threads(threads);
  }

  @Override
  public String description() {
    return "libtorch %s of the JavaCPP presets, with OpenBLAS %s"
        .formatted(version("pytorch"), version("openblas"));
  }

  /** Of a preset, which ends in that of JavaCPP. */
  private static String version(String preset) {
    try {
      return Loader.getVersion("org.bytedeco", preset);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public Prepared prepare(AttentionShape shape) {
    return new Case(shape);
  }

  private static final class Case implements Prepared {
    private final AttentionShape shape;
    private final Tensor[] inputs = new Tensor[Input.values().length];
    private PointerScope pass = new PointerScope();
    private final Tensor[] results = new Tensor[Result.values().length];

    Case(AttentionShape shape) {
      if (shape.packed()) {
        throw new IllegalArgumentException("packed documents are not what this peer has");
      }
      this.shape = shape;
      pass.close();
      for (Input input : Input.values()) {
        boolean wide = input == Input.QUERY || input == Input.KEY;
        boolean query = input == Input.QUERY || input == Input.OUT_GRADIENT;
        long[] sizes = {
          1,
          query ? shape.heads() : shape.kvHeads(),
          shape.length(),
          wide ? shape.dim() : shape.valueDim()
        };
        Tensor tensor = torch.empty(sizes, new TensorOptions(type(shape)), null);
        AttentionInputs.fill(memory(tensor), shape, input, true);
        inputs[input.ordinal()] =
            input == Input.OUT_GRADIENT ? tensor : tensor.set_requires_grad(true);
      }
    }

    private static torch.ScalarType type(AttentionShape shape) {
      return switch (shape.type()) {
        case FLOAT -> torch.ScalarType.Float;
        case BF16 -> torch.ScalarType.BFloat16;
        case FLOAT16 -> torch.ScalarType.Half;
        default -> throw new IllegalArgumentException("type " + shape.type());
      };
    }

    private static MemorySegment memory(Tensor tensor) {
      return MemorySegment.ofAddress(tensor.data_ptr().address())
          .reinterpret(tensor.numel() * tensor.element_size());
    }

    @Override
    public void forward() {
      pass.close();
      pass = new PointerScope();
      results[0] =
          torch.scaled_dot_product_attention(
              inputs[0],
              inputs[1],
              inputs[2],
              new TensorOptional(),
              0,
              true,
              new DoubleOptional(),
              shape.heads() != shape.kvHeads());
    }

    @Override
    public void backward() {
      TensorVector gradients =
          torch.grad(
              new TensorVector(results[0]),
              new TensorVector(inputs[0], inputs[1], inputs[2]),
              new TensorVector(inputs[3]),
              new BoolOptional(false),
              false,
              false);
      for (int i = 1; i < results.length; i++) {
        results[i] = gradients.get(i - 1);
      }
    }

    @Override
    public double[] sample(Result result) {
      Tensor tensor = results[result.ordinal()].detach().contiguous();
      return AttentionInputs.sample(memory(tensor), shape, result, true);
    }

    @Override
    public void close() {
      pass.close();
      for (Tensor input : inputs) {
        input.close();
      }
    }
  }
}
