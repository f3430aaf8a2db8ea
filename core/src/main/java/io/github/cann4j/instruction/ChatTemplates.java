// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.SequencedMap;

/**
 * Chat templates by name, from a JSON file as {@code --prompt-type-path} names it.
 *
 * <p>The file is an array of objects with the keys {@code name}, {@code format_user}, {@code
 * format_assistant}, {@code format_system}, {@code format_function}, {@code format_observation},
 * {@code format_tools}, {@code format_separator}, {@code format_prefix}, {@code default_system},
 * {@code stop_words}, {@code thought_words}, {@code efficient_eos}, {@code replace_eos}, {@code
 * force_system} and {@code template_class}; all but the name may be left out. A format is an object
 * whose {@code slots} are texts with the placeholders <code>{{content}}</code>, <code>{{idx}}
 * </code> (the turn, from 0), <code>{{name}}</code> and <code>{{arguments}}</code>, special tokens
 * <code>{"token": "…"}</code>, and <code>["bos_token"]</code> or <code>["eos_token"]</code>. Keys
 * beside these are ignored, unless they begin with {@code format_}.
 *
 * <p>Immutable and thread-safe.
 */
public final class ChatTemplates {
  private static final String RESOURCE = "templates.json";

  private final String source;
  private final SequencedMap<String, ChatTemplate> templates;

  private ChatTemplates(String source, SequencedMap<String, ChatTemplate> templates) {
    this.source = source;
    this.templates = templates;
  }

  /** {@return the templates that come with this library} */
  public static ChatTemplates shipped() {
    return Shipped.TEMPLATES;
  }

  /**
   * Reads a file.
   *
   * @param file JSON in UTF-8
   * @return its templates
   * @throws IllegalArgumentException if there is no such file, or if it is malformed, with file,
   *     template and key
   * @throws IOException if the file cannot be read
   */
  public static ChatTemplates read(Path file) throws IOException {
    try {
      return parse(file.toString(), Files.readAllBytes(file));
    } catch (NoSuchFileException e) {
      throw new IllegalArgumentException("there is no template file " + file, e);
    }
  }

  private static ChatTemplates parse(String source, byte[] json) throws IOException {
    return new ChatTemplates(source, TemplateParser.parse(source, json));
  }

  /** {@return names in the order of the file} */
  public List<String> names() {
    return List.copyOf(templates.sequencedKeySet());
  }

  /**
   * A template by name.
   *
   * @param name its name, as in {@code --prompt-type}
   * @return the template
   * @throws IllegalArgumentException if there is none; names the nearest, and all
   */
  public ChatTemplate get(String name) {
    ChatTemplate template = templates.get(name);
    if (template == null) {
      String nearest =
          names().stream()
              .min(Comparator.comparingInt(known -> EditDistance.between(known, name)))
              .orElseThrow();
      throw new IllegalArgumentException(
          "there is no template '%s' in %s; the nearest is %s, all are %s"
              .formatted(name, source, nearest, String.join(", ", names())));
    }
    return template;
  }

  private static final class Shipped {
    static final ChatTemplates TEMPLATES = load();

    private static ChatTemplates load() {
      try (InputStream in = ChatTemplates.class.getResourceAsStream(RESOURCE)) {
        return parse("the shipped templates", in.readAllBytes());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
