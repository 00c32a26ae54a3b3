/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/detect/ruleset.h — a rule bundle made ready to match: engine, field map, the
 * tap into the encoder, the matcher's scratch memory, the windows of its correlations. Made beside
 * the one at work and then put in its place. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "detect/detect.h"
#include "detect/sighting.h"
#include "encode/tap.h"
#include "wedr/rules/correlate.h"
#include "wedr/rules/engine.h"

/* What a rule still has to tell of entities that nobody remembers any more. */
struct wedr_detect_held {
    uint64_t count;
    struct wedr_sighting last;
};

struct wedr_detect_rules {
    struct wedr_detect_bundle info;
    struct wedr_engine *engine; /* owns the ruleset */
    const struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    struct wedr_tap *tap;
    struct wedr_matcher *matcher;
    struct wedr_rule_event *event;
    struct wedr_correlate *correlate; /* NULL when no rule needs windows */
    uint32_t rules;
    uint32_t *matched;             /* of the event under way; room for all rules */
    struct wedr_detect_held *held; /* by rule */
    uint32_t holding;              /* rules that hold something back */
    size_t matched_count;
    size_t memory; /* bytes of all of it, without the windows and the tap */
};

/* Takes rs and map, also when it fails. */
WEDR_MUST_USE int wedr_detect_rules_new_take(struct wedr_ruleset *rs,
                                             struct wedr_field_map *map,
                                             const struct wedr_encoder *encoder,
                                             const struct wedr_detect_bundle *info,
                                             struct wedr_detect_rules **ret,
                                             struct wedr_errinfo *ei);
/* Bytes by now, without the windows. */
size_t wedr_detect_rules_memory(const struct wedr_detect_rules *r);
/* Gives back what only matching needs: names and counts stay. */
void wedr_detect_rules_rest(struct wedr_detect_rules *r);
void wedr_detect_rules_free(struct wedr_detect_rules *r); /* NULL is allowed */
