/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked, how often, and which of the processes that wait get the answer. */
#include "core/base/err.h"
#include "enrich/facts.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CTIME_US 1700000000123456
#define LATER_US (CTIME_US + 1000000)
#define AT_ONCE_US (CTIME_US + 1000)

static uint8_t mem[WEDR_RECORD_MAX];

static struct wedr_event_view record(uint32_t pid, uint64_t inode, const char *path)
{
    struct wedr_record r;
    struct wedr_event_view v;
    assert_int_equal(wedr_record_begin(&r, mem, sizeof(mem), WEDR_EV_PROCESS_CREATE, WEDR_OS_LINUX),
                     WEDR_OK);
    assert_int_equal(wedr_record_set_uint(&r, "pid", pid), WEDR_OK);
    assert_int_equal(wedr_record_set_uint(&r, "process_key", pid * 1000u), WEDR_OK);
    assert_int_equal(wedr_record_set_uint(&r, "exe_inode", inode), WEDR_OK);
    assert_int_equal(wedr_record_set_uint(&r, "exe_dev", 5), WEDR_OK);
    assert_int_equal(wedr_record_set_uint(&r, "exe_size", 100), WEDR_OK);
    assert_int_equal(wedr_record_set_uint(&r, "exe_ctime_ns", (uint64_t)CTIME_US * 1000), WEDR_OK);
    assert_int_equal(wedr_record_set_str(&r, "image_path", path, strlen(path), 0), WEDR_OK);
    size_t n = wedr_record_finish(&r, 1, 1, WEDR_STREAM_CRITICAL, 0);
    assert_int_equal(wedr_event_decode(wedr_span(mem, n), &v), WEDR_OK);
    return v;
}

static const struct wedr_facts_file *
show(struct wedr_facts *f, uint32_t pid, uint64_t inode, int64_t utc_us)
{
    struct wedr_event_view v = record(pid, inode, "/opt/tool");
    return wedr_facts_exec(f, &v, utc_us);
}

/* Takes the next question; false: there is none. */
static bool ask(struct wedr_facts *f, struct wedr_msg_exe_ask *m)
{
    if (!wedr_facts_next_ask(f, m)) {
        return false;
    }
    wedr_facts_asked(f, m);
    return true;
}

static struct wedr_msg_exe_facts answer_to(const struct wedr_msg_exe_ask *m, uint8_t result)
{
    struct wedr_msg_exe_facts a;
    wedr_msg_begin(&a, WEDR_MSG_T_EXE_FACTS);
    a.exe = m->exe;
    a.result = result;
    memset(a.sha256, 0x5a, sizeof(a.sha256));
    wedr_msg_put_text(a.package, sizeof(a.package), "tools");
    return a;
}

static size_t late(struct wedr_facts *f, uint32_t *ret_pids)
{
    static struct wedr_facts_late l;
    size_t n = 0;
    while (wedr_facts_next_late(f, &l)) {
        assert_string_equal(l.path, "/opt/tool");
        assert_int_equal(l.file.sha256[0], 0x5a);
        ret_pids[n++] = l.exe.pid;
        wedr_facts_late_taken(f);
    }
    return n;
}

static struct wedr_msg_enrich stats(const struct wedr_facts *f)
{
    struct wedr_msg_enrich s;
    memset(&s, 0, sizeof(s));
    wedr_facts_stats(f, &s);
    return s;
}

static void a_file_is_asked_for_once_and_everybody_who_waits_gets_it(void **state)
{
    struct wedr_facts *f = wedr_facts_new();
    struct wedr_msg_exe_ask m;
    uint32_t pids[8];
    (void)state;
    assert_null(show(f, 1, 77, LATER_US));
    assert_null(show(f, 2, 77, LATER_US));
    assert_null(show(f, 2, 77, LATER_US)); /* the same line, encoded again */
    assert_true(ask(f, &m));
    assert_int_equal(m.exe.pid, 1);
    assert_int_equal(m.settled, 1);
    assert_string_equal(m.path, "/opt/tool");
    assert_false(ask(f, &m));
    assert_null(show(f, 3, 77, LATER_US));
    struct wedr_msg_exe_facts a = answer_to(&m, WEDR_MSG_EXE_KNOWN);
    wedr_facts_exe_answer(f, &a);
    wedr_facts_exe_answer(f, &a); /* nobody asked for it any more */
    assert_int_equal(late(f, pids), 3);
    const struct wedr_facts_file *file = show(f, 4, 77, LATER_US);
    assert_non_null(file);
    assert_string_equal(file->package, "tools");
    assert_int_equal(late(f, pids), 0);
    assert_int_equal(stats(f).files_asked, 1);
    assert_int_equal(stats(f).files_known, 1);
    assert_int_equal(stats(f).images_late, 3);
    assert_int_equal(stats(f).images_skipped, 0);
    wedr_facts_free(f);
}

