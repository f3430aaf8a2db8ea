// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads templates from JSON: an array of objects. */
final class TemplateParser {
  private static final Logger LOG = LoggerFactory.getLogger(TemplateParser.class);

  private final String file;

  private TemplateParser(String file) {
    this.file = file;
  }

  static SequencedMap<String, ChatTemplate> parse(String file, byte[] json) throws IOException {
    Object root;
    try {
      root = JSON.std.anyFrom(json);
    } catch (JacksonException e) {
      throw new IllegalArgumentException(
          "%s is not JSON: %s%s".formatted(file, e.getOriginalMessage(), JsonValues.line(e)), e);
    }
    return new TemplateParser(file).templates(root);
  }

  private SequencedMap<String, ChatTemplate> templates(Object root) {
    if (!(root instanceof List<?> list) || list.isEmpty()) {
      throw new IllegalArgumentException(
          "%s must be a JSON array of templates, not %s"
              .formatted(file, JsonValues.describe(root)));
    }
    SequencedMap<String, ChatTemplate> templates = new LinkedHashMap<>();
    for (Object element : list) {
      String position = "%s: template %d".formatted(file, templates.size() + 1);
      if (!(element instanceof Map<?, ?> map)) {
        throw new IllegalArgumentException(
            "%s must be an object, not %s".formatted(position, JsonValues.describe(element)));
      }
      if (!(map.get("name") instanceof String name) || name.isBlank()) {
        throw new IllegalArgumentException(
            "%s: 'name' must be a text, not %s"
                .formatted(position, JsonValues.describe(map.get("name"))));
      }
      ChatTemplate template = new Entry("%s: template '%s'".formatted(file, name), map).read(name);
      if (templates.putIfAbsent(name, template) != null) {
        throw new IllegalArgumentException(
            "%s: there are two templates named '%s'".formatted(file, name));
      }
    }
    return templates;
  }

  /** One template; remembers which keys were asked for. */
  private static final class Entry {
    private final String where;
    private final Map<?, ?> map;
    private final Set<String> known = new TreeSet<>(Set.of("name"));

    Entry(String where, Map<?, ?> map) {
      this.where = where;
      this.map = map;
    }

    ChatTemplate read(String name) {
      TemplateClass templateClass =
          text("template_class").map(this::templateClass).orElse(TemplateClass.SEPARATED);
      boolean efficientEos = flag("efficient_eos");
      boolean replaceEos = flag("replace_eos");
      List<String> stopWords = texts("stop_words").orElse(List.of());
      if (replaceEos && stopWords.isEmpty()) {
        throw wrong("replace_eos", "wants 'stop_words', whose first takes the place of EOD");
      }
      ChatTemplate template =
          new ChatTemplate(
              name,
              templateClass,
              formats(templateClass, efficientEos),
              defaultSystem(),
              stopWords,
              efficientEos,
              replaceEos,
              thoughts());
      // It matters to inference alone.
      flag("force_system");
      for (Object key : map.keySet()) {
        if (!known.contains(key)) {
          if (key.toString().startsWith("format_")) {
            throw wrong(key.toString(), "is unknown; the formats are " + knownFormats());
          }
          LOG.debug("{}: '{}' is not used", where, key);
        }
      }
      return template;
    }

    private List<String> knownFormats() {
      return known.stream().filter(key -> key.startsWith("format_")).toList();
    }

    private TemplateClass templateClass(String word) {
      return TemplateClass.of(word)
          .orElseThrow(
              () ->
                  wrong(
                      "template_class",
                      "is '%s'; known are %s".formatted(word, List.of(TemplateClass.values()))));
    }

    private TemplateFormats formats(TemplateClass templateClass, boolean efficientEos) {
      Slot[] eos = efficientEos ? new Slot[0] : new Slot[] {new Slot.Eos()};
      boolean deepSeek4 = templateClass == TemplateClass.DEEPSEEK4;
      Format user =
          content("format_user")
              .orElse(
                  Format.of(
                      deepSeek4
                          ? "<\uff5cUser\uff5c>{{content}}<\uff5cAssistant\uff5c></think>"
                          : "{{content}}"));
      Format system = content("format_system").orElse(Format.of("{{content}}"));
      if (templateClass == TemplateClass.SYSTEM_IN_PROMPT && !system.isTextOnly()) {
        throw wrong("format_system", "must have only text slots under " + templateClass);
      }
      Optional<Format> tools = format("format_tools").filter(format -> !format.slots().isEmpty());
      if (tools.isPresent()) {
        requirePlaceholders("format_tools", tools.get(), Set.of("content"), Set.of("content"));
        if (!tools.get().isTextOnly()) {
          throw wrong("format_tools", "must have only text slots");
        }
      }
      return new TemplateFormats(
          user,
          content("format_assistant").orElse(Format.of("{{content}}", eos)),
          system,
          function().orElse(Format.of("Action: {{name}}\nAction Input: {{arguments}}", eos)),
          content("format_observation").orElse(user),
          tools,
          constant("format_separator").orElse(Format.NOTHING),
          constant("format_prefix").orElse(deepSeek4 ? Format.of(new Slot.Bos()) : Format.NOTHING));
    }

