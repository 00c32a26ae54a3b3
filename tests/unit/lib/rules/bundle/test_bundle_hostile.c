/* SPDX-License-Identifier: Apache-2.0
 *
 * Bundles that somebody changed, and memory that runs out. */
#include "bundle_rules.h"
#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#define HEADER 128u

static void any_changed_byte_is_refused(void **state)
{
    (void)state;
    struct wedr_buf b;
    struct wedr_bundle_info info;
    bundle_whole(&b, &bundle_pattern);
    for (size_t i = 0; i < b.len; i++) {
        for (unsigned bit = 0; bit < 8; bit += 7) {
            b.p[i] ^= (uint8_t)(1u << bit);
            int r = wedr_bundle_check(b.p, b.len, bundle_public_key, &info, NULL);
            int want = i < 8               ? WEDR_E_FORMAT
                       : i < 12            ? WEDR_E_VERSION
                       : i < 16            ? WEDR_E_FORMAT
                       : i >= 32 && i < 96 ? r
                                           : WEDR_E_AUTH;
            assert_int_not_equal(r, WEDR_OK);
            assert_int_equal(r, want);
            b.p[i] ^= (uint8_t)(1u << bit);
        }
    }
    for (size_t n = 0; n < b.len; n++) {
        assert_int_not_equal(wedr_bundle_check(b.p, n, bundle_public_key, &info, NULL), WEDR_OK);
    }
    bundle_public_key[3] ^= 1;
    assert_int_equal(wedr_bundle_check(b.p, b.len, bundle_public_key, &info, NULL), WEDR_E_AUTH);
    assert_int_equal(wedr_bundle_peek(b.p, b.len, &info, NULL), WEDR_OK); /* asks for no key */
    assert_int_equal(info.rules, 3);
    bundle_public_key[3] ^= 1;
    assert_int_equal(wedr_bundle_check(b.p, b.len, bundle_public_key, &info, NULL), WEDR_OK);
    wedr_buf_fini(&b);
}

static void sign_again(struct wedr_buf *b)
{
    wedr_sha256(b->p + HEADER, b->len - HEADER - 64, b->p + 96);
    (void)crypto_sign_detached(b->p + b->len - 64, NULL, b->p, b->len - 64, bundle_secret_key);
}

static void load_anything(const struct wedr_buf *b)
{
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    struct wedr_errinfo ei = {""};
    int r = wedr_bundle_load(b->p, b->len, 8u << 20, &rs, &map, &ei);
    if (r == WEDR_OK) {
        struct bundle_side s;
        char out[2048];
        bundle_side_init(&s, rs, map);
        (void)bundle_match(
            &s, "{\"type\":\"one\",\"os\":1,\"raw.path\":\"ab\",\"Image\":\"ab\",\"n\":12}", out,
            sizeof(out));
        bundle_side_fini(&s);
    } else {
        assert_int_not_equal(ei.text[0], '\0');
    }
}

static void a_signed_body_with_any_byte_changed_never_crashes(void **state)
{
    (void)state;
    struct wedr_buf b;
    struct wedr_bundle_info info;
    bundle_whole(&b, &bundle_pattern);
    static const uint8_t with[] = {0x01, 0x80, 0xFF, 0x7F};
    for (size_t i = HEADER; i < b.len - 64; i++) {
        for (size_t k = 0; k < sizeof(with); k++) {
            b.p[i] ^= with[k];
            sign_again(&b);
            if (i % 16 == 0) {
                assert_int_equal(wedr_bundle_check(b.p, b.len, bundle_public_key, &info, NULL),
                                 WEDR_OK);
            }
            load_anything(&b);
            b.p[i] ^= with[k];
        }
    }
    wedr_buf_fini(&b);
}

static void other_formats_are_named(void **state)
{
    (void)state;
    struct wedr_buf b;
    struct wedr_bundle_info info;
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    bundle_whole(&b, &bundle_everything);
    static const uint32_t formats[] = {0, WEDR_BUNDLE_FORMAT + 1, UINT32_MAX};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(formats); i++) {
        struct wedr_errinfo ei = {""};
        char number[32];
        wedr_put_le32(b.p + 8, formats[i]);
        sign_again(&b);
        assert_int_equal(wedr_bundle_check(b.p, b.len, bundle_public_key, &info, &ei),
                         WEDR_E_VERSION);
        (void)snprintf(number, sizeof(number), "format %u;", (unsigned)formats[i]);
        assert_non_null(strstr(ei.text, number));
        assert_int_equal(wedr_bundle_load(b.p, b.len, 1u << 24, &rs, &map, &ei), WEDR_E_VERSION);
    }
    wedr_put_le32(b.p + 8, WEDR_BUNDLE_FORMAT_MIN);
    b.p[HEADER] ^= 1; /* the signature alone is made again */
    (void)crypto_sign_detached(b.p + b.len - 64, NULL, b.p, b.len - 64, bundle_secret_key);
    assert_int_equal(wedr_bundle_check(b.p, b.len, bundle_public_key, &info, NULL), WEDR_E_CORRUPT);
    assert_int_equal(wedr_bundle_load(b.p, b.len, 1u << 24, &rs, &map, NULL), WEDR_E_CORRUPT);
    wedr_buf_fini(&b);
}

static void memory_is_bounded_and_every_allocation_may_fail(void **state)
{
    (void)state;
    struct wedr_buf b;
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    bundle_whole(&b, &bundle_pattern);
    assert_int_equal(wedr_bundle_load(b.p, b.len, 4096, &rs, &map, NULL), WEDR_E_NOMEM);
    int r = WEDR_E_NOMEM;
    for (size_t n = 1; r == WEDR_E_NOMEM; n++) {
        (void)wedr_alloc_fail_nth(n);
        r = wedr_bundle_load(b.p, b.len, 8u << 20, &rs, &map, NULL);
    }
    (void)wedr_alloc_fail_nth(0);
    assert_int_equal(r, WEDR_OK);
    r = WEDR_E_NOMEM;
    for (size_t n = 1; r != WEDR_OK; n++) {
        struct wedr_buf again;
        wedr_buf_init(&again, WEDR_BUNDLE_MAX);
        (void)wedr_alloc_fail_nth(n);
        r = wedr_bundle_write(rs, map, &bundle_pattern, bundle_secret_key, &again, NULL, NULL);
        (void)wedr_alloc_fail_nth(0);
        assert_true(r == WEDR_OK || (again.len == 0 && n < 1000));
        wedr_buf_fini(&again);
    }
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_changed_byte_is_refused),
        cmocka_unit_test(a_signed_body_with_any_byte_changed_never_crashes),
        cmocka_unit_test(other_formats_are_named),
        cmocka_unit_test(memory_is_bounded_and_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, bundle_keys, NULL);
}