/* The package that a file came with is in the database some time after the file. */
static void what_is_known_of_a_young_file_is_asked_for_again(void **state)
{
    struct wedr_facts *f = wedr_facts_new();
    struct wedr_msg_exe_ask m;
    uint32_t pids[8];
    (void)state;
    assert_null(show(f, 1, 77, LATER_US));
    assert_true(ask(f, &m));
    struct wedr_msg_exe_facts a = answer_to(&m, WEDR_MSG_EXE_KNOWN);
    wedr_msg_put_text(a.package, sizeof(a.package), "");
    wedr_facts_exe_answer(f, &a);
    assert_int_equal(late(f, pids), 1);
    wedr_facts_now(f, WEDR_FACTS_YOUNG_MS - 1);
    assert_string_equal(show(f, 2, 77, LATER_US)->package, "");
    wedr_facts_now(f, WEDR_FACTS_YOUNG_MS);
    assert_null(show(f, 3, 77, LATER_US + (int64_t)WEDR_FACTS_YOUNG_MS * 1000));
    assert_true(ask(f, &m));
    a = answer_to(&m, WEDR_MSG_EXE_KNOWN);
    wedr_facts_exe_answer(f, &a);
    assert_int_equal(late(f, pids), 1);
    assert_int_equal(pids[0], 3);
    assert_string_equal(show(f, 4, 77, LATER_US)->package, "tools");
    wedr_facts_free(f);
}

static void what_is_known_of_an_old_file_stays(void **state)
{
    struct wedr_facts *f = wedr_facts_new();
    struct wedr_msg_exe_ask m;
    uint32_t pids[8];
    (void)state;
    assert_null(show(f, 1, 77, CTIME_US + (int64_t)WEDR_FACTS_OLD_MS * 1000));
    assert_true(ask(f, &m));
    struct wedr_msg_exe_facts a = answer_to(&m, WEDR_MSG_EXE_KNOWN);
    wedr_facts_exe_answer(f, &a);
    assert_int_equal(late(f, pids), 1);
    wedr_facts_now(f, UINT32_MAX);
    assert_non_null(show(f, 2, 77, LATER_US));
    wedr_facts_free(f);
}

static void a_file_that_was_changed_a_moment_before_is_believed_of_its_process_alone(void **state)
{
    struct wedr_facts *f = wedr_facts_new();
    struct wedr_msg_exe_ask m[3];
    uint32_t pids[8];
    (void)state;
    assert_null(show(f, 1, 77, AT_ONCE_US));
    assert_null(show(f, 2, 77, AT_ONCE_US));
    assert_null(show(f, 3, 77, LATER_US));
    for (int i = 0; i < 3; i++) {
        assert_true(ask(f, &m[i]));
        assert_int_equal(m[i].settled, i == 2 ? 1 : 0);
    }
    struct wedr_msg_exe_facts a = answer_to(&m[0], WEDR_MSG_EXE_KNOWN);
    a.running = 1;
    wedr_facts_exe_answer(f, &a);
    assert_int_equal(late(f, pids), 1);
    assert_int_equal(pids[0], 1);
    a = answer_to(&m[1], WEDR_MSG_EXE_KNOWN); /* it had ended: what it ran is not certain */
    wedr_facts_exe_answer(f, &a);
    assert_int_equal(late(f, pids), 0);
    assert_int_equal(stats(f).images_skipped, 1);
    a = answer_to(&m[2], WEDR_MSG_EXE_KNOWN);
    wedr_facts_exe_answer(f, &a);
    assert_int_equal(late(f, pids), 1);
    assert_int_equal(pids[0], 3);
    assert_non_null(show(f, 4, 77, LATER_US));
    assert_null(show(f, 5, 77, AT_ONCE_US)); /* what is remembered says nothing about it */
    wedr_facts_free(f);
}

