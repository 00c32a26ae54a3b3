/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/sha256.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void digests_match_the_published_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *in, *hex;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t digest[WEDR_SHA256_LEN];
        char hex[WEDR_SHA256_HEX + 1];
        wedr_sha256(rows[i].in, strlen(rows[i].in), digest);
        wedr_hex(digest, sizeof(digest), hex);
        assert_string_equal(hex, rows[i].hex);
    }
}

static void unhex_takes_both_cases_and_nothing_else(void **state)
{
    (void)state;
    uint8_t b[3] = {9, 9, 9};
    assert_int_equal(wedr_unhex("00fFa5", 6, b, 3), WEDR_OK);
    assert_memory_equal(b, "\x00\xFF\xA5", 3);
    static const char *const bad[] = {"00ff",   "00fF0",  "00ff001", "00fg00", " 0ff00",
                                      "00ff0 ", "0x0000", "+1+1+1",  ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(wedr_unhex(bad[i], strlen(bad[i]), b, 3), WEDR_E_FORMAT);
        assert_memory_equal(b, "\x00\xFF\xA5", 3);
    }
    assert_int_equal(wedr_unhex("", 0, b, 0), WEDR_OK);
    assert_int_equal(wedr_unhex("00", SIZE_MAX, b, SIZE_MAX / 2), WEDR_E_FORMAT);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0};
    wedr_random(a, sizeof(a));
    wedr_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_match_the_published_vectors),
        cmocka_unit_test(unhex_takes_both_cases_and_nothing_else),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
