/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/waza/same.h — whether two rules of two rulesets say the same: conditions
 * node by node, correlations, classes, and all that describes them. */
#pragma once

#include "wedr/rules/ir.h"
#include <stddef.h>

/* "" when they do, else what differs. `described`: metadata counts too (language, file and line
 * never do). */
const char *same_rule(const struct wedr_ruleset *a,
                      uint32_t x,
                      const struct wedr_ruleset *b,
                      uint32_t y,
                      bool described);
