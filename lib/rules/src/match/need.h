/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/need.h — what a text must have for a regex to be found in it: so many bytes, and
 * a few bytes side by side, each one of a set. Most regexes that are run find nothing, and this
 * says so for a fiftieth of what running them costs. */
#pragma once

#include "wedr/rules/ir.h"

#define WEDR_NEED_RUN 4u

struct wedr_byte_set {
    uint64_t bits[4];
};

struct wedr_need {
    uint32_t least; /* bytes; at least count */
    uint8_t count;  /* sets of the run; 0: nothing is known */
    uint8_t anchor; /* which of them has one byte only, */
    char byte;      /* and that byte */
    struct wedr_byte_set run[WEDR_NEED_RUN];
};

/* Of a PCRE2 pattern that matches no text of less than least characters; flags: enum
 * wedr_pred_flag. Understands only what is certain. */
void wedr_need_regex(struct wedr_text pattern,
                     uint8_t flags,
                     uint32_t least,
                     struct wedr_need *ret_need);
/* False: the regex is certainly not found in t. */
bool wedr_need_met(const struct wedr_need *n, struct wedr_text t);
