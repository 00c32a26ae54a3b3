/* SPDX-License-Identifier: Apache-2.0
 * Signals between processes: those that end or stop what is not one's own. */
#include "play.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIGNAL WEDR_EV_PROCESS_SIGNAL
#define USER 12345

/* A target in a session of its own, and a sender with a verb for it. */
struct pair {
    struct play target, sender;
    char program[128], pid[16], signal[16];
};

static void open_pair(struct pair *p, const struct rig *r, uid_t uid, const char *handled)
{
    (void)snprintf(p->program, sizeof p->program, "%s/victim", r->dir);
    play_copy(WEDR_VICTIM_HANDLE, p->program, 0755);
    play_start(&p->target, uid, p->program, ARGS("handle", handled));
    (void)snprintf(p->pid, sizeof p->pid, "%d", (int)p->target.pid);
}

static void send(struct pair *p, uid_t uid, const char *verb, int signo, const char *more)
{
    (void)snprintf(p->signal, sizeof p->signal, "%d", signo);
    play(&p->sender, uid, p->program, ARGS(verb, p->pid, p->signal, more));
    assert_played(&p->sender);
}

static void check(struct rig *r, const struct pair *p, uid_t from, uid_t to, int signo)
{
    const struct wedr_event_view *v = play_only(r, SIGNAL, p->sender.pid, NULL, NULL);
    assert_int_equal(rec_uint(v, "process_key"), play_key(r, p->sender.pid));
    assert_int_equal(rec_uint(v, "uid"), from);
    assert_int_equal(rec_uint(v, "target_pid"), p->target.pid);
    assert_int_equal(rec_uint(v, "target_key"), play_key(r, p->target.pid));
    assert_int_equal(rec_uint(v, "target_uid"), to);
    assert_int_equal(rec_uint(v, "signal"), signo);
    assert_int_equal(rec_uint(v, "result"), 0);
    assert_int_equal(v->h.stream, WEDR_STREAM_CRITICAL);
}

static size_t count(struct rig *r, const struct pair *p)
{
    return play_count(r, SIGNAL, p->sender.pid, NULL, NULL, NULL);
}

static void root_that_kills_a_users_process_is_told(void **state)
{
    struct pair p;
    open_pair(&p, *state, USER, NULL);
    send(&p, 0, "send", SIGTERM, NULL);
    check(*state, &p, 0, USER, SIGTERM);
    play_end(&p.target);
}

static void root_that_stops_a_daemon_of_root_is_told(void **state)
{
    struct pair p;
    open_pair(&p, *state, 0, NULL);
    send(&p, 0, "send", SIGSTOP, NULL);
    check(*state, &p, 0, 0, SIGSTOP);
    play_end(&p.target);
}

static void a_signal_through_a_pidfd_is_told(void **state)
{
    struct pair p;
    open_pair(&p, *state, 0, NULL);
    send(&p, 0, "by-pidfd", SIGKILL, NULL);
    check(*state, &p, 0, 0, SIGKILL);
    play_end(&p.target);
}

/* The sender says that a timer did it. */
static void a_made_up_origin_hides_nothing(void **state)
{
    struct pair p;
    open_pair(&p, *state, 0, NULL);
    send(&p, 0, "queue", SIGTERM, "-2");
    check(*state, &p, 0, 0, SIGTERM);
    play_end(&p.target);
}

static void what_the_target_does_with_it_decides_about_the_softer_ones(void **state)
{
    struct pair p;
    open_pair(&p, *state, 0, "1"); /* handles SIGHUP: reads its configuration again */
    send(&p, 0, "send", SIGHUP, NULL);
    assert_int_equal(count(*state, &p), 0);
    send(&p, 0, "send", SIGUSR1, NULL); /* nothing handles it: that ends the process */
    check(*state, &p, 0, 0, SIGUSR1);
    play_end(&p.target);
}

static void harmless_signals_and_questions_are_not_told(void **state)
{
    struct pair p;
    open_pair(&p, *state, 0, NULL);
    static const int harmless[] = {0, SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        send(&p, 0, "send", harmless[i], NULL);
        assert_int_equal(count(*state, &p), 0);
    }
    play_end(&p.target);
}

static void users_among_themselves_are_not_told(void **state)
{
    struct pair p;
    open_pair(&p, *state, USER, NULL);
    send(&p, USER, "send", SIGTERM, NULL);
    assert_int_equal(count(*state, &p), 0);
    play_end(&p.target);
}

static void ones_own_children_are_not_told(void **state)
{
    struct rig *r = *state;
    struct play p;
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("kill-own-child"));
    assert_played(&p);
    const struct wedr_event_view *end =
        play_only(r, WEDR_EV_PROCESS_TERMINATE, (pid_t)p.says[0], NULL, NULL);
    assert_int_equal(rec_uint(end, "signal"), SIGKILL);
    assert_int_equal(play_count(r, SIGNAL, p.pid, NULL, NULL, NULL), 0);
}

static void a_child_in_a_session_of_its_own_is_still_ones_own(void **state)
{
    struct rig *r = *state;
    struct play p;
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("kill-daemon"));
    assert_played(&p);
    (void)play_only(r, WEDR_EV_PROCESS_FORK, (pid_t)p.says[0], NULL, NULL);
    assert_int_equal(play_count(r, SIGNAL, p.pid, NULL, NULL, NULL), 0);
}

static void a_daemon_that_nobody_owns_any_more_is_told(void **state)
{
    struct rig *r = *state;
    struct play p;
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("kill-daemon", "twice"));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(r, SIGNAL, p.pid, NULL, NULL);
    assert_int_equal(rec_uint(v, "target_pid"), p.says[0]);
    assert_int_equal(rec_uint(v, "target_key"), play_key(r, (pid_t)p.says[0]));
}

/* A target of the sender's own session, as a shell's job is, and no child of it. */
static void the_own_session_is_not_told(void **state)
{
    struct play p, other;
    char pid[16];
    play_start(&other, 0, WEDR_VICTIM_HANDLE, ARGS("with-thread"));
    (void)snprintf(pid, sizeof pid, "%d", (int)other.pid);
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("send", pid, "15"));
    assert_played(&p);
    play_end(&other);
    assert_int_equal(play_count(*state, SIGNAL, p.pid, NULL, NULL, NULL), 0);
}

static void the_same_again_is_told_once(void **state)
{
    struct pair p;
    open_pair(&p, *state, 0, "15"); /* survives SIGTERM */
    send(&p, 0, "send-often", SIGTERM, NULL);
    check(*state, &p, 0, 0, SIGTERM);
    play_end(&p.target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_that_kills_a_users_process_is_told),
        cmocka_unit_test(root_that_stops_a_daemon_of_root_is_told),
        cmocka_unit_test(a_signal_through_a_pidfd_is_told),
        cmocka_unit_test(a_made_up_origin_hides_nothing),
        cmocka_unit_test(what_the_target_does_with_it_decides_about_the_softer_ones),
        cmocka_unit_test(harmless_signals_and_questions_are_not_told),
        cmocka_unit_test(users_among_themselves_are_not_told),
        cmocka_unit_test(ones_own_children_are_not_told),
        cmocka_unit_test(a_child_in_a_session_of_its_own_is_still_ones_own),
        cmocka_unit_test(a_daemon_that_nobody_owns_any_more_is_told),
        cmocka_unit_test(the_own_session_is_not_told),
        cmocka_unit_test(the_same_again_is_told_once),
    };
    int unable = rig_unable();
    return unable
               ? unable
               : cmocka_run_group_tests_name("signals", tests, rig_setup_fast, rig_teardown) != 0;
}
