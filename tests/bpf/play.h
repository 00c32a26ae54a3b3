/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bpf/play.h — victims with verbs: run one to its end or keep one, and look at what was
 * recorded about it. What a process that has ended did is in the rings: rig_pump is enough, nothing
 * to wait for.
 */
#pragma once

#include "rig.h"

struct play {
    pid_t pid;
    int status;   /* of waitpid */
    long says[2]; /* the first numbers that it printed; 0 without */
};

/* Runs a program as a user with these arguments (a list that ends with NULL) and waits. */
void play(struct play *p, uid_t uid, const char *program, const char *const *args);
/* The same, but returns as soon as it has printed a line; it goes on. */
void play_start(struct play *p, uid_t uid, const char *program, const char *const *args);
/* Kills it from here (the test's own child) and waits. */
void play_end(struct play *p);
/* Left with 0? Fails the test otherwise. */
void assert_played(const struct play *p);

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Copies a file; mode as given. */
void play_copy(const char *from, const char *to, unsigned mode);

/* Records of a type about a process (pid or source_pid) of which field begins with text, when field
 * is not NULL; *ret_first, when given, is the first. */
size_t play_count(struct rig *r,
                  uint16_t type,
                  pid_t pid,
                  const char *field,
                  const char *text,
                  const struct wedr_event_view **ret_first);
/* The one record like that; fails the test when there is none or more than one. */
const struct wedr_event_view *
play_only(struct rig *r, uint16_t type, pid_t pid, const char *field, const char *text);
/* process_key of a process, from its first process_create or process_fork. */
uint64_t play_key(struct rig *r, pid_t pid);
