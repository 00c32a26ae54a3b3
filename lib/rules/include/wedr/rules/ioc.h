/* SPDX-License-Identifier: Apache-2.0
 * rules/ioc.h — lists of indicators of compromise (hashes, domains, addresses, paths) as rules: one
 * file is one rule that is true for an event which carries any of its entries, in our own field
 * names, those of Sysmon and Windows, ECS and auditd. docs/ioc.md has the format. One thread.
 *
 *   id: 7b0ab9a4-...        "key: value" lines first; title and id default to the file's name
 *   title: Example list
 *   expires: 2027-01-31     from the end of that day (UTC) on the list does not match
 *   hash 44d88612fea8a8f36de82e1278abb02f expires=2026-12-31  # what an alert says
 *   domain,bad[.]example,comment,2026-12-31                   # the same as CSV */
#pragma once

#include "core/util/buf.h"
#include "wedr/rules/event.h"

#define WEDR_IOC_FILE_MAX ((size_t)64 << 20)
#define WEDR_IOC_ENTRIES_MAX 1000000u /* of one list */
#define WEDR_IOC_WILDCARDS_MAX 256u   /* paths with * or ? in one list */
#define WEDR_IOC_COMMENT_MAX 240u     /* bytes of a comment that are kept */

enum wedr_ioc_kind {
    WEDR_IOC_HASH,   /* MD5, SHA-1 or SHA-256 in hexadecimal */
    WEDR_IOC_DOMAIN, /* the name and everything below it */
    WEDR_IOC_NET,    /* address or network, v4 or v6 */
    WEDR_IOC_PATH    /* whole path; in any case when it is one of Windows */
};

enum wedr_ioc_outcome {
    WEDR_IOC_LIST,           /* the rule is in the ruleset */
    WEDR_IOC_LIST_EXPIRED,   /* likewise, but it is disabled: the list, or all of its entries */
    WEDR_IOC_LIST_REFUSED,   /* no rule */
    WEDR_IOC_ENTRY_REFUSED,  /* that line does not count, the others do */
    WEDR_IOC_ENTRY_EXPIRED,  /* likewise; no error */
    WEDR_IOC_ENTRY_DUPLICATE /* likewise; the first one's comment stays. Networks: only counted */
};

struct wedr_ioc_report {
    enum wedr_ioc_outcome outcome;
    int err;          /* of the refused ones */
    const char *file; /* as given to add */
    uint32_t line;    /* 1-based; 0: the list as a whole */
    uint32_t rule;    /* of LIST and LIST_EXPIRED, else WEDR_IR_NONE */
    const char *text; /* why, one line */
};
typedef void wedr_ioc_report_fn(void *ctx, const struct wedr_ioc_report *report);

struct wedr_ioc_options {
    int64_t now_us; /* since 1970, for expiry; 0: nothing has expired */
};

struct wedr_ioc_stats {
    uint32_t rule;    /* WEDR_IR_NONE: refused */
    uint32_t entries; /* that match: hashes + domains + nets + paths */
    uint32_t hashes, domains, nets, paths;
    uint32_t wildcards; /* of the paths */
    uint32_t duplicates, expired, refused;
    bool list_expired;
    int64_t next_expiry_us; /* the earliest one still to come; 0 none. Load the list again then. */
};

/* Adds the list in [text, text + len) as one rule of language "ioc", id, title and so on from its
 * header, without a class. fn and options may be NULL. 0 when every line is fine, else the error of
 * the last that was not (the rule may be there all the same: ret_stats->rule). WEDR_E_FORMAT,
 * WEDR_E_LIMIT, WEDR_E_EXIST (id used before), WEDR_E_NOMEM. ret_stats is always written. */
int wedr_ioc_add(struct wedr_ruleset *rs,
                 const char *file,
                 const char *text,
                 size_t len,
                 const struct wedr_ioc_options *options,
                 wedr_ioc_report_fn *fn,
                 void *ctx,
                 struct wedr_ioc_stats *ret_stats);

#define WEDR_IOC_SHOWN_MAX 256u

/* Which entry an event has. Texts are the ruleset's or the event's. */
struct wedr_ioc_hit {
    enum wedr_ioc_kind kind;
    struct wedr_text field;         /* rule's name of the field */
    struct wedr_text value;         /* of the event */
    struct wedr_text comment;       /* empty when it has none */
    char entry[WEDR_IOC_SHOWN_MAX]; /* of the list, in lower case where case does not matter; cut */
};

/* The first entry of IOC rule `rule` that ev has; for alerts, not for matching. Works on rulesets
 * from bundles too. WEDR_E_NOENT: no IOC rule, or it has none. */
WEDR_MUST_USE int wedr_ioc_find(const struct wedr_ruleset *rs,
                                uint32_t rule,
                                struct wedr_rule_event *ev,
                                struct wedr_ioc_hit *ret_hit);
/* `domain bad.example: comment`, appended. */
void wedr_ioc_describe(const struct wedr_ioc_hit *hit, struct wedr_buf *out);
const char *wedr_ioc_kind_name(enum wedr_ioc_kind kind);
