/* SPDX-License-Identifier: Apache-2.0
 * rules/src/bundle/select.h — what of a ruleset goes into a bundle, and which index it gets there.
 */
#pragma once

#include "event/event.h"
#include "wedr/rules/bundle.h"

/* Old index to new one, WEDR_IR_NONE for what stays out. */
struct wedr_bundle_ids {
    uint32_t *to;
    uint32_t count; /* that go in */
};

struct wedr_bundle_selection {
    struct wedr_bundle_ids rules, nodes, sets, fields, classes;
    bool *hidden; /* rules that only feed a correlation here */
};

/* WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_bundle_select(const struct wedr_ruleset *rs,
                                     const struct wedr_field_map *map,
                                     const struct wedr_bundle_options *options,
                                     struct wedr_bundle_selection *ret_selection);
void wedr_bundle_selection_fini(struct wedr_bundle_selection *s);
