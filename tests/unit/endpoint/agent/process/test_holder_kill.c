/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "holder_kill.h"
#include "wedr/plat/time.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct wedr_kills kills;
static const struct wedr_kill_policy yes = {.allowed = true};

/* A process that runs another program than this test, and its key. */
static pid_t victim(uint64_t *ret_key)
{
    struct wedr_target t = {.own = true};
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        (void)execl("/bin/sleep", "sleep", "300", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500 && t.own; i++) {
        assert_int_equal(wedr_target_open((uint32_t)pid, &t), WEDR_OK);
        wedr_fs_close(t.handle);
        wedr_time_sleep_ms(2);
    }
    assert_false(t.own);
    /* The sensor knows the nanosecond; anything within the step of /proc names it too. */
    *ret_key = wedr_linux_process_key(t.start_boot_ns + t.start_step_ns / 2, (uint32_t)pid);
    return pid;
}

static bool lives(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == 0;
}

static void end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static struct wedr_msg_kill request(uint32_t pid, uint64_t key)
{
    struct wedr_msg_kill m;
    wedr_msg_begin(&m, WEDR_MSG_T_KILL);
    m.pid = pid;
    m.process_key = key;
    wedr_msg_put_text(m.alert_id, sizeof(m.alert_id), "aa");
    wedr_msg_put_text(m.rule_id, sizeof(m.rule_id), "rule");
    return m;
}

static struct wedr_msg_kill_result wait_answer(void)
{
    struct wedr_msg_kill_result r;
    size_t slot;
    for (int i = 0; i < 1000; i++) {
        wedr_kills_tick(&kills, &yes);
        if (wedr_kills_next(&kills, &slot, &r) == WEDR_OK) {
            wedr_kills_taken(&kills, slot);
            assert_int_equal(wedr_kills_next(&kills, &slot, &r), WEDR_E_NOENT);
            return r;
        }
        wedr_time_sleep_ms(5);
    }
    fail_msg("no answer");
    return r;
}

static uint16_t ask(uint32_t pid, uint64_t key, const struct wedr_kill_policy *policy)
{
    struct wedr_msg_kill m = request(pid, key);
    assert_int_equal(wedr_kills_ask(&kills, &m, policy), WEDR_OK);
    struct wedr_msg_kill_result r = wait_answer();
    assert_int_equal(r.pid, pid);
    assert_true(r.process_key == key);
    assert_string_equal(r.alert_id, "aa");
    assert_string_equal(r.rule_id, "rule");
    return r.result;
}

static void a_process_is_ended_and_reported_when_it_has_ended(void **state)
{
    (void)state;
    uint64_t key;
    pid_t pid = victim(&key);
    assert_int_equal(ask((uint32_t)pid, key, &yes), WEDR_RESPONSE_RESULT_DONE);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(ask((uint32_t)pid, key, &yes), WEDR_RESPONSE_RESULT_TARGET_GONE);
}

static void another_process_of_the_same_number_lives(void **state)
{
    (void)state;
    uint64_t key;
    pid_t pid = victim(&key);
    uint64_t start = wedr_linux_process_key(key, (uint32_t)pid);
    uint64_t other = wedr_linux_process_key(start - 20000000, (uint32_t)pid);
    uint64_t later = wedr_linux_process_key(start + 20000000, (uint32_t)pid);
    assert_int_equal(ask((uint32_t)pid, other, &yes), WEDR_RESPONSE_RESULT_TARGET_GONE);
    assert_int_equal(ask((uint32_t)pid, later, &yes), WEDR_RESPONSE_RESULT_TARGET_GONE);
    assert_int_equal(ask((uint32_t)pid, 0, &yes), WEDR_RESPONSE_RESULT_TARGET_GONE);
    assert_true(lives(pid));
    end(pid);
}

static void without_the_policy_nothing_is_ended(void **state)
{
    (void)state;
    uint64_t key;
    pid_t pid = victim(&key);
    struct wedr_kill_policy no = {.allowed = false};
    struct wedr_kill_policy recorded = {.allowed = true, .replay = true};
    assert_int_equal(ask((uint32_t)pid, key, &no), WEDR_RESPONSE_RESULT_REFUSED_BY_POLICY);
    assert_int_equal(ask((uint32_t)pid, key, &recorded), WEDR_RESPONSE_RESULT_REFUSED_BY_POLICY);
    assert_true(lives(pid));
    end(pid);
}

