/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/proctree.h"
#include "records.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint8_t mem[WEDR_RECORD_MAX];
static const struct wedr_clock_pair clock_pair = {0, RECORDS_UTC_US};

static void exec(struct wedr_proctree *t, uint32_t pid, uint32_t parent, const char *image)
{
    struct wedr_event_view v = rec_exec(mem, 1, 5, pid, parent, image, "a\0b", 4);
    wedr_proctree_learn(t, &v, clock_pair, NULL);
}

static void assert_image(const struct wedr_proc *p, const char *image)
{
    assert_non_null(p);
    assert_int_equal(p->image_len, strlen(image));
    assert_memory_equal(p->image, image, p->image_len);
}

static void a_process_is_known_by_what_it_runs_and_when_it_began(void **state)
{
    struct wedr_proctree *t = wedr_proctree_new(8);
    (void)state;
    exec(t, 7, 3, "/bin/sh");
    const struct wedr_proc *p = wedr_proctree_get(t, rec_key(7));
    assert_image(p, "/bin/sh");
    assert_int_equal(p->pid, 7);
    assert_int_equal(p->uid, 1000);
    assert_true(p->parent_key == rec_key(3));
    assert_int_equal(p->command_len, 3);
    assert_memory_equal(p->command, "a b", 3);
    assert_true(p->started_us == RECORDS_UTC_US + 7000);
    assert_null(wedr_proctree_get(t, rec_key(3)));
    assert_null(wedr_proctree_get(t, 0));
    wedr_proctree_free(t);
}

static void a_forked_child_is_what_its_parent_is_until_it_runs_a_program(void **state)
{
    struct wedr_proctree *t = wedr_proctree_new(8);
    (void)state;
    exec(t, 7, 3, "/bin/sh");
    struct wedr_event_view v = rec_fork(mem, 2, 9, 8, 7);
    wedr_proctree_learn(t, &v, clock_pair, NULL);
    assert_image(wedr_proctree_get(t, rec_key(8)), "/bin/sh");
    assert_true(wedr_proctree_get(t, rec_key(8))->parent_key == rec_key(7));
    exec(t, 8, 7, "/usr/bin/id");
    assert_image(wedr_proctree_get(t, rec_key(8)), "/usr/bin/id");
    assert_image(wedr_proctree_get(t, rec_key(7)), "/bin/sh");
    assert_int_equal(wedr_proctree_count(t), 2);
    wedr_proctree_free(t);
}

static void an_ended_process_stays_an_ancestor(void **state)
{
    struct wedr_proctree *t = wedr_proctree_new(8);
    (void)state;
    exec(t, 7, 3, "/bin/sh");
    struct wedr_event_view v = rec_exit(mem, 2, 9, 7);
    wedr_proctree_learn(t, &v, clock_pair, NULL);
    assert_image(wedr_proctree_get(t, rec_key(7)), "/bin/sh");
    wedr_proctree_free(t);
}

static void a_full_table_gives_up_the_one_not_used_longest_and_counts_it(void **state)
{
    struct wedr_proctree *t = wedr_proctree_new(4);
    (void)state;
    for (uint32_t pid = 1; pid <= 4; pid++) {
        exec(t, pid, 0, "/a");
    }
    assert_non_null(wedr_proctree_get(t, rec_key(1)));
    exec(t, 5, 0, "/b");
    assert_non_null(wedr_proctree_get(t, rec_key(1)));
    assert_null(wedr_proctree_get(t, rec_key(2)));
    assert_int_equal(wedr_proctree_count(t), 4);
    assert_int_equal(wedr_proctree_evicted(t), 1);
    for (uint32_t pid = 10; pid < 5000; pid++) {
        exec(t, pid, pid - 1, "/c");
        struct wedr_event_view v = rec_fork(mem, 2, 9, pid + 100000, pid);
        wedr_proctree_learn(t, &v, clock_pair, NULL);
        assert_image(wedr_proctree_get(t, rec_key(pid + 100000)), "/c");
    }
    assert_int_equal(wedr_proctree_count(t), 4);
    wedr_proctree_free(t);
}

static void long_texts_are_cut_to_their_place(void **state)
{
    struct wedr_proctree *t = wedr_proctree_new(1);
    static char image[2000], argv[3000];
    (void)state;
    memset(image, 'i', sizeof(image) - 1);
    memset(argv, 'a', sizeof(argv));
    struct wedr_event_view v = rec_exec(mem, 1, 5, 9, 0, image, argv, sizeof(argv));
    wedr_proctree_learn(t, &v, clock_pair, NULL);
    const struct wedr_proc *p = wedr_proctree_get(t, rec_key(9));
    assert_int_equal(p->image_len, WEDR_PROC_IMAGE_MAX);
    assert_int_equal(p->command_len, WEDR_PROC_COMMAND_MAX);
    wedr_proctree_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_is_known_by_what_it_runs_and_when_it_began),
        cmocka_unit_test(a_forked_child_is_what_its_parent_is_until_it_runs_a_program),
        cmocka_unit_test(an_ended_process_stays_an_ancestor),
        cmocka_unit_test(a_full_table_gives_up_the_one_not_used_longest_and_counts_it),
        cmocka_unit_test(long_texts_are_cut_to_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
