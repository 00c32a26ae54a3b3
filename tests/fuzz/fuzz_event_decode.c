/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_event_decode.c — any bytes as a stream of records: every step stays inside, every
 * field of a record that was taken can be read, and a taken record says the same when it is built
 * again. */
#include "core/base/err.h"
#include "wedr/wire/decode.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t mem[WEDR_RECORD_MAX];
static volatile uint8_t sink;

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

static struct wedr_span
string_of(const struct wedr_event_view *v, const struct wedr_field_info *f, uint16_t *flags)
{
    struct wedr_span s = wedr_event_str(v, f, flags);

    require(s.p >= v->rec.p && s.len <= v->rec.len &&
            (size_t)(s.p - v->rec.p) <= v->rec.len - s.len);
    for (size_t i = 0; i < s.len; i++) {
        sink = (uint8_t)(sink ^ s.p[i]);
    }
    return s;
}

static void
copy_field(struct wedr_record *r, const struct wedr_event_view *v, const struct wedr_field_info *f)
{
    uint16_t flags = 0;

    if (wedr_kind_is_string(f->kind)) {
        struct wedr_span s = string_of(v, f, &flags);

        int err = wedr_record_set_str(r, f->name, s.p, s.len, flags);

        /* Strings that shared bytes may not all fit a second time; JSON is not cut then. */
        require(err == WEDR_OK || (f->kind == WEDR_KIND_JSON && err == WEDR_E_RANGE));
    } else if (f->kind == WEDR_KIND_IP) {
        require(wedr_record_set_ip(r, f->name, wedr_event_ip(v, f)) == WEDR_OK);
    } else {
        require(wedr_record_set_uint(r, f->name, wedr_event_uint(v, f)) == WEDR_OK);
    }
}

static void same_field(const struct wedr_event_view *a,
                       const struct wedr_event_view *b,
                       const struct wedr_field_info *f)
{
    uint16_t flags_a = 0, flags_b = 0;

    if (wedr_kind_is_string(f->kind)) {
        struct wedr_span s = string_of(a, f, &flags_a);
        struct wedr_span t = string_of(b, f, &flags_b);

        require(s.len >= t.len && (s.len == 0 || memcmp(s.p, t.p, t.len) == 0));
        require(s.len == t.len              ? flags_a == flags_b
                : f->kind == WEDR_KIND_JSON ? t.len == 0
                                            : (flags_b & WEDR_SF_CUT) != 0);
    } else if (f->kind == WEDR_KIND_IP) {
        struct wedr_ip x = wedr_event_ip(a, f), y = wedr_event_ip(b, f);

        require(memcmp(&x, &y, sizeof(x)) == 0);
    } else {
        require(wedr_event_uint(a, f) == wedr_event_uint(b, f));
        require(wedr_event_int(a, f) == wedr_event_int(b, f));
    }
}

static void rebuild(const struct wedr_event_view *v)
{
    struct wedr_record r;
    struct wedr_event_view again;
    size_t len;

    require(wedr_record_begin(&r, mem, sizeof(mem), v->h.type, v->h.os) == WEDR_OK);
    for (size_t i = 0; i < v->type->field_count; i++) {
        const struct wedr_field_info *f = &v->type->fields[i];

        if (!f->derived && (f->os_mask & v->h.os) != 0) {
            require(wedr_event_field(v, f->name) == f);
            copy_field(&r, v, f);
        }
    }
    wedr_record_set_counts(&r, v->h.drop_count, v->h.trunc_count);
    len = wedr_record_finish(&r, v->h.seq, v->h.time, v->h.stream, v->h.flags);
    require(wedr_event_decode(wedr_span(mem, len), &again) == WEDR_OK && again.rec.len == len);
    require(again.h.seq == v->h.seq && again.h.drop_count == v->h.drop_count);
    for (size_t i = 0; i < v->type->field_count; i++) {
        const struct wedr_field_info *f = &v->type->fields[i];

        if (!f->derived && (f->os_mask & v->h.os) != 0) {
            same_field(v, &again, f);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wedr_span in = wedr_span(data, size);
    struct wedr_event_view v;

    while (in.len > 0) {
        int err = wedr_event_decode(in, &v);

        if (err != WEDR_OK) {
            require(err == WEDR_E_AGAIN || err == WEDR_E_VERSION || err == WEDR_E_FORMAT);
            break;
        }
        require(v.rec.p == in.p && v.rec.len >= sizeof(struct wedr_event_header) &&
                v.rec.len <= in.len);
        rebuild(&v);
        in = wedr_span(in.p + v.rec.len, in.len - v.rec.len);
    }
    return 0;
}
