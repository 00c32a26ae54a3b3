/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ioc/entry.h — one line of a list, and the forms that its values are stored in. */
#pragma once

#include "core/util/errinfo.h"
#include "wedr/rules/ioc.h"

#define WEDR_IOC_VALUE_MAX 4096u
#define WEDR_IOC_KEY_MAX (WEDR_FOLD_MAX(WEDR_IOC_VALUE_MAX))
#define WEDR_IOC_HASH_KEY 16u /* digits of a hash that its note is found by */

struct wedr_ioc_entry {
    enum wedr_ioc_kind kind;
    bool windows;   /* PATH: letters match in any case, \ between its parts */
    bool wildcards; /* PATH */
    bool skip;      /* the line that names the columns of a CSV file */
    struct wedr_net net;
    size_t len;
    char value[WEDR_IOC_VALUE_MAX]; /* HASH, DOMAIN in lower case; NET as wedr_ioc_net_text */
    size_t comment_len;
    char comment[WEDR_IOC_COMMENT_MAX];
    int64_t expiry_us; /* 0 never */
};

/* Reads a line without its end and without blanks around it. WEDR_E_FORMAT, WEDR_E_LIMIT. */
WEDR_MUST_USE int wedr_ioc_entry_read(const char *line,
                                      size_t len,
                                      struct wedr_ioc_entry *ret_entry,
                                      struct wedr_errinfo *ei);
/* "2027-01-31": the end of that day; WEDR_E_FORMAT. */
WEDR_MUST_USE int wedr_ioc_expiry(struct wedr_text date, int64_t *ret_us);
/* RFC 5952; "/bits" only behind networks. */
void wedr_ioc_net_text(const struct wedr_net *net, char out[64]);
struct wedr_text wedr_ioc_trim(struct wedr_text t);
