// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** What every shipped template writes, beside what its model's chat format wants. */
class ShippedTemplatesTest {
  private static final List<Message> TWO_TURNS =
      List.of(
          new Message(Role.USER, "Hi"),
          new Message(Role.ASSISTANT, "Yes?"),
          new Message(Role.USER, "Why"),
          new Message(Role.ASSISTANT, "So."));

  private record Expected(String withSystem, String withoutSystem) {}

  private static final Map<String, Expected> EXPECTED =
      Map.ofEntries(
          Map.entry("empty", new Expected("SysHi【Yes?】Why【So.{EOD}】", "Hi【Yes?】Why【So.{EOD}】")),
          Map.entry(
              "default",
              new Expected(
                  "Sys\nHuman: Hi\nAssistant:【Yes?{EOD}】\nHuman: Why\nAssistant:【So.{EOD}】",
                  "Human: Hi\nAssistant:【Yes?{EOD}】\nHuman: Why\nAssistant:【So.{EOD}】")),
          Map.entry(
              "alpaca",
              new Expected(
                  """
                  Sys### Instruction:
                  Hi

                  ### Response:
                  【Yes?{EOD}】

                  ### Instruction:
                  Why

                  ### Response:
                  【So.{EOD}】\
                  """,
                  """
                  Below is an instruction that describes a task. Write a response that appropriately completes the request.

                  ### Instruction:
                  Hi

                  ### Response:
                  【Yes?{EOD}】

                  ### Instruction:
                  Why

                  ### Response:
                  【So.{EOD}】\
                  """)),
          Map.entry(
              "chatml",
              new Expected(
                  """
                  {<|im_start|>}system
                  Sys{<|im_end|>}
                  {<|im_start|>}user
                  Hi{<|im_end|>}
                  {<|im_start|>}assistant
                  【Yes?{<|im_end|>}】
                  {<|im_start|>}user
                  Why{<|im_end|>}
                  {<|im_start|>}assistant
                  【So.{<|im_end|>}{EOD}】\
                  """,
                  """
                  {<|im_start|>}user
                  Hi{<|im_end|>}
                  {<|im_start|>}assistant
                  【Yes?{<|im_end|>}】
                  {<|im_start|>}user
                  Why{<|im_end|>}
                  {<|im_start|>}assistant
                  【So.{<|im_end|>}{EOD}】\
                  """)),
          Map.entry(
              "llama2",
              new Expected(
                  "{BOS}[INST] <<SYS>>\nSys\n<</SYS>>\n\nHi [/INST]【Yes?{EOD}】"
                      + "{BOS}[INST] Why [/INST]【So.{EOD}】",
                  "{BOS}[INST] Hi [/INST]【Yes?{EOD}】{BOS}[INST] Why [/INST]【So.{EOD}】")),
          Map.entry(
              "llama3",
              new Expected(
                  """
                  {BOS}{<|start_header_id|>}system{<|end_header_id|>}

                  Sys{<|eot_id|>}{<|start_header_id|>}user{<|end_header_id|>}

                  Hi{<|eot_id|>}{<|start_header_id|>}assistant{<|end_header_id|>}

                  【Yes?{<|eot_id|>}】{<|start_header_id|>}user{<|end_header_id|>}

                  Why{<|eot_id|>}{<|start_header_id|>}assistant{<|end_header_id|>}

                  【So.{<|eot_id|>}{EOD}】\
                  """,
                  """
                  {BOS}{<|start_header_id|>}user{<|end_header_id|>}

                  Hi{<|eot_id|>}{<|start_header_id|>}assistant{<|end_header_id|>}

                  【Yes?{<|eot_id|>}】{<|start_header_id|>}user{<|end_header_id|>}

                  Why{<|eot_id|>}{<|start_header_id|>}assistant{<|end_header_id|>}

                  【So.{<|eot_id|>}{EOD}】\
                  """)),
          Map.entry(
              "mistral",
              new Expected(
                  "{BOS}[INST] Sys\n\nHi [/INST]【Yes?{EOD}】[INST] Why [/INST]【So.{EOD}】",
                  "{BOS}[INST] Hi [/INST]【Yes?{EOD}】[INST] Why [/INST]【So.{EOD}】")),
          Map.entry(
              "qwen",
              new Expected(
                  """
                  {<|im_start|>}system
                  Sys{<|im_end|>}
                  {<|im_start|>}user
                  Hi{<|im_end|>}
                  {<|im_start|>}assistant
                  【Yes?{<|im_end|>}】
                  {<|im_start|>}user
                  Why{<|im_end|>}
                  {<|im_start|>}assistant
                  【So.{<|im_end|>}{EOD}】\
                  """,
                  """
                  {<|im_start|>}system
                  You are a helpful assistant.{<|im_end|>}
                  {<|im_start|>}user
                  Hi{<|im_end|>}
                  {<|im_start|>}assistant
                  【Yes?{<|im_end|>}】
                  {<|im_start|>}user
                  Why{<|im_end|>}
                  {<|im_start|>}assistant
                  【So.{<|im_end|>}{EOD}】\
                  """)),
          Map.entry(
              "qwen3",
              new Expected(
                  """
                  {<|im_start|>}system
                  Sys{<|im_end|>}
                  {<|im_start|>}user
                  Hi{<|im_end|>}
                  {<|im_start|>}assistant
                  <think>

                  </think>

                  【Yes?{<|im_end|>}】
                  {<|im_start|>}user
                  Why{<|im_end|>}
                  {<|im_start|>}assistant
                  <think>

                  </think>

                  【So.{<|im_end|>}{EOD}】\
                  """,
                  """
                  {<|im_start|>}user
                  Hi{<|im_end|>}
                  {<|im_start|>}assistant
                  <think>

                  </think>

                  【Yes?{<|im_end|>}】
                  {<|im_start|>}user
                  Why{<|im_end|>}
                  {<|im_start|>}assistant
                  <think>

                  </think>

                  【So.{<|im_end|>}{EOD}】\
                  """)),
          Map.entry(
              "deepseek",
              new Expected(
                  "{BOS}Sys\n\nUser: Hi\n\nAssistant:【Yes?{EOD}】User: Why\n\nAssistant:【So.{EOD}】",
                  "{BOS}User: Hi\n\nAssistant:【Yes?{EOD}】User: Why\n\nAssistant:【So.{EOD}】")),
          Map.entry(
              "deepseek3",
              new Expected(
                  "{BOS}Sys{<｜User｜>}Hi{<｜Assistant｜>}【Yes?{EOD}】"
                      + "{<｜User｜>}Why{<｜Assistant｜>}【So.{EOD}】",
                  "{BOS}{<｜User｜>}Hi{<｜Assistant｜>}【Yes?{EOD}】"
                      + "{<｜User｜>}Why{<｜Assistant｜>}【So.{EOD}】")),
          Map.entry(
              "gemma",
              new Expected(
                  """
                  {BOS}{<start_of_turn>}user
                  Sys

                  Hi{<end_of_turn>}
                  {<start_of_turn>}model
                  【Yes?{<end_of_turn>}】
                  {<start_of_turn>}user
                  Why{<end_of_turn>}
                  {<start_of_turn>}model
                  【So.{<end_of_turn>}{EOD}】\
                  """,
                  """
                  {BOS}{<start_of_turn>}user
                  Hi{<end_of_turn>}
                  {<start_of_turn>}model
                  【Yes?{<end_of_turn>}】
                  {<start_of_turn>}user
                  Why{<end_of_turn>}
                  {<start_of_turn>}model
                  【So.{<end_of_turn>}{EOD}】\
                  """)),
          Map.entry(
              "baichuan2",
              new Expected(
                  "Sys{<reserved_106>}Hi{<reserved_107>}【Yes?】"
                      + "{<reserved_106>}Why{<reserved_107>}【So.{EOD}】",
                  "{<reserved_106>}Hi{<reserved_107>}【Yes?】"
                      + "{<reserved_106>}Why{<reserved_107>}【So.{EOD}】")),
          Map.entry(
              "chatglm3",
              new Expected(
                  """
                  {[gMASK]}{sop}{<|system|>}
                  Sys{<|user|>}
                  Hi{<|assistant|>}【
                  Yes?{<|user|>}】
                  Why{<|assistant|>}【
                  So.{EOD}】\
                  """,
                  """
                  {[gMASK]}{sop}{<|user|>}
                  Hi{<|assistant|>}【
                  Yes?{<|user|>}】
                  Why{<|assistant|>}【
                  So.{EOD}】\
                  """)));

