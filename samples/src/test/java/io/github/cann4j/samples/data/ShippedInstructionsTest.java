// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.instruction.Conversation;
import io.github.cann4j.instruction.ConversationReader;
import io.github.cann4j.instruction.Message;
import io.github.cann4j.instruction.Role;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The instruction data that comes with the project is what it is said to be. */
class ShippedInstructionsTest {
  private static final String DIRECTORY = "/io/github/cann4j/samples/data/";

  private static List<Conversation> read(String name) throws IOException {
    List<Conversation> all = new ArrayList<>();
    try (ConversationReader reader =
        ConversationReader.open(
            name, ShippedInstructionsTest.class.getResourceAsStream(DIRECTORY + name))) {
      for (Optional<Conversation> next = reader.next(); next.isPresent(); next = reader.next()) {
        all.add(next.get());
      }
      assertEquals(Map.of(), reader.skipped(), name);
    }
    return all;
  }

  @Test
  void instructionsAreManyAndOfEveryKind() throws IOException {
    List<Conversation> all = read("instructions.jsonl");
    assertTrue(all.size() >= 220, "only " + all.size());
    assertTrue(all.stream().filter(c -> c.system().isPresent()).count() >= 5);
    assertTrue(all.stream().filter(c -> c.turns() > 1).count() >= 10);
    assertTrue(
        all.stream().filter(c -> words(c.messages().getLast().content()).length >= 300).count()
            >= 5);
  }

  @Test
  void conversationsHaveSystemTextAndFunctions() throws IOException {
    List<Conversation> all = read("conversations.jsonl");
    assertTrue(all.size() >= 25, "only " + all.size());
    assertTrue(all.stream().filter(c -> c.turns() > 1).count() >= 20);
    assertTrue(all.stream().anyMatch(c -> c.system().isPresent()));
    assertTrue(
        all.stream()
            .flatMap(c -> c.messages().stream())
            .anyMatch(m -> m.role() == Role.FUNCTION_CALL));
  }

  @Test
  void noTwoSamplesAreVariantsOfOne() throws IOException {
    List<Conversation> all = new ArrayList<>(read("instructions.jsonl"));
    all.addAll(read("conversations.jsonl"));
    List<Set<String>> runs = all.stream().map(ShippedInstructionsTest::runsOfThreeWords).toList();
    for (int i = 0; i < all.size(); i++) {
      for (int j = 0; j < i; j++) {
        Set<String> other = runs.get(j);
        long common = runs.get(i).stream().filter(other::contains).count();
        int smaller = Math.min(runs.get(i).size(), other.size());
        assertTrue(
            common <= smaller / 3,
            all.get(i).messages().getFirst() + " repeats " + all.get(j).messages().getFirst());
      }
    }
  }

  private static Set<String> runsOfThreeWords(Conversation conversation) {
    String text = String.join(" ", conversation.messages().stream().map(Message::content).toList());
    String[] words = words(text);
    Set<String> runs = new HashSet<>();
    for (int i = 2; i < words.length; i++) {
      runs.add(words[i - 2] + " " + words[i - 1] + " " + words[i]);
    }
    return runs;
  }

  private static String[] words(String text) {
    return text.toLowerCase().split("\\W+");
  }
}
