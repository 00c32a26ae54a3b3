/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
#include "wedr/wire/decode.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "json_value.h"
#include "layout.h"
#include <string.h>

/* What has to be looked at in a record of one type and os; plain integers need no look. */
enum check_kind { CHECK_END, CHECK_STR, CHECK_LIST, CHECK_JSON, CHECK_BYTES, CHECK_IP, CHECK_BOOL };

struct check {
    uint16_t offset;
    uint16_t kind;
};

#define CHECK_OF_U8(off)
#define CHECK_OF_U16(off)
#define CHECK_OF_U32(off)
#define CHECK_OF_U64(off)
#define CHECK_OF_I32(off)
#define CHECK_OF_I64(off)
#define CHECK_OF_KEY(off)
#define CHECK_OF_TIME(off)
#define CHECK_OF_REGISTRY_OP(off)
#define CHECK_OF_HANDLE_OP(off)
#define CHECK_OF_FILE_OP(off)
#define CHECK_OF_NET_PROTOCOL(off)
#define CHECK_OF_LOSS_REASON(off)
#define CHECK_OF_GAP_REASON(off)
#define CHECK_OF_ALERT_SEVERITY(off)
#define CHECK_OF_RESPONSE_ACTION(off)
#define CHECK_OF_RESPONSE_RESULT(off)
#define CHECK_OF_VIA(off)
#define CHECK_OF_PATH_SOURCE(off)
#define CHECK_OF_PERSISTENCE(off)
#define CHECK_OF_KERNEL_OBJECT(off)
#define CHECK_OF_DNS_OP(off)
#define CHECK_OF_CREDENTIAL_OP(off)
#define CHECK_OF_NAMESPACE_OP(off)
#define CHECK_OF_ACTIVITY(off)
#define CHECK_OF_EXEC_FLAGS(off)
#define CHECK_OF_NAMESPACES(off)
#define CHECK_OF_MAP_FLAGS(off)
#define CHECK_OF_BOOL(off) {off, CHECK_BOOL},
#define CHECK_OF_IP(off) {off, CHECK_IP},
#define CHECK_OF_STR(off) {off, CHECK_STR},
#define CHECK_OF_ARGV(off) {off, CHECK_LIST},
#define CHECK_OF_LIST(off) {off, CHECK_LIST},
#define CHECK_OF_JSON(off) {off, CHECK_JSON},
#define CHECK_OF_BYTES(off) {off, CHECK_BYTES},

#define LINUX_CHECK_BOTH(ID, KIND, name) CHECK_OF_##KIND(WIRE_OFFSET_LINUX(ID, name))
#define LINUX_CHECK_LINUX(ID, KIND, name) CHECK_OF_##KIND(WIRE_OFFSET_LINUX(ID, name))
#define LINUX_CHECK_WINDOWS(ID, KIND, name)
#define WINDOWS_CHECK_BOTH(ID, KIND, name) CHECK_OF_##KIND(WIRE_OFFSET_WINDOWS(ID, name))
#define WINDOWS_CHECK_LINUX(ID, KIND, name)
#define WINDOWS_CHECK_WINDOWS(ID, KIND, name) CHECK_OF_##KIND(WIRE_OFFSET_WINDOWS(ID, name))

#define WEDR_DERIVED(...)
#define WEDR_TYPE_END(ID, lower) \
    {                            \
        0, CHECK_END             \
    }                            \
    }                            \
    ;
#define WEDR_TYPE(ID, ...) static const struct check linux_##ID[] = {
#define WEDR_FIELD(ID, name, KIND, OS, ...) LINUX_CHECK_##OS(ID, KIND, name)
#include "wedr/wire/schema.def"
#undef WEDR_TYPE
#undef WEDR_FIELD
#define WEDR_TYPE(ID, ...) static const struct check windows_##ID[] = {
#define WEDR_FIELD(ID, name, KIND, OS, ...) WINDOWS_CHECK_##OS(ID, KIND, name)
#include "wedr/wire/schema.def"
#undef WEDR_TYPE
#undef WEDR_FIELD
#undef WEDR_TYPE_END