    private Optional<Format> content(String key) {
      Optional<Format> format = format(key);
      format.ifPresent(
          f -> requirePlaceholders(key, f, Set.of("content"), Set.of("content", "idx")));
      return format;
    }

    private Optional<Format> constant(String key) {
      Optional<Format> format = format(key);
      format.ifPresent(f -> requirePlaceholders(key, f, Set.of(), Set.of()));
      return format;
    }

    private Optional<Format> function() {
      Optional<Format> format = format("format_function").filter(f -> !f.slots().isEmpty());
      format.ifPresent(
          f -> {
            Set<String> wanted =
                f.placeholders().contains("content")
                    ? Set.of("content")
                    : Set.of("name", "arguments");
            requirePlaceholders("format_function", f, wanted, wanted);
          });
      return format;
    }

    private void requirePlaceholders(
        String key, Format format, Set<String> required, Set<String> allowed) {
      Set<String> found = format.placeholders();
      if (!found.containsAll(required) || !allowed.containsAll(found)) {
        throw wrong(
            key,
            "has the placeholders %s; %s"
                .formatted(
                    found,
                    allowed.isEmpty()
                        ? "it may have none"
                        : "it must have %s, and may have %s"
                            .formatted(new TreeSet<>(required), new TreeSet<>(allowed))));
      }
    }

    private Optional<Format> format(String key) {
      Object value = get(key);
      if (value == null) {
        return Optional.empty();
      }
      if (!(value instanceof Map<?, ?> format)) {
        throw wrong(key, "must be an object with 'slots', not " + JsonValues.describe(value));
      }
      Object toolFormat = format.get("tool_format");
      if (toolFormat != null && !(toolFormat instanceof String)) {
        throw wrong(key + ".tool_format", "must be a text, not " + JsonValues.describe(toolFormat));
      }
      Object slots = format.get("slots");
      if (slots == null && toolFormat == null) {
        throw wrong(key, "has no 'slots'; its keys are " + format.keySet());
      }
      if (slots != null && !(slots instanceof List<?>)) {
        throw wrong(key + ".slots", "must be a list, not " + JsonValues.describe(slots));
      }
      List<Slot> read = new ArrayList<>();
      for (Object slot : slots == null ? List.of() : (List<?>) slots) {
        read.add(slot("%s.slots[%d]".formatted(key, read.size()), slot));
      }
      return Optional.of(new Format(List.copyOf(read), Optional.ofNullable((String) toolFormat)));
    }

    private Slot slot(String key, Object value) {
      return switch (value) {
        case String text -> new Slot.Text(text);
        case Map<?, ?> map when map.size() == 1 && map.get("token") instanceof String token ->
            new Slot.Special(token);
        case List<?> list when list.equals(List.of("bos_token")) -> new Slot.Bos();
        case List<?> list when list.equals(List.of("eos_token")) -> new Slot.Eos();
        case null, default ->
            throw wrong(
                key,
                "must be a text, {\"token\": text}, [\"bos_token\"] or [\"eos_token\"], not "
                    + JsonValues.describe(value));
      };
    }

    private String defaultSystem() {
      if (get("default_system") instanceof List<?>) {
        return String.join("", texts("default_system").orElseThrow());
      }
      return text("default_system").orElse("");
    }

    private Thoughts thoughts() {
      Optional<List<String>> words = texts("thought_words");
      if (words.isEmpty()) {
        return Thoughts.DEFAULT;
      }
      if (words.get().size() != 2) {
        throw wrong("thought_words", "must be two texts, not " + words.get());
      }
      return new Thoughts(words.get().getFirst(), words.get().getLast());
    }

    private Optional<String> text(String key) {
      Object value = get(key);
      if (value != null && !(value instanceof String)) {
        throw wrong(key, "must be a text, not " + JsonValues.describe(value));
      }
      return Optional.ofNullable((String) value);
    }

    private Optional<List<String>> texts(String key) {
      Object value = get(key);
      if (value == null) {
        return Optional.empty();
      }
      List<String> texts = new ArrayList<>();
      if (value instanceof List<?> list) {
        for (Object element : list) {
          if (element instanceof String text) {
            texts.add(text);
          }
        }
        if (texts.size() == list.size()) {
          return Optional.of(texts);
        }
      }
      throw wrong(key, "must be a list of texts, not " + JsonValues.describe(value));
    }

    private boolean flag(String key) {
      Object value = get(key);
      if (value != null && !(value instanceof Boolean)) {
        throw wrong(key, "must be true or false, not " + JsonValues.describe(value));
      }
      return Boolean.TRUE.equals(value);
    }

    private Object get(String key) {
      known.add(key);
      return map.get(key);
    }

    private IllegalArgumentException wrong(String key, String what) {
      return new IllegalArgumentException("%s: '%s' %s".formatted(where, key, what));
    }
  }
}
