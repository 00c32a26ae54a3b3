/* SPDX-License-Identifier: Apache-2.0
 * server/detect/profile.h — which rules a profile has, and changing one by words. Pure. */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "store/state_rules.h"
#include "wedr/rules/ir.h"

/* True when the profile has the rule: `disable` names its id, then no; `enable` does, then yes;
 * else its severity is high enough and the profile has everything or one of the rule's tags
 * ("attack.t1059" stands for "attack.t1059.001" too). */
bool wedr_profile_has(const struct wedr_profile *p, const struct wedr_rule *rule);

/* Keys: rules=all|none, tags=a,b, min_severity=low, enable=id,id, disable=id,id, kill=yes|no, and
 * those of rules/settings.h (sensor.*=value; without a value the agent's own holds again). A list
 * replaces what was there. WEDR_E_INVAL with the reason. */
WEDR_MUST_USE int
wedr_profile_change(struct wedr_profile *p, const char *assignment, struct wedr_errinfo *ei);
/* 1 to 63 of [a-z0-9._-]. */
bool wedr_profile_name_valid(const char *name);

/* Matched on the server: correlations of Sigma, and rules that say so. */
bool wedr_rule_is_servers(const struct wedr_rule *rule);
