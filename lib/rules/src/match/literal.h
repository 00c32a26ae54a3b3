/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/literal.h — texts that a value must contain so that a pattern can match it. */
#pragma once

#include "wedr/rules/ir.h"

#define WEDR_NEEDED_MAX 256u /* bytes of such a text; longer ones are cut */

/* The longest literal run of a wildcard pattern, folded, into out (WEDR_FOLD_MAX(WEDR_NEEDED_MAX)
 * bytes). Returns its length, 0 when there is none of at least two bytes. */
size_t wedr_needed_wildcard(struct wedr_text pattern, char *out);
/* The same for a PCRE2 pattern. Understands only what is certain; gives up otherwise. */
size_t wedr_needed_regex(struct wedr_text pattern, char *out);
/* Texts that most events carry, folded: whatever lies in one of them is met all the time. NULL
 * behind the last. */
const char *wedr_literal_common(size_t index);
