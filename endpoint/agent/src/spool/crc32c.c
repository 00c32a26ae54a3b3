/* SPDX-License-Identifier: Apache-2.0 */
#include "spool/crc32c.h"

#include <stdbool.h>
#include <string.h>

/* One step per byte with a table of 16 entries per nibble: small, and only used where the CPU has
 * no instruction. */
static const uint32_t nibble[16] = {
    0x00000000u, 0x105ec76fu, 0x20bd8edeu, 0x30e349b1u, 0x417b1dbcu, 0x5125dad3u,
    0x61c69362u, 0x7198540du, 0x82f63b78u, 0x92a8fc17u, 0xa24bb5a6u, 0xb21572c9u,
    0xc38d26c4u, 0xd3d3e1abu, 0xe330a81au, 0xf36e6f75u,
};

static uint32_t crc_soft(uint32_t crc, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = (crc >> 4) ^ nibble[crc & 15u];
        crc = (crc >> 4) ^ nibble[crc & 15u];
    }
    return crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("sse4.2"))) static uint32_t crc_hard(uint32_t crc, const uint8_t *p, size_t n)
{
    uint64_t c = crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, sizeof(v));
        c = __builtin_ia32_crc32di(c, v);
    }
    uint32_t c32 = (uint32_t)c;
    for (; n > 0; n--, p++) {
        c32 = __builtin_ia32_crc32qi(c32, *p);
    }
    return c32;
}

static bool have_instruction(void)
{
    return __builtin_cpu_supports("sse4.2") != 0;
}
#else
static uint32_t crc_hard(uint32_t crc, const uint8_t *p, size_t n)
{
    return crc_soft(crc, p, n);
}

static bool have_instruction(void)
{
    return false;
}
#endif

uint32_t wedr_crc32c(uint32_t crc, const void *p, size_t n)
{
    crc = ~crc;
    crc = have_instruction() ? crc_hard(crc, p, n) : crc_soft(crc, p, n);
    return ~crc;
}