#define WEDR_FIELD(...)
#define WEDR_TYPE_END(ID, lower)
#define WEDR_TYPE(ID, ...) [WIRE_INDEX_##ID] = {windows_##ID, linux_##ID},
static const struct check *const checks[WIRE_TYPE_COUNT][2] = {
#include "wedr/wire/schema.def"
};
#undef WEDR_TYPE
#undef WEDR_FIELD
#undef WEDR_DERIVED
#undef WEDR_TYPE_END

#define FLAGS_ANY                                                                            \
    (WEDR_SF_CUT | WEDR_SF_HEAD_CUT | WEDR_SF_UTF16 | WEDR_SF_UNREADABLE | WEDR_SF_NO_NAME | \
     WEDR_SF_DELETED)
#define FLAGS_BYTES (WEDR_SF_CUT | WEDR_SF_UNREADABLE)
#define FIRST_AGENT_CODE 64

static void read_header(const uint8_t *p, struct wedr_event_header *h)
{
    h->version = wedr_le16(p);
    h->type = wedr_le16(p + 2);
    h->size = wedr_le32(p + 4);
    h->seq = wedr_le64(p + 8);
    h->time = (int64_t)wedr_le64(p + 16);
    h->drop_count = wedr_le64(p + 24);
    h->trunc_count = wedr_le32(p + 32);
    h->fixed_size = wedr_le16(p + 36);
    h->os = p[38];
    h->stream = p[39];
    h->flags = wedr_le16(p + 40);
    h->reserved0 = wedr_le16(p + 42);
    h->reserved1 = wedr_le32(p + 44);
}

/* What is known of a record whose version is not ours: the first fields, as far as they are there.
 */
static void read_partial_header(struct wedr_span in, struct wedr_event_header *h)
{
    uint8_t b[sizeof(struct wedr_event_header)] = {0};

    memcpy(b, in.p, in.len < sizeof(b) ? in.len : sizeof(b));
    read_header(b, h);
}

static bool has_nul(const uint8_t *p, size_t len, bool utf16)
{
    if (!utf16) {
        return memchr(p, 0, len) != NULL;
    }
    for (size_t i = 0; i < len; i += 2) {
        if ((p[i] | p[i + 1]) == 0) {
            return true;
        }
    }
    return false;
}

static bool str_ok(const uint8_t *rec, const struct wedr_event_header *h, const struct check *c)
{
    const uint8_t *ref = rec + c->offset;
    uint32_t offset = wedr_le32(ref);
    uint32_t len = wedr_le16(ref + 4);
    uint32_t flags = wedr_le16(ref + 6);

    uint32_t allowed = c->kind == CHECK_BYTES ? FLAGS_BYTES : c->kind == CHECK_JSON ? 0 : FLAGS_ANY;

    if ((flags & ~allowed) != 0) {
        return false;
    }
    if (len == 0) {
        return true;
    }
    if (offset < h->fixed_size || offset > h->size || len > h->size - offset) {
        return false;
    }
    if ((flags & WEDR_SF_UTF16) != 0 && (len & 1) != 0) {
        return false;
    }
    if (c->kind == CHECK_JSON) {
        return wire_json_ok(wedr_span(rec + offset, len));
    }
    return c->kind != CHECK_STR || !has_nul(rec + offset, len, (flags & WEDR_SF_UTF16) != 0);
}