static void another_process_is_asked_when_the_first_one_is_gone(void **state)
{
    struct wedr_facts *f = wedr_facts_new();
    struct wedr_msg_exe_ask m;
    uint32_t pids[8];
    (void)state;
    for (uint32_t pid = 1; pid <= 3; pid++) {
        assert_null(show(f, pid, 77, LATER_US));
    }
    for (uint32_t pid = 1; pid <= 2; pid++) {
        assert_true(ask(f, &m));
        assert_int_equal(m.exe.pid, pid);
        struct wedr_msg_exe_facts a = answer_to(&m, WEDR_MSG_EXE_GONE);
        wedr_facts_exe_answer(f, &a);
    }
    assert_true(ask(f, &m));
    struct wedr_msg_exe_facts a = answer_to(&m, WEDR_MSG_EXE_KNOWN);
    wedr_facts_exe_answer(f, &a);
    assert_int_equal(late(f, pids), 1);
    assert_int_equal(pids[0], 3);
    assert_int_equal(stats(f).images_skipped, 2);
    /* What is wrong with the file is wrong for all. */
    wedr_facts_now(f, 1000);
    assert_null(show(f, 5, 78, LATER_US));
    assert_null(show(f, 6, 78, LATER_US));
    assert_true(ask(f, &m));
    a = answer_to(&m, WEDR_MSG_EXE_TOO_LARGE);
    wedr_facts_exe_answer(f, &a);
    assert_null(show(f, 7, 78, LATER_US));
    assert_false(ask(f, &m));
    assert_int_equal(stats(f).images_skipped, 4);
    wedr_facts_now(f, 1000 + WEDR_FACTS_FAILED_MS);
    assert_null(show(f, 7, 78, LATER_US));
    assert_true(ask(f, &m));
    wedr_facts_free(f);
}

static void a_peer_that_dies_is_not_asked_the_same_again(void **state)
{
    struct wedr_facts *f = wedr_facts_new();
    struct wedr_msg_exe_ask m;
    (void)state;
    assert_null(show(f, 1, 77, LATER_US));
    assert_null(show(f, 2, 78, LATER_US));
    assert_true(ask(f, &m));
    wedr_facts_peer_gone(f);
    assert_true(ask(f, &m));
    assert_int_equal(m.exe.inode, 78);
    assert_null(show(f, 3, 77, LATER_US));
    assert_false(ask(f, &m));
    wedr_facts_now(f, WEDR_FACTS_ANSWER_MS);
    assert_false(ask(f, &m)); /* gives the other one up */
    assert_int_equal(stats(f).files_unknown, 2);
    wedr_facts_free(f);
}

static void what_does_not_fit_is_counted(void **state)
{
    struct wedr_facts *f = wedr_facts_new();
    struct wedr_msg_exe_ask m;
    (void)state;
    for (uint32_t i = 0; i < WEDR_FACTS_WAITING + 10; i++) {
        assert_null(show(f, i + 1, i + 1, LATER_US));
    }
    assert_int_equal(stats(f).files_skipped, 10);
    for (uint32_t i = 0; i < WEDR_FACTS_UNDER_WAY; i++) {
        assert_true(ask(f, &m));
    }
    assert_false(ask(f, &m));
    for (uint32_t i = 0; i < WEDR_FACTS_UNDER_WAY; i++) {
        wedr_facts_peer_gone(f);
    }
    uint32_t asked = WEDR_FACTS_UNDER_WAY;
    while (ask(f, &m)) { /* every one that waits, to the last */
        struct wedr_msg_exe_facts a = answer_to(&m, WEDR_MSG_EXE_GONE);
        wedr_facts_exe_answer(f, &a);
        asked++;
    }
    assert_int_equal(asked, WEDR_FACTS_WAITING);
    assert_int_equal(stats(f).images_skipped, WEDR_FACTS_WAITING + 10);
    wedr_facts_free(f);
}

