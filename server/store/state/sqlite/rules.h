/* SPDX-License-Identifier: Apache-2.0
 * server/store/state/sqlite/rules.h — rules, profiles and bundles in state.db. */
#pragma once

#include "store/state_rules.h"

extern const struct wedr_state_rules_ops wedr_state_rules_sqlite;

/* rules.c gives these to the table in profiles.c. */
int wedr_state_rule_put(struct wedr_state *s,
                        const struct wedr_stored_rule *rule,
                        int64_t now_us,
                        uint32_t *ret_version);
int wedr_state_rule_get(
    struct wedr_state *s, const char *id, uint32_t version, wedr_stored_rule_fn *fn, void *ctx);
int wedr_state_rule_each(struct wedr_state *s, bool with_text, wedr_stored_rule_fn *fn, void *ctx);
int wedr_state_rule_remove(struct wedr_state *s, const char *id);
int wedr_state_rule_severity(struct wedr_state *s, const char *id, const char *severity);
int wedr_state_rule_enable(struct wedr_state *s, const char *id, bool on);
int wedr_state_list_put(
    struct wedr_state *s, const char *name, const char *text, size_t len, int64_t now_us);
int wedr_state_list_remove(struct wedr_state *s, const char *name);
int wedr_state_list_each(struct wedr_state *s, wedr_stored_list_fn *fn, void *ctx);
