/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/detect/throttle.h — how many alerts one rule may raise for one entity within a
 * time; what is held back is counted and told later, never forgotten. Bounded: the pair that was
 * seen longest ago goes, and what it held back is told then. All memory is taken at new. One
 * thread.
 */
#pragma once

#include "core/base/attr.h"
#include "detect/sighting.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_THROTTLE_DEFAULT 4096u    /* pairs of rule and entity */
#define WEDR_THROTTLE_ALERTS 20u       /* of a rule that says nothing: so many alerts ... */
#define WEDR_THROTTLE_WINDOW_MS 60000u /* ... within this time */
#define WEDR_ENTITY_MAX 160u           /* bytes of the entity's text, with NUL */

/* A pair of rule and entity. */
struct wedr_throttle_entry {
    uint8_t key[16]; /* of the rule's id and the entity's text */
    uint32_t rule;   /* index in the rules at work */
    uint32_t sent;   /* alerts of this window ... */
    uint32_t count;  /* ... of so many */
    uint64_t since_ms, window_ms;
    uint64_t suppressed;       /* since the last alert */
    struct wedr_sighting last; /* of the newest one that was held back */
    char entity[WEDR_ENTITY_MAX];
    uint32_t chain, newer, older; /* inside of the table */
};

struct wedr_throttle;

/* Tells what an entry held back; then it holds nothing back. False: not now. With
 * last the entry goes (its place is needed, its rule is gone): it has to be kept elsewhere. */
typedef bool wedr_throttle_tell_fn(void *ctx, const struct wedr_throttle_entry *entry, bool last);

/* NULL when out of memory. tell is kept. */
WEDR_MUST_USE struct wedr_throttle *
wedr_throttle_new(uint32_t max, wedr_throttle_tell_fn *tell, void *ctx);
void wedr_throttle_free(struct wedr_throttle *t); /* NULL is allowed */

struct wedr_throttle_ask {
    const char *rule_id;
    size_t rule_id_len;
    uint32_t rule;
    const char *entity; /* shorter than WEDR_ENTITY_MAX */
    uint32_t count;     /* so many alerts ... */
    uint64_t window_ms; /* ... within this time; count 0: the defaults */
    uint64_t now_ms;    /* monotonic */
    struct wedr_sighting s;
};
/* True: raise the alert, *ret_suppressed were held back before it. False: held back, counted. */
WEDR_MUST_USE bool wedr_throttle_pass(struct wedr_throttle *t,
                                      const struct wedr_throttle_ask *ask,
                                      uint64_t *ret_suppressed);
/* The alert that had passed was not raised: it counts as held back, with what it would have told,
 * and has not used up anything of its window. */
void wedr_throttle_take_back(struct wedr_throttle *t,
                             const struct wedr_throttle_ask *ask,
                             uint64_t suppressed);
/* Tells what was held back by entries whose time is over or which may still raise something; all:
 * by every one. Stops at the first that cannot be told now, and goes on behind it the next time. */
void wedr_throttle_tick(struct wedr_throttle *t, uint64_t now_ms, bool all);
/* Before other rules are at work: rules have other indexes there. WEDR_THROTTLE_RULE_GONE: what it
 * held back is told now, while the old rules are still there. */
#define WEDR_THROTTLE_RULE_GONE UINT32_MAX
typedef uint32_t wedr_throttle_rule_fn(void *ctx, uint32_t old_rule);
void wedr_throttle_rules(struct wedr_throttle *t, wedr_throttle_rule_fn *fn, void *ctx);
uint32_t wedr_throttle_count(const struct wedr_throttle *t);