static void a_file_that_lost_its_name_is_believed_while_its_process_runs_nothing_else(void **state)
{
    struct wedr_facts *f = wedr_facts_new();
    struct wedr_msg_exe_ask m;
    uint32_t pids[8];
    (void)state;
    for (uint32_t pid = 1; pid <= 2; pid++) {
        assert_null(show(f, pid, 70 + pid, LATER_US));
        assert_true(ask(f, &m));
        struct wedr_msg_exe_facts a = answer_to(&m, WEDR_MSG_EXE_KNOWN);
        a.running = a.touched = 1;
        wedr_facts_exe_answer(f, &a);
    }
    assert_null(show(f, 2, 99, LATER_US)); /* the second one runs another program */
    assert_true(ask(f, &m));
    assert_int_equal(late(f, pids), 0);
    wedr_facts_now(f, WEDR_FACTS_HOLD_MS);
    assert_int_equal(late(f, pids), 1);
    assert_int_equal(pids[0], 1);
    assert_int_equal(stats(f).images_skipped, 1);
    assert_null(show(f, 3, 71, LATER_US)); /* nothing is remembered of it */
    assert_null(show(f, 4, 71, LATER_US));
    assert_true(ask(f, &m));
    struct wedr_msg_exe_facts a = answer_to(&m, WEDR_MSG_EXE_KNOWN);
    a.running = a.touched = 1;
    wedr_facts_exe_answer(f, &a);
    assert_true(ask(f, &m)); /* the one that waited is asked for itself */
    assert_int_equal(m.exe.pid, 4);
    wedr_facts_free(f);
}

static void a_thread_of_the_kernel_has_no_file(void **state)
{
    struct wedr_facts *f = wedr_facts_new();
    struct wedr_msg_exe_ask m;
    (void)state;
    assert_null(show(f, 1, 0, LATER_US));
    assert_false(ask(f, &m));
    wedr_facts_free(f);
}

static void names_are_asked_for_once_and_again_when_they_are_old(void **state)
{
    struct wedr_facts *f = wedr_facts_new();
    union {
        struct wedr_msg_exe_ask exe;
        struct wedr_msg_name_ask name;
    } m;
    struct wedr_msg_name a;
    (void)state;
    wedr_facts_put_name(f, false, 0, "root");
    assert_int_equal(wedr_facts_name(f, false, 0).len, 4);
    assert_int_equal(wedr_facts_name(f, true, 0).len, 0);
    assert_int_equal(wedr_facts_name(f, true, 0).len, 0);
    assert_true(ask(f, &m.exe));
    assert_int_equal(m.exe.h.type, WEDR_MSG_T_NAME_ASK);
    assert_int_equal(m.name.group, 1);
    assert_false(ask(f, &m.exe));
    wedr_msg_begin(&a, WEDR_MSG_T_NAME);
    a.group = 1;
    wedr_msg_put_text(a.name, sizeof(a.name), "wheel");
    wedr_facts_name_answer(f, &a);
    assert_int_equal(wedr_facts_name(f, true, 0).len, 5);
    assert_int_equal(wedr_facts_name(f, false, 0).len, 4);
    wedr_facts_now(f, WEDR_FACTS_NAME_MS);
    assert_int_equal(wedr_facts_name(f, false, 0).len,
                     4); /* the old one until there is a new one */
    assert_true(ask(f, &m.exe));
    assert_int_equal(m.name.group, 0);
    for (uint32_t id = 1; id <= WEDR_FACTS_NAME_ASKS + 5; id++) {
        assert_int_equal(wedr_facts_name(f, false, id).len, 0);
    }
    assert_int_equal(stats(f).names_skipped, 5);
    wedr_facts_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_asked_for_once_and_everybody_who_waits_gets_it),
        cmocka_unit_test(what_is_known_of_a_young_file_is_asked_for_again),
        cmocka_unit_test(what_is_known_of_an_old_file_stays),
        cmocka_unit_test(a_file_that_was_changed_a_moment_before_is_believed_of_its_process_alone),
        cmocka_unit_test(another_process_is_asked_when_the_first_one_is_gone),
        cmocka_unit_test(a_peer_that_dies_is_not_asked_the_same_again),
        cmocka_unit_test(what_does_not_fit_is_counted),
        cmocka_unit_test(a_file_that_lost_its_name_is_believed_while_its_process_runs_nothing_else),
        cmocka_unit_test(a_thread_of_the_kernel_has_no_file),
        cmocka_unit_test(names_are_asked_for_once_and_again_when_they_are_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