static bool ip_ok(const uint8_t *p)
{
    if (p[0] == 6) {
        return true;
    }
    if (p[0] != 0 && p[0] != 4) {
        return false;
    }
    for (size_t i = 1 + (size_t)p[0]; i < sizeof(struct wedr_ip); i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

static bool fields_ok(const uint8_t *rec, const struct wedr_event_header *h, const struct check *c)
{
    for (; c->kind != CHECK_END; c++) {
        bool ok = c->kind == CHECK_IP     ? ip_ok(rec + c->offset)
                  : c->kind == CHECK_BOOL ? rec[c->offset] <= 1
                                          : str_ok(rec, h, c);
        if (!ok) {
            return false;
        }
    }
    return true;
}

static bool header_ok(const struct wedr_event_header *h, uint16_t fixed)
{
    return h->fixed_size >= fixed && h->fixed_size <= h->size && h->reserved0 == 0 &&
           h->reserved1 == 0 && (h->flags & ~WEDR_EVF_EXISTING) == 0 &&
           h->stream <= WEDR_STREAM_ALERT && (h->seq != 0 || h->type >= FIRST_AGENT_CODE);
}

int wedr_event_decode(struct wedr_span in, struct wedr_event_view *ret_view)
{
    struct wedr_event_header *h = &ret_view->h;
    const struct wedr_type_info *type;

    if (in.len < 2) {
        return WEDR_E_AGAIN;
    }
    if (wedr_le16(in.p) != WEDR_WIRE_VERSION) {
        read_partial_header(in, h);
        return WEDR_E_VERSION;
    }
    if (in.len < sizeof(*h)) {
        return WEDR_E_AGAIN;
    }
    read_header(in.p, h);
    if (h->size < sizeof(*h) || h->size > WEDR_RECORD_MAX) {
        return WEDR_E_FORMAT;
    }
    if (h->size > in.len) {
        return WEDR_E_AGAIN;
    }
    type = wedr_type_by_code(h->type);
    if (type == NULL || (h->os != WEDR_OS_LINUX && h->os != WEDR_OS_WINDOWS) ||
        (h->os & type->os_mask) == 0) {
        return WEDR_E_VERSION;
    }
    if (!header_ok(h, h->os == WEDR_OS_LINUX ? type->fixed_linux : type->fixed_windows) ||
        !fields_ok(in.p, h, checks[type - wedr_wire_types][h->os - 1])) {
        return WEDR_E_FORMAT;
    }
    ret_view->rec = wedr_span(in.p, h->size);
    ret_view->type = type;
    return WEDR_OK;
}

static const uint8_t *field_bytes(const struct wedr_event_view *v, const struct wedr_field_info *f)
{
    return v->rec.p + (v->h.os == WEDR_OS_LINUX ? f->offset_linux : f->offset_windows);
}

uint64_t wedr_event_uint(const struct wedr_event_view *v, const struct wedr_field_info *f)
{
    const uint8_t *p = field_bytes(v, f);

    switch (f->size) {
    case 1:
        return p[0];
    case 2:
        return wedr_le16(p);
    case 4:
        return wedr_le32(p);
    case 8:
        return wedr_le64(p);
    default:
        return 0;
    }
}

int64_t wedr_event_int(const struct wedr_event_view *v, const struct wedr_field_info *f)
{
    uint64_t u = wedr_event_uint(v, f);

    return f->kind == WEDR_KIND_I32 ? (int32_t)(uint32_t)u : (int64_t)u;
}

struct wedr_span wedr_event_str(const struct wedr_event_view *v,
                                const struct wedr_field_info *f,
                                uint16_t *ret_flags)
{
    const uint8_t *ref = field_bytes(v, f);
    uint16_t len = wedr_le16(ref + 4);

    *ret_flags = wedr_le16(ref + 6);
    return wedr_span(v->rec.p + (len == 0 ? 0 : wedr_le32(ref)), len);
}

struct wedr_ip wedr_event_ip(const struct wedr_event_view *v, const struct wedr_field_info *f)
{
    struct wedr_ip ip;

    memcpy(&ip, field_bytes(v, f), sizeof(ip));
    return ip;
}

const struct wedr_field_info *wedr_event_field(const struct wedr_event_view *v, const char *name)
{
    return wedr_type_field(v->type, v->h.os, name);
}
