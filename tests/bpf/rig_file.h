/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bpf/rig_file.h — what the tests of file records share. */
#pragma once

#include "rig.h"

/* Runs fn(arg) in a child, which must return 0. */
pid_t rig_done(int (*fn)(void *arg), void *arg);
/* An empty file in the rig's folder. */
void rig_make_file(const struct rig *r, const char *name);
/* Fails unless the field is the path of this name in the rig's folder. */
void rig_assert_path(const struct wedr_event_view *v,
                     const char *field,
                     const struct rig *r,
                     const char *name);
/* Of the file or link of this name in the rig's folder. */
ino_t rig_inode(const struct rig *r, const char *name);
/* The symbolic link dir/link leads to dir/two from now on, exchanged at once. */
void rig_turn_link(const char *dir);
/* The n-th record of a type of that process; fails the test when none comes. */
const struct wedr_event_view *rig_file(struct rig *r, uint16_t type, pid_t pid, size_t n);
/* Records about files of that process, of whatever kind. */
size_t rig_files(struct rig *r, pid_t pid);
/* Everything that was recorded before this call has been read when it returns. */
void rig_sync(struct rig *r);
/* Test fixture: the rig's folder is empty. */
int rig_empty(void **state);
/* Prints the records about files of that process: for whoever looks for the reason of a failure. */
void rig_show(struct rig *r, pid_t pid);
/* Test fixtures: a rig that has names by the caller's words alone (no area `truth`). */
int rig_setup_words_fast(void **state);
int rig_setup_words_slow(void **state);
/* Like rig_run_both_walks, with them. */
#define rig_run_words(tests)                                                                \
    ((cmocka_run_group_tests_name("fast walk", tests, rig_setup_words_fast, rig_teardown) + \
      cmocka_run_group_tests_name("probe walk", tests, rig_setup_words_slow, rig_teardown)) != 0)
