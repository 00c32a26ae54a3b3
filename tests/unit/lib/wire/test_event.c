/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/wire/decode.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FIELDS_MAX 80
#define STR_MAX 300
#define ROUNDS 60

static uint64_t rnd_state = 0x9e3779b97f4a7c15u;
static uint8_t mem[WEDR_RECORD_MAX];

static uint64_t rnd(void)
{
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;
    return rnd_state;
}

/* What was put into one field. */
struct put {
    uint64_t u;
    struct wedr_ip ip;
    uint8_t s[STR_MAX];
    size_t len;
    uint16_t flags;
};

static struct put given[FIELDS_MAX];

/* A random array of numbers and texts, or nothing. */
static void put_json(struct wedr_record *r, const struct wedr_field_info *f, struct put *p)
{
    int n = snprintf((char *)p->s, sizeof(p->s), "[%u,{\"k\":\"%c\"}]", (unsigned)rnd() % 1000,
                     (char)('a' + rnd() % 26));

    assert_true(n > 0 && (size_t)n < sizeof(p->s));
    p->flags = 0;
    p->len = rnd() % 4 == 0 ? 0 : (size_t)n;
    assert_int_equal(wedr_record_set_str(r, f->name, p->s, p->len, 0), WEDR_OK);
}

static void put_string(struct wedr_record *r, const struct wedr_field_info *f, struct put *p)
{
    p->flags = (uint16_t)(rnd() & (f->kind == WEDR_KIND_BYTES ? 0x9u : 0x3fu));
    p->len = rnd() % 4 == 0 ? 0 : rnd() % STR_MAX;
    if ((p->flags & WEDR_SF_UTF16) != 0) {
        p->len &= ~(size_t)1;
    }
    for (size_t i = 0; i < p->len; i++) {
        p->s[i] = (uint8_t)rnd();
        if (f->kind == WEDR_KIND_STR && p->s[i] == 0) {
            p->s[i] = 1;
        }
    }
    assert_int_equal(wedr_record_set_str(r, f->name, p->s, p->len, p->flags), WEDR_OK);
}

static void put_field(struct wedr_record *r, const struct wedr_field_info *f, struct put *p)
{
    if (f->kind == WEDR_KIND_JSON) {
        put_json(r, f, p);
    } else if (wedr_kind_is_string(f->kind)) {
        put_string(r, f, p);
    } else if (f->kind == WEDR_KIND_IP) {
        static const uint8_t families[] = {0, 4, 6};

        memset(&p->ip, 0, sizeof(p->ip));
        p->ip.family = families[rnd() % 3];
        for (size_t i = 0; i < (p->ip.family == 6 ? 16u : p->ip.family); i++) {
            p->ip.addr[i] = (uint8_t)rnd();
        }
        assert_int_equal(wedr_record_set_ip(r, f->name, p->ip), WEDR_OK);
    } else {
        p->u = f->kind == WEDR_KIND_BOOL ? rnd() & 1 : rnd() >> (64 - 8 * f->size);
        assert_int_equal(wedr_record_set_uint(r, f->name, p->u), WEDR_OK);
    }
}

/* A record with random content in every field; its length. given[i] has what went into field i. */
static size_t random_record(const struct wedr_type_info *t, uint8_t os)
{
    struct wedr_record r;

    assert_true(t->field_count <= FIELDS_MAX);
    assert_int_equal(wedr_record_begin(&r, mem, sizeof(mem), t->code, os), WEDR_OK);
    for (size_t i = 0; i < t->field_count; i++) {
        if (!t->fields[i].derived && (t->fields[i].os_mask & os) != 0) {
            put_field(&r, &t->fields[i], &given[i]);
        }
    }
    wedr_record_set_counts(&r, rnd(), (uint32_t)rnd());
    return wedr_record_finish(&r, rnd() | 1, (int64_t)rnd(), (uint8_t)(rnd() % 4),
                              (uint16_t)(rnd() & 1));
}

