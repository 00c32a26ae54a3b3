/* SPDX-License-Identifier: Apache-2.0 */
#include "driver_threads.h"

#include <string.h>
#include <time.h>

unsigned threads_scale(void)
{
    const char *full = getenv("WEDR_TEST_FULL"); /* NOLINT(concurrency-mt-unsafe) */

    return full && strcmp(full, "1") == 0 ? 20 : 1;
}

static void *run(void *arg)
{
    struct thread *t = arg;

    t->run(t->arg);
    return NULL;
}

void thread_start(struct thread *t, void (*fn)(void *arg), void *arg)
{
    t->run = fn;
    t->arg = arg;
    CHECK(pthread_create(&t->id, NULL, run, t) == 0);
}

void thread_join(struct thread *t)
{
    CHECK(pthread_join(t->id, NULL) == 0);
}

void thread_sleep_us(unsigned us)
{
    const struct timespec t = {.tv_nsec = (long)us * 1000};

    (void)nanosleep(&t, NULL);
}
