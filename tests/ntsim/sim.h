/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/sim.h — what the two sides of the simulator share: nt_*.c, which see the NT headers,
 * and host_*.c, which see the C library. Plain C. */
#pragma once

#include "ntsim.h"
#include <stdatomic.h>

/* ---- rules and calls ---------------------------------------------------------------------------
 */

enum sim_rule {
#define RULE(id, name, text) SIM_RULE_##id,
#include "rules.def"
#undef RULE
    SIM_RULES
};

/* Reports; returns when a recorder is there. */
__attribute__((format(printf, 2, 3))) void sim_violation(enum sim_rule rule, const char *fmt, ...);

enum sim_call_id {
#define CALL(name, irql, fails) SIM_CALL_##name,
#define CALL_DONE CALL
#include "calls.def"
#undef CALL
#undef CALL_DONE
    SIM_CALL_wedr_seh_copy,
    SIM_CALLS
};

typedef void (*sim_hook_fn)(void *arg);
struct sim_call {
    const char *name;
    uint8_t irql_max;
    bool fails;
    bool has_done;
    _Atomic(sim_hook_fn) hook[2]; /* at the start; .done */
    void *_Atomic hook_arg[2];
    _Atomic uint64_t count;
    atomic_bool hidden;
    atomic_bool armed; /* one of its calls is to fail: look at the rest under SIM_LOCK_FAULT */
    unsigned skip, times;
    int32_t status;
};
extern struct sim_call sim_calls[SIM_CALLS];

void sim_call_irql(enum sim_call_id id);
void sim_call_hook(enum sim_call_id id, unsigned which);
int32_t sim_fault(enum sim_call_id id); /* 0, or the status to fail with */
/* By name; NULL. */
struct sim_call *sim_call_find(const char *name);
void sim_faults_reset(void);

/* ---- threads of the host ------------------------------------------------------------------------
 */

#define SIM_HELD_MAX 8u
struct sim_held {
    void *lock;
    void *handle; /* NULL: not a queued lock */
    uint8_t old_irql;
};
struct sim_user { /* user memory of the operation that is being reported */
    const uint8_t *base;
    size_t len;  /* bytes that are there */
    size_t size; /* bytes that are claimed */
    struct sim_user *next;
};
struct sim_self {
    uint8_t irql;
    bool in_hook;
    unsigned held_count;
    unsigned regions;   /* critical regions entered */
    unsigned callbacks; /* depth */
    void *callback[8];  /* the slots that this thread is inside */
    struct sim_held held[SIM_HELD_MAX];
    struct sim_user *user;
    struct ntsim_thread *current;
    uint64_t generation; /* of the simulator, when current was set */
};
extern _Thread_local struct sim_self sim_self;
extern _Atomic uint64_t sim_generation;

static inline void sim_enter(enum sim_call_id id)
{
    struct sim_call *c = &sim_calls[id];

    atomic_fetch_add_explicit(&c->count, 1, memory_order_relaxed);
    if (sim_self.irql > c->irql_max) {
        sim_call_irql(id);
    }
    if (atomic_load_explicit(&c->hook[0], memory_order_acquire)) {
        sim_call_hook(id, 0);
    }
}

static inline void sim_leave(enum sim_call_id id)
{
    if (atomic_load_explicit(&sim_calls[id].hook[1], memory_order_acquire)) {
        sim_call_hook(id, 1);
    }
}
#define SIM_ENTER(name) sim_enter(SIM_CALL_##name)
#define SIM_LEAVE(name) sim_leave(SIM_CALL_##name)
#define SIM_FAULT(name) sim_fault(SIM_CALL_##name)

/* ---- the host
 * ------------------------------------------------------------------------------------- */

enum sim_lock_id {
    SIM_LOCK_FAULT,
    SIM_LOCK_POOL,
    SIM_LOCK_IO, /* devices, links, files */
    SIM_LOCK_IRP,
    SIM_LOCK_PS,
    SIM_LOCK_CALLBACK,
    SIM_LOCK_CM,
    SIM_LOCK_REGISTRY,
    SIM_LOCK_HANDLE,
    SIM_LOCKS
};
void sim_lock(enum sim_lock_id id);
void sim_unlock(enum sim_lock_id id);

void *sim_alloc(size_t len); /* stops the program when there is no memory */
void *sim_zalloc(size_t len);
void sim_free(void *p);
void *sim_dup(const void *p, size_t len);
/* Whole pages, zeroed, which cost nothing until they are touched; gone at once when unmapped. */
void *sim_map(size_t len);
void sim_unmap(void *p, size_t len);
/* Copy of a text for the driver: paged while ntsim_page_texts is on. */
void *sim_paged_dup(const void *p, size_t len);
void sim_paged_free(void *text);
/* The first lock of the thread is taken, the last one released. */
void sim_pages_hide(bool hide);
/* Of the address sanitizer; nothing without it. */
void sim_poison(void *p, size_t len);
void sim_unpoison(void *p, size_t len);
/* Frees later, and reports with the rule when someone wrote into it until then. At once under the
 * address sanitizer, which sees that better. */
void sim_retire(void *p, size_t len, enum sim_rule rule);
void sim_retire_flush(void);

void sim_yield(void);
void sim_sleep_us(unsigned us);
uint64_t sim_clock_ms(void); /* of the host, monotonic */
/* Until *flag; false after timeout_ms. */
bool sim_wait(atomic_bool *flag, unsigned timeout_ms);
void sim_wake(void); /* some flag changed */

__attribute__((noreturn)) void sim_die(const char *why); /* a fault of the test */

/* Folds ASCII, Latin-1, Greek and Cyrillic to upper case; the rest as it is. */
uint16_t sim_upcase(uint16_t c);
bool sim_text_equal(struct ntsim_text a, struct ntsim_text b); /* without case */
struct ntsim_text sim_text_dup(struct ntsim_text t);
bool sim_text_is_ascii(struct ntsim_text t, const char *ascii);