static void
expect_field(const struct wedr_event_view *v, const struct wedr_field_info *f, const struct put *p)
{
    assert_ptr_equal(wedr_event_field(v, f->name), f);
    if (wedr_kind_is_string(f->kind)) {
        uint16_t flags = 0;
        struct wedr_span s = wedr_event_str(v, f, &flags);

        assert_int_equal(s.len, p->len);
        assert_memory_equal(s.p, p->s, p->len);
        assert_int_equal(flags, p->flags);
    } else if (f->kind == WEDR_KIND_IP) {
        struct wedr_ip ip = wedr_event_ip(v, f);

        assert_memory_equal(&ip, &p->ip, sizeof(ip));
    } else {
        assert_true(wedr_event_uint(v, f) == p->u);
        if (f->kind == WEDR_KIND_I32) {
            assert_true(wedr_event_int(v, f) == (int32_t)(uint32_t)p->u);
        }
    }
}

/* Calls fn for each type on each of its systems. */
static void each_type(void (*fn)(const struct wedr_type_info *t, uint8_t os))
{
    size_t count = 0;
    const struct wedr_type_info *t = wedr_types(&count);

    for (size_t i = 0; i < count; i++) {
        for (uint8_t os = WEDR_OS_WINDOWS; os <= WEDR_OS_LINUX; os++) {
            if ((t[i].os_mask & os) != 0) {
                fn(&t[i], os);
            }
        }
    }
}

static void round_trip(const struct wedr_type_info *t, uint8_t os)
{
    for (int round = 0; round < ROUNDS; round++) {
        size_t len = random_record(t, os);
        struct wedr_event_view v;

        /* Bytes behind the record are none of its business. */
        assert_int_equal(wedr_event_decode(wedr_span(mem, sizeof(mem)), &v), WEDR_OK);
        assert_int_equal(v.rec.len, len);
        assert_ptr_equal(v.type, t);
        assert_int_equal(v.h.os, os);
        assert_int_equal(v.h.fixed_size, os == WEDR_OS_LINUX ? t->fixed_linux : t->fixed_windows);
        for (size_t i = 0; i < t->field_count; i++) {
            if (!t->fields[i].derived && (t->fields[i].os_mask & os) != 0) {
                expect_field(&v, &t->fields[i], &given[i]);
            }
        }
    }
}

static void every_type_survives_encode_and_decode(void **state)
{
    (void)state;
    each_type(round_trip);
}

/* Reads everything that the view gives access to; the sanitizer sees a step outside. */
static unsigned touch(const struct wedr_event_view *v)
{
    unsigned sum = 0;

    for (size_t i = 0; i < v->type->field_count; i++) {
        const struct wedr_field_info *f = &v->type->fields[i];

        if (f->derived || (f->os_mask & v->h.os) == 0) {
            continue;
        }
        if (wedr_kind_is_string(f->kind)) {
            uint16_t flags = 0;
            struct wedr_span s = wedr_event_str(v, f, &flags);

            assert_true(s.p >= v->rec.p && s.len <= v->rec.len);
            assert_true((size_t)(s.p - v->rec.p) <= v->rec.len - s.len);
            assert_true(s.len == 0 || (size_t)(s.p - v->rec.p) >= v->h.fixed_size);
            for (size_t k = 0; k < s.len; k++) {
                sum += s.p[k];
            }
        } else if (f->kind == WEDR_KIND_IP) {
            sum += wedr_event_ip(v, f).addr[15];
        } else {
            sum += (unsigned)wedr_event_uint(v, f);
        }
    }
    return sum;
}

/* Decodes a copy that ends exactly where the memory ends. */
static int decode_copy(const uint8_t *p, size_t len)
{
    struct wedr_event_view v;
    uint8_t *copy = wedr_alloc(len > 0 ? len : 1, 1);
    int err;

    assert_non_null(copy);
    memcpy(copy, p, len);
    err = wedr_event_decode(wedr_span(copy, len), &v);
    if (err == WEDR_OK) {
        assert_true(v.rec.len <= len);
        (void)touch(&v);
    }
    wedr_free(copy);
    return err;
}

static void truncate_everywhere(const struct wedr_type_info *t, uint8_t os)
{
    size_t len = random_record(t, os);

    assert_int_equal(decode_copy(mem, len), WEDR_OK);
    for (size_t n = 0; n < len; n++) {
        assert_int_equal(decode_copy(mem, n), WEDR_E_AGAIN);
    }
}

