/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/pack/page.h — docs/rule-pack.md, made from the compiled rules. */
#pragma once

#include "core/util/buf.h"
#include "wedr/rules/ir.h"

/* The whole page, appended. */
void page_write(const struct wedr_ruleset *rules, struct wedr_buf *out);
