/* SPDX-License-Identifier: Apache-2.0
 * rules/src/corr/state.h — inside of the correlation state. Windows and entries are indexes into
 * two arrays. */
#pragma once

#include "match/engine.h"
#include "wedr/rules/correlate.h"

#define WEDR_CORRELATE_MAGIC 0x57434f52u
#define WEDR_CORR_NONE UINT32_MAX
#define WEDR_CORR_KEY_MAX 192u    /* bytes of group values kept as text */
#define WEDR_CORR_VALUES_MAX 16u  /* values of one event that a value count looks at */
#define WEDR_CORR_LATE_MAX 8u     /* late events in a row after which a window begins anew */
#define WEDR_CORR_STEPS_MAX 4096u /* of one search for joined events */

struct wedr_corr_entry {
    uint32_t older, newer; /* in the window; newer is the next free one in the free list */
    uint8_t member;
    int64_t time_us;
    uint64_t ref, seq; /* seq: number of the feed */
    uint64_t value;    /* VALUE_COUNT: hash of the value */
};

struct wedr_corr_window {
    uint32_t kind_of;                    /* correlation; WEDR_CORR_NONE: free */
    uint32_t chain;                      /* next in the bucket or in the free list */
    uint32_t less_used, more_used;       /* of all windows */
    uint32_t less_used_of, more_used_of; /* of this correlation */
    uint32_t oldest, newest;             /* entries */
    uint32_t count;
    uint32_t late;     /* events in a row that were too old */
    int64_t newest_us; /* INT64_MIN: none yet */
    uint64_t seq;      /* of the last feed that came here */
    uint64_t key_hash;
    uint16_t key_len;
    char key[WEDR_CORR_KEY_MAX]; /* per group-by field: length (2 bytes), text */
};

/* What is known about a correlation beforehand. */
struct wedr_corr_kind {
    const struct wedr_correlation *c;
    bool on;
    uint64_t seed; /* of the hashes of its windows: the same for the same rule id */
    int64_t span_us;
    uint32_t entries_max;
    uint32_t least_used, most_used; /* windows */
    uint64_t members;               /* bits: matched in this feed */
    uint64_t negated;               /* bits: members below a `not` */
    uint64_t needed;                /* bits: members without which a pattern cannot hold */
};

struct wedr_corr_membership {
    uint32_t correlation, member;
};

struct wedr_correlate {
    uint32_t magic;
    const struct wedr_engine *e;
    struct wedr_correlate_limits limits;
    struct wedr_corr_kind *kinds;
    uint32_t kind_count;
    uint64_t *pending;      /* bits of kinds */
    uint32_t *member_first; /* by rule, and one more */
    struct wedr_corr_membership *memberships;
    struct wedr_corr_window *windows;
    uint32_t *buckets;
    uint32_t bucket_mask;
    uint32_t free_window, least_used, most_used;
    struct wedr_corr_entry *entries;
    uint32_t free_entry;
    uint32_t fresh_windows, fresh_entries; /* what was never used begins here */
    uint64_t *joins; /* WEDR_IR_JOIN_SIDES_MAX hashes by entry; NULL when no correlation joins */
    uint64_t *evidence;
    uint32_t sweep;
    uint64_t seq;
    int64_t now_us; /* of the event at hand */
    struct wedr_correlate_stats stats;
};

/* --- window.c */
uint64_t wedr_corr_hash(struct wedr_text t, uint64_t seed);
/* First value of a field that is not null; false when there is none. */
bool wedr_corr_first(struct wedr_rule_event *ev, uint32_t field, struct wedr_text *ret_text);
void wedr_corr_windows_init(struct wedr_correlate *c);
/* The window of that correlation for the group of ev as member sees it, made when there is none;
 * WEDR_CORR_NONE when a group value is missing. It becomes the most recently used one. */
uint32_t wedr_corr_window(struct wedr_correlate *c,
                          uint32_t kind,
                          uint32_t member,
                          struct wedr_rule_event *ev);
/* The same window for a correlation that goes on with another's: no entries yet. */
uint32_t
wedr_corr_window_like(struct wedr_correlate *c, uint32_t kind, const struct wedr_corr_window *like);
/* An entry behind the newest; the caller fills it. */
uint32_t wedr_corr_append(struct wedr_correlate *c, uint32_t window);
/* Puts an entry at its place in time and gives back those that are too old or too many.
 * WEDR_CORR_NONE when it is late. */
uint32_t wedr_corr_add(struct wedr_correlate *c, uint32_t window, int64_t time_us);
void wedr_corr_remove(struct wedr_correlate *c, uint32_t window, uint32_t entry);
/* Empties a window; it stays. */
void wedr_corr_clear(struct wedr_correlate *c, uint32_t window);
/* Windows whose newest entry ran out of time. */
void wedr_corr_expire(struct wedr_correlate *c, uint32_t kind);

/* --- search.c */
/* Field of the n-th join side of a member, and the slot that its hash has in an entry. */
uint32_t wedr_corr_join_slot(const struct wedr_correlation *c, uint32_t member, uint32_t field);
void wedr_corr_note_joins(struct wedr_correlate *c,
                          uint32_t window,
                          uint32_t entry,
                          struct wedr_rule_event *ev);
/* PATTERN: whether entries can be chosen, one of this feed among them, so that expression, joins
 * and order hold. chosen: by member, WEDR_CORR_NONE where none. */
bool wedr_corr_search(struct wedr_correlate *c, uint32_t window, uint32_t *chosen);
uint64_t wedr_corr_negated(const struct wedr_ruleset *rs, const struct wedr_correlation *c);
uint64_t wedr_corr_needed(const struct wedr_ruleset *rs, const struct wedr_correlation *c);
