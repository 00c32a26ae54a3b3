/* SPDX-License-Identifier: Apache-2.0
 * Threads, when the policy asks for them. */
#include "play.h"

#define CREATE WEDR_EV_THREAD_CREATE
#define EXIT WEDR_EV_THREAD_EXIT

static void threads_are_off_unless_asked_for(void **state)
{
    struct play p;
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("thread"));
    assert_played(&p);
    assert_int_equal(play_count(*state, CREATE, p.pid, NULL, NULL, NULL), 0);
    assert_int_equal(play_count(*state, EXIT, p.pid, NULL, NULL, NULL), 0);
}

static void a_thread_comes_and_goes(void **state)
{
    struct rig *r = *state;
    struct play p;
    rig_enable(r, CREATE);
    rig_enable(r, EXIT);
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("thread"));
    assert_played(&p);
    uint64_t key = play_key(r, p.pid);
    const struct wedr_event_view *v = play_only(r, CREATE, p.pid, NULL, NULL);
    assert_int_equal(rec_uint(v, "tid"), p.says[0]);
    assert_int_equal(rec_uint(v, "process_key"), key);
    assert_int_equal(rec_uint(v, "creating_pid"), p.pid);
    assert_int_equal(rec_uint(v, "creating_key"), key);
    assert_int_equal(v->h.stream, WEDR_STREAM_BULK);
    v = play_only(r, EXIT, p.pid, NULL, NULL);
    assert_int_equal(rec_uint(v, "tid"), p.says[0]);
    assert_int_equal(rec_uint(v, "process_key"), key);
    assert_int_equal(v->h.stream, WEDR_STREAM_BULK);
}

static void a_process_is_no_thread(void **state)
{
    struct rig *r = *state;
    struct play p;
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("no-thread"));
    assert_played(&p);
    const pid_t pids[] = {p.pid, (pid_t)p.says[0]};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(play_count(r, CREATE, pids[i], NULL, NULL, NULL), 0);
        assert_int_equal(play_count(r, EXIT, pids[i], NULL, NULL, NULL), 0);
        (void)play_only(r, WEDR_EV_PROCESS_TERMINATE, pids[i], NULL, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_are_off_unless_asked_for),
        cmocka_unit_test(a_thread_comes_and_goes),
        cmocka_unit_test(a_process_is_no_thread),
    };
    int unable = rig_unable();
    return unable
               ? unable
               : cmocka_run_group_tests_name("threads", tests, rig_setup_fast, rig_teardown) != 0;
}
