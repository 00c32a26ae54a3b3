/* SPDX-License-Identifier: Apache-2.0 */
#include "nt_probe.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOTS (2u * PROBE_PROCTAB_MAX)
#define DISPATCH 2u

/* Where the table begins to look for a pid. */
static uint32_t home(uint32_t pid)
{
    return (pid * 2654435769u) >> 18;
}

static struct probe_proc proc(uint32_t pid)
{
    return (struct probe_proc){.key = 0x1000000000u + pid,
                               .pid = pid,
                               .creator_pid = pid + 1,
                               .creator_tid = pid + 2,
                               .first_tid = 0};
}

static void same(const struct probe_proc *a, const struct probe_proc *b)
{
    assert_int_equal(a->key, b->key);
    assert_int_equal(a->pid, b->pid);
    assert_int_equal(a->creator_pid, b->creator_pid);
    assert_int_equal(a->creator_tid, b->creator_tid);
    assert_int_equal(a->first_tid, b->first_tid);
    assert_int_equal(a->existing, b->existing);
    assert_int_equal(a->thread_opened, b->thread_opened);
}

static void add(uint32_t pid)
{
    const struct probe_proc p = proc(pid);

    assert_true(probe_proctab_add(&p, false));
}

static void is_there(const struct probe_proc *want)
{
    struct probe_proc found = {0};

    assert_true(probe_proctab_find(want->pid, &found));
    same(&found, want);
}

static void is_not_there(uint32_t pid)
{
    struct probe_proc found = proc(77);
    const struct probe_proc before = found;

    assert_false(probe_proctab_find(pid, &found));
    same(&found, &before);
}

static int setup(void **state)
{
    (void)state;
    alarm(5);
    ntsim_reset();
    return probe_proctab_init();
}

static int teardown(void **state)
{
    (void)state;
    ntsim_set_irql(0);
    probe_proctab_fini();
    ntsim_reset();
    return 0;
}

static void added_is_found_with_every_member(void **state)
{
    const struct probe_proc all = {.key = UINT64_MAX - 1,
                                   .pid = 4000000000u,
                                   .creator_pid = 11,
                                   .creator_tid = 12,
                                   .first_tid = 13,
                                   .existing = true,
                                   .thread_opened = true};
    const struct probe_proc none = {.key = 0, .pid = 8};

    (void)state;
    assert_int_equal(probe_proctab_count(), 0);
    is_not_there(all.pid);
    assert_true(probe_proctab_add(&all, false));
    assert_int_equal(probe_proctab_count(), 1);
    assert_true(probe_proctab_add(&none, true));
    assert_int_equal(probe_proctab_count(), 2);
    is_there(&all);
    is_there(&none);
    is_not_there(12);
}

static void known_pid_is_left_alone_or_replaced(void **state)
{
    const struct probe_proc old = proc(400);
    struct probe_proc new = proc(400);

    (void)state;
    new.key = 5;
    new.creator_pid = 9;
    new.existing = true;
    add(400);
    assert_false(probe_proctab_add(&new, false));
    is_there(&old);
    assert_true(probe_proctab_add(&new, true));
    is_there(&new);
    assert_int_equal(probe_proctab_count(), 1);
    assert_int_equal(probe_proctab_untracked(), 0);
}

static void removed_is_given_out_once(void **state)
{
    const struct probe_proc want = proc(400);
    const struct probe_proc other = proc(404);
    struct probe_proc got = {0};

    (void)state;
    add(400);
    add(404);
    assert_true(probe_proctab_remove(400, &got));
    same(&got, &want);
    assert_int_equal(probe_proctab_count(), 1);
    is_not_there(400);
    is_there(&other);
    got = want;
    assert_false(probe_proctab_remove(400, &got));
    same(&got, &want);
    assert_int_equal(probe_proctab_count(), 1);
    assert_true(probe_proctab_remove(404, NULL));
    assert_int_equal(probe_proctab_count(), 0);
    is_not_there(404);
    assert_false(probe_proctab_remove(404, NULL));
    add(0x01010101); /* nothing is left of it, whatever a slot is wiped with */
    assert_true(probe_proctab_remove(0x01010101, NULL));
    is_not_there(0x01010101);
}

static void pid_0_is_never_in_the_table(void **state)
{
    struct probe_proc p = {.key = 1, .creator_pid = 2, .creator_tid = 3};

    (void)state;
    assert_false(probe_proctab_add(&p, false));
    assert_false(probe_proctab_add(&p, true));
    is_not_there(0);
    assert_false(probe_proctab_first_thread(0, 5));
    assert_false(probe_proctab_creation_thread_handle(0, 0, 0, 0));
    assert_false(probe_proctab_creation_thread_handle(0, 5, 0, 0));
    assert_false(probe_proctab_remove(0, &p));
    assert_false(probe_proctab_remove(0, NULL));
    assert_int_equal(probe_proctab_count(), 0);
    assert_int_equal(probe_proctab_untracked(), 0);
    is_not_there(0);
}

