/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 * lib/core/base/endian.h — little-endian loads and stores at any alignment, on any host.
 * Freestanding. */
#pragma once

#include <stdint.h>

static inline uint16_t wedr_le16(const void *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return (uint16_t)(b[0] | (uint16_t)(b[1] << 8));
}

static inline uint32_t wedr_le32(const void *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t wedr_le64(const void *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return (uint64_t)wedr_le32(b) | (uint64_t)wedr_le32(b + 4) << 32;
}

static inline void wedr_put_le16(void *p, uint16_t v)
{
    uint8_t *b = (uint8_t *)p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

static inline void wedr_put_le32(void *p, uint32_t v)
{
    uint8_t *b = (uint8_t *)p;
    wedr_put_le16(b, (uint16_t)v);
    wedr_put_le16(b + 2, (uint16_t)(v >> 16));
}

static inline void wedr_put_le64(void *p, uint64_t v)
{
    uint8_t *b = (uint8_t *)p;
    wedr_put_le32(b, (uint32_t)v);
    wedr_put_le32(b + 4, (uint32_t)(v >> 32));
}
