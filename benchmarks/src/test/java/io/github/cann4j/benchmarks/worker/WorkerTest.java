// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.worker;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.benchmarks.attention.AttentionRunner;
import io.github.cann4j.benchmarks.attention.AttentionShape;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Both ends of the protocol, a thread each. */
@Timeout(60)
class WorkerTest {
  private static final AttentionShape SHAPE =
      new AttentionShape(DataType.BF16, List.of(3L, 5L), 4, 2, 64, 32);

  private final List<String> calls = new ArrayList<>();
  private final PipedInputStream workerInput = new PipedInputStream();
  private final PipedInputStream clientInput = new PipedInputStream();
  private PrintStream clientOutput;
  private PrintStream workerOutput;
  private WorkerClient client;
  private CompletableFuture<Void> loop;

  /** Notes what it is told to do. */
  private final class FakeRunner implements AttentionRunner {
    @Override
    public String description() {
      return "a \"fake\"\nof two lines";
    }

    @Override
    public Prepared prepare(AttentionShape shape) {
      if (shape.heads() == 3) {
        throw new IllegalArgumentException("no 3 heads");
      }
      String name = "case " + shape.length();
      return new Prepared() {
        @Override
        public void forward() {
          workerOutput.println("a library's own words");
          calls.add("forward of " + name + ", " + shape);
        }

        @Override
        public void backward() {
          calls.add("backward of " + name);
        }

        @Override
        public double[] sample(Result result) {
          return new double[] {result.ordinal(), 0.1};
        }

        @Override
        public void close() {
          calls.add("close of " + name);
        }
      };
    }
  }

  @BeforeEach
  void connect() throws Exception {
    clientOutput = new PrintStream(new PipedOutputStream(workerInput));
    workerOutput = new PrintStream(new PipedOutputStream(clientInput));
    client =
        new WorkerClient(
            "fake", clientOutput, new BufferedReader(new InputStreamReader(clientInput)));
    loop =
        CompletableFuture.runAsync(
            () -> {
              try {
                new WorkerLoop(new FakeRunner())
                    .serve(new BufferedReader(new InputStreamReader(workerInput)), workerOutput);
              } catch (Exception e) {
                throw new IllegalStateException(e);
              } finally {
                workerOutput.close();
              }
            });
  }

  @AfterEach
  void disconnect() {
    clientOutput.close();
    loop.join();
  }

  @Test
  void carriesRequestsAndAnswers() {
    assertEquals("a \"fake\"\nof two lines", client.describe());
    int first = client.prepare(SHAPE);
    int second = client.prepare(AttentionShape.dense(DataType.FLOAT, 9, 1, 8));
    assertEquals(List.of(0, 1), List.of(first, second));
    assertTrue(client.forward(first) >= 0);
    assertTrue(client.backward(second) >= 0);
    List<double[]> all = client.sample(first, true);
    assertEquals(4, all.size());
    assertArrayEquals(new double[] {3, 0.1}, all.getLast());
    assertEquals(1, client.sample(first, false).size());
    client.clear();
    assertEquals(0, client.prepare(SHAPE), "counting starts again");
    assertEquals(
        List.of(
            "forward of case 8, " + SHAPE,
            "backward of case 9",
            "close of case 8",
            "close of case 9"),
        calls);
  }

  @Test
  void tellsWhatFailedAndGoesOn() {
    AttentionShape bad = AttentionShape.dense(DataType.FLOAT, 8, 3, 8);
    WorkerException e = assertThrows(WorkerException.class, () -> client.prepare(bad));
    assertTrue(e.getMessage().contains("fake, PREPARE"), e.getMessage());
    assertTrue(e.getMessage().contains("no 3 heads"), e.getMessage());
    e = assertThrows(WorkerException.class, () -> client.forward(7));
    assertTrue(e.getMessage().contains("no case 7; 0 are prepared"), e.getMessage());
    assertEquals(0, client.prepare(SHAPE));
  }

  @Test
  void tellsThatTheWorkerHasEnded() {
    clientOutput.close();
    loop.join();
    WorkerException e = assertThrows(WorkerException.class, client::clear);
    assertEquals("fake ended during CLEAR", e.getMessage());
  }
}