static void what_keeps_the_host_and_the_agent_alive_is_protected(void **state)
{
    (void)state;
    uint64_t key;
    pid_t pid = victim(&key);
    struct wedr_kill_policy policy = {.allowed = true, .protected_pids = {(uint32_t)pid}};
    assert_int_equal(ask((uint32_t)pid, key, &policy), WEDR_RESPONSE_RESULT_PROTECTED);
    assert_true(lives(pid));
    end(pid);
    assert_int_equal(ask(1, 1, &yes), WEDR_RESPONSE_RESULT_PROTECTED);
    assert_int_equal(ask(2, 1, &yes), WEDR_RESPONSE_RESULT_PROTECTED);
    assert_int_equal(ask(0, 1, &yes), WEDR_RESPONSE_RESULT_PROTECTED);
    struct wedr_target t; /* this very program */
    assert_int_equal(wedr_target_open((uint32_t)getpid(), &t), WEDR_OK);
    wedr_fs_close(t.handle);
    assert_int_equal(
        ask((uint32_t)getpid(), wedr_linux_process_key(t.start_boot_ns, (uint32_t)getpid()), &yes),
        WEDR_RESPONSE_RESULT_PROTECTED);
}

/* Takes every answer that there is; how many. */
static unsigned take_answers(uint16_t result)
{
    struct wedr_msg_kill_result r;
    size_t slot;
    unsigned n = 0;
    wedr_kills_tick(&kills, &yes);
    while (wedr_kills_next(&kills, &slot, &r) == WEDR_OK) {
        assert_int_equal(r.result, result);
        wedr_kills_taken(&kills, slot);
        n++;
    }
    return n;
}

#define MANY 40u

static void forty_processes_asked_for_at_once_all_end(void **state)
{
    (void)state;
    uint64_t key[MANY];
    pid_t pid[MANY];
    unsigned answers = 0;
    for (size_t i = 0; i < MANY; i++) {
        pid[i] = victim(&key[i]);
    }
    for (size_t i = 0; i < MANY; i++) {
        struct wedr_msg_kill m = request((uint32_t)pid[i], key[i]);
        assert_int_equal(wedr_kills_ask(&kills, &m, &yes), WEDR_OK);
        assert_int_equal(wedr_kills_ask(&kills, &m, &yes), WEDR_OK); /* no second answer */
    }
    for (unsigned i = 0; i < 1000 && answers < MANY; i++) {
        answers += take_answers(WEDR_RESPONSE_RESULT_DONE);
        wedr_time_sleep_ms(5);
    }
    assert_int_equal(answers, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(waitpid(pid[i], NULL, 0), pid[i]);
    }
}

