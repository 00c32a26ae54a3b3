/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/detect/detect.h — rules over the events of one agent: which events match,
 * which matches become alerts, what waits to be written and to be done about it. The engine shows
 * it every line that it encodes, once, and writes what waits here before it writes the events.
 * Bounds, ids and order: docs/detection.md. No allocation per event. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "encode/encode.h"
#include "spool/spool.h"
#include "wedr/wire/decode.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_DETECT_ALERT_ID_TEXT 33u
#define WEDR_DETECT_RULE_ID_MAX 256u
#define WEDR_DETECT_KILLS_MAX 16u                  /* asked for and not yet handed on */
#define WEDR_DETECT_ALERTS_SECOND 100u             /* of all rules together, in the long run ... */
#define WEDR_DETECT_ALERTS_BURST 1000u             /* ... and at once */
#define WEDR_DETECT_RULESET_MAX ((size_t)64 << 20) /* bytes of a loaded rule set */

struct wedr_detect;
struct wedr_ruleset;
struct wedr_field_map;

/* What stands in the header of a bundle. */
struct wedr_detect_bundle {
    uint64_t serial;
    uint32_t policy; /* enum wedr_bundle_policy */
    char profile[64];
};

/* An event as the engine shows it. */
struct wedr_detect_event {
    const struct wedr_event_view *v;
    const char *line; /* as the encoder wrote it last, with its newline */
    size_t len;
    const char *stream;
    uint64_t epoch;
    struct wedr_clock_pair clock; /* of the record */
};

/* A process that a rule wants ended. */
struct wedr_detect_kill {
    uint32_t pid;
    uint64_t process_key;
    char alert_id[WEDR_DETECT_ALERT_ID_TEXT];
    char rule_id[WEDR_DETECT_RULE_ID_MAX];
};
/* What became of it. */
struct wedr_detect_outcome {
    struct wedr_detect_kill kill;
    uint16_t result; /* a code of the labels RESPONSE_RESULT */
    uint64_t duration_us;
    const char *detail;
};

struct wedr_detect_stats {
    uint64_t serial; /* 0: no rules */
    uint32_t rules;
    uint64_t memory;
    uint64_t events;  /* shown to the rules */
    uint64_t matched; /* (rule, event) pairs and correlations that fired */
    uint64_t alerts, suppressed, over_budget, responses;
    uint64_t windows, windows_evicted;
    uint64_t processes, processes_evicted;
    uint64_t too_large;
    uint64_t swaps;
    uint64_t seq; /* of the stream alert: what it has produced */
};

/* encoder: the engine's, borrowed. Works without rules: processes are remembered from the start. */
WEDR_MUST_USE int wedr_detect_new(struct wedr_encoder *encoder, struct wedr_detect **ret);
void wedr_detect_free(struct wedr_detect *d); /* NULL is allowed */

/* Loads a bundle whose signature was checked by somebody else, and puts it to work in the place of
 * the old one: no event is missed or matched twice, windows and throttles go on where the rule is
 * still there. On failure (as wedr_bundle_load; WEDR_E_LIMIT) everything stays as it is. */
WEDR_MUST_USE int wedr_detect_load(struct wedr_detect *d,
                                   const void *bytes,
                                   size_t len,
                                   const struct wedr_detect_bundle *info,
                                   struct wedr_errinfo *ei);
/* The same from a rule set and its sealed map, both taken, also on failure. */
WEDR_MUST_USE int wedr_detect_use_take(struct wedr_detect *d,
                                       struct wedr_ruleset *rs,
                                       struct wedr_field_map *map,
                                       const struct wedr_detect_bundle *info,
                                       struct wedr_errinfo *ei);

/* False: write what waits, and take the kills that wait, before the next event is shown. */
bool wedr_detect_room(const struct wedr_detect *d);
/* Shows one event. now: this machine's clock pair, for the alert's own time. */
void wedr_detect_event(struct wedr_detect *d,
                       const struct wedr_detect_event *e,
                       struct wedr_clock_pair now);
/* Every round: tells what was held back by throttles whose time is over, as the budget allows; all:
 * everything, one alert for each rule (the end of the stream). */
void wedr_detect_tick(struct wedr_detect *d, struct wedr_clock_pair now, bool all);
/* Records what became of a kill. WEDR_E_LIMIT: no room now. */
WEDR_MUST_USE int wedr_detect_response(struct wedr_detect *d,
                                       const struct wedr_detect_outcome *o,
                                       struct wedr_clock_pair now);

/* Lines of the stream alert that wait to be written. False: none. */
WEDR_MUST_USE bool wedr_detect_frame(struct wedr_detect *d, struct wedr_spool_frame_in *ret);
void wedr_detect_written(struct wedr_detect *d);
/* Takes the next kill that waits. False: none. */
WEDR_MUST_USE bool wedr_detect_next_kill(struct wedr_detect *d, struct wedr_detect_kill *ret);
void wedr_detect_stats(const struct wedr_detect *d, struct wedr_detect_stats *ret);
