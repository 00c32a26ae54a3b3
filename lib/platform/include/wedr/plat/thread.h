/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/thread.h — threads, mutexes, condition variables. */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_thread;
struct wedr_mutex;
struct wedr_cond;

/* name: at most 15 bytes, shown by the OS. All signals are blocked in the new thread (POSIX). */
WEDR_MUST_USE int
wedr_thread_new(struct wedr_thread **ret_t, const char *name, void (*fn)(void *arg), void *arg);
/* Waits for the end and frees; NULL is allowed. */
void wedr_thread_join(struct wedr_thread *t);

WEDR_MUST_USE struct wedr_mutex *wedr_mutex_new(void);
void wedr_mutex_free(struct wedr_mutex *m);
void wedr_mutex_lock(struct wedr_mutex *m);
void wedr_mutex_unlock(struct wedr_mutex *m);

WEDR_MUST_USE struct wedr_cond *wedr_cond_new(void);
void wedr_cond_free(struct wedr_cond *c);
void wedr_cond_signal(struct wedr_cond *c);
void wedr_cond_broadcast(struct wedr_cond *c);
/* False on timeout; timeout_ms UINT32_MAX waits for ever. Spurious wake-ups return true. */
bool wedr_cond_wait(struct wedr_cond *c, struct wedr_mutex *m, uint32_t timeout_ms);

/* The calling thread gives way to the others of the machine when processors are short. */
void wedr_thread_background(void);
/* The same, as far as it goes: the lowest priority for processors and disks. */
void wedr_thread_idle(void);

int wedr_cpu_count(void);
