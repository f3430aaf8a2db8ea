// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import io.github.cann4j.samples.cli.BadInputException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Tokenizers by name or path. */
public final class Tokenizers {
  /** The name of the vocabulary that comes with the project. */
  public static final String SHIPPED = "cann4j";

  private Tokenizers() {}

  /**
   * A tokenizer.
   *
   * @param nameOrPath {@link #SHIPPED}, one of {@link TextTokenizer#names()}, a {@code
   *     tokenizer.json} or a directory with one
   * @param eodToken the special token that ends a document, null for the vocabulary's own
   * @throws BadInputException if there is none, or it has no such token
   */
  public static Tokenizer open(String nameOrPath, String eodToken) {
    if (nameOrPath.equals(SHIPPED)) {
      return JsonTokenizer.shipped(eodToken);
    }
    if (TextTokenizer.names().contains(nameOrPath)) {
      return new TextTokenizer(nameOrPath, eodToken);
    }
    if (Files.exists(Path.of(nameOrPath))) {
      return JsonTokenizer.open(Path.of(nameOrPath), eodToken);
    }
    throw new BadInputException(
        "--tokenizer-name-or-path %s is no file or directory and none of the vocabularies %s, %s"
            .formatted(nameOrPath, SHIPPED, String.join(", ", TextTokenizer.names())));
  }
}
