/* SPDX-License-Identifier: Apache-2.0
 * Reads records as hex, one a line, from standard input and prints what lib/wire's decoder says of
 * each as one line of JSON, in the form of wire_decode.py. test_golden.py compares the two. */
#include "core/base/err.h"
#include "core/util/json.h"
#include "wedr/wire/decode.h"
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES (2 * WEDR_RECORD_MAX + 64)
#define JSON_MAX (1024 * 1024)

static char line[LINE_MAX_BYTES];
static uint8_t record[WEDR_RECORD_MAX + 32];
static char out[JSON_MAX];

static const char *const stream_names[] = {WEDR_STREAM_NAME_CRITICAL, WEDR_STREAM_NAME_BULK,
                                           WEDR_STREAM_NAME_AGENT, WEDR_STREAM_NAME_ALERT};

static void put_text(struct wedr_json *j, const char *s)
{
    (void)wedr_json_str(j, s, strlen(s));
}

static bool put_part(struct wedr_json *j, struct wedr_span s, uint16_t flags)
{
    return (flags & WEDR_SF_UTF16) != 0 ? wedr_json_utf16(j, s.p, s.len)
                                        : wedr_json_str(j, (const char *)s.p, s.len);
}

/* The parts of a list; false when one of them is not valid text. */
static bool put_parts(struct wedr_json *j, struct wedr_span s, uint16_t flags)
{
    size_t step = (flags & WEDR_SF_UTF16) != 0 ? 2 : 1;
    size_t start = 0;
    bool ok = true;

    wedr_json_arr_begin(j);
    for (size_t i = 0; i < s.len; i += step) {
        if (s.p[i] == 0 && (step == 1 || s.p[i + 1] == 0)) {
            ok = put_part(j, wedr_span(s.p + start, i - start), flags) && ok;
            start = i + step;
        }
    }
    if (start < s.len) {
        ok = put_part(j, wedr_span(s.p + start, s.len - start), flags) && ok;
    }
    wedr_json_arr_end(j);
    return ok;
}

static void put_flags(struct wedr_json *j, uint16_t flags)
{
    static const struct {
        uint16_t bit;
        const char *name;
    } names[] = {{WEDR_SF_CUT, "cut"},
                 {WEDR_SF_HEAD_CUT, "head_cut"},
                 {WEDR_SF_UNREADABLE, "unreadable"},
                 {WEDR_SF_NO_NAME, "no_name"},
                 {WEDR_SF_DELETED, "deleted"}};

    wedr_json_key(j, "flags");
    wedr_json_arr_begin(j);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(names); i++) {
        if ((flags & names[i].bit) != 0) {
            put_text(j, names[i].name);
        }
    }
    wedr_json_arr_end(j);
}

static void
put_string(struct wedr_json *j, const struct wedr_event_view *v, const struct wedr_field_info *f)
{
    uint16_t flags = 0;
    struct wedr_span s = wedr_event_str(v, f, &flags);
    bool list = f->kind == WEDR_KIND_ARGV || f->kind == WEDR_KIND_LIST;
    bool bytes = f->kind == WEDR_KIND_BYTES;
    bool wrap = (flags & ~WEDR_SF_UTF16) != 0;
    struct wedr_json before = *j;

    for (int attempt = 0; attempt < 2; attempt++) {
        bool as_hex = bytes || attempt == 1;
        bool ok = true;

        *j = before;
        if (wrap) {
            wedr_json_obj_begin(j);
            wedr_json_key(j, as_hex ? "hex" : list ? "list" : "text");
        }
        if (as_hex) {
            wedr_json_hex(j, s.p, s.len);
        } else {
            ok = list ? put_parts(j, s, flags) : put_part(j, s, flags);
        }
        if (wrap) {
            put_flags(j, flags);
            wedr_json_obj_end(j);
        }
        if (ok) {
            return;
        }
        wrap = true;
    }
}

/* RFC 5952: the longest run of two zero groups or more becomes "::", the first of equal ones. */
static void put_ipv6(struct wedr_json *j, const uint8_t a[16])
{
    char text[64];
    size_t n = 0, best = 8, best_len = 1;

    for (size_t i = 0; i < 8; i++) {
        size_t k = i;

        while (k < 8 && a[2 * k] == 0 && a[2 * k + 1] == 0) {
            k++;
        }
        if (k - i > best_len) {
            best = i;
            best_len = k - i;
        }
    }
    for (size_t i = 0; i < 8; i++) {
        if (i == best) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, i == 0 ? "::" : ":");
            i += best_len - 1;
            continue;
        }
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%x%s",
                              (unsigned)(a[2 * i] << 8 | a[2 * i + 1]), i < 7 ? ":" : "");
    }
    put_text(j, text);
}

