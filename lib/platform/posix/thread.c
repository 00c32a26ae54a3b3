/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/thread.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/fs.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct wedr_thread {
    pthread_t id;
    void (*fn)(void *arg);
    void *arg;
    char name[16];
};

struct wedr_mutex {
    pthread_mutex_t m;
};

struct wedr_cond {
    pthread_cond_t c;
};

static void *thread_main(void *p)
{
    struct wedr_thread *t = (struct wedr_thread *)p;
    (void)pthread_setname_np(pthread_self(), t->name);
    t->fn(t->arg);
    return NULL;
}

/* Everything but the signals a thread raises itself by a fault: those must reach a handler that
 * reports them. */
static void async_signals(sigset_t *set)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    (void)sigfillset(set);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(faults); i++) {
        (void)sigdelset(set, faults[i]);
    }
}

int wedr_thread_new(struct wedr_thread **ret_t, const char *name, void (*fn)(void *arg), void *arg)
{
    struct wedr_thread *t = wedr_alloc(1, sizeof(*t));
    sigset_t blocked;
    sigset_t before;
    if (t == NULL) {
        return WEDR_E_NOMEM;
    }
    t->fn = fn;
    t->arg = arg;
    (void)snprintf(t->name, sizeof(t->name), "%s", name);
    async_signals(&blocked);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before); /* inherited by the new thread */
    int e = pthread_create(&t->id, NULL, thread_main, t);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e != 0) {
        wedr_free(t);
        return e == EAGAIN ? WEDR_E_LIMIT : wedr_err_from_os(e);
    }
    *ret_t = t;
    return WEDR_OK;
}

void wedr_thread_join(struct wedr_thread *t)
{
    if (t != NULL) {
        (void)pthread_join(t->id, NULL);
        wedr_free(t);
    }
}

struct wedr_mutex *wedr_mutex_new(void)
{
    struct wedr_mutex *m = wedr_alloc(1, sizeof(*m));
    if (m != NULL && pthread_mutex_init(&m->m, NULL) != 0) {
        wedr_free(m);
        return NULL;
    }
    return m;
}

void wedr_mutex_free(struct wedr_mutex *m)
{
    if (m != NULL) {
        (void)pthread_mutex_destroy(&m->m);
        wedr_free(m);
    }
}

void wedr_mutex_lock(struct wedr_mutex *m)
{
    (void)pthread_mutex_lock(&m->m);
}

void wedr_mutex_unlock(struct wedr_mutex *m)
{
    (void)pthread_mutex_unlock(&m->m);
}

struct wedr_cond *wedr_cond_new(void)
{
    pthread_condattr_t attr;
    struct wedr_cond *c = wedr_alloc(1, sizeof(*c));
    if (c == NULL || pthread_condattr_init(&attr) != 0) {
        wedr_free(c);
        return NULL;
    }
    /* The monotonic clock, so that a clock jump neither shortens nor lengthens a wait. */
    int e = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (e == 0) {
        e = pthread_cond_init(&c->c, &attr);
    }
    (void)pthread_condattr_destroy(&attr);
    if (e != 0) {
        wedr_free(c);
        return NULL;
    }
    return c;
}

void wedr_cond_free(struct wedr_cond *c)
{
    if (c != NULL) {
        (void)pthread_cond_destroy(&c->c);
        wedr_free(c);
    }
}

void wedr_cond_signal(struct wedr_cond *c)
{
    (void)pthread_cond_signal(&c->c);
}

void wedr_cond_broadcast(struct wedr_cond *c)
{
    (void)pthread_cond_broadcast(&c->c);
}

bool wedr_cond_wait(struct wedr_cond *c, struct wedr_mutex *m, uint32_t timeout_ms)
{
    struct timespec until = {0, 0};
    if (timeout_ms == UINT32_MAX) {
        (void)pthread_cond_wait(&c->c, &m->m);
        return true;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000u);
    until.tv_nsec += (long)(timeout_ms % 1000u) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return pthread_cond_timedwait(&c->c, &m->m, &until) != ETIMEDOUT;
}

/* Linux has a nice value per thread; 0 means the calling one. A refusal changes nothing. */
void wedr_thread_background(void)
{
    (void)setpriority(PRIO_PROCESS, 0, 10);
}

/* ioprio_set has no wrapper: who 1 is a process or thread, class 2 the usual one, its level 7. */
void wedr_thread_idle(void)
{
    (void)setpriority(PRIO_PROCESS, 0, 19);
    (void)syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 7);
}

int wedr_cpu_count(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (int)n;
}
