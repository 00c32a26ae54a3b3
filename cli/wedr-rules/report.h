/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/report.h — what a scan found, on its way to standard output in one of several
 * forms. One thread. */
#pragma once

#include "counting.h"

/* A match of one rule: of an event, or of a correlation. Borrowed during the call. */
struct wedr_match {
    uint32_t rule;
    const struct wedr_rule *r;
    struct wedr_place place;
    struct wedr_text facts[WEDR_FACT_COUNT];
    struct wedr_text more[WEDR_FACTS_MORE_MAX];
    struct wedr_text note;              /* what the rule says of this event, or empty */
    const struct wedr_counted *counted; /* NULL unless a correlation */
};

struct wedr_report {
    const struct wedr_rules_args *args;
    const struct wedr_ruleset *rs;
    bool color;
    uint64_t *tallies; /* matches of each rule, this one counted */
    uint64_t matches;
    struct wedr_buf out; /* emptied into standard output by the caller after each call */
    void *state;         /* of the form */
};

struct wedr_report_form {
    int (*open)(struct wedr_report *r);
    int (*match)(struct wedr_report *r, const struct wedr_match *m);
    int (*end)(struct wedr_report *r, const struct wedr_crew_stats *stats);
    void (*close)(struct wedr_report *r);
};

extern const struct wedr_report_form wedr_report_table, wedr_report_timeline, wedr_report_summary,
    wedr_report_json, wedr_report_sarif;

/* --- What the forms share. */

/* What else a line about a rule has, with its end. */
typedef void wedr_report_rule_fn(struct wedr_report *r, uint32_t rule);
/* A line for each rule that matched, the severest first, then the most frequent: severity, matches,
 * title, and what `rest` (may be NULL) adds. WEDR_E_NOMEM. */
int wedr_report_rules(struct wedr_report *r, wedr_report_rule_fn *rest);
/* "2026-11-23 20:34:17.123Z" in 24 columns, blanks without a time; in JSON form in quotes with T.
 */
void wedr_report_time(struct wedr_buf *out, const struct wedr_place *place);
void wedr_report_time_json(struct wedr_buf *out, int64_t time_us);
/* What happened, in one line: the note, the image where the rest does not name it, the rest. */
void wedr_report_gist(struct wedr_buf *out, const struct wedr_match *m, size_t columns_max);
/* Begins and ends the colour of a severity, when the report has colours. */
void wedr_report_paint(struct wedr_report *r, uint8_t severity);
void wedr_report_plain(struct wedr_report *r);
/* The last line: matches by severity, what was read. */
void wedr_report_totals(struct wedr_report *r, const struct wedr_crew_stats *stats);
