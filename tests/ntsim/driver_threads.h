/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/driver_threads.h — for tests of the driver with several threads: what cmocka has
 * works in one thread alone. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* In any thread: prints and ends the program. */
#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                      \
        }                                                                                 \
    } while (0)

/* The long run of `./test --full`: amounts are multiplied. */
unsigned threads_scale(void);

struct thread {
    pthread_t id;
    void (*run)(void *arg);
    void *arg;
};
void thread_start(struct thread *t, void (*run)(void *arg), void *arg);
void thread_join(struct thread *t);
void thread_sleep_us(unsigned us);
