// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

/** Collects the differences between numbers and what they should be. Not thread-safe. */
public final class ErrorMeter {
  private final Tolerance tolerance;
  private double largest;
  private double worstRatio;
  private long worstRow = -1;
  private double squares;
  private long count;

  public ErrorMeter(Tolerance tolerance) {
    this.tolerance = tolerance;
  }

  /** Adds one number of a row. */
  public void add(long row, double actual, double expected) {
    double error = Math.abs(actual - expected);
    if (!(error <= largest)) {
      largest = Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
    }
    double ratio = tolerance.ratio(actual, expected);
    if (ratio > worstRatio) {
      worstRatio = ratio;
      worstRow = row;
    }
    squares += error * error;
    count++;
  }

  /** Adds what another meter has collected. */
  public void add(ErrorMeter other) {
    largest = Math.max(largest, other.largest);
    if (other.worstRatio > worstRatio) {
      worstRatio = other.worstRatio;
      worstRow = other.worstRow;
    }
    squares += other.squares;
    count += other.count;
  }

  /** The largest absolute difference; infinite where a number was not one. */
  public double largest() {
    return largest;
  }

  /** Root of the mean square difference. */
  public double rootMeanSquare() {
    return count == 0 ? 0 : Math.sqrt(squares / count);
  }

  /** How many numbers there were. */
  public long count() {
    return count;
  }

  /** Whether all numbers were close enough. */
  public boolean passed() {
    return worstRatio <= 1;
  }

  /** What went wrong most, for a message. */
  public String worst() {
    return "largest error %.3g (allowed %.2g + %.2g x |value|), worst in row %d"
        .formatted(largest, tolerance.absolute(), tolerance.relative(), worstRow);
  }
}
