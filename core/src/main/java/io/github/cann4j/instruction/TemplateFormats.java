// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.Optional;

/** The formats of a template, defaults filled in. */
record TemplateFormats(
    Format user,
    Format assistant,
    Format system,
    Format function,
    Format observation,
    Optional<Format> tools,
    Format separator,
    Format prefix) {}
