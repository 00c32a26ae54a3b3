/* SPDX-License-Identifier: Apache-2.0
 * rules/src/bundle/reader.c — the small pieces of a body. */
#include "bundle/reader.h"
#include "core/base/endian.h"
#include "core/base/err.h"
#include <string.h>

int wedr_bundle_bad(struct wedr_bundle_reader *r, int err, const char *what)
{
    if (r->err == WEDR_OK) {
        r->err = wedr_fail(r->ei, err, "rule bundle: %s, byte %zu of the body: %s", what,
                           (size_t)(r->p - r->start), wedr_err_text(err));
        r->p = r->end;
    }
    return r->err;
}

uint64_t wedr_bundle_number(struct wedr_bundle_reader *r, uint64_t max)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->p == r->end) {
            (void)wedr_bundle_bad(r, WEDR_E_FORMAT, "it ends too early");
            return 0;
        }
        uint8_t b = *r->p++;
        v |= (uint64_t)(b & 0x7F) << shift;
        if (b < 0x80) {
            if (v <= max && !(shift == 63 && b > 1)) {
                return v;
            }
            break;
        }
    }
    (void)wedr_bundle_bad(r, WEDR_E_FORMAT, "a number out of range");
    return 0;
}

uint32_t wedr_bundle_count(struct wedr_bundle_reader *r, uint32_t max, size_t min_size)
{
    uint32_t n = (uint32_t)wedr_bundle_number(r, max);
    if (n > (size_t)(r->end - r->p) / min_size) {
        (void)wedr_bundle_bad(r, WEDR_E_FORMAT, "more elements than bytes");
        return 0;
    }
    return n;
}

const uint8_t *wedr_bundle_bytes(struct wedr_bundle_reader *r, size_t n)
{
    if (n > (size_t)(r->end - r->p)) {
        (void)wedr_bundle_bad(r, WEDR_E_FORMAT, "it ends too early");
        return NULL;
    }
    r->p += n;
    return r->p - n;
}

struct wedr_text wedr_bundle_text(struct wedr_bundle_reader *r)
{
    uint64_t n = wedr_bundle_number(r, r->string_count);
    return n == 0 ? wedr_text("", 0) : r->strings[n - 1];
}

const char *wedr_bundle_cstr(struct wedr_bundle_reader *r)
{
    struct wedr_text t = wedr_bundle_text(r);
    if (t.len > 0 && memchr(t.p, 0, t.len)) {
        (void)wedr_bundle_bad(r, WEDR_E_FORMAT, "a name with a NUL in it");
        return "";
    }
    return t.p;
}

uint32_t wedr_bundle_id(struct wedr_bundle_reader *r, const struct wedr_bundle_table *t, bool none)
{
    uint64_t n = wedr_bundle_number(r, t->count);
    if (n == 0 && !none) {
        (void)wedr_bundle_bad(r, WEDR_E_FORMAT, "an id is missing");
    }
    return n == 0 ? WEDR_IR_NONE : t->to[n - 1];
}

struct wedr_number wedr_bundle_value(struct wedr_bundle_reader *r)
{
    struct wedr_number n = {.kind = (uint8_t)wedr_bundle_number(r, WEDR_NUMBER_F64)};
    const uint8_t *p = wedr_bundle_bytes(r, 8);
    n.v.u = p ? wedr_le64(p) : 0;
    if (n.kind == WEDR_NUMBER_U64 && n.v.u <= INT64_MAX) {
        n.kind = WEDR_NUMBER_I64;
    }
    return n;
}

struct wedr_net wedr_bundle_net(struct wedr_bundle_reader *r)
{
    struct wedr_net n = {.family = (uint8_t)wedr_bundle_number(r, 6)};
    n.bits = (uint8_t)wedr_bundle_number(r, n.family == 4 ? 32 : 128);
    size_t len = n.family == 4 ? 4 : 16;
    const uint8_t *p = wedr_bundle_bytes(r, len);
    if (p) {
        memcpy(n.addr, p, len);
    }
    if (n.family != 4 && n.family != 6) {
        (void)wedr_bundle_bad(r, WEDR_E_FORMAT, "a network of an unknown kind");
    }
    return n;
}

void *wedr_bundle_block(struct wedr_bundle_reader *r, size_t count, size_t size)
{
    void *p = wedr_pool_block(&r->pool, count * size + 1, 16);
    if (!p) {
        (void)wedr_bundle_bad(r, WEDR_E_NOMEM, "tables");
    }
    return p;
}
