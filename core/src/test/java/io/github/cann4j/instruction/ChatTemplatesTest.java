// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ChatTemplatesTest {
  private static final Conversation TWO_TURNS =
      new Conversation(
          Optional.empty(),
          List.of(
              new Message(Role.USER, "q0"),
              new Message(Role.ASSISTANT, "<think>\nhm\n</think>\n\nr0"),
              new Message(Role.USER, "q1"),
              new Message(Role.ASSISTANT, "r1")));

  @TempDir Path directory;

  private ChatTemplates read(String json) {
    try {
      return ChatTemplates.read(Files.writeString(directory.resolve("own.json"), json));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private String show(String json, Conversation conversation, Thinking thinking) {
    ChatTemplates templates = read("[" + json + "]");
    ChatTemplate template = templates.get(templates.names().getFirst());
    CharacterTokens tokens = CharacterTokens.forTemplate(template);
    return tokens.show(
        new InstructionEncoder(template, tokens).withThinking(thinking).encode(conversation));
  }

  private String show(String json) {
    return show(json, TWO_TURNS, Thinking.AS_GIVEN).replace("<think>\nhm\n</think>\n\n", "");
  }

  @Test
  void aNameAloneIsATemplate() {
    assertEquals("q0【r0{EOD}】q1【r1{EOD}】", show("{\"name\": \"x\"}"));
    assertEquals(
        "q0【r0】q1【r1{EOD}】",
        show("{\"name\": \"x\", \"efficient_eos\": true, \"stop_words\": null}"));
    assertEquals(
        "be briefq0【r0{EOD}】q1【r1{EOD}】",
        show("{\"name\": \"x\", \"default_system\": [\"be \", \"brief\"]}"));
  }

  @Test
  void readsEveryKindOfSlot() {
    assertEquals(
        "{BOS}{<s>}[0] q0 {<u>}【r0.{EOD}】--[1] q1 {<u>}【r1.{EOD}】",
        show(
            """
            {"name": "x",
             "format_prefix": {"slots": [["bos_token"], {"token": "<s>"}]},
             "format_user": {"slots": ["[{{idx}}] {{content}} ", {"token": "<u>"}]},
             "format_assistant": {"slots": ["{{content}}.", ["eos_token"]]},
             "format_separator": {"slots": ["--"]},
             "force_system": true, "image_token": "<image>"}\
            """));
  }

  @Test
  void replacesEosByTheFirstStopWord() {
    assertEquals(
        "q0【r0{<e>}】q1【r1{<e>}{EOD}】",
        show("{\"name\": \"x\", \"stop_words\": [\"<e>\", \"<f>\"], \"replace_eos\": true}"));
  }

  @Test
  void classesDecideOnSeparatorsAndSystemText() {
    String rest =
        """
        "name": "x", "default_system": "S", "format_system": {"slots": ["<{{content}}>"]},
        "format_user": {"slots": ["U:{{content}}"]}, "format_separator": {"slots": ["--"]}}\
        """;
    assertEquals("<S>U:q0【r0{EOD}】--U:q1【r1{EOD}】", show("{" + rest));
    assertEquals(
        "<S>U:q0【r0{EOD}】U:q1【r1{EOD}】",
        show("{\"template_class\": \"LFDefaultTemplate\"," + rest));
    assertEquals(
        "U:<S>q0【r0{EOD}】--U:q1【r1{EOD}】", show("{\"template_class\": \"Llama2Template\"," + rest));
  }

  @Test
  void thoughtsAreKeptAddedOrRemoved() {
    String reasoning = "{\"name\": \"x\", \"template_class\": \"ReasoningTemplate\"}";
    assertEquals(
        "q0【<think>\nhm\n</think>\n\nr0{EOD}】q1<think>\n\n</think>\n\n【r1{EOD}】",
        show(reasoning, TWO_TURNS, Thinking.AS_GIVEN));
    assertEquals(
        "q0【<think>\nhm\n</think>\n\nr0{EOD}】q1【<think>\n\n</think>\n\nr1{EOD}】",
        show(reasoning, TWO_TURNS, Thinking.ENABLED));
    assertEquals(
        "q0<think>\n\n</think>\n\n【r0{EOD}】q1<think>\n\n</think>\n\n【r1{EOD}】",
        show(reasoning, TWO_TURNS, Thinking.DISABLED));
    assertEquals(
        "q[a][b]【r{EOD}】",
        show(
            "{\"name\": \"x\", \"template_class\": \"ReasoningTemplate\", \"thought_words\":"
                + " [\"[a]\", \"[b]\"]}",
            Conversation.of("q", "[a]so[b]r"),
            Thinking.DISABLED));
  }

  @Test
  void deepSeek4IsWrittenWithoutThoughtsAndFunctions() {
    String json =
        "{\"name\": \"x\", \"template_class\": \"DeepSeek4Template\", \"thought_words\":"
            + " [\"<think>\", \"</think>\"]}";
    assertEquals(
        "{BOS}<｜User｜>q0<｜Assistant｜></think>【r0{EOD}】<｜User｜>q1<｜Assistant｜></think>【r1{EOD}】",
        show(json, TWO_TURNS, Thinking.AS_GIVEN));
    assertTrue(
        assertThrows(
                UnsupportedOperationException.class, () -> show(json, TWO_TURNS, Thinking.ENABLED))
            .getMessage()
            .contains("DISABLED"));
    Conversation call =
        new Conversation(
            Optional.empty(),
            List.of(new Message(Role.USER, "q"), new Message(Role.FUNCTION_CALL, "{}")));
    assertTrue(
        assertThrows(UnsupportedOperationException.class, () -> show(json, call, Thinking.AS_GIVEN))
            .getMessage()
            .contains("FUNCTION_CALL"));
  }

  @Test
  void toolsFollowTheSystemTextOrAreRefused() {
    Conversation tools =
        new Conversation(
            Optional.of("S"), Conversation.of("q", "r").messages(), Optional.of("[\"f\"]"));
    assertEquals(
        "S has [\"f\"].q【r{EOD}】",
        show(
            "{\"name\": \"x\", \"format_tools\": {\"slots\": [\" has {{content}}.\"]}}",
            tools,
            Thinking.AS_GIVEN));
    String message =
        assertThrows(
                UnsupportedOperationException.class,
                () ->
                    show(
                        "{\"name\": \"x\", \"format_tools\": {\"tool_format\": \"glm4\"}}",
                        tools,
                        Thinking.AS_GIVEN))
            .getMessage();
    assertTrue(message.contains("'x'") && message.contains("format_tools"), message);
  }

  @Test
  void contentIsNotSearchedForPlaceholders() {
    assertEquals(
        "[0]{{idx}} $1 \\ {{content}}【{{content}}{EOD}】",
        show(
            "{\"name\": \"x\", \"format_user\": {\"slots\": [\"[{{idx}}]{{content}}\"]}}",
            Conversation.of("{{idx}} $1 \\ {{content}}", "{{content}}"),
            Thinking.AS_GIVEN));
  }

  @Test
  void anUnknownNameIsToldTheNearest() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> ChatTemplates.shipped().get("Chat-ML"))
            .getMessage();
    assertTrue(message.contains("'Chat-ML'"), message);
    assertTrue(message.contains("nearest is chatml"), message);
    assertTrue(message.contains("qwen, qwen3, deepseek"), message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\0',
      value = {
        "{\"name\": \"x\"}| array of templates",
        "[]| array of templates",
        "[7]| template 1 must be an object, not 7",
        "[{\"format_user\": {}}]| template 1: 'name'",
        "[{\"name\": \"x\"}, {\"name\": \"x\"}]| two templates named 'x'",
        "[{\"name\": \"x\", \"format_user\": \"{{content}}\"}]| 'x': 'format_user' must be an"
            + " object",
        "[{\"name\": \"x\", \"format_user\": {\"slot\": []}}]| 'x': 'format_user' has no 'slots'",
        "[{\"name\": \"x\", \"format_user\": {\"slots\": \"y\"}}]| 'format_user.slots' must be a"
            + " list",
        "[{\"name\": \"x\", \"format_user\": {\"slots\": [\"y\"]}}]| 'format_user' has the"
            + " placeholders []",
        "[{\"name\": \"x\", \"format_user\": {\"slots\": [\"{{content}}{{who}}\"]}}]| [content,"
            + " who]",
        "[{\"name\": \"x\", \"format_prefix\": {\"slots\": [\"{{content}}\"]}}]| 'format_prefix'",
        "[{\"name\": \"x\", \"format_prefix\": {\"slots\": [[\"pad_token\"]]}}]|"
            + " 'format_prefix.slots[0]'",
        "[{\"name\": \"x\", \"format_prefix\": {\"slots\": [\"\", {\"tokn\": \"y\"}]}}]|"
            + " 'format_prefix.slots[1]'",
        "[{\"name\": \"x\", \"format_function\": {\"slots\": [\"{{name}}\"]}}]| [arguments, name]",
        "[{\"name\": \"x\", \"format_asistant\": {\"slots\": []}}]| 'format_asistant' is unknown",
        "[{\"name\": \"x\", \"stop_words\": [1]}]| 'stop_words' must be a list of texts",
        "[{\"name\": \"x\", \"thought_words\": [\"a\"]}]| 'thought_words' must be two",
        "[{\"name\": \"x\", \"efficient_eos\": \"yes\"}]| 'efficient_eos' must be true or false",
        "[{\"name\": \"x\", \"replace_eos\": true}]| 'replace_eos' wants 'stop_words'",
        "[{\"name\": \"x\", \"template_class\": \"Other\"}]| 'template_class' is 'Other'; known are"
            + " [Template",
        "[{\"name\": \"x\", }]| is not JSON",
      })
  void aMalformedFileIsRefused(String json, String expected) {
    String message = assertThrows(IllegalArgumentException.class, () -> read(json)).getMessage();
    assertTrue(message.contains("own.json"), message);
    assertTrue(message.contains(expected), message);
  }

  @Test
  void aMissingFileIsNamed() {
    Path missing = directory.resolve("missing.json");
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> ChatTemplates.read(missing))
            .getMessage()
            .contains("missing.json"));
  }
}
