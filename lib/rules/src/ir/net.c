/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/net.c — addresses and networks as text. */
#include "core/base/err.h"
#include "ir/value.h"
#include <string.h>

static int decimal(const char *s, size_t len, unsigned max, unsigned *ret_v)
{
    unsigned v = 0;
    if (len == 0 || len > 3 || (len > 1 && s[0] == '0')) {
        return WEDR_E_FORMAT;
    }
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return WEDR_E_FORMAT;
        }
        v = v * 10 + (unsigned)(s[i] - '0');
    }
    if (v > max) {
        return WEDR_E_FORMAT;
    }
    *ret_v = v;
    return WEDR_OK;
}

static int parse_v4(const char *s, size_t len, uint8_t out[4])
{
    size_t at = 0;
    for (unsigned i = 0; i < 4; i++) {
        size_t end = at;
        while (end < len && s[end] != '.') {
            end++;
        }
        unsigned v;
        if (decimal(s + at, end - at, 255, &v) < 0 || (i < 3) != (end < len)) {
            return WEDR_E_FORMAT;
        }
        out[i] = (uint8_t)v;
        at = end + 1;
    }
    return WEDR_OK;
}

/* One group of up to four hex digits. */
static int parse_group(const char *s, size_t len, uint8_t out[2])
{
    unsigned v = 0;
    if (len == 0 || len > 4) {
        return WEDR_E_FORMAT;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned c = (uint8_t)s[i];
        unsigned digit = c - '0' < 10 ? c - '0' : (c | 32) - 'a' < 6 ? (c | 32) - 'a' + 10 : 16;
        if (digit == 16) {
            return WEDR_E_FORMAT;
        }
        v = v << 4 | digit;
    }
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
    return WEDR_OK;
}

struct v6 {
    uint8_t bytes[16];
    size_t used;
    size_t gap; /* where :: stands; 16 + 1: nowhere */
};

/* Takes one group or a trailing IPv4 address at s[at, end). */
static int v6_take(struct v6 *v, const char *s, size_t len, bool last)
{
    bool dotted = last && len > 4 && memchr(s, '.', len);
    size_t size = dotted ? 4 : 2;
    if (v->used + size > 16) {
        return WEDR_E_FORMAT;
    }
    int r = dotted ? parse_v4(s, len, v->bytes + v->used) : parse_group(s, len, v->bytes + v->used);
    v->used += size;
    return r;
}

static int parse_v6(const char *s, size_t len, uint8_t out[16])
{
    struct v6 v = {.gap = 17};
    size_t at = 0;
    if (len >= 2 && s[0] == ':' && s[1] == ':') {
        v.gap = 0;
        at = 2;
    }
    while (at < len) {
        const char *colon = memchr(s + at, ':', len - at);
        size_t end = colon ? (size_t)(colon - s) : len;
        if (v6_take(&v, s + at, end - at, end == len) < 0) {
            return WEDR_E_FORMAT;
        }
        if (end == len) {
            break;
        }
        at = end + 1;
        if (at < len && s[at] == ':') {
            if (v.gap != 17) {
                return WEDR_E_FORMAT;
            }
            v.gap = v.used;
            at++;
        } else if (at == len) {
            return WEDR_E_FORMAT;
        }
    }
    if (v.gap == 17 ? v.used != 16 : v.used > 14) {
        return WEDR_E_FORMAT;
    }
    memset(out, 0, 16);
    size_t head = v.gap == 17 ? 16 : v.gap;
    memcpy(out, v.bytes, head);
    memcpy(out + 16 - (v.used - head), v.bytes + head, v.used - head);
    return WEDR_OK;
}

int wedr_address_parse(const char *s, size_t len, struct wedr_net *ret_net)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    struct wedr_net n = {.family = 4, .bits = 32};
    if (len < 2 || len > 64) {
        return WEDR_E_FORMAT;
    }
    if (!memchr(s, ':', len)) {
        if (parse_v4(s, len, n.addr) < 0) {
            return WEDR_E_FORMAT;
        }
        *ret_net = n;
        return WEDR_OK;
    }
    const char *zone = memchr(s, '%', len);
    if (parse_v6(s, zone ? (size_t)(zone - s) : len, n.addr) < 0) {
        return WEDR_E_FORMAT;
    }
    if (memcmp(n.addr, mapped, sizeof(mapped)) == 0) {
        memmove(n.addr, n.addr + 12, 4);
        memset(n.addr + 4, 0, 12);
    } else {
        n.family = 6;
        n.bits = 128;
    }
    *ret_net = n;
    return WEDR_OK;
}

void wedr_net_trim(struct wedr_net *n)
{
    for (unsigned i = n->bits; i < 128; i++) {
        n->addr[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
    }
}

int wedr_net_parse(const char *s, size_t len, struct wedr_net *ret_net)
{
    const char *slash = len ? memchr(s, '/', len) : NULL;
    struct wedr_net n;
    unsigned bits;
    if (wedr_address_parse(s, slash ? (size_t)(slash - s) : len, &n) < 0) {
        return WEDR_E_FORMAT;
    }
    if (slash) {
        size_t at = (size_t)(slash - s) + 1;
        bool was_v6 = memchr(s, ':', at) != NULL;
        if (decimal(s + at, len - at, was_v6 ? 128 : 32, &bits) < 0) {
            return WEDR_E_FORMAT;
        }
        if (was_v6 && n.family == 4) { /* ::ffff:10.0.0.0/104 is 10.0.0.0/8 */
            if (bits < 96) {
                return WEDR_E_FORMAT;
            }
            bits -= 96;
        }
        n.bits = (uint8_t)bits;
    }
    wedr_net_trim(&n);
    *ret_net = n;
    return WEDR_OK;
}

bool wedr_net_has(const struct wedr_net *net, const struct wedr_net *address)
{
    unsigned whole = net->bits / 8u;
    unsigned rest = net->bits % 8u;
    if (net->family != address->family || memcmp(net->addr, address->addr, whole) != 0) {
        return false;
    }
    return rest == 0 || ((net->addr[whole] ^ address->addr[whole]) >> (8 - rest)) == 0;
}