  @TestFactory
  Stream<DynamicTest> writesTheModelsFormat() {
    return ChatTemplates.shipped().names().stream()
        .map(name -> DynamicTest.dynamicTest(name, () -> check(name)));
  }

  private static void check(String name) {
    Expected expected = EXPECTED.get(name);
    assertEquals(expected.withSystem(), show(name, Optional.of("Sys"), TWO_TURNS));
    assertEquals(expected.withoutSystem(), show(name, Optional.empty(), TWO_TURNS));
  }

  private static String show(String name, Optional<String> system, List<Message> messages) {
    ChatTemplate template = ChatTemplates.shipped().get(name);
    CharacterTokens tokens = CharacterTokens.forTemplate(template);
    return tokens.show(
        new InstructionEncoder(template, tokens).encode(new Conversation(system, messages)));
  }

  @Test
  void functionsAreCalledAndAnswered() {
    List<Message> messages =
        List.of(
            new Message(Role.USER, "Rain?"),
            new Message(
                Role.FUNCTION_CALL,
                "{\"arguments\":{\"place\":\"Köln\",\"days\":[1,2],\"unit\":null},\"name\":\"weather\"}"),
            new Message(Role.OBSERVATION, "{\"rain\": true}"),
            new Message(Role.ASSISTANT, "Yes."));
    assertEquals(
        """
        {<|im_start|>}user
        Rain?{<|im_end|>}
        {<|im_start|>}assistant
        <think>

        </think>

        【<tool_call>
        {"name": "weather", "arguments": {"place": "Köln", "days": [1, 2], "unit": null}}
        </tool_call>{<|im_end|>}】
        {<|im_start|>}user
        <tool_response>
        {"rain": true}
        </tool_response>{<|im_end|>}
        {<|im_start|>}assistant
        <think>

        </think>

        【Yes.{<|im_end|>}{EOD}】\
        """,
        show("qwen3", Optional.empty(), messages));
    assertEquals(
        """
        Human: Rain?
        Assistant:【Action: weather
        Action Input: {"place": "Köln", "days": [1, 2], "unit": null}{EOD}】
        Human: {"rain": true}
        Assistant:【Yes.{EOD}】\
        """,
        show("default", Optional.empty(), messages));
    assertEquals(
        """
        {[gMASK]}{sop}{<|user|>}
        Rain?{<|assistant|>}【weather
        {"place": "Köln", "days": [1, 2], "unit": null}{<|observation|>}】
        {"rain": true}{<|assistant|>}【
        Yes.{EOD}】\
        """,
        show("chatglm3", Optional.empty(), messages));
  }
}
