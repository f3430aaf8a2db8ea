// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Tensor;

/** What only attention over packed sequences takes. The ropes come together or not at all. */
record PackedInputs(
    Tensor queryRope,
    Tensor keyRope,
    long[] actualSeqQLen,
    long[] actualSeqKvLen,
    SoftmaxLayout softmaxLayout) {}
