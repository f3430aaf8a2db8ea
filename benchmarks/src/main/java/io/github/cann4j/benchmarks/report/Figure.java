// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.math.BigDecimal;
import java.util.List;
import java.util.Optional;

/**
 * One measured figure with all that it is compared with, measured in the same run. A benchmark
 * prints one such object per line, as JSON.
 *
 * @param part what was measured: the name of a part of the program, such as attention
 * @param group title of the table that the figure belongs to
 * @param name what distinguishes it in that table, such as "fp32 forward, S 8192, 1 thread"
 * @param value cann4j's own value, the median of several
 * @param unit unit of the value and of all references, such as GFLOP/s, ns or GB/s
 * @param better whether larger or smaller values are better
 * @param references limits and peers, in the order of the columns
 * @param targets what the value should reach
 */
public record Figure(
    String part,
    String group,
    String name,
    double value,
    String unit,
    Better better,
    List<Reference> references,
    List<Target> targets) {

  private static final ObjectMapper JSON = new ObjectMapper();

  /** The direction of a unit. */
  public enum Better {
    HIGHER,
    LOWER
  }

  /** A limit of the machine or what a peer reaches, such as "C" or "copy". */
  public record Reference(String name, double value) {}

  /**
   * A bound for the value.
   *
   * @param of how the name of a reference begins, of several the best; or empty for a bound in the
   *     figure's unit
   * @param factor the value should be at least (HIGHER) or at most (LOWER) this times the reference
   */
  public record Target(String of, double factor) {}

  public Figure {
    references = List.copyOf(references);
    targets = List.copyOf(targets);
  }

  /** The best value of the references whose names begin so, if any was measured. */
  public Optional<Double> reference(String beginning) {
    var values =
        references.stream()
            .filter(r -> r.name().startsWith(beginning))
            .map(Reference::value)
            .toList();
    return better == Better.HIGHER
        ? values.stream().max(Double::compare)
        : values.stream().min(Double::compare);
  }

  /** Whether a target is reached; empty if its reference was not measured. */
  public Optional<Boolean> reached(Target target) {
    Optional<Double> base = target.of().isEmpty() ? Optional.of(1.0) : reference(target.of());
    return base.map(
        b -> better == Better.HIGHER ? value >= target.factor() * b : value <= target.factor() * b);
  }

  /** A target as people write it, such as "≥ 1.4 × libtorch" or "≤ 10 us". */
  public String describe(Target target) {
    String sign = better == Better.HIGHER ? "≥" : "≤";
    String factor = BigDecimal.valueOf(target.factor()).stripTrailingZeros().toPlainString();
    return target.of().isEmpty()
        ? "%s %s %s".formatted(sign, factor, unit)
        : "%s %s × %s".formatted(sign, factor, target.of());
  }

  /** One line of JSON. */
  public String toJson() {
    try {
      return JSON.writeValueAsString(this);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Reads a line that {@link #toJson()} or a program in another language has written.
   *
   * @throws IllegalArgumentException if it is no such line
   */
  public static Figure parse(String line) {
    try {
      return JSON.readValue(line, Figure.class);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("no figure: " + line, e);
    }
  }
}
