/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/host_os.c — memory, locks, waiting and reporting, out of the C library. */
#define _GNU_SOURCE
#include "sim.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#if defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define SIM_ASAN 1
#    endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(SIM_ASAN)
#    include <sanitizer/asan_interface.h>
#    undef SIM_ASAN
#    define SIM_ASAN 1
#else
#    define SIM_ASAN 0
#endif

_Thread_local struct sim_self sim_self;
_Atomic uint64_t sim_generation = 1;

/* ---- violations -------------------------------------------------------------------------------
 */

static const char *const rule_names[SIM_RULES] = {
#define RULE(id, name, text) name,
#include "rules.def"
#undef RULE
};
static const char *const rule_texts[SIM_RULES] = {
#define RULE(id, name, text) text,
#include "rules.def"
#undef RULE
};

static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;
static ntsim_violation_fn report_fn;
static void *report_arg;
static bool recording;
static unsigned recorded[SIM_RULES];
static unsigned recorded_all;

void ntsim_on_violation(ntsim_violation_fn fn, void *arg)
{
    pthread_mutex_lock(&report_lock);
    recording = false;
    report_fn = fn;
    report_arg = arg;
    pthread_mutex_unlock(&report_lock);
}

void ntsim_record(void)
{
    ntsim_on_violation(NULL, NULL);
    ntsim_forget();
    pthread_mutex_lock(&report_lock);
    recording = true;
    pthread_mutex_unlock(&report_lock);
}

void ntsim_forget(void)
{
    pthread_mutex_lock(&report_lock);
    memset(recorded, 0, sizeof(recorded));
    recorded_all = 0;
    pthread_mutex_unlock(&report_lock);
}

unsigned ntsim_violations(void)
{
    pthread_mutex_lock(&report_lock);
    unsigned n = recorded_all;
    pthread_mutex_unlock(&report_lock);
    return n;
}

unsigned ntsim_violated(const char *rule)
{
    for (unsigned i = 0; i < SIM_RULES; i++) {
        if (strcmp(rule_names[i], rule) == 0) {
            pthread_mutex_lock(&report_lock);
            unsigned n = recorded[i];
            pthread_mutex_unlock(&report_lock);
            return n;
        }
    }
    sim_die("no such rule");
}

const char *ntsim_rule(unsigned index)
{
    return index < SIM_RULES ? rule_names[index] : NULL;
}

void sim_violation(enum sim_rule rule, const char *fmt, ...)
{
    char text[512];
    va_list args;
    size_t at;

    at = (size_t)snprintf(text, sizeof(text), "%s: ", rule_texts[rule]);
    va_start(args, fmt);
    vsnprintf(text + at, sizeof(text) - at, fmt, args);
    va_end(args);

    pthread_mutex_lock(&report_lock);
    ntsim_violation_fn fn = report_fn;
    void *arg = report_arg;
    bool only_count = recording;
    if (recording) {
        recorded[rule]++;
        recorded_all++;
    }
    pthread_mutex_unlock(&report_lock);
    if (only_count) {
        return;
    }
    if (fn) {
        fn(rule_names[rule], text, arg);
        return;
    }
    fflush(stdout);
    fprintf(stderr, "\nntsim: rule %s broken: %s\n", rule_names[rule], text);
    fflush(stderr);
    abort();
}

void sim_die(const char *why)
{
    fflush(stdout);
    fprintf(stderr, "\nntsim: used wrongly: %s\n", why);
    abort();
}

/* ---- memory
 * -------------------------------------------------------------------------------------- */

void *sim_alloc(size_t len)
{
    void *p = malloc(len);

    if (!p) {
        sim_die("no memory");
    }
    return p;
}

void *sim_zalloc(size_t len)
{
    void *p = calloc(1, len);

    if (!p) {
        sim_die("no memory");
    }
    return p;
}

void sim_free(void *p)
{
    free(p);
}

void *sim_dup(const void *p, size_t len)
{
    void *copy = sim_alloc(len);

    if (len > 0) {
        memcpy(copy, p, len);
    }
    return copy;
}

