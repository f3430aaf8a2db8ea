// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.worker;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cann4j.benchmarks.attention.AttentionShape;
import io.github.cann4j.benchmarks.worker.Request.Action;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.util.List;

/** The other end of a {@link WorkerLoop}: asks and waits for the answer. */
public class WorkerClient {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final String name;
  private final PrintStream requests;
  private final BufferedReader responses;
  private int prepared;

  /**
   * @param name for messages
   * @param requests where the worker reads
   * @param responses what the worker writes; lines that are no JSON are its libraries' own words
   */
  public WorkerClient(String name, PrintStream requests, BufferedReader responses) {
    this.name = name;
    this.requests = requests;
    this.responses = responses;
  }

  /** The name of the implementation. */
  public String name() {
    return name;
  }

  /** What the worker says of itself. */
  public String describe() {
    return ask(Action.DESCRIBE, 0, null).text();
  }

  /** Prepares a case; returns its number. */
  public int prepare(AttentionShape shape) {
    ask(Action.PREPARE, 0, shape);
    return prepared++;
  }

  /** Time of a forward pass, in seconds. */
  public double forward(int number) {
    return ask(Action.FORWARD, number, null).seconds();
  }

  /** Time of a backward pass, in seconds. */
  public double backward(int number) {
    return ask(Action.BACKWARD, number, null).seconds();
  }

  /** Some values of the output, and of the gradients too. */
  public List<double[]> sample(int number, boolean gradients) {
    return ask(gradients ? Action.SAMPLE_ALL : Action.SAMPLE_OUT, number, null).samples();
  }

  /** Frees all cases. */
  public void clear() {
    ask(Action.CLEAR, 0, null);
    prepared = 0;
  }

  private Response ask(Action action, int number, AttentionShape shape) {
    try {
      requests.println(JSON.writeValueAsString(new Request(action, number, shape)));
      requests.flush();
      String line;
      do {
        line = responses.readLine();
      } while (line != null && !line.startsWith("{"));
      if (line == null) {
        throw new WorkerException(name + " ended during " + action);
      }
      Response response = JSON.readValue(line, Response.class);
      if (response.error() != null) {
        throw new WorkerException("%s, %s: %s".formatted(name, action, response.error()));
      }
      return response;
    } catch (IOException e) {
      throw new UncheckedIOException(name, e);
    }
  }
}
