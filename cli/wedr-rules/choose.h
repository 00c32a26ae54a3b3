/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/choose.h — which of the loaded rules a person asked for. */
#pragma once

#include "args.h"
#include "wedr/rules/ir.h"

/* Switches off the rules of rs that --min-severity, --rule, --exclude and --tag leave out; what a
 * wanted correlation counts stays, hidden. *ret_left: rules that are left to be reported.
 * WEDR_E_INVAL: no such severity; WEDR_E_NOENT: no rule has that id or title. */
WEDR_MUST_USE int wedr_choose(struct wedr_ruleset *rs,
                              const struct wedr_rules_args *args,
                              uint32_t *ret_left,
                              struct wedr_errinfo *ei);
