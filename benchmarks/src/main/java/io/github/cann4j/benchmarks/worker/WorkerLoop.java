// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.worker;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cann4j.benchmarks.attention.AttentionRunner;
import io.github.cann4j.benchmarks.attention.AttentionRunner.Prepared;
import io.github.cann4j.benchmarks.attention.AttentionRunner.Result;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Answers requests, one line each, until there are no more. */
public final class WorkerLoop {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final AttentionRunner runner;
  private final List<Prepared> cases = new ArrayList<>();

  public WorkerLoop(AttentionRunner runner) {
    this.runner = runner;
  }

  /** Serves; a request that fails is answered by its error, and the next one is read. */
  public void serve(BufferedReader in, PrintStream out) throws IOException {
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      Response response;
      try {
        response = answer(JSON.readValue(line, Request.class));
      } catch (Exception | LinkageError e) {
        response = Response.error(e.toString());
      }
      out.println(JSON.writeValueAsString(response));
      out.flush();
    }
    clear();
  }

  private Response answer(Request request) {
    switch (request.action()) {
      case DESCRIBE -> {
        return Response.text(runner.description());
      }
      case PREPARE -> cases.add(runner.prepare(request.shape()));
      case FORWARD -> {
        return time(find(request)::forward);
      }
      case BACKWARD -> {
        return time(find(request)::backward);
      }
      case SAMPLE_OUT -> {
        return sample(find(request), Result.OUT);
      }
      case SAMPLE_ALL -> {
        return sample(find(request), Result.values());
      }
      case CLEAR -> clear();
    }
    return Response.done();
  }

  private static Response sample(Prepared prepared, Result... results) {
    return Response.samples(Arrays.stream(results).map(prepared::sample).toList());
  }

  private Prepared find(Request request) {
    if (request.number() < 0 || request.number() >= cases.size()) {
      throw new IllegalArgumentException(
          "no case %d; %d are prepared".formatted(request.number(), cases.size()));
    }
    return cases.get(request.number());
  }

  private static Response time(Runnable work) {
    long start = System.nanoTime();
    work.run();
    return Response.seconds((System.nanoTime() - start) * 1e-9);
  }

  private void clear() {
    cases.forEach(Prepared::close);
    cases.clear();
  }
}
