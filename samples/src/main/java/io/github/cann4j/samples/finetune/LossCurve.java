// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.finetune;

import io.github.cann4j.samples.cli.BadInputException;
import java.awt.Color;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The loss of a run over its steps, as a picture. */
final class LossCurve {
  private LossCurve() {}

  /** Writes a PNG; a run without a step has no picture. */
  static void write(Path file, String title, List<StepMetrics> steps) {
    if (steps.isEmpty()) {
      return;
    }
    System.setProperty("java.awt.headless", "true");
    XYChart chart =
        new XYChartBuilder()
            .width(960)
            .height(540)
            .title(title)
            .xAxisTitle("iteration")
            .yAxisTitle("loss per trained token")
            .build();
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    chart.getStyler().setLegendPosition(Styler.LegendPosition.InsideNE);
    double[] iterations = steps.stream().mapToDouble(StepMetrics::iteration).toArray();
    double[] losses = steps.stream().mapToDouble(StepMetrics::loss).toArray();
    XYSeries series = chart.addSeries("loss", iterations, losses);
    series.setMarker(steps.size() > 1 ? SeriesMarkers.NONE : SeriesMarkers.CIRCLE);
    try {
      BitmapEncoder.saveBitmap(chart, file.toString(), BitmapEncoder.BitmapFormat.PNG);
    } catch (IOException e) {
      throw new BadInputException("--loss-curve " + file + " cannot be written: " + e, e);
    }
  }
}
