/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/host_fault.c — calls that fail, hooks, and text. */
#include "sim.h"
#include <string.h>

#define INSUFFICIENT_RESOURCES ((int32_t)0xc000009a)

struct sim_call sim_calls[SIM_CALLS] = {
#define CALL(n, irql, f) {.name = #n, .irql_max = (irql), .fails = (f)},
#define CALL_DONE(n, irql, f) {.name = #n, .irql_max = (irql), .fails = (f), .has_done = true},
#include "calls.def"
#undef CALL
#undef CALL_DONE
    {.name = "wedr_seh_copy", .irql_max = 1, .fails = true},
};

static _Atomic uint64_t points;
static _Atomic uint64_t fail_at; /* 0: none */
static const char *_Atomic fault_name;

struct sim_call *sim_call_find(const char *name)
{
    for (unsigned i = 0; i < SIM_CALLS; i++) {
        if (strcmp(sim_calls[i].name, name) == 0) {
            return &sim_calls[i];
        }
    }
    return NULL;
}

static struct sim_call *find(const char *name)
{
    struct sim_call *c = sim_call_find(name);

    if (!c) {
        sim_die(name);
    }
    return c;
}

void sim_call_irql(enum sim_call_id id)
{
    sim_violation(SIM_RULE_irql_too_high, "%s at IRQL %u", sim_calls[id].name, sim_self.irql);
}

void sim_call_hook(enum sim_call_id id, unsigned which)
{
    sim_hook_fn fn = atomic_load(&sim_calls[id].hook[which]);

    if (fn && !sim_self.in_hook) {
        sim_self.in_hook = true;
        fn(atomic_load(&sim_calls[id].hook_arg[which]));
        sim_self.in_hook = false;
    }
}

int32_t sim_fault(enum sim_call_id id)
{
    struct sim_call *c = &sim_calls[id];
    uint64_t n = atomic_fetch_add_explicit(&points, 1, memory_order_relaxed) + 1;
    int32_t status = 0;

    if (n == atomic_load_explicit(&fail_at, memory_order_relaxed)) {
        atomic_store(&fault_name, c->name);
        return INSUFFICIENT_RESOURCES;
    }
    if (!atomic_load_explicit(&c->armed, memory_order_acquire)) {
        return 0;
    }
    sim_lock(SIM_LOCK_FAULT);
    if (c->skip > 0) {
        c->skip--;
    } else if (c->times > 0) {
        c->times--;
        status = c->status;
        if (c->times == 0) {
            atomic_store(&c->armed, false);
        }
    }
    sim_unlock(SIM_LOCK_FAULT);
    return status;
}

void ntsim_fail_nth(uint64_t n)
{
    atomic_store(&points, 0);
    atomic_store(&fault_name, NULL);
    atomic_store(&fail_at, n);
}

uint64_t ntsim_fault_points(void)
{
    return atomic_load(&points);
}

bool ntsim_fault_hit(void)
{
    return atomic_load(&fault_name) != NULL;
}

const char *ntsim_fault_name(void)
{
    return atomic_load(&fault_name);
}

void ntsim_fail(const char *function, unsigned skip, unsigned times, int32_t status)
{
    struct sim_call *c = find(function);

    if (!c->fails) {
        sim_die("ntsim_fail: that one cannot fail");
    }
    sim_lock(SIM_LOCK_FAULT);
    c->skip = skip;
    c->times = times;
    c->status = status ? status : INSUFFICIENT_RESOURCES;
    sim_unlock(SIM_LOCK_FAULT);
    atomic_store(&c->armed, times > 0);
}

void ntsim_hide(const char *function)
{
    atomic_store(&find(function)->hidden, true);
}

void ntsim_faults_clear(void)
{
    ntsim_fail_nth(0);
    for (unsigned i = 0; i < SIM_CALLS; i++) {
        atomic_store(&sim_calls[i].armed, false);
        atomic_store(&sim_calls[i].hidden, false);
    }
}

uint64_t ntsim_calls(const char *function)
{
    return atomic_load(&find(function)->count);
}

void ntsim_hook(const char *point, void (*fn)(void *arg), void *arg)
{
    const char *dot = strchr(point, '.');
    size_t len = dot ? (size_t)(dot - point) : strlen(point);
    unsigned which = dot ? 1 : 0;

    for (unsigned i = 0; i < SIM_CALLS; i++) {
        struct sim_call *c = &sim_calls[i];

        if (strncmp(c->name, point, len) == 0 && c->name[len] == '\0' && (!dot || c->has_done)) {
            atomic_store(&c->hook_arg[which], arg);
            atomic_store(&c->hook[which], fn);
            return;
        }
    }
    sim_die(point);
}

void sim_faults_reset(void)
{
    ntsim_faults_clear();
    for (unsigned i = 0; i < SIM_CALLS; i++) {
        atomic_store(&sim_calls[i].hook[0], NULL);
        atomic_store(&sim_calls[i].hook[1], NULL);
        atomic_store(&sim_calls[i].count, 0);
    }
}

/* ---- text -------------------------------------------------------------------------------------
 */

uint16_t sim_upcase(uint16_t c)
{
    if (c < 0x80u) {
        return c >= 'a' && c <= 'z' ? (uint16_t)(c - 32u) : c;
    }
    if ((c >= 0xe0u && c <= 0xfeu && c != 0xf7u) || (c >= 0x3b1u && c <= 0x3c9u && c != 0x3c2u) ||
        (c >= 0x430u && c <= 0x44fu)) {
        return (uint16_t)(c - 32u);
    }
    if (c == 0xffu) {
        return 0x178u;
    }
    return c >= 0x450u && c <= 0x45fu ? (uint16_t)(c - 80u) : c;
}

bool sim_text_equal(struct ntsim_text a, struct ntsim_text b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len / 2u; i++) {
        if (a.units[i] != b.units[i] && sim_upcase(a.units[i]) != sim_upcase(b.units[i])) {
            return false;
        }
    }
    return true;
}

struct ntsim_text sim_text_dup(struct ntsim_text t)
{
    if (t.present && t.units) {
        t.units = sim_dup(t.units, t.len);
    }
    return t;
}

bool sim_text_is_ascii(struct ntsim_text t, const char *ascii)
{
    size_t n = strlen(ascii);

    if (t.len != n * 2u) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (t.units[i] != (unsigned char)ascii[i]) {
            return false;
        }
    }
    return true;
}
