/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/write.h — the intermediate form as text. */
#pragma once

#include "core/util/buf.h"
#include "wedr/rules/ir.h"

struct wedr_waza_writer {
    const struct wedr_ruleset *rs;
    struct wedr_buf *out;
    struct wedr_errinfo *ei;
    int err; /* the first thing that has no text form */
};

/* --- write_text.c */
/* In quotes; `plain`: only "..." or e"...", which the end of a comment can be told from. */
void wedr_waza_put_text(struct wedr_waza_writer *w, struct wedr_text t, bool plain);
void wedr_waza_put_name(struct wedr_waza_writer *w, struct wedr_text name);
void wedr_waza_put_field(struct wedr_waza_writer *w, uint32_t field);
void wedr_waza_put_regex(struct wedr_waza_writer *w, struct wedr_text t, uint8_t flags);
void wedr_waza_put_number(struct wedr_waza_writer *w, struct wedr_number n);
void wedr_waza_put_net(struct wedr_waza_writer *w, const struct wedr_net *n);
int wedr_waza_no_form(struct wedr_waza_writer *w, const char *what);

/* --- write.c */
/* An expression; members of a correlation are $m1, $m2 ... `top`: operands of the outermost && on
 * lines of their own. */
void wedr_waza_put_node(struct wedr_waza_writer *w, uint32_t node, bool top);