static void d18_first_thread_is_told_once(void **state)
{
    struct probe_proc want = proc(400);
    struct probe_proc old = proc(404);

    (void)state;
    old.existing = true;
    add(400);
    assert_true(probe_proctab_add(&old, false));
    assert_true(probe_proctab_first_thread(400, 31));
    want.first_tid = 31;
    is_there(&want);
    assert_false(probe_proctab_first_thread(400, 31));
    assert_false(probe_proctab_first_thread(400, 32));
    is_there(&want);
    /* It ran before the driver: its first thread was made long ago. */
    assert_false(probe_proctab_first_thread(404, 33));
    is_there(&old);
    assert_false(probe_proctab_first_thread(408, 34));
    is_not_there(408);
    assert_int_equal(probe_proctab_count(), 2);
}

static void d19_thread_handle_of_a_creation_is_told_once(void **state)
{
    struct probe_proc want = proc(400);

    (void)state;
    add(400);
    assert_true(probe_proctab_first_thread(400, 31));
    want.first_tid = 31;
    assert_false(probe_proctab_creation_thread_handle(400, 32, 401, 402));
    assert_false(probe_proctab_creation_thread_handle(400, 30, 401, 402));
    assert_false(probe_proctab_creation_thread_handle(400, 31, 402, 402));
    assert_false(probe_proctab_creation_thread_handle(400, 31, 400, 402));
    assert_false(probe_proctab_creation_thread_handle(400, 31, 401, 403));
    assert_false(probe_proctab_creation_thread_handle(400, 31, 401, 401));
    is_there(&want);
    assert_true(probe_proctab_creation_thread_handle(400, 31, 401, 402));
    want.thread_opened = true;
    is_there(&want);
    assert_false(probe_proctab_creation_thread_handle(400, 31, 401, 402));
    assert_false(probe_proctab_creation_thread_handle(404, 31, 405, 406));
    assert_false(probe_proctab_creation_thread_handle(404, 31, 0, 0));
    is_not_there(404);
}

static void d19_thread_handle_may_come_before_the_thread_is_announced(void **state)
{
    struct probe_proc old = proc(404);

    (void)state;
    add(400);
    assert_true(probe_proctab_creation_thread_handle(400, 31, 401, 402));
    assert_false(probe_proctab_creation_thread_handle(400, 31, 401, 402));
    assert_true(probe_proctab_first_thread(400, 31));
    old.existing = true;
    assert_true(probe_proctab_add(&old, false));
    assert_false(probe_proctab_creation_thread_handle(404, 31, 405, 406));
    is_there(&old);
}

static void full_table_counts_what_it_does_not_take(void **state)
{
    struct probe_proc extra = proc(4 * (PROBE_PROCTAB_MAX + 1));
    struct probe_proc known = proc(4 * PROBE_PROCTAB_MAX);

    (void)state;
    probe_proctab_set_complete();
    for (uint32_t i = 1; i <= PROBE_PROCTAB_MAX; i++) {
        assert_int_equal(probe_proctab_count(), i - 1);
        add(4 * i);
    }
    assert_true(probe_proctab_is_complete());
    assert_int_equal(probe_proctab_untracked(), 0);
    assert_int_equal(probe_proctab_count(), PROBE_PROCTAB_MAX);

    assert_false(probe_proctab_add(&extra, false));
    assert_int_equal(probe_proctab_untracked(), 1);
    assert_false(probe_proctab_is_complete());
    assert_false(probe_proctab_add(&extra, true));
    assert_int_equal(probe_proctab_untracked(), 2);
    assert_int_equal(probe_proctab_count(), PROBE_PROCTAB_MAX);
    is_not_there(extra.pid);

    /* One that is in the table is neither untracked nor refused. */
    known.key = 3;
    assert_false(probe_proctab_add(&known, false));
    assert_true(probe_proctab_add(&known, true));
    is_there(&known);
    assert_int_equal(probe_proctab_untracked(), 2);

    assert_true(probe_proctab_remove(4, NULL));
    assert_true(probe_proctab_add(&extra, false));
    is_there(&extra);
    assert_int_equal(probe_proctab_untracked(), 2);
    assert_false(probe_proctab_is_complete());
}

static void every_process_of_a_full_table_is_found_and_goes(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= PROBE_PROCTAB_MAX; i++) {
        add(i * 4);
    }
    for (uint32_t i = 1; i <= PROBE_PROCTAB_MAX; i++) {
        const struct probe_proc want = proc(i * 4);

        is_there(&want);
    }
    for (uint32_t i = 1; i <= PROBE_PROCTAB_MAX; i++) {
        assert_true(probe_proctab_remove(i * 4, NULL));
        is_not_there(i * 4);
    }
    assert_int_equal(probe_proctab_count(), 0);
}

