/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 * The record builder of decode.h. */
#include "wedr/wire/decode.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "json_value.h"
#include <string.h>

/* Offsets of struct wedr_event_header. */
enum {
    AT_VERSION = 0,
    AT_TYPE = 2,
    AT_SIZE = 4,
    AT_SEQ = 8,
    AT_TIME = 16,
    AT_DROP = 24,
    AT_TRUNC = 32,
    AT_FIXED = 36,
    AT_OS = 38,
    AT_STREAM = 39,
    AT_FLAGS = 40
};

int wedr_record_begin(struct wedr_record *r, uint8_t *mem, size_t cap, uint16_t type, uint8_t os)
{
    const struct wedr_type_info *t = wedr_type_by_code(type);
    uint16_t fixed;

    if (t == NULL || (os != WEDR_OS_LINUX && os != WEDR_OS_WINDOWS) || (os & t->os_mask) == 0) {
        return WEDR_E_VERSION;
    }
    fixed = os == WEDR_OS_LINUX ? t->fixed_linux : t->fixed_windows;
    if (cap < fixed) {
        return WEDR_E_RANGE;
    }
    memset(mem, 0, fixed);
    wedr_put_le16(mem + AT_VERSION, WEDR_WIRE_VERSION);
    wedr_put_le16(mem + AT_TYPE, type);
    wedr_put_le16(mem + AT_FIXED, fixed);
    mem[AT_OS] = os;
    r->p = mem;
    r->cap = cap < WEDR_RECORD_MAX ? cap : WEDR_RECORD_MAX;
    r->len = fixed;
    return WEDR_OK;
}

/* The field and its bytes in the record; NULL when there is none. */
static const struct wedr_field_info *
find(const struct wedr_record *r, const char *name, uint8_t **ret_at)
{
    uint8_t os = r->p[AT_OS];
    const struct wedr_field_info *f =
        wedr_type_field(wedr_type_by_code(wedr_le16(r->p + AT_TYPE)), os, name);

    if (f != NULL) {
        *ret_at = r->p + (os == WEDR_OS_LINUX ? f->offset_linux : f->offset_windows);
    }
    return f;
}

int wedr_record_set_uint(struct wedr_record *r, const char *name, uint64_t v)
{
    uint8_t *at = NULL;
    const struct wedr_field_info *f = find(r, name, &at);

    if (f == NULL) {
        return WEDR_E_NOENT;
    }
    if (f->kind == WEDR_KIND_IP || wedr_kind_is_string(f->kind)) {
        return WEDR_E_INVAL;
    }
    if (f->kind == WEDR_KIND_I32 && (int64_t)v < 0 && (int64_t)v >= INT32_MIN) {
        v &= UINT32_MAX;
    }
    if ((f->size < 8 && v >> (8 * f->size) != 0) || (f->kind == WEDR_KIND_BOOL && v > 1)) {
        return WEDR_E_RANGE;
    }
    switch (f->size) {
    case 1:
        at[0] = (uint8_t)v;
        break;
    case 2:
        wedr_put_le16(at, (uint16_t)v);
        break;
    case 4:
        wedr_put_le32(at, (uint32_t)v);
        break;
    default:
        wedr_put_le64(at, v);
        break;
    }
    return WEDR_OK;
}

static bool text_ok(uint8_t kind, const uint8_t *s, size_t len, uint16_t flags)
{
    bool utf16 = (flags & WEDR_SF_UTF16) != 0;

    if (kind == WEDR_KIND_JSON) {
        return flags == 0 && (len == 0 || wire_json_ok(wedr_span(s, len)));
    }
    if (kind == WEDR_KIND_BYTES) {
        return (flags & ~(WEDR_SF_CUT | WEDR_SF_UNREADABLE)) == 0;
    }
    if (flags > (WEDR_SF_DELETED << 1) - 1 || (utf16 && len % 2 != 0)) {
        return false;
    }
    if (kind != WEDR_KIND_STR || len == 0) {
        return true;
    }
    if (!utf16) {
        return memchr(s, 0, len) == NULL;
    }
    for (size_t i = 0; i < len; i += 2) {
        if (s[i] == 0 && s[i + 1] == 0) {
            return false;
        }
    }
    return true;
}

int wedr_record_set_str(
    struct wedr_record *r, const char *name, const void *s, size_t len, uint16_t flags)
{
    uint8_t *at = NULL;
    const struct wedr_field_info *f = find(r, name, &at);
    size_t room = r->cap - r->len;

    if (f == NULL) {
        return WEDR_E_NOENT;
    }
    if (!wedr_kind_is_string(f->kind) || !text_ok(f->kind, (const uint8_t *)s, len, flags)) {
        return WEDR_E_INVAL;
    }
    room = room < UINT16_MAX ? room : UINT16_MAX;
    if (len > room) {
        if (f->kind == WEDR_KIND_JSON) {
            return WEDR_E_RANGE; /* half a value is none */
        }
        len = (flags & WEDR_SF_UTF16) != 0 ? room & ~(size_t)1 : room;
        flags |= WEDR_SF_CUT;
    }
    if (len > 0) {
        memcpy(r->p + r->len, s, len);
    }
    wedr_put_le32(at, len > 0 ? (uint32_t)r->len : 0);
    wedr_put_le16(at + 4, (uint16_t)len);
    wedr_put_le16(at + 6, flags);
    r->len += len;
    return WEDR_OK;
}

int wedr_record_set_ip(struct wedr_record *r, const char *name, struct wedr_ip ip)
{
    uint8_t *at = NULL;
    const struct wedr_field_info *f = find(r, name, &at);

    if (f == NULL) {
        return WEDR_E_NOENT;
    }
    if (f->kind != WEDR_KIND_IP || (ip.family != 0 && ip.family != 4 && ip.family != 6)) {
        return WEDR_E_INVAL;
    }
    if (ip.family != 6) {
        memset(ip.addr + ip.family, 0, sizeof(ip.addr) - ip.family);
    }
    memcpy(at, &ip, sizeof(ip));
    return WEDR_OK;
}

void wedr_record_set_counts(struct wedr_record *r, uint64_t drop_count, uint32_t trunc_count)
{
    wedr_put_le64(r->p + AT_DROP, drop_count);
    wedr_put_le32(r->p + AT_TRUNC, trunc_count);
}

size_t wedr_record_finish(
    struct wedr_record *r, uint64_t seq, int64_t time, uint8_t stream, uint16_t flags)
{
    wedr_put_le32(r->p + AT_SIZE, (uint32_t)r->len);
    wedr_put_le64(r->p + AT_SEQ, seq);
    wedr_put_le64(r->p + AT_TIME, (uint64_t)time);
    r->p[AT_STREAM] = stream;
    wedr_put_le16(r->p + AT_FLAGS, flags);
    return r->len;
}
