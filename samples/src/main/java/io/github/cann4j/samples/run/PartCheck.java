// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import io.github.cann4j.acl.DataType;
import java.util.ArrayList;
import java.util.List;

/** What the comparison of one result (out, dq, dk or dv) has found. Not thread-safe. */
public final class PartCheck {
  private final OutputPart part;
  private final DataType type;
  private final ErrorMeter againstOneDevice;
  private final ErrorMeter againstReference;
  private final ErrorMeter oneDeviceAgainstReference;
  private long paddingErrors;
  private long firstPaddingError = -1;

  PartCheck(OutputPart part, DataType type) {
    this.part = part;
    this.type = type;
    Tolerance tolerance = Tolerance.of(type, part != OutputPart.OUT);
    againstOneDevice = new ErrorMeter(tolerance);
    againstReference = new ErrorMeter(tolerance);
    oneDeviceAgainstReference = new ErrorMeter(tolerance);
  }

  ErrorMeter againstOneDevice() {
    return againstOneDevice;
  }

  ErrorMeter againstReference() {
    return againstReference;
  }

  ErrorMeter oneDeviceAgainstReference() {
    return oneDeviceAgainstReference;
  }

  /** Padding attends to nothing: all its results are 0. */
  void addPadding(long row, float value) {
    if (value != 0) {
      paddingErrors++;
      firstPaddingError = firstPaddingError < 0 ? row : Math.min(firstPaddingError, row);
    }
  }

  void add(PartCheck other) {
    againstOneDevice.add(other.againstOneDevice);
    againstReference.add(other.againstReference);
    oneDeviceAgainstReference.add(other.oneDeviceAgainstReference);
    paddingErrors += other.paddingErrors;
    if (other.firstPaddingError >= 0) {
      firstPaddingError =
          firstPaddingError < 0
              ? other.firstPaddingError
              : Math.min(firstPaddingError, other.firstPaddingError);
    }
  }

  /** Which result this is. */
  public OutputPart part() {
    return part;
  }

  /** The largest absolute difference from one device. */
  public double largestAgainstOneDevice() {
    return againstOneDevice.largest();
  }

  /** The largest absolute difference from the reference, over the rows that it has. */
  public double largestAgainstReference() {
    return againstReference.largest();
  }

  /** What is wrong, one sentence each; empty if nothing is. */
  public List<String> complaints() {
    List<String> complaints = new ArrayList<>();
    if (!againstOneDevice.passed()) {
      complaints.add(part.label() + " against one device: " + againstOneDevice.worst());
    }
    if (!againstReference.passed()) {
      complaints.add(part.label() + " against the reference: " + againstReference.worst());
    }
    double rms = againstReference.rootMeanSquare();
    double oneDevice = oneDeviceAgainstReference.rootMeanSquare();
    if (type == DataType.BF16 && rms > 2 * oneDevice) {
      complaints.add(
          "%s: RMSE %.3g is more than twice that of one device, %.3g"
              .formatted(part.label(), rms, oneDevice));
    }
    if (paddingErrors > 0) {
      complaints.add(
          "%s: %d values in padding rows are not 0, the first in row %d"
              .formatted(part.label(), paddingErrors, firstPaddingError));
    }
    return complaints;
  }
}
