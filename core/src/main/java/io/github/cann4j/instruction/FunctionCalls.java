// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.MinimalPrettyPrinter;
import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Writes a message that calls functions. */
final class FunctionCalls {
  /** Tool formats that write each call as JSON between {@code <tool_call>} tags. */
  private static final List<String> TAGGED = List.of("qwen", "qwen3", "ling");

  private static final Pattern THOUGHT = Pattern.compile("<think>.*</think>", Pattern.DOTALL);

  private static final JSON SPACED =
      JSON.std.with(new Spaced()).with(JSON.Feature.WRITE_NULL_PROPERTIES);

  private FunctionCalls() {}

  static List<Slot> render(Format format, String content) {
    if (!format.placeholders().contains("content")) {
      List<Map<String, Object>> calls = parse(content);
      if (calls.size() != 1) {
        throw new UnsupportedOperationException(
            "a message calls %d functions, but the template writes one; split it, or use a template whose tool_format is one of %s"
                .formatted(calls.size(), TAGGED));
      }
      Map<String, Object> call = calls.getFirst();
      return format.apply(
          Map.of("name", (String) call.get("name"), "arguments", write(call.get("arguments"))));
    }
    boolean tagged = format.toolFormat().filter(TAGGED::contains).isPresent();
    return format.apply(Map.of("content", tagged ? tag(content) : content));
  }

  private static String tag(String content) {
    Matcher thought = THOUGHT.matcher(content);
    boolean thinks = thought.find();
    String calls =
        parse(thinks ? thought.replaceFirst("") : content).stream()
            .map(call -> "<tool_call>\n" + write(call) + "\n</tool_call>")
            .collect(Collectors.joining("\n"));
    return thinks ? thought.group() + calls : calls;
  }

  private static List<Map<String, Object>> parse(String content) {
    Object json;
    try {
      json = JSON.std.anyFrom(content);
    } catch (IOException e) {
      throw noCall(content, e);
    }
    List<?> calls = json instanceof List<?> list ? list : Collections.singletonList(json);
    List<Map<String, Object>> parsed = new ArrayList<>();
    for (Object call : calls) {
      if (!(call instanceof Map<?, ?> fields)
          || !(fields.get("name") instanceof String name)
          || fields.get("arguments") == null) {
        throw noCall(content, null);
      }
      Map<String, Object> ordered = new LinkedHashMap<>();
      ordered.put("name", name);
      ordered.put("arguments", fields.get("arguments"));
      parsed.add(ordered);
    }
    return parsed;
  }

  private static IllegalArgumentException noCall(String content, IOException cause) {
    return new IllegalArgumentException(
        "a message that calls a function must be JSON with a text 'name' and 'arguments', not: "
            + content,
        cause);
  }

  /** JSON of a value. */
  static String write(Object value) {
    try {
      return SPACED.asString(value);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A space after each comma and colon, as models have seen it in training. */
  private static final class Spaced extends MinimalPrettyPrinter {
    private static final long serialVersionUID = 1;

    @Override
    public void writeObjectFieldValueSeparator(JsonGenerator json) throws IOException {
      json.writeRaw(": ");
    }

    @Override
    public void writeObjectEntrySeparator(JsonGenerator json) throws IOException {
      json.writeRaw(", ");
    }

    @Override
    public void writeArrayValueSeparator(JsonGenerator json) throws IOException {
      json.writeRaw(", ");
    }
  }
}