static void put_ip(struct wedr_json *j, struct wedr_ip ip)
{
    char text[16];

    if (ip.family == 6) {
        put_ipv6(j, ip.addr);
    } else if (ip.family == 4) {
        (void)snprintf(text, sizeof(text), "%u.%u.%u.%u", ip.addr[0], ip.addr[1], ip.addr[2],
                       ip.addr[3]);
        put_text(j, text);
    } else {
        wedr_json_null(j);
    }
}

static void put_bits(struct wedr_json *j, uint8_t kind, uint32_t bits)
{
    wedr_json_arr_begin(j);
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        const char *text = wedr_label_text(kind, bit);

        if ((bits & bit) != 0 && text != NULL) {
            put_text(j, text);
            bits &= ~bit;
        }
    }
    if (bits != 0) {
        wedr_json_u64(j, bits);
    }
    wedr_json_arr_end(j);
}

static void
put_value(struct wedr_json *j, const struct wedr_event_view *v, const struct wedr_field_info *f)
{
    const char *label;

    if (wedr_kind_is_string(f->kind)) {
        put_string(j, v, f);
        return;
    }
    if (wedr_kind_is_flags(f->kind)) {
        put_bits(j, f->kind, (uint32_t)wedr_event_uint(v, f));
        return;
    }
    switch (f->kind) {
    case WEDR_KIND_IP:
        put_ip(j, wedr_event_ip(v, f));
        break;
    case WEDR_KIND_KEY:
        wedr_json_hex64(j, wedr_event_uint(v, f));
        break;
    case WEDR_KIND_BOOL:
        wedr_json_bool(j, wedr_event_uint(v, f) != 0);
        break;
    case WEDR_KIND_I32:
    case WEDR_KIND_I64:
    case WEDR_KIND_TIME:
        wedr_json_i64(j, wedr_event_int(v, f));
        break;
    default:
        label = wedr_label_text(f->kind, (uint32_t)wedr_event_uint(v, f));
        if (label != NULL) {
            put_text(j, label);
        } else {
            wedr_json_u64(j, wedr_event_uint(v, f));
        }
        break;
    }
}

static void put_record(struct wedr_json *j, const struct wedr_event_view *v)
{
    wedr_json_key(j, "type");
    put_text(j, v->type->event_type);
    wedr_json_key(j, "os");
    put_text(j, v->h.os == WEDR_OS_LINUX ? "linux" : "windows");
    wedr_json_key(j, "size");
    wedr_json_u64(j, v->h.size);
    wedr_json_key(j, "seq");
    wedr_json_u64(j, v->h.seq);
    wedr_json_key(j, "time");
    wedr_json_i64(j, v->h.time);
    wedr_json_key(j, "drop_count");
    wedr_json_u64(j, v->h.drop_count);
    wedr_json_key(j, "trunc_count");
    wedr_json_u64(j, v->h.trunc_count);
    wedr_json_key(j, "fixed_size");
    wedr_json_u64(j, v->h.fixed_size);
    wedr_json_key(j, "stream");
    put_text(j, stream_names[v->h.stream]);
    wedr_json_key(j, "existing");
    wedr_json_bool(j, (v->h.flags & WEDR_EVF_EXISTING) != 0);
    wedr_json_key(j, "fields");
    wedr_json_obj_begin(j);
    for (size_t i = 0; i < v->type->field_count; i++) {
        const struct wedr_field_info *f = &v->type->fields[i];

        if (!f->derived && (f->os_mask & v->h.os) != 0) {
            wedr_json_key(j, f->name);
            put_value(j, v, f);
        }
    }
    wedr_json_obj_end(j);
}

static void dump(struct wedr_span in)
{
    struct wedr_event_view v;
    struct wedr_json j;
    int err = wedr_event_decode(in, &v);

    wedr_json_init(&j, out, sizeof(out));
    wedr_json_obj_begin(&j);
    if (err != WEDR_OK) {
        wedr_json_key(&j, "error");
        put_text(&j, err == WEDR_E_AGAIN ? "again" : err == WEDR_E_VERSION ? "version" : "format");
    } else {
        put_record(&j, &v);
    }
    wedr_json_obj_end(&j);
    (void)printf("%.*s\n", (int)wedr_json_len(&j), out);
}

static int digit(char c)
{
    const char *at = c == '\0' ? NULL : strchr("0123456789abcdef", c);

    return at == NULL ? -1 : (int)(at - "0123456789abcdef");
}

int main(void)
{
    while (fgets(line, sizeof(line), stdin) != NULL) {
        size_t n = 0;

        while (n < sizeof(record) && digit(line[2 * n]) >= 0 && digit(line[2 * n + 1]) >= 0) {
            record[n] = (uint8_t)(digit(line[2 * n]) << 4 | digit(line[2 * n + 1]));
            n++;
        }
        dump(wedr_span(record, n));
    }
    return 0;
}