static void every_truncation_asks_for_more(void **state)
{
    (void)state;
    each_type(truncate_everywhere);
}

static void corrupt_everywhere(const struct wedr_type_info *t, uint8_t os)
{
    size_t len = random_record(t, os);
    unsigned refused = 0;

    for (size_t at = 0; at < len; at++) {
        uint8_t old = mem[at];
        int err;

        mem[at] = (uint8_t)(old ^ (1 + rnd() % 255));
        err = decode_copy(mem, len);
        assert_true(err == WEDR_OK || err == WEDR_E_AGAIN || err == WEDR_E_VERSION ||
                    err == WEDR_E_FORMAT);
        refused += err != WEDR_OK;
        mem[at] = old;
    }
    /* version, size (3 of its bytes at least), reserved: none of these may pass. */
    assert_true(refused >= 2 + 3 + 6);
}

static void every_corrupt_byte_stays_within_bounds(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        each_type(corrupt_everywhere);
    }
}

static void size_that_lies_by_one_is_refused(void **state)
{
    struct wedr_record r;
    struct wedr_event_view v;
    size_t len;

    (void)state;
    assert_int_equal(wedr_record_begin(&r, mem, sizeof(mem), WEDR_EV_PROCESS_FORK, WEDR_OS_LINUX),
                     WEDR_OK);
    assert_int_equal(wedr_record_set_str(&r, "comm", "bash", 4, 0), WEDR_OK);
    len = wedr_record_finish(&r, 1, 1, WEDR_STREAM_CRITICAL, 0);
    assert_int_equal(wedr_event_decode(wedr_span(mem, len), &v), WEDR_OK);
    mem[4]--;
    assert_int_equal(wedr_event_decode(wedr_span(mem, len), &v), WEDR_E_FORMAT);
}

static void unknown_version_fills_the_header_it_can_read(void **state)
{
    const uint8_t in[] = {8, 0, 5, 0, 0x34, 0x12, 0, 0, 9};
    struct wedr_event_view v;

    (void)state;
    assert_int_equal(wedr_event_decode(wedr_span(in, sizeof(in)), &v), WEDR_E_VERSION);
    assert_int_equal(v.h.version, 8);
    assert_int_equal(v.h.type, 5);
    assert_int_equal(v.h.size, 0x1234);
    assert_true(v.h.seq == 9);
}

static void unknown_type_gives_the_length_to_step_over(void **state)
{
    struct wedr_record r;
    struct wedr_event_view v;
    size_t len;

    (void)state;
    assert_int_equal(wedr_record_begin(&r, mem, sizeof(mem), WEDR_EV_THREAD_EXIT, WEDR_OS_LINUX),
                     WEDR_OK);
    len = wedr_record_finish(&r, 77, 1, WEDR_STREAM_BULK, 0);
    mem[2] = 200;
    assert_int_equal(wedr_event_decode(wedr_span(mem, sizeof(mem)), &v), WEDR_E_VERSION);
    assert_int_equal(v.h.size, len);
    assert_true(v.h.seq == 77);
    assert_int_equal(wedr_event_decode(wedr_span(mem, len - 1), &v), WEDR_E_AGAIN);
}

static void failure_leaves_all_but_the_header_untouched(void **state)
{
    struct wedr_event_view v = {.rec = {.p = mem, .len = 7}};
    const uint8_t in[64] = {7, 0, 6, 0, 64};

    (void)state;
    assert_int_equal(wedr_event_decode(wedr_span(in, sizeof(in)), &v), WEDR_E_VERSION);
    assert_ptr_equal(v.rec.p, mem);
    assert_int_equal(v.rec.len, 7);
    assert_null(v.type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_survives_encode_and_decode),
        cmocka_unit_test(every_truncation_asks_for_more),
        cmocka_unit_test(every_corrupt_byte_stays_within_bounds),
        cmocka_unit_test(size_that_lies_by_one_is_refused),
        cmocka_unit_test(unknown_version_fills_the_header_it_can_read),
        cmocka_unit_test(unknown_type_gives_the_length_to_step_over),
        cmocka_unit_test(failure_leaves_all_but_the_header_untouched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
