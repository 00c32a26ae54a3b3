/* SPDX-License-Identifier: Apache-2.0
 * One process reaches into another: who, whom, how, and what came of it. */
#include "play.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define ACCESS WEDR_EV_PROCESS_HANDLE_ACCESS

/* The n-th access that source made. */
static const struct wedr_event_view *access_of(struct rig *r, pid_t source, size_t n)
{
    const struct wedr_event_view *v = rig_wait(r, ACCESS, source, n);
    assert_non_null(v);
    return v;
}

static void check(struct rig *r,
                  const struct wedr_event_view *v,
                  pid_t source,
                  pid_t target,
                  uint16_t op,
                  uint32_t request)
{
    assert_int_equal(rec_uint(v, "source_pid"), source);
    assert_int_equal(rec_uint(v, "source_key"), play_key(r, source));
    assert_int_equal(rec_uint(v, "target_pid"), target);
    assert_int_equal(rec_uint(v, "target_key"), play_key(r, target));
    assert_int_equal(rec_uint(v, "target_tid"), 0);
    assert_int_equal(rec_uint(v, "op"), op);
    assert_int_equal(rec_uint(v, "request"), request);
    assert_int_equal(v->h.stream, WEDR_STREAM_CRITICAL);
}

/* A verb that reaches for a child of its own in one way only. */
static const struct wedr_event_view *
only_access(struct rig *r, const char *verb, uint16_t op, uint32_t request)
{
    struct play p;
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS(verb));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(r, ACCESS, p.pid, NULL, NULL);
    check(r, v, p.pid, (pid_t)p.says[0], op, request);
    return v;
}

static void attach_and_seize_are_told_once_each(void **state)
{
    const struct wedr_event_view *v =
        only_access(*state, "attach", WEDR_HANDLE_OP_PTRACE, PTRACE_ATTACH);
    assert_int_equal((int32_t)rec_uint(v, "result"), 0);
    (void)only_access(*state, "seize", WEDR_HANDLE_OP_PTRACE, PTRACE_SEIZE);
}

static void a_tracer_that_only_looks_and_steps_is_told_for_its_attach_alone(void **state)
{
    (void)only_access(*state, "step", WEDR_HANDLE_OP_PTRACE, PTRACE_ATTACH);
}

/* A hundred words are written. */
static void writing_word_by_word_is_one_record_beside_the_attach(void **state)
{
    struct play p;
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("poke"));
    assert_played(&p);
    assert_int_equal(rig_count(*state, ACCESS, p.pid), 2);
    check(*state, access_of(*state, p.pid, 0), p.pid, (pid_t)p.says[0], WEDR_HANDLE_OP_PTRACE,
          PTRACE_ATTACH);
    check(*state, access_of(*state, p.pid, 1), p.pid, (pid_t)p.says[0], WEDR_HANDLE_OP_PTRACE,
          PTRACE_POKEDATA);
}

static void setting_registers_is_told_and_reading_them_is_not(void **state)
{
    struct play p;
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("set-registers"));
    assert_played(&p);
    assert_int_equal(rig_count(*state, ACCESS, p.pid), 2);
    check(*state, access_of(*state, p.pid, 1), p.pid, (pid_t)p.says[0], WEDR_HANDLE_OP_PTRACE,
          PTRACE_SETREGSET);
}

/* Whoever asks to be traced gets its parent as the tracer. */
static void trace_me_names_the_parent_as_source(void **state)
{
    struct play p;
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("trace-me"));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(*state, ACCESS, p.pid, NULL, NULL);
    check(*state, v, p.pid, (pid_t)p.says[0], WEDR_HANDLE_OP_PTRACE, PTRACE_TRACEME);
}

/* Fifty reads of the same process. */
static void reading_memory_is_told_once(void **state)
{
    const struct wedr_event_view *v = only_access(*state, "vm-read", WEDR_HANDLE_OP_VM_READ, 0);
    assert_int_equal(rec_uint(v, "result"), sizeof(long));
}

static void writing_memory_is_told(void **state)
{
    const struct wedr_event_view *v = only_access(*state, "vm-write", WEDR_HANDLE_OP_VM_WRITE, 0);
    assert_int_equal(rec_uint(v, "result"), sizeof(long));
}

static void a_process_may_reach_into_itself_and_for_nobody(void **state)
{
    struct play p;
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("vm-self"));
    assert_played(&p);
    assert_int_equal(rig_count(*state, ACCESS, p.pid), 0);
}

static void taking_a_descriptor_is_told_with_both_outcomes(void **state)
{
    struct rig *r = *state;
    struct play p;
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("get-fd"));
    assert_played(&p);
    assert_int_equal(rig_count(r, ACCESS, p.pid), 2);
    const struct wedr_event_view *v = access_of(r, p.pid, 0);
    check(r, v, p.pid, (pid_t)p.says[0], WEDR_HANDLE_OP_PIDFD_GETFD, 0);
    assert_true((int32_t)rec_uint(v, "result") >= 0);
    v = access_of(r, p.pid, 1);
    check(r, v, p.pid, (pid_t)p.says[0], WEDR_HANDLE_OP_PIDFD_GETFD, 0);
    assert_int_equal((int32_t)rec_uint(v, "result"), -EBADF);
}

