/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "store/state/sqlite/agent_cache.h"
#include <stdio.h>
#include <string.h>

static void name(unsigned i, struct wedr_agent_row *ret)
{
    memset(ret, 0, sizeof(*ret));
    (void)snprintf(ret->agent_id, sizeof(ret->agent_id), "%08x-0000-4000-8000-%012x",
                   i * 2654435761u, i);
    ret->enrolled_us = (int64_t)i;
}

static void put(struct wedr_agent_cache *c, unsigned i)
{
    struct wedr_agent_row row, was;
    uint64_t seen = 0;
    name(i, &row);
    if (!wedr_agent_cache_get(c, row.agent_id, &was, &seen)) {
        wedr_agent_cache_put(c, &row, seen);
    }
}

static bool known(struct wedr_agent_cache *c, unsigned i)
{
    struct wedr_agent_row row, got;
    uint64_t seen = 0;
    name(i, &row);
    bool is = wedr_agent_cache_get(c, row.agent_id, &got, &seen);
    assert_true(!is || got.enrolled_us == (int64_t)i);
    return is;
}

static unsigned count_known(struct wedr_agent_cache *c, unsigned fleet)
{
    unsigned n = 0;
    for (unsigned i = 0; i < fleet; i++) {
        n += known(c, i);
    }
    return n;
}

/* Its row is written with each heartbeat; the others keep their places. */
static void who_is_written_often_takes_one_place(void **state)
{
    (void)state;
    const unsigned fleet = 10000;
    struct wedr_agent_cache *c = NULL;
    assert_int_equal(wedr_agent_cache_new(&c), WEDR_OK);
    for (unsigned i = 0; i < fleet; i++) {
        put(c, i);
    }
    unsigned before = count_known(c, fleet);
    for (unsigned i = 0; i < fleet; i += 10) {
        for (unsigned n = 0; known(c, i) && n < 8; n++) {
            struct wedr_agent_row row;
            name(i, &row);
            wedr_agent_cache_forget(c, row.agent_id);
            put(c, i);
        }
    }
    assert_int_equal(count_known(c, fleet), before);
    wedr_agent_cache_free(c);
}

/* Each in turn, again and again, as a fleet asks. */
static void a_fleet_is_known(void **state)
{
    (void)state;
    const unsigned fleet = 10000;
    struct wedr_agent_cache *c = NULL;
    unsigned hits = 0;
    assert_int_equal(wedr_agent_cache_new(&c), WEDR_OK);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < fleet; i++) {
            put(c, i);
        }
    }
    for (unsigned i = 0; i < fleet; i++) {
        hits += known(c, i);
        put(c, i);
    }
    assert_true(hits > fleet * 98 / 100);
    wedr_agent_cache_free(c);
}

static void what_was_written_is_forgotten_and_not_put_by_who_read_before(void **state)
{
    (void)state;
    struct wedr_agent_cache *c = NULL;
    struct wedr_agent_row row, got;
    uint64_t seen = 0;
    assert_int_equal(wedr_agent_cache_new(&c), WEDR_OK);
    name(1, &row);
    assert_false(wedr_agent_cache_get(c, row.agent_id, &got, &seen));
    wedr_agent_cache_forget(c, row.agent_id);
    wedr_agent_cache_put(c, &row, seen);
    assert_false(known(c, 1));
    put(c, 1);
    put(c, 2);
    assert_true(known(c, 1) && known(c, 2));
    wedr_agent_cache_forget(c, row.agent_id);
    assert_false(known(c, 1));
    assert_true(known(c, 2));
    wedr_agent_cache_free(c);
    wedr_agent_cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fleet_is_known),
        cmocka_unit_test(who_is_written_often_takes_one_place),
        cmocka_unit_test(what_was_written_is_forgotten_and_not_put_by_who_read_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
