/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ioc/list.h — a list while it is read. */
#pragma once

#include "ioc/entry.h"

#define WEDR_IOC_HEADER_LIST_MAX 32u /* tags, references, false positives */
#define WEDR_IOC_SETS 6u

/* Sets that entries go into. */
enum wedr_ioc_set {
    WEDR_IOC_SET_HASH,
    WEDR_IOC_SET_DOMAIN,
    WEDR_IOC_SET_NET,
    WEDR_IOC_SET_PATH,
    WEDR_IOC_SET_PATH_WINDOWS,
    WEDR_IOC_SET_NOTE
};

struct wedr_ioc_list {
    struct wedr_ruleset *rs;
    const char *file;
    wedr_ioc_report_fn *fn;
    void *ctx;
    struct wedr_ioc_stats *stats;
    int64_t now_us;
    uint32_t line;
    int err;      /* of the last line that was wrong */
    bool entries; /* the header is over */
    struct wedr_rule rule;
    struct wedr_text tags[WEDR_IOC_HEADER_LIST_MAX], references[WEDR_IOC_HEADER_LIST_MAX],
        false_positives[WEDR_IOC_HEADER_LIST_MAX];
    int64_t expiry_us;
    uint32_t sets[WEDR_IOC_SETS]; /* WEDR_IR_NONE: none yet */
    uint32_t nets_added;
    uint32_t wildcards[WEDR_IOC_WILDCARDS_MAX * 16]; /* nodes: a path in each field */
    uint32_t wildcard_nodes;
    struct wedr_ioc_entry entry;
};

/* A "key: value" line. WEDR_E_FORMAT, WEDR_E_LIMIT. */
WEDR_MUST_USE int wedr_ioc_header_line(struct wedr_ioc_list *l,
                                       struct wedr_text key,
                                       struct wedr_text value,
                                       struct wedr_errinfo *ei);
