/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/evidence.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint64_t put(struct wedr_evidence *e, uint64_t seq, const char *line)
{
    struct wedr_sighting s = {.seq = seq, .stream = "kernel.bulk"};
    return wedr_evidence_put(e, &s, line, strlen(line));
}

static void a_kept_line_is_found_by_its_reference(void **state)
{
    struct wedr_evidence *e = wedr_evidence_new(8, 100);
    struct wedr_sighting s;
    struct wedr_span line;
    (void)state;
    uint64_t a = put(e, 7, "first\n"), b = put(e, 8, "second\n");
    assert_true(wedr_evidence_get(e, a, &s, &line));
    assert_int_equal(s.seq, 7);
    assert_string_equal(s.stream, "kernel.bulk");
    assert_int_equal(line.len, 6);
    assert_memory_equal(line.p, "first\n", 6);
    assert_true(wedr_evidence_get(e, b, &s, &line));
    assert_memory_equal(line.p, "second\n", 7);
    assert_false(wedr_evidence_get(e, 0, &s, &line));
    assert_false(wedr_evidence_get(e, b + 1, &s, &line));
    wedr_evidence_free(e);
}

/* Against a plain model: what is shown is always exactly what was put. */
static void a_full_ring_never_shows_another_ones_bytes(void **state)
{
    struct wedr_evidence *e = wedr_evidence_new(16, 64);
    char lines[400][64];
    unsigned shown = 0, named = 0;
    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        size_t n = (i * 7) % 40;
        memset(lines[i], 'a' + (int)(i % 26), n);
        lines[i][n] = '\0';
        uint64_t ref = put(e, i, lines[i]);
        assert_int_equal(ref, i + 1);
        for (uint64_t k = 1; k <= ref; k++) {
            struct wedr_sighting s;
            struct wedr_span line;
            if (!wedr_evidence_get(e, k, &s, &line)) {
                assert_true(k + 16 <= ref);
                continue;
            }
            named++;
            assert_int_equal(s.seq, k - 1);
            assert_true(line.len == 0 || line.len == strlen(lines[k - 1]));
            shown += line.len > 0;
            if (line.len > 0) {
                assert_memory_equal(line.p, lines[k - 1], line.len);
            }
        }
    }
    assert_true(shown > 400 && named > shown);
    wedr_evidence_free(e);
}

static void a_very_long_line_is_remembered_by_name_only(void **state)
{
    static char big[WEDR_EVIDENCE_LINE_MAX + 2];
    struct wedr_evidence *e = wedr_evidence_new(4, (size_t)1 << 20);
    struct wedr_sighting s;
    struct wedr_span line;
    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    uint64_t ref = put(e, 3, big);
    assert_true(wedr_evidence_get(e, ref, &s, &line));
    assert_int_equal(s.seq, 3);
    assert_int_equal(line.len, 0);
    wedr_evidence_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_line_is_found_by_its_reference),
        cmocka_unit_test(a_full_ring_never_shows_another_ones_bytes),
        cmocka_unit_test(a_very_long_line_is_remembered_by_name_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
