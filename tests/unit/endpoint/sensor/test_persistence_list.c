/* SPDX-License-Identifier: Apache-2.0
 * The persistence list is well formed, and the directory cache's table is found from samples of it.
 */
#include "sensor/lib/persistence.h"
#include "wedr/wire/persistence.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_pattern_is_well_formed(void **state)
{
    (void)state;
    assert_true(wedr_persistence_count() > 100);
    assert_true(wedr_persistence_count() < WEDR_PERSIST_NAMES);
    for (size_t i = 0; i < wedr_persistence_count(); i++) {
        if (wedr_persistence_flaw(i)) {
            fail_msg("pattern %zu: %s", i, wedr_persistence_flaw(i));
        }
    }
}

static void hashes_tell_names_kinds_and_order_apart(void **state)
{
    (void)state;
    uint64_t a[4] = {0x61}, b[4] = {0, 0, 0, 0x61};
    uint64_t ha = wedr_persist_hash(a), hb = wedr_persist_hash(b);
    assert_true(ha != hb);
    assert_true(wedr_persist_key(ha, hb, WEDR_PERSIST_FILE_IN) !=
                wedr_persist_key(hb, ha, WEDR_PERSIST_FILE_IN));
    assert_true(wedr_persist_key(0, ha, WEDR_PERSIST_FILE) !=
                wedr_persist_key(0, ha, WEDR_PERSIST_FOLDER));
}

#define COUNT 40u
#define TABLE UINT64_C(0xffff888012340000)

static void make_samples(struct wedr_file_sample s[COUNT], uint32_t shift)
{
    uint32_t hash = 0x9e3779b9;
    for (size_t i = 0; i < COUNT; i++, hash = hash * 1664525u + 1013904223u) {
        s[i].hash = hash;
        s[i].known = 1;
        s[i].bucket = TABLE + 8 * (uint64_t)(hash >> shift);
    }
}

static void table_and_shift_are_found(void **state)
{
    (void)state;
    for (uint32_t shift = 8; shift < 20; shift++) {
        struct wedr_file_sample s[COUNT];
        uint64_t table = 0;
        uint32_t found = 0;
        make_samples(s, shift);
        s[3].known = 0; /* hashed in a way of its own */
        s[3].bucket = 1;
        s[5].bucket = 0;           /* not in the cache */
        s[7].bucket = TABLE + 800; /* moved meanwhile */
        wedr_dcache_solve(s, COUNT, &table, &found);
        assert_int_equal(table, TABLE);
        assert_int_equal(found, shift);
    }
}

static void samples_that_disagree_give_nothing(void **state)
{
    (void)state;
    struct wedr_file_sample s[COUNT];
    uint64_t table = 1;
    uint32_t shift = 1;
    make_samples(s, 12);
    for (size_t i = 0; i < COUNT; i += 2) {
        s[i].bucket ^= 0x5550;
    }
    wedr_dcache_solve(s, COUNT, &table, &shift);
    assert_int_equal(table, 0);
    wedr_dcache_solve(s, 0, &table, &shift);
    assert_int_equal(table, 0);
    make_samples(s, 12);
    wedr_dcache_solve(s, 5, &table, &shift); /* too few to believe */
    assert_int_equal(table, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern_is_well_formed),
        cmocka_unit_test(hashes_tell_names_kinds_and_order_apart),
        cmocka_unit_test(table_and_shift_are_found),
        cmocka_unit_test(samples_that_disagree_give_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
