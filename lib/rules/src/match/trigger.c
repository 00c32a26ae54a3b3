/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/trigger.c — the cheapest atoms without one of which an expression cannot be true.
 */
#include "core/base/err.h"
#include "match/engine.h"
#include "match/literal.h"
#include <string.h>

static const char *const common[] = {
    "c:\\windows\\system32\\",
    "c:\\windows\\syswow64\\",
    "c:\\program files (x86)\\",
    "c:\\program files\\",
    "c:\\programdata\\",
    "c:\\users\\",
    "\\appdata\\local\\",
    "\\appdata\\roaming\\",
    "\\powershell.exe",
    "\\cmd.exe",
    "\\svchost.exe",
    "\\explorer.exe",
    "\\services.exe",
    "\\rundll32.exe",
    ".dll",
    "nt authority\\system",
    "microsoft corporation",
    "microsoft-windows-",
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/lib/",
    "/usr/local/bin/",
    "/bin/bash",
    "/bin/sh",
    "/tmp/",
    "/home/",
    "/etc/",
    "https://",
    "http://",
    "hklm\\system\\currentcontrolset\\",
    "hklm\\software\\microsoft\\windows\\currentversion\\",
};

const char *wedr_literal_common(size_t index)
{
    return index < WEDR_ARRAY_COUNT(common) ? common[index] : NULL;
}

static bool is_common(struct wedr_text t)
{
    for (size_t i = 0; t.len > 0 && i < WEDR_ARRAY_COUNT(common); i++) {
        size_t len = strlen(common[i]);
        for (size_t at = 0; at + t.len <= len; at++) {
            if (common[i][at] == t.p[0] && memcmp(common[i] + at, t.p, t.len) == 0) {
                return true;
            }
        }
    }
    return false;
}

uint32_t wedr_literal_cost(struct wedr_text folded, uint8_t pred_kind)
{
    /* Bytes of a text -> how often it is met; the longer the rarer. */
    static const uint32_t by_length[] = {100000, 20000, 8000, 3000, 1200, 600,
                                         350,    220,   150,  110,  80,   60};
    uint32_t cost = folded.len < WEDR_ARRAY_COUNT(by_length) ? by_length[folded.len] : 40;
    if (folded.len > 20) {
        cost = 20;
    }
    if (pred_kind == WEDR_PRED_EQUALS) {
        return cost / 2 < 400 ? cost / 2 : 400;
    }
    if (cost < 4000 && is_common(folded)) {
        cost = 4000;
    }
    return pred_kind == WEDR_PRED_CONTAINS ? cost : cost / 2;
}

static uint32_t sum(uint32_t a, uint32_t b)
{
    if (a == WEDR_COST_NEVER || b == WEDR_COST_NEVER) {
        return WEDR_COST_NEVER;
    }
    return a < WEDR_COST_NEVER - 1 - b ? a + b : WEDR_COST_NEVER - 1;
}

static const uint32_t *kids_of(const struct wedr_builder *b, const struct wedr_x *x)
{
    return wedr_engine_kids(b->e, x);
}

static uint32_t atom_cost(const struct wedr_builder *b, uint32_t atom)
{
    return atom == WEDR_IR_NONE ? WEDR_COST_NEVER : *WEDR_VEC_AT(uint32_t, b->costs, atom);
}

/* The kid of an AND whose set is the cheapest. */
static uint32_t cheapest(const struct wedr_builder *b, const struct wedr_x *x)
{
    uint32_t best = WEDR_IR_NONE;
    uint32_t best_cost = WEDR_COST_NEVER;
    for (uint32_t i = 0; i < x->kid_count; i++) {
        uint32_t cost = wedr_build_cost(b, kids_of(b, x)[i]);
        if (cost < best_cost) {
            best = kids_of(b, x)[i];
            best_cost = cost;
        }
    }
    return best;
}

uint32_t wedr_trigger_cost(const struct wedr_builder *b, uint32_t id)
{
    const struct wedr_x *x = wedr_engine_x(b->e, id);
    uint32_t cost = 0;
    switch (x->kind) {
    case WEDR_X_FALSE:
        return 0;
    case WEDR_X_ATOM:
        return atom_cost(b, x->arg);
    case WEDR_X_RESIDUAL:
        return atom_cost(b, WEDR_VEC_AT(struct wedr_residual, b->e->residuals, x->arg)->gate);
    case WEDR_X_AND: {
        uint32_t kid = cheapest(b, x);
        return kid == WEDR_IR_NONE ? WEDR_COST_NEVER : wedr_build_cost(b, kid);
    }
    case WEDR_X_OR:
    case WEDR_X_AT_LEAST: /* one of all kids will do */
        for (uint32_t i = 0; i < x->kid_count; i++) {
            cost = sum(cost, wedr_build_cost(b, kids_of(b, x)[i]));
        }
        return cost;
    default:
        return WEDR_COST_NEVER;
    }
}

int wedr_build_trigger(struct wedr_builder *b, uint32_t id, uint32_t effect)
{
    const struct wedr_x *x = wedr_engine_x(b->e, id);
    struct wedr_edge edge = {.effect = effect};
    int r = WEDR_OK;
    switch (x->kind) {
    case WEDR_X_ATOM:
        edge.atom = x->arg;
        return wedr_vec_push(&b->tmp, &b->edges, &edge, 1, sizeof(edge));
    case WEDR_X_RESIDUAL:
        edge.atom = WEDR_VEC_AT(struct wedr_residual, b->e->residuals, x->arg)->gate;
        return wedr_vec_push(&b->tmp, &b->edges, &edge, 1, sizeof(edge));
    case WEDR_X_AND:
        return wedr_build_trigger(b, cheapest(b, x), effect);
    default:
        for (uint32_t i = 0; r == WEDR_OK && i < x->kid_count; i++) {
            r = wedr_build_trigger(b, kids_of(b, x)[i], effect);
        }
        return r;
    }
}
