/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/spool/crc32c.h — CRC-32C (Castagnoli) as the spool frames carry it. Any
 * thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* CRC of n bytes; `crc` is 0 or the result for the bytes before them. */
uint32_t wedr_crc32c(uint32_t crc, const void *p, size_t n);
