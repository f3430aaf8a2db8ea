// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

/**
 * A text and where it comes from.
 *
 * @param source a file, or a file and a line
 * @param text not blank
 */
public record TextDocument(String source, String text) {}
