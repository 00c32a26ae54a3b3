/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/auditd.h — logs of the Linux audit daemon, raw or enriched, also through syslog:
 * a document for each record, with what the other records of its event say about the process
 * (auditd_record.h). Records of one event may lie apart: up to WEDR_AUDITD_OPEN_MAX events are
 * open, until their end is marked, the log is two seconds on, or there are more. Documents come in
 * the order in which events began. Bytes come in pieces. Not thread-safe. */
#pragma once

#include "docs.h"

#define WEDR_AUDITD_OPEN_MAX 128u
#define WEDR_AUDITD_LINE_MAX ((size_t)64 << 10)   /* bytes of a record */
#define WEDR_AUDITD_EVENT_MAX ((size_t)256 << 10) /* bytes of an event; the rest is another one */
#define WEDR_AUDITD_RECORDS_MAX 256u              /* of an event, likewise */

struct wedr_auditd;

/* A document's index is the number of its record in the file, from 0; lines that are no record
 * count too, blank ones do not. NULL when out of memory. */
WEDR_MUST_USE struct wedr_auditd *wedr_auditd_new(wedr_docs_fn *fn, void *ctx);
void wedr_auditd_free(struct wedr_auditd *a);
/* What fn returned, WEDR_E_NOMEM, or 0. */
WEDR_MUST_USE int wedr_auditd_feed(struct wedr_auditd *a, const char *p, size_t n);
/* Tells what was still open. */
WEDR_MUST_USE int wedr_auditd_end(struct wedr_auditd *a);
/* Whether a file that begins with these bytes is such a log. */
bool wedr_auditd_knows(const char *p, size_t n);
