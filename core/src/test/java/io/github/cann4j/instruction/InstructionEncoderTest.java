// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class InstructionEncoderTest {
  private static final Conversation TWO_TURNS =
      new Conversation(
          Optional.empty(),
          List.of(
              new Message(Role.USER, "q0"),
              new Message(Role.ASSISTANT, "r0"),
              new Message(Role.USER, "q1"),
              new Message(Role.ASSISTANT, "r1")));

  private static ChatTemplate template(String name) {
    return ChatTemplates.shipped().get(name);
  }

  @Test
  void aMissingSpecialTokenIsRefusedBeforeAnySample() {
    CharacterTokens tokens = CharacterTokens.with("<|im_start|>");
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> new InstructionEncoder(template("qwen"), tokens))
            .getMessage();
    assertTrue(message.contains("'qwen'") && message.contains("<|im_end|>"), message);
    assertTrue(message.contains("--prompt-type") && message.contains("tokenizer"), message);
    assertTrue(tokens.encoded.isEmpty());
  }

  @Test
  void slotsAreEncodedOneByOne() {
    ChatTemplate template = template("chatml");
    CharacterTokens tokens = CharacterTokens.forTemplate(template);
    new InstructionEncoder(template, tokens).encode(Conversation.of("q", "r"));
    assertEquals(List.of("user\nq", "\n", "assistant\n", "r"), tokens.encoded);
  }

  @Test
  void namesOfSpecialTokensInContentAreText() {
    ChatTemplate template = template("chatml");
    CharacterTokens tokens = CharacterTokens.forTemplate(template);
    new InstructionEncoder(template, tokens)
        .encode(Conversation.of("<|im_end|><b><|im_start|>x", "<think>[INST]</think>"));
    assertEquals(
        List.of(
            "user\n<",
            "|im_end|><b><",
            "|im_start|>x",
            "\n",
            "assistant\n",
            "<think>[INST]</think>"),
        tokens.encoded);
    tokens.encoded.clear();
    tokens.encodeOrdinary("a <|im_end|>");
    assertEquals(List.of("a <", "|im_end|>"), tokens.encoded);
  }

  @Test
  void eodIsNotDoubled() {
    CharacterTokens tokens = CharacterTokens.endingWith("<|im_end|>", "<|im_start|>", "<|im_end|>");
    String shown =
        tokens.show(
            new InstructionEncoder(template("chatml"), tokens).encode(Conversation.of("q", "r")));
    assertTrue(shown.endsWith("assistant\n【r{<|im_end|>}】"), shown);
  }

  @Test
  void historyCanBeMasked() {
    CharacterTokens tokens = CharacterTokens.with();
    InstructionEncoder encoder = new InstructionEncoder(template("deepseek"), tokens);
    assertEquals(
        "{BOS}User: q0\n\nAssistant:r0{EOD}User: q1\n\nAssistant:【r1{EOD}】",
        tokens.show(encoder.withMaskHistory(true).encode(TWO_TURNS)));
    EncodedSample all = encoder.withMaskHistory(true).withMaskHistory(false).encode(TWO_TURNS);
    assertEquals(6, all.targetCount());
    ChatTemplate efficient = template("chatglm3");
    CharacterTokens chatGlm = CharacterTokens.forTemplate(efficient);
    assertEquals(
        "{[gMASK]}{sop}{<|user|>}\nq0{<|assistant|>}\nr0{<|user|>}\nq1{<|assistant|>}【\nr1{EOD}】",
        chatGlm.show(
            new InstructionEncoder(efficient, chatGlm).withMaskHistory(true).encode(TWO_TURNS)));
  }

  @Test
  void aTokenizerWithoutBosLeavesItOut() {
    CharacterTokens tokens = CharacterTokens.withoutBos();
    assertEquals(
        "[INST] q [/INST]【r{EOD}】",
        tokens.show(
            new InstructionEncoder(template("mistral"), tokens).encode(Conversation.of("q", "r"))));
  }

  @Test
  void longConversationsAreNotCut() {
    String prompt = "p".repeat(70_000);
    String response = "r".repeat(130_000);
    EncodedSample sample =
        new InstructionEncoder(template("empty"), CharacterTokens.with())
            .encode(Conversation.of(prompt, response));
    assertEquals(200_001, sample.length());
    assertEquals(130_001, sample.targetCount());
  }

  @Test
  void functionCallsMustBeJson() {
    InstructionEncoder encoder =
        new InstructionEncoder(template("default"), CharacterTokens.with());
    for (String call :
        List.of("weather()", "{\"name\": \"f\"}", "{\"name\": 1, \"arguments\": {}}", "null")) {
      Conversation conversation =
          new Conversation(
              Optional.empty(),
              List.of(new Message(Role.USER, "q"), new Message(Role.FUNCTION_CALL, call)));
      String message =
          assertThrows(IllegalArgumentException.class, () -> encoder.encode(conversation))
              .getMessage();
      assertTrue(message.contains(call), message);
    }
  }

  @Test
  void severalFunctionsAreCalledOnlyWhereTheTemplateWritesThem() {
    String calls =
        "<think>both</think>[{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"g\", \"arguments\":"
            + " {\"x\": 1.5}}]";
    Conversation conversation =
        new Conversation(
            Optional.empty(),
            List.of(new Message(Role.USER, "q"), new Message(Role.FUNCTION_CALL, calls)));
    ChatTemplate qwen = template("qwen");
    CharacterTokens tokens = CharacterTokens.forTemplate(qwen);
    String shown = tokens.show(new InstructionEncoder(qwen, tokens).encode(conversation));
    assertTrue(
        shown.endsWith(
            """
            【<think>both</think><tool_call>
            {"name": "f", "arguments": {}}
            </tool_call>
            <tool_call>
            {"name": "g", "arguments": {"x": 1.5}}
            </tool_call>{<|im_end|>}{EOD}】\
            """),
        shown);
    Conversation plain =
        new Conversation(
            Optional.empty(),
            List.of(
                new Message(Role.USER, "q"),
                new Message(Role.FUNCTION_CALL, calls.substring(calls.indexOf('[')))));
    String message =
        assertThrows(
                UnsupportedOperationException.class,
                () ->
                    new InstructionEncoder(template("default"), CharacterTokens.with())
                        .encode(plain))
            .getMessage();
    assertTrue(message.contains("2 functions"), message);
  }

  @Test
  void conversationsAlternate() {
    Message prompt = new Message(Role.USER, "q");
    Message response = new Message(Role.ASSISTANT, "r");
    for (List<Message> wrong :
        List.of(
            List.<Message>of(),
            List.of(prompt),
            List.of(response, prompt),
            List.of(prompt, prompt),
            List.of(prompt, response, prompt))) {
      assertThrows(IllegalArgumentException.class, () -> new Conversation(Optional.empty(), wrong));
    }
  }
}
