/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/lib/rules/bundle/bundle_rules.h — rules with everything that there is, as a bundle and
 * as what was loaded from one. Whatever fails here fails the test.
 */
#pragma once

#include "wedr/rules/bundle.h"

extern uint8_t bundle_public_key[32], bundle_secret_key[64];
/* Group set-up: makes the keys, always the same ones. */
int bundle_keys(void **state);

struct wedr_text bundle_text(const char *s);

/* Rules r0 .. r39, and the correlations `pattern` of r20 and r21, and `count`. */
struct wedr_ruleset *bundle_ruleset(void);
struct wedr_field_map *bundle_map(const struct wedr_ruleset *rs);
extern const struct wedr_bundle_options bundle_everything;
extern const struct wedr_bundle_options bundle_pattern; /* the correlation and its members alone */

/* out is to be freed by the caller; info may be NULL. */
void bundle_write(const struct wedr_ruleset *rs,
                  const struct wedr_field_map *map,
                  const struct wedr_bundle_options *o,
                  struct wedr_buf *out,
                  struct wedr_bundle_info *info);
/* A bundle of all of the above. */
void bundle_whole(struct wedr_buf *out, const struct wedr_bundle_options *o);
void bundle_load(const struct wedr_buf *b, struct wedr_ruleset **rs, struct wedr_field_map **map);

/* Rules at work on events. */
struct bundle_side {
    struct wedr_engine *e;
    struct wedr_field_map *map;
    struct wedr_matcher *m;
    struct wedr_rule_event *ev;
};

/* Takes both. */
void bundle_side_init(struct bundle_side *s, struct wedr_ruleset *rs, struct wedr_field_map *map);
void bundle_side_fini(struct bundle_side *s);
/* Ids of the rules that match, joined by blanks; how many. */
size_t bundle_match(struct bundle_side *s, const char *json, char *out, size_t size);
