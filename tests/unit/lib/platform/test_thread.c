/* SPDX-License-Identifier: Apache-2.0
 * Threads and clocks together: most of what a clock must do shows only when something waits. */
#include "plat_test.h"

#include "core/util/alloc.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include <pthread.h>
#include <signal.h>
#include <time.h>

struct shared {
    struct wedr_mutex *m;
    struct wedr_cond *c;
    uint64_t count;
    unsigned waiting;
    bool go;
    char name[16];
    bool term_blocked, fault_blocked;
};

static int setup(void **state)
{
    static struct shared s;
    memset(&s, 0, sizeof(s));
    s.m = wedr_mutex_new();
    s.c = wedr_cond_new();
    assert_non_null(s.m);
    assert_non_null(s.c);
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct shared *s = *state;
    wedr_mutex_free(s->m);
    wedr_cond_free(s->c);
    return 0;
}

static void add_many(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < 20000; i++) {
        wedr_mutex_lock(s->m);
        s->count++;
        wedr_mutex_unlock(s->m);
    }
}

static void a_mutex_keeps_threads_apart(void **state)
{
    struct shared *s = *state;
    struct wedr_thread *t[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(wedr_thread_new(&t[i], "adder", add_many, s), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        wedr_thread_join(t[i]);
    }
    assert_int_equal(s->count, 80000);
    wedr_thread_join(NULL);
}

static void look_around(void *arg)
{
    struct shared *s = arg;
    sigset_t set;
    (void)pthread_getname_np(pthread_self(), s->name, sizeof(s->name));
    (void)pthread_sigmask(SIG_SETMASK, NULL, &set);
    s->term_blocked = sigismember(&set, SIGTERM) == 1 && sigismember(&set, SIGCHLD) == 1;
    s->fault_blocked = sigismember(&set, SIGSEGV) == 1;
}

static void a_thread_is_named_and_takes_no_signals_but_its_own_faults(void **state)
{
    struct shared *s = *state;
    struct wedr_thread *t = NULL;
    sigset_t set;
    assert_int_equal(wedr_thread_new(&t, "a-name-longer-than-fifteen", look_around, s), 0);
    wedr_thread_join(t);
    assert_string_equal(s->name, "a-name-longer-t");
    assert_true(s->term_blocked);
    assert_false(s->fault_blocked);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &set), 0);
    assert_int_equal(sigismember(&set, SIGTERM), 0); /* the caller's mask is as before */
}

static void wait_for_go(void *arg)
{
    struct shared *s = arg;
    wedr_mutex_lock(s->m);
    s->waiting++;
    while (!s->go) {
        (void)wedr_cond_wait(s->c, s->m, UINT32_MAX);
    }
    s->count++;
    wedr_mutex_unlock(s->m);
}

static void a_broadcast_wakes_every_waiter(void **state)
{
    struct shared *s = *state;
    struct wedr_thread *t[3];
    unsigned waiting = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(wedr_thread_new(&t[i], "waiter", wait_for_go, s), 0);
    }
    while (waiting < 3) {
        wedr_mutex_lock(s->m);
        waiting = s->waiting;
        wedr_mutex_unlock(s->m);
        wedr_time_sleep_ms(1);
    }
    wedr_mutex_lock(s->m);
    s->go = true;
    wedr_cond_broadcast(s->c);
    wedr_mutex_unlock(s->m);
    for (size_t i = 0; i < 3; i++) {
        wedr_thread_join(t[i]);
    }
    assert_int_equal(s->count, 3);
}

static void signal_go(void *arg)
{
    struct shared *s = arg;
    wedr_time_sleep_ms(20);
    wedr_mutex_lock(s->m);
    s->go = true;
    wedr_cond_signal(s->c);
    wedr_mutex_unlock(s->m);
}

static void a_wait_ends_by_signal_or_by_time(void **state)
{
    struct shared *s = *state;
    struct wedr_thread *t = NULL;
    wedr_mutex_lock(s->m);
    uint64_t before = wedr_time_mono_ms();
    bool woken = true;
    while (woken && wedr_time_mono_ms() - before < 2000) { /* spurious wake-ups are allowed */
        woken = wedr_cond_wait(s->c, s->m, 1100);
    }
    assert_false(woken);
    assert_in_range(wedr_time_mono_ms() - before, 1090, 10000);
    assert_false(wedr_cond_wait(s->c, s->m, 0));
    assert_int_equal(wedr_thread_new(&t, "signaller", signal_go, s), 0);
    before = wedr_time_mono_ms();
    while (!s->go && wedr_cond_wait(s->c, s->m, 20000)) {
    }
    assert_true(s->go);
    assert_in_range(wedr_time_mono_ms() - before, 0, 10000);
    wedr_mutex_unlock(s->m);
    wedr_thread_join(t);
}

static void without_memory_nothing_is_made(void **state)
{
    struct wedr_thread *t = NULL;
    (void)state;
    (void)wedr_alloc_fail_nth(1);
    assert_int_equal(wedr_thread_new(&t, "x", look_around, NULL), WEDR_E_NOMEM);
    (void)wedr_alloc_fail_nth(1);
    assert_null(wedr_mutex_new());
    (void)wedr_alloc_fail_nth(1);
    assert_null(wedr_cond_new());
    (void)wedr_alloc_fail_nth(0);
}

static void clocks_agree_with_the_system_and_move(void **state)
{
    (void)state;
    assert_in_range(wedr_time_utc_us() / 1000000, (uint64_t)time(NULL) - 1,
                    (uint64_t)time(NULL) + 1);
    uint64_t ns = wedr_time_mono_ns();
    uint64_t boot = wedr_time_boot_ns();
    assert_true(boot + 1000000000u >= ns); /* boot time also counts suspend */
    wedr_time_sleep_ms(30);
    assert_in_range(wedr_time_mono_ns() - ns, 30000000u, 5000000000u);
    assert_in_range(wedr_time_boot_ns() - boot, 30000000u, 5000000000u);
    uint64_t from = wedr_time_mono_ns() / 1000000u;
    uint64_t ms = wedr_time_mono_ms();
    assert_in_range(ms, from, wedr_time_mono_ns() / 1000000u);
    assert_true(wedr_cpu_count() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mutex_keeps_threads_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_thread_is_named_and_takes_no_signals_but_its_own_faults,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_broadcast_wakes_every_waiter, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wait_ends_by_signal_or_by_time, setup, teardown),
        cmocka_unit_test(without_memory_nothing_is_made),
        cmocka_unit_test(clocks_agree_with_the_system_and_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