static void complete_after_the_inventory_alone(void **state)
{
    (void)state;
    assert_false(probe_proctab_is_complete());
    add(4);
    assert_false(probe_proctab_is_complete());
    probe_proctab_set_complete();
    assert_true(probe_proctab_is_complete());
    assert_true(probe_proctab_remove(4, NULL));
    assert_true(probe_proctab_is_complete());
}

/* Pids whose search begins in [first, first + width), in a circle. */
static void find_pids(uint32_t first, uint32_t width, uint32_t *ret, unsigned count)
{
    unsigned n = 0;

    for (uint32_t pid = 4; n < count; pid += 4) {
        if ((home(pid) - first) % SLOTS < width) {
            ret[n++] = pid;
        }
    }
}

static void removal_keeps_a_run_of_one_home_whole(void **state)
{
    uint32_t pids[5];

    (void)state;
    for (unsigned gone = 0; gone < 5; gone++) {
        find_pids(SLOTS - 2, 1, pids, 5); /* over the end of the table */
        for (unsigned i = 0; i < 5; i++) {
            add(pids[i]);
        }
        assert_true(probe_proctab_remove(pids[gone], NULL));
        for (unsigned i = 0; i < 5; i++) {
            const struct probe_proc want = proc(pids[i]);

            if (i == gone) {
                is_not_there(pids[i]);
            } else {
                is_there(&want);
                assert_true(probe_proctab_remove(pids[i], NULL));
            }
        }
        assert_int_equal(probe_proctab_count(), 0);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

#define MODEL 48u
struct model {
    uint32_t pid[MODEL];
    struct probe_proc proc[MODEL]; /* pid 0: not there */
    uint32_t count;
};

static void compare(const struct model *m)
{
    for (unsigned i = 0; i < MODEL; i++) {
        if (m->proc[i].pid != 0) {
            is_there(&m->proc[i]);
        } else {
            is_not_there(m->pid[i]);
        }
    }
    assert_int_equal(probe_proctab_count(), m->count);
}

static void model_step(struct model *m, uint32_t *seed)
{
    unsigned i = next_random(seed) % MODEL;
    bool replace = next_random(seed) % 2 != 0;
    bool known = m->proc[i].pid != 0;
    struct probe_proc p = proc(m->pid[i]);

    p.key = *seed;
    switch (next_random(seed) % 4) {
    case 0:
    case 1:
        assert_int_equal(probe_proctab_add(&p, replace), !known || replace);
        if (!known || replace) {
            m->proc[i] = p;
            m->count += known ? 0 : 1;
        }
        break;
    case 2:
        assert_int_equal(probe_proctab_first_thread(p.pid, *seed | 1),
                         known && m->proc[i].first_tid == 0);
        if (known && m->proc[i].first_tid == 0) {
            m->proc[i].first_tid = *seed | 1;
        }
        break;
    default:
        assert_int_equal(probe_proctab_remove(p.pid, NULL), known);
        m->count -= known ? 1 : 0;
        m->proc[i].pid = 0;
        compare(m);
        break;
    }
}

/* All of them fall into few slots, so that nearly each removal has something to move. */
static void random_operations_agree_with_a_simple_array(void **state)
{
    static const uint32_t windows[][2] = {{SLOTS - 8, 24}, {SLOTS - 30, 48}, {100, 6}};
    struct model m;
    uint32_t seed = 7;

    (void)state;
    for (unsigned w = 0; w < 3; w++) {
        memset(&m, 0, sizeof(m));
        find_pids(windows[w][0], windows[w][1], m.pid, MODEL);
        for (unsigned i = 0; i < 1500; i++) {
            model_step(&m, &seed);
        }
        compare(&m);
        for (unsigned i = 0; i < MODEL; i++) {
            assert_int_equal(probe_proctab_remove(m.pid[i], NULL), m.proc[i].pid != 0);
        }
        assert_int_equal(probe_proctab_count(), 0);
    }
}

static void each_call_may_be_made_at_dispatch(void **state)
{
    const struct probe_proc p = proc(400);

    (void)state;
    ntsim_set_irql(DISPATCH);
    add(400);
    is_there(&p);
    assert_true(probe_proctab_first_thread(400, 1));
    assert_true(probe_proctab_creation_thread_handle(400, 1, 401, 402));
    assert_int_equal(probe_proctab_count(), 1);
    assert_int_equal(probe_proctab_untracked(), 0);
    assert_false(probe_proctab_is_complete());
    assert_true(probe_proctab_remove(400, NULL));
    ntsim_set_irql(0);
}

static void begins_empty_each_time_and_frees_its_memory(void **state)
{
    uint64_t live = ntsim_pool_live();

    (void)state;
    probe_proctab_set_complete();
    for (uint32_t i = 1; i <= PROBE_PROCTAB_MAX; i++) {
        add(4 * i);
    }
    assert_false(probe_proctab_add(&(struct probe_proc){.pid = 3}, false));
    probe_proctab_fini();
    probe_proctab_fini();
    assert_int_equal(ntsim_pool_live(), live - 1);
    assert_int_equal(probe_proctab_init(), NTSIM_SUCCESS);
    assert_int_equal(ntsim_pool_live(), live);
    assert_int_equal(probe_proctab_count(), 0);
    assert_int_equal(probe_proctab_untracked(), 0);
    assert_false(probe_proctab_is_complete());
    is_not_there(4);
}

static void without_memory_there_is_no_table(void **state)
{
    (void)state;
    probe_proctab_fini();
    ntsim_fail("ExAllocatePoolWithTag", 0, 1, NTSIM_INSUFFICIENT_RESOURCES);
    assert_int_equal(probe_proctab_init(), NTSIM_INSUFFICIENT_RESOURCES);
    probe_proctab_fini(); /* harmless, twice too */
    probe_proctab_fini();
    ntsim_faults_clear();
    assert_int_equal(probe_proctab_init(), NTSIM_SUCCESS);
}

/* ---- several processors ---- */

#define LAST (4 * PROBE_PROCTAB_MAX)
#define ROUNDS 40u

static void call_add(void)
{
    const struct probe_proc p = proc(4);

    (void)probe_proctab_add(&p, true);
}

static void call_find(void)
{
    struct probe_proc found = {0};

    (void)probe_proctab_find(LAST, &found);
}

static void call_remove(void)
{
    (void)probe_proctab_remove(LAST, NULL);
}

static void call_first_thread(void)
{
    (void)probe_proctab_first_thread(LAST, 1);
}

static void call_creation(void)
{
    (void)probe_proctab_creation_thread_handle(LAST, 1, LAST + 1, LAST + 2);
}

static void call_is_complete(void)
{
    (void)probe_proctab_is_complete();
}

static void call_count(void)
{
    (void)probe_proctab_count();
}

static void call_untracked(void)
{
    (void)probe_proctab_untracked();
}

static void (*const calls[])(void) = {
    call_add,       call_find,         call_remove,
    call_creation,  call_is_complete,  call_count,
    call_untracked, call_first_thread, probe_proctab_set_complete};

/* One call and nothing else: the only order with the other thread is that of its lock. */
static void *repeat(void *call)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        (*(void (*const *)(void))call)();
    }
    return NULL;
}

