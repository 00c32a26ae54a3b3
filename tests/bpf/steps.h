/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bpf/steps.h — runs one of the programs that do as they are told (victim_cred, victim_uring)
 * and gives what it wrote. */
#pragma once

#include "rig.h"

#define STEPS_MAX 20

/* Runs program with these arguments (NULL-terminated, without argv[0]) as user uid (0: as it is) to
 * its end, which must be exit code 0. Returns its pid. */
pid_t steps_run(const char *program, unsigned uid, const char *const *steps);
/* The same; its standard output is read as a number. */
pid_t steps_run_says(const char *program, const char *const *steps, long *ret_number);
/* Writes a byte to a process that waits for it, closes go, waits for exit code 0. */
void steps_finish(pid_t pid, int go);

/* The process has ended and everything that it did is read. Its end is in the critical lane; the
 * bulk lane is read behind it. */
void steps_ended(struct rig *r, pid_t pid);
/* Copies a program. */
void steps_copy(const char *from, const char *to);
