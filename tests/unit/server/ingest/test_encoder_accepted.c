/* SPDX-License-Identifier: Apache-2.0
 *
 * What the agent's encoder writes is what the server's line check accepts: both are made from
 * schema.def, and this holds them together. */
#include "batch_builder.h"
#include "core/base/err.h"
#include "encode/encode.h"
#include "ingest/line_reader.h"
#include "line_same.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

static uint64_t g_rng = 88172645463325252ull;

static uint64_t rnd(void)
{
    g_rng ^= g_rng << 13;
    g_rng ^= g_rng >> 7;
    return g_rng ^= g_rng << 17;
}

static void set_text(struct wedr_record *r, const struct wedr_field_info *f, uint8_t os)
{
    uint8_t s[64];
    size_t n = rnd() % sizeof(s) & ~(size_t)1;
    for (size_t i = 0; i < n; i++) {
        s[i] = (uint8_t)(rnd() % 8 == 0 ? 0x80u + rnd() % 100 : 'a' + rnd() % 26);
    }
    uint16_t flags =
        (uint16_t)((os == WEDR_OS_WINDOWS && f->kind != WEDR_KIND_BYTES ? WEDR_SF_UTF16 : 0) |
                   (rnd() % 4 == 0 ? WEDR_SF_CUT : 0));
    (void)wedr_record_set_str(r, f->name, s, n, flags);
}

static void
fill_record(struct wedr_record *r, const struct wedr_type_info *t, uint8_t os, bool small)
{
    uint8_t mask = (uint8_t)(os == WEDR_OS_LINUX ? WEDR_OSM_LINUX : WEDR_OSM_WINDOWS);
    for (size_t i = 0; i < t->field_count; i++) {
        const struct wedr_field_info *f = &t->fields[i];
        uint64_t v = small ? rnd() % 3 : rnd();
        if (f->derived || (f->os_mask & mask) == 0) {
            continue;
        }
        if (f->kind == WEDR_KIND_IP) {
            struct wedr_ip ip = {(uint8_t)(rnd() % 2 == 0 ? 4 : 6), {0}};
            for (size_t k = 0; k < (ip.family == 4 ? 4u : 16u); k++) {
                ip.addr[k] = (uint8_t)rnd();
            }
            (void)wedr_record_set_ip(r, f->name, ip);
        } else if (f->kind == WEDR_KIND_JSON) {
            static const char *const some[] = {"", "[]",
                                               "[{\"event\":{\"raw\":{\"a\":[1,-2.5e3]}}}]"};
            const char *s = some[rnd() % 3];
            (void)wedr_record_set_str(r, f->name, s, strlen(s), 0);
        } else if (f->kind >= WEDR_KIND_STR && f->kind <= WEDR_KIND_BYTES) {
            set_text(r, f, os);
        } else {
            (void)wedr_record_set_uint(r, f->name, f->kind == WEDR_KIND_BOOL ? v % 2 : v);
        }
    }
}

/* Nothing that a sensor says needs the general parser; alerts carry evidence of any shape. */
static void check_fast(struct wedr_line_reader *reader,
                       const char *text,
                       size_t len,
                       const char *stream,
                       const struct wedr_line *line,
                       const struct wedr_line_info *info)
{
    struct wedr_line fast;
    struct wedr_line_info fast_info;
    bool plain = wedr_line_reader_plain(reader, text, len, stream, &fast, &fast_info);
    const char *differs = plain ? line_differs(&fast, &fast_info, line, info) : NULL;
    if (differs != NULL || (!plain && strncmp(stream, "kernel", 6) == 0)) {
        fail_msg("%s: %.*s", plain ? differs : "not plain", (int)len, text);
    }
}

static void every_line_of_the_encoder_passes_the_check(void **state)
{
    (void)state;
    static uint8_t mem[WEDR_RECORD_MAX];
    static char line[2u << 20];
    struct wedr_encoder *e = NULL;
    struct wedr_line_parser *parser = wedr_line_parser_new(65536);
    struct wedr_line_reader *reader = wedr_line_reader_new(sizeof(line));
    size_t types = 0, checked = 0;
    const struct wedr_type_info *t = wedr_types(&types);
    assert_int_equal(wedr_encoder_new(&e), WEDR_OK);
    for (size_t i = 0; i < types * 2 * 50; i++) {
        const struct wedr_type_info *type = &t[i % types];
        uint8_t os = (uint8_t)(i / types % 2 == 0 ? WEDR_OS_LINUX : WEDR_OS_WINDOWS);
        struct wedr_record r;
        struct wedr_event_view v;
        struct wedr_line l;
        struct wedr_line_info info;
        size_t len = 0;
        if (wedr_record_begin(&r, mem, sizeof(mem), type->code, os) != WEDR_OK) {
            continue;
        }
        fill_record(&r, type, os, i % 3 == 0);
        size_t n = wedr_record_finish(&r, 1 + rnd() % 1000, (int64_t)(rnd() % (1ull << 56)), 0,
                                      rnd() % 2 == 0 ? WEDR_EVF_EXISTING : 0);
        if (wedr_event_decode(wedr_span(mem, n), &v) != WEDR_OK) {
            continue; /* a random label or flag that no producer makes */
        }
        struct wedr_clock_pair clock = {0, TB_T0};
        assert_int_equal(wedr_encode(e, &v, clock, line, sizeof(line) - WEDR_LINE_PADDING, &len),
                         WEDR_OK);
        const char *stream = type->code == WEDR_EV_ALERT || type->code == WEDR_EV_RESPONSE
                                 ? WEDR_STREAM_NAME_ALERT
                             : strcmp(type->module, "agent") == 0 ? WEDR_STREAM_NAME_AGENT
                                                                  : WEDR_STREAM_NAME_CRITICAL;
        int rc = wedr_line_parse(parser, line, len - 1, &l);
        rc = rc == WEDR_OK ? wedr_line_check(&l, stream, &info) : rc;
        if (rc != WEDR_OK) {
            fail_msg("%d: %.*s", rc, (int)len, line);
        }
        assert_int_equal(info.type->code, type->code);
        assert_int_equal(wedr_text_canonical(line, len, line + sizeof(line) / 2), 1);
        check_fast(reader, line, len - 1, stream, &l, &info);
        checked++;
    }
    assert_true(checked > types * 10);
    wedr_encoder_free(e);
    wedr_line_parser_free(parser);
    wedr_line_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_of_the_encoder_passes_the_check)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