static void each_call_holds_the_lock(void **state)
{
    const struct probe_proc last = proc(LAST);
    const struct probe_proc extra = proc(LAST + 4);
    struct probe_proc found = {0};
    pthread_t other;

    (void)state;
    for (uint32_t pid = 4; pid < LAST; pid += 4) {
        add(pid);
    }
    for (size_t n = 0; n < sizeof(calls) / sizeof(calls[0]); n++) {
        assert_int_equal(pthread_create(&other, NULL, repeat, (void *)(uintptr_t)&calls[n]), 0);
        for (unsigned i = 0; i < ROUNDS; i++) {
            (void)probe_proctab_add(&last, true);
            (void)probe_proctab_add(&extra, false); /* untracked */
            probe_proctab_set_complete();
            (void)probe_proctab_is_complete();
            (void)probe_proctab_find(4, &found);
            (void)probe_proctab_remove(LAST, NULL);
            (void)probe_proctab_remove(LAST + 4, NULL);
        }
        assert_int_equal(pthread_join(other, NULL), 0);
    }
    assert_int_equal(probe_proctab_count(), PROBE_PROCTAB_MAX - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(added_is_found_with_every_member),
        TEST(known_pid_is_left_alone_or_replaced),
        TEST(removed_is_given_out_once),
        TEST(pid_0_is_never_in_the_table),
        TEST(d18_first_thread_is_told_once),
        TEST(d19_thread_handle_of_a_creation_is_told_once),
        TEST(d19_thread_handle_may_come_before_the_thread_is_announced),
        TEST(full_table_counts_what_it_does_not_take),
        TEST(every_process_of_a_full_table_is_found_and_goes),
        TEST(complete_after_the_inventory_alone),
        TEST(removal_keeps_a_run_of_one_home_whole),
        TEST(random_operations_agree_with_a_simple_array),
        TEST(each_call_holds_the_lock),
        TEST(each_call_may_be_made_at_dispatch),
        TEST(begins_empty_each_time_and_frees_its_memory),
        TEST(without_memory_there_is_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
