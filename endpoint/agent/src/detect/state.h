/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/detect/state.h — inside of detection: one structure, and the parts that work
 * on it. detect.c shows events to the rules, raise.c makes alerts of what matched, kills.c keeps
 * what is to be ended.
 */
#pragma once

#include "detect/alert.h"
#include "detect/detect.h"
#include "detect/evidence.h"
#include "detect/outbox.h"
#include "detect/ruleset.h"
#include "detect/throttle.h"
#include "encode/proctree.h"

#define DETECT_RECENT_KILLS 64u
#define DETECT_KILL_AGAIN_MS 10000u /* the same process is not asked for twice within this time */
#define DETECT_TICK_MS 250u
#define DETECT_ROOM (WEDR_OUTBOX_BYTES / 2) /* free before an event is shown */

struct detect_kills {
    struct wedr_detect_kill waiting[WEDR_DETECT_KILLS_MAX];
    size_t count;
    struct {
        uint64_t process_key, asked_ms;
    } recent[DETECT_RECENT_KILLS];
    size_t next_recent;
};

struct wedr_detect {
    struct wedr_encoder *encoder;
    struct wedr_proctree *processes; /* the encoder's */
    struct wedr_throttle *throttle;
    struct wedr_evidence *evidence; /* NULL until rules with windows came */
    struct wedr_alert_builder builder;
    struct wedr_outbox outbox;
    struct wedr_detect_rules *rules;   /* NULL: none */
    struct wedr_detect_rules *leaving; /* not at work any more, but they have something to tell */
    struct detect_kills kills;
    struct wedr_detect_stats stats;
    struct wedr_clock_pair now; /* of the call that is under way */
    uint64_t now_ms;
    uint64_t budget; /* thousandths of alerts that may be raised now */
    uint64_t budget_ms;
    uint64_t ticked_ms;
    bool ending; /* the stream's last words: one alert for each rule that holds something back */
    uint64_t (*mono_ms)(void); /* wedr_time_mono_ms; tests let it jump */
};

/* What matched, on the event that is under way. */
struct detect_match {
    uint32_t rule;
    const char *entity;
    uint64_t count;
    const struct wedr_sighting *s;
    const struct wedr_alert_event *events; /* oldest first */
    size_t event_count;
    const uint32_t *explain; /* single-event rules that matched the event and belong to it */
    size_t explain_count;
};

/* raise.c */
void detect_raise(struct wedr_detect *d, const struct detect_match *m);
/* A wedr_throttle_tell_fn; ctx is the detection. What goes over the budget stays with its entry,
 * or, when that one goes, with its rule. */
bool detect_tell(void *ctx, const struct wedr_throttle_entry *entry, bool last);
/* Adds to what a rule has to tell of entities that nobody remembers. */
void detect_hold(struct wedr_detect_rules *r,
                 uint32_t rule,
                 uint64_t count,
                 const struct wedr_sighting *last);
/* What stays with rules, one alert for each, as the budget allows; all: whatever it allows. Stops
 * where the outbox has no room. */
void detect_tell_held(struct wedr_detect *d, bool all);

/* kills.c: true when it waits now; false when it was asked for a moment ago, or does not fit. */
bool detect_kill(struct wedr_detect *d,
                 const struct wedr_rule *rule,
                 const struct wedr_sighting *s,
                 const char *alert_id);
