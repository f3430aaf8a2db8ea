// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

/**
 * Memory of a device as the runtime sees it, all processes included ({@code aclrtGetMemInfo}).
 *
 * @param freeBytes what is free
 * @param totalBytes what there is
 */
public record MemoryInfo(long freeBytes, long totalBytes) {}