static void what_does_not_fit_waits_for_its_turn_and_obeys_the_policy_of_then(void **state)
{
    (void)state;
    uint64_t key;
    struct wedr_kill_policy no = {.allowed = false};
    pid_t pid = victim(&key);
    for (uint32_t i = 0; i < WEDR_KILLS_MAX; i++) { /* nobody takes the answers */
        struct wedr_msg_kill m = request(1000 + i, i + 1);
        assert_int_equal(wedr_kills_ask(&kills, &m, &no), WEDR_OK);
    }
    struct wedr_msg_kill m = request((uint32_t)pid, key);
    assert_int_equal(wedr_kills_ask(&kills, &m, &no), WEDR_OK);
    assert_int_equal(wedr_kills_ask(&kills, &m, &no), WEDR_OK);
    assert_true(lives(pid));
    assert_int_equal(take_answers(WEDR_RESPONSE_RESULT_REFUSED_BY_POLICY), WEDR_KILLS_MAX);
    struct wedr_msg_kill_result r = wait_answer();
    assert_int_equal(r.pid, pid);
    assert_int_equal(r.result, WEDR_RESPONSE_RESULT_DONE);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void more_than_may_wait_is_refused_and_nothing_happens(void **state)
{
    (void)state;
    uint64_t key;
    struct wedr_kill_policy no = {.allowed = false};
    pid_t pid = victim(&key);
    for (uint32_t i = 0; i < WEDR_KILLS_MAX + WEDR_KILLS_WAITING_MAX; i++) {
        struct wedr_msg_kill m = request(1000 + i, i + 1);
        assert_int_equal(wedr_kills_ask(&kills, &m, &no), WEDR_OK);
    }
    struct wedr_msg_kill m = request((uint32_t)pid, key);
    assert_int_equal(wedr_kills_ask(&kills, &m, &yes), WEDR_E_FULL);
    struct wedr_msg_kill_result r;
    wedr_kills_refuse(&m, WEDR_E_FULL, &r);
    assert_int_equal(r.result, WEDR_RESPONSE_RESULT_FAILED);
    assert_int_equal(r.pid, pid);
    assert_true(lives(pid));
    end(pid);
}

static int set_up(void **state)
{
    (void)state;
    wedr_kills_init(&kills);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    wedr_kills_fini(&kills);
    return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

/* A verified command: the bundle's policy is not asked, what is protected is. */
static void a_command_needs_no_policy_and_respects_what_is_protected(void **state)
{
    static const struct wedr_kill_policy recorded = {.allowed = false, .replay = true};
    struct wedr_msg_kill_result r;
    uint64_t key = 0;
    size_t slot = 0;
    pid_t pid = victim(&key);
    (void)state;
    wedr_kills_init(&kills);
    struct wedr_msg_kill m = request(1, key);
    assert_int_equal(wedr_kills_command(&kills, &m, &recorded), WEDR_OK);
    assert_int_equal(wedr_kills_next_command(&kills, &slot, &r), WEDR_OK);
    assert_int_equal(r.result, WEDR_RESPONSE_RESULT_PROTECTED);
    wedr_kills_taken(&kills, slot);
    m = request((uint32_t)pid, key);
    struct wedr_kill_policy own = recorded;
    own.protected_pids[2] = (uint32_t)pid;
    assert_int_equal(wedr_kills_command(&kills, &m, &own), WEDR_OK);
    assert_int_equal(wedr_kills_next_command(&kills, &slot, &r), WEDR_OK);
    assert_int_equal(r.result, WEDR_RESPONSE_RESULT_PROTECTED);
    wedr_kills_taken(&kills, slot);
    assert_true(lives(pid));
    assert_int_equal(wedr_kills_command(&kills, &m, &recorded), WEDR_OK);
    int err = WEDR_E_NOENT;
    for (int i = 0; i < 1000 && err == WEDR_E_NOENT; i++) {
        wedr_kills_tick(&kills, &recorded);
        assert_int_equal(wedr_kills_next(&kills, &slot, &r), WEDR_E_NOENT); /* not core's */
        err = wedr_kills_next_command(&kills, &slot, &r);
        wedr_time_sleep_ms(5);
    }
    assert_int_equal(err, WEDR_OK);
    assert_int_equal(r.result, WEDR_RESPONSE_RESULT_DONE);
    wedr_kills_fini(&kills);
    end(pid);
}

/* Core's request for a process that a command is ending still gets its own answer. */
static void a_rule_and_a_command_for_one_process_both_get_an_answer(void **state)
{
    struct wedr_msg_kill_result r;
    uint64_t key = 0;
    size_t slot = 0;
    unsigned got = 0;
    pid_t pid = victim(&key);
    (void)state;
    wedr_kills_init(&kills);
    struct wedr_msg_kill m = request((uint32_t)pid, key);
    assert_int_equal(wedr_kills_command(&kills, &m, &yes), WEDR_OK);
    assert_int_equal(wedr_kills_ask(&kills, &m, &yes), WEDR_OK);
    for (int i = 0; i < 1000 && got != 3; i++) {
        wedr_kills_tick(&kills, &yes);
        if (wedr_kills_next(&kills, &slot, &r) == WEDR_OK) {
            wedr_kills_taken(&kills, slot);
            got |= 1;
        }
        if (wedr_kills_next_command(&kills, &slot, &r) == WEDR_OK) {
            wedr_kills_taken(&kills, slot);
            got |= 2;
        }
        wedr_time_sleep_ms(5);
    }
    assert_int_equal(got, 3);
    wedr_kills_fini(&kills);
    end(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_process_is_ended_and_reported_when_it_has_ended),
        TEST(another_process_of_the_same_number_lives),
        TEST(without_the_policy_nothing_is_ended),
        TEST(what_keeps_the_host_and_the_agent_alive_is_protected),
        TEST(forty_processes_asked_for_at_once_all_end),
        TEST(what_does_not_fit_waits_for_its_turn_and_obeys_the_policy_of_then),
        TEST(more_than_may_wait_is_refused_and_nothing_happens),
        cmocka_unit_test(a_command_needs_no_policy_and_respects_what_is_protected),
        cmocka_unit_test(a_rule_and_a_command_for_one_process_both_get_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