void *sim_map(size_t len)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        sim_die("no memory");
    }
    return p;
}

void sim_unmap(void *p, size_t len)
{
    munmap(p, len);
}

void sim_poison(void *p, size_t len)
{
#if SIM_ASAN
    __asan_poison_memory_region(p, len);
#else
    (void)p;
    (void)len;
#endif
}

void sim_unpoison(void *p, size_t len)
{
#if SIM_ASAN
    __asan_unpoison_memory_region(p, len);
#else
    (void)p;
    (void)len;
#endif
}

#if SIM_ASAN
void sim_retire(void *p, size_t len, enum sim_rule rule)
{
    (void)len;
    (void)rule;
    free(p);
}

void sim_retire_flush(void)
{
}
#else
#    define RETIRED_MAX 64u
#    define RETIRED_BYTES 1024u /* of each are watched */
#    define RETIRED_FILL 0xddu

static struct retired {
    uint8_t *p;
    size_t len;
    enum sim_rule rule;
} retired[RETIRED_MAX];
static unsigned retired_at;
static pthread_mutex_t retired_lock = PTHREAD_MUTEX_INITIALIZER;

static void retired_end(const struct retired *r)
{
    for (size_t i = 0; i < r->len; i++) {
        if (r->p[i] != RETIRED_FILL) {
            sim_violation(r->rule, "byte %zu of %p", i, (void *)r->p);
            break;
        }
    }
    free(r->p);
}

void sim_retire(void *p, size_t len, enum sim_rule rule)
{
    struct retired old;

    if (len > RETIRED_BYTES) {
        len = RETIRED_BYTES;
    }
    memset(p, RETIRED_FILL, len);
    pthread_mutex_lock(&retired_lock);
    struct retired *slot = &retired[retired_at++ % RETIRED_MAX];
    old = *slot;
    *slot = (struct retired){p, len, rule};
    pthread_mutex_unlock(&retired_lock);
    if (old.p) {
        retired_end(&old);
    }
}

void sim_retire_flush(void)
{
    for (unsigned i = 0; i < RETIRED_MAX; i++) {
        pthread_mutex_lock(&retired_lock);
        struct retired old = retired[i];
        retired[i].p = NULL;
        pthread_mutex_unlock(&retired_lock);
        if (old.p) {
            retired_end(&old);
        }
    }
}
#endif

/* ---- locks, waiting
 * -------------------------------------------------------------------------------- */

static pthread_mutex_t locks[SIM_LOCKS] = {[0 ... SIM_LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER};

void sim_lock(enum sim_lock_id id)
{
    pthread_mutex_lock(&locks[id]);
}

void sim_unlock(enum sim_lock_id id)
{
    pthread_mutex_unlock(&locks[id]);
}

void sim_yield(void)
{
    sched_yield();
}

void sim_sleep_us(unsigned us)
{
    struct timespec t = {us / 1000000u, (long)(us % 1000000u) * 1000};

    nanosleep(&t, NULL);
}

uint64_t sim_clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static pthread_mutex_t wait_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wait_cond = PTHREAD_COND_INITIALIZER;
static atomic_uint waiters;

bool sim_wait(atomic_bool *flag, unsigned timeout_ms)
{
    struct timespec until;
    int rc = 0;

    if (atomic_load(flag)) {
        return true;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000u;
    until.tv_nsec += (long)(timeout_ms % 1000u) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&wait_lock);
    atomic_fetch_add(&waiters, 1);
    while (!atomic_load(flag) && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&wait_cond, &wait_lock, &until);
    }
    atomic_fetch_sub(&waiters, 1);
    pthread_mutex_unlock(&wait_lock);
    return atomic_load(flag);
}

void sim_wake(void)
{
    if (atomic_load(&waiters) > 0) {
        pthread_mutex_lock(&wait_lock);
        pthread_cond_broadcast(&wait_cond);
        pthread_mutex_unlock(&wait_lock);
    }
}