/* A user tries root's process. */
static void check_refused(struct rig *r, const char *verb, uint16_t op, uint32_t request)
{
    struct play p, other;
    char program[128], pid[16];
    (void)snprintf(program, sizeof program, "%s/%s", r->dir, verb);
    play_copy(WEDR_VICTIM_HANDLE, program, 0755);
    play_start(&other, 0, WEDR_VICTIM_HANDLE, ARGS("handle"));
    (void)snprintf(pid, sizeof pid, "%d", (int)other.pid);
    play(&p, 12345, program, ARGS(verb, pid));
    play_end(&other);
    assert_true(WIFEXITED(p.status));
    assert_int_equal(WEXITSTATUS(p.status), EPERM);
    const struct wedr_event_view *v = play_only(r, ACCESS, p.pid, NULL, NULL);
    check(r, v, p.pid, other.pid, op, request);
    assert_int_equal((int32_t)rec_uint(v, "result"), -EPERM);
}

static void refused_attempts_are_told_with_the_error(void **state)
{
    check_refused(*state, "try-attach", WEDR_HANDLE_OP_PTRACE, PTRACE_ATTACH);
    check_refused(*state, "try-vm-read", WEDR_HANDLE_OP_VM_READ, 0);
}

/* The victim knows the target by its number inside. */
static void pid_of_an_inner_namespace_is_translated(void **state)
{
    struct rig *r = *state;
    struct play p;
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("in-pid-namespace", "attach"));
    assert_played(&p);
    assert_int_equal(p.says[0], 2); /* the first one that its process 1 made */
    const struct wedr_event_view *fork = NULL;
    rig_pump(r);
    for (size_t i = 0; i < r->count; i++) {
        const struct wedr_event_view *v = &r->views[i];
        if (v->h.type == WEDR_EV_PROCESS_FORK && rec_uint(v, "parent_pid") == (uint64_t)p.pid) {
            fork = v;
        }
    }
    assert_non_null(fork);
    pid_t inner = (pid_t)rec_uint(fork, "pid");
    const struct wedr_event_view *v = play_only(r, ACCESS, inner, NULL, NULL);
    pid_t target = (pid_t)rec_uint(v, "target_pid");
    assert_true(target > 2);
    check(r, v, inner, target, WEDR_HANDLE_OP_PTRACE, PTRACE_ATTACH);
    assert_int_equal(rec_uint(play_only(r, WEDR_EV_PROCESS_FORK, target, NULL, NULL), "parent_pid"),
                     inner);
}

static void a_thread_is_named_beside_its_process(void **state)
{
    struct rig *r = *state;
    struct play p, other;
    char tid[16];
    play_start(&other, 0, WEDR_VICTIM_HANDLE, ARGS("with-thread"));
    assert_int_equal(other.says[0], other.pid);
    (void)snprintf(tid, sizeof tid, "%ld", other.says[1]);
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("attach", tid));
    play_end(&other);
    assert_played(&p);
    const struct wedr_event_view *v = play_only(r, ACCESS, p.pid, NULL, NULL);
    assert_int_equal(rec_uint(v, "target_pid"), other.pid);
    assert_int_equal(rec_uint(v, "target_tid"), other.says[1]);
    assert_int_equal(rec_uint(v, "target_key"), play_key(r, other.pid));
}

static void a_pid_that_is_used_again_has_another_key(void **state)
{
    struct rig *r = *state;
    struct play p;
    const struct wedr_event_view *life[2] = {NULL, NULL};
    play(&p, 0, WEDR_VICTIM_HANDLE, ARGS("reuse"));
    assert_played(&p);
    assert_int_equal(rig_count(r, ACCESS, p.pid), 2);
    assert_int_equal(rig_count(r, WEDR_EV_PROCESS_FORK, (pid_t)p.says[0]), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct wedr_event_view *v = access_of(r, p.pid, i);
        life[i] = rig_wait(r, WEDR_EV_PROCESS_FORK, (pid_t)p.says[0], i);
        assert_int_equal(rec_uint(v, "target_pid"), p.says[0]);
        assert_int_equal(rec_uint(v, "target_key"), rec_uint(life[i], "process_key"));
    }
    assert_true(rec_uint(life[0], "process_key") != rec_uint(life[1], "process_key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attach_and_seize_are_told_once_each),
        cmocka_unit_test(a_tracer_that_only_looks_and_steps_is_told_for_its_attach_alone),
        cmocka_unit_test(writing_word_by_word_is_one_record_beside_the_attach),
        cmocka_unit_test(setting_registers_is_told_and_reading_them_is_not),
        cmocka_unit_test(trace_me_names_the_parent_as_source),
        cmocka_unit_test(reading_memory_is_told_once),
        cmocka_unit_test(writing_memory_is_told),
        cmocka_unit_test(a_process_may_reach_into_itself_and_for_nobody),
        cmocka_unit_test(taking_a_descriptor_is_told_with_both_outcomes),
        cmocka_unit_test(refused_attempts_are_told_with_the_error),
        cmocka_unit_test(pid_of_an_inner_namespace_is_translated),
        cmocka_unit_test(a_thread_is_named_beside_its_process),
        cmocka_unit_test(a_pid_that_is_used_again_has_another_key),
    };
    int unable = rig_unable();
    return unable ? unable
                  : cmocka_run_group_tests_name("access", tests, rig_setup_fast, rig_teardown) != 0;
}
