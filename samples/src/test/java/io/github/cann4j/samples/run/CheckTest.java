// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.DataType;
import java.util.List;
import org.junit.jupiter.api.Test;

class CheckTest {
  @Test
  void toleranceHasAnAbsoluteAndARelativePart() {
    ErrorMeter meter = new ErrorMeter(new Tolerance(1e-3, 1e-2));
    meter.add(0, 0.0009, 0);
    meter.add(1, 101, 100);
    assertTrue(meter.passed());
    assertEquals(1, meter.largest());
    meter.add(2, 0.0011, 0);
    assertFalse(meter.passed());
    assertTrue(meter.worst().endsWith("worst in row 2"), meter::worst);
  }

  @Test
  void whatIsNoNumberFails() {
    for (double value : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      ErrorMeter meter = new ErrorMeter(new Tolerance(1, 1));
      meter.add(0, value, 1);
      meter.add(1, 1, 1);
      assertFalse(meter.passed());
      assertEquals(Double.POSITIVE_INFINITY, meter.largest());
    }
  }

  @Test
  void metersAddUp() {
    ErrorMeter all = new ErrorMeter(new Tolerance(1, 0));
    ErrorMeter one = new ErrorMeter(new Tolerance(1, 0));
    all.add(0, 3, 0.5);
    one.add(7, 4, 0);
    all.add(one);
    assertEquals(4, all.largest());
    assertEquals(Math.sqrt((2.5 * 2.5 + 16) / 2), all.rootMeanSquare());
    assertTrue(all.worst().endsWith("row 7"));
  }

  @Test
  void paddingMustBeZero() {
    PartCheck check = new PartCheck(OutputPart.OUT, DataType.FLOAT);
    check.addPadding(5, 0f);
    check.addPadding(6, -0f);
    assertEquals(List.of(), check.complaints());
    check.addPadding(8, Float.NaN);
    check.addPadding(7, 1e-30f);
    assertEquals(
        List.of("out: 2 values in padding rows are not 0, the first in row 7"), check.complaints());
  }

  @Test
  void aFailedCheckShowsInTheResult() {
    PartCheck check = new PartCheck(OutputPart.OUT, DataType.FLOAT);
    check.againstOneDevice().add(3, 1, 2);
    RunResult result = new RunResult("some_algo", 2, 1, 1, 1, 0, 0, List.of(check));
    assertEquals(1, result.complaints().size());
    assertTrue(result.complaints().getFirst().startsWith("some_algo: out against one device"));
  }

  @Test
  void bf16MayHaveTwiceTheErrorOfOneDevice() {
    PartCheck check = new PartCheck(OutputPart.VALUE_GRADIENT, DataType.BF16);
    check.againstReference().add(0, 1.0019, 1);
    check.oneDeviceAgainstReference().add(0, 1.001, 1);
    assertEquals(List.of(), check.complaints());
    check.againstReference().add(1, 1.004, 1);
    check.oneDeviceAgainstReference().add(1, 1.001, 1);
    assertTrue(check.complaints().getFirst().contains("RMSE"), () -> "" + check.complaints());
  }
}
