/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/dns.h — one DNS message (RFC 1035) to text: what was asked, how it was
 * answered. Every byte is hostile. Bounded, no allocation, any thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "wedr/wire/decode.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_DNS_NAME_MAX 1024u /* 254 bytes of labels, each as \DDD at most, and a NUL */
#define WEDR_DNS_ANSWERS_MAX 8192u
#define WEDR_DNS_RECORD_MAX 16384u

struct wedr_dns {
    uint16_t type; /* of the first question; 0 when there is none */
    uint8_t opcode;
    uint8_t rcode;
    bool response;
    bool cut;     /* answers are left out: the copy of the message ended, or their room */
    bool damaged; /* a part breaks the rules of the format, or was not understood */
    size_t name_len;
    size_t answers_len;
    char name[WEDR_DNS_NAME_MAX];       /* first question; NUL-terminated */
    char answers[WEDR_DNS_ANSWERS_MAX]; /* NUL-terminated texts, one after another */
};

/* Names are in presentation form without the last dot (the root is "."): a dot or backslash inside
 * a label has a backslash before it, a byte that is no printable ASCII or is a blank is \DDD.
 * Letters keep their case. answers has A and AAAA addresses, names (CNAME, NS, PTR), "preference
 * name" (MX), "priority weight port name" (SRV) and texts (TXT, its pieces joined, escaped like
 * names but for dots and blanks); other types are left out. cut: the message is the beginning of a
 * longer one.
 *
 * WEDR_E_FORMAT when there is no whole header and question: then *ret_dns is all 0 but for damaged.
 * A message whose later part is broken is WEDR_OK, with damaged and what was read until there. */
WEDR_MUST_USE int wedr_dns_parse(struct wedr_span message, bool cut, struct wedr_dns *ret_dns);

/* Memory for one record; about 26 KiB. */
struct wedr_dns_room {
    struct wedr_dns dns;
    uint8_t record[WEDR_DNS_RECORD_MAX];
};

/* A Linux dns_query that carries a payload and no name becomes one with query_name, query_type,
 * query_status and answers. The payload stays only when it could not be understood as a whole, or
 * is a question that was cut.
 * Any other record is left alone. *v then points into room until the next call. */
void wedr_dns_unfold(struct wedr_dns_room *room, struct wedr_event_view *v);
