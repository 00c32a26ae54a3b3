/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/events/sql/search.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX 80u
#define ROUNDS 200000u

static uint64_t seed = 88172645463325252ull;

static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % n;
}

/* Few letters, so that texts nearly match; and bytes a bit away from letters. */
static void make(char *s, size_t len, const char *letters)
{
    size_t n = strlen(letters);
    for (size_t i = 0; i < len; i++) {
        s[i] = letters[below((uint32_t)n)];
    }
}

static const char *naive(const char *s, size_t len, const char *p, size_t n, bool lower)
{
    for (size_t i = 0; i + n <= len; i++) {
        if (lower ? strncasecmp(s + i, p, n) == 0 : memcmp(s + i, p, n) == 0) {
            return s + i;
        }
    }
    return NULL;
}

/* The text ends where its memory does, so that a byte behind it is seen by ASan. */
static void the_first_place_is_found_in_texts_of_any_length(void **state)
{
    (void)state;
    static const char *const alphabets[] = {"ab", "aAbB", "a\x01!A@`{[", "xyz\"\\/0\xc1\xe1"};
    unsigned found = 0;
    for (unsigned k = 0; k < ROUNDS; k++) {
        size_t len = below(TEXT_MAX), n = 1 + below(k % 7 == 0 ? 40 : 5);
        const char *letters = alphabets[below(4)];
        char *s = malloc(len + 1), needle[48] = "";
        char *text = s + 1;
        struct wedr_needle w;
        bool lower = below(2) == 0;
        make(text, len, letters);
        if (n <= len && below(2) == 0) {
            memcpy(needle, text + below((uint32_t)(len - n) + 1), n);
        } else {
            make(needle, n, letters);
        }
        assert_true(wedr_needle_init(&w, needle, n, lower));
        const char *want = naive(text, len, needle, n, lower);
        assert_ptr_equal(wedr_needle_find(&w, text, text + len), want);
        if (lower) {
            wedr_lower(needle, n);
            assert_int_equal(wedr_contains(text, len, needle, n), want != NULL);
        }
        found += want != NULL;
        wedr_needle_fini(&w);
        free(s);
    }
    assert_in_range(found, ROUNDS / 10, ROUNDS - ROUNDS / 10);
}

static void the_edges_of_a_search_from_somewhere(void **state)
{
    (void)state;
    assert_int_equal(wedr_find_lower("xAbab", 5, 0, "ab", 2), 1);
    assert_int_equal(wedr_find_lower("xAbab", 5, 2, "ab", 2), 3);
    assert_int_equal(wedr_find_lower("xAbab", 5, 4, "ab", 2), 5);
    assert_int_equal(wedr_find_lower("ab", 2, 0, "abc", 3), 2);
    assert_int_equal(wedr_find_lower("ab", 2, 1, "", 0), 1);
    assert_true(wedr_contains("", 0, "", 0));
    assert_false(wedr_contains("", 0, "a", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_place_is_found_in_texts_of_any_length),
        cmocka_unit_test(the_edges_of_a_search_from_somewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
