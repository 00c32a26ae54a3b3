/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/auditd_record.h — the text of audit records: head, fields, encodings. What one
 * record of an event says is written as a JSON object in Sigma's field names. No state, any thread.
 */
#pragma once

#include "core/util/buf.h"
#include "wedr/rules/text.h"
#include <stdbool.h>

#define WEDR_AUDIT_ARGS_MAX 4096u /* of one command line; more are left out */

/* "node=n type=SYSCALL msg=audit(1604994496.155:92733): rest". Texts point into the line. */
struct wedr_audit_head {
    struct wedr_text type, node, rest;
    int64_t time_us; /* since 1970 */
    uint64_t serial;
};

/* False: the line is no audit record. Something may stand in front of "type=" (syslog). */
bool wedr_audit_head(struct wedr_text line, struct wedr_audit_head *ret_head);
/* The name of a record type that stands as a number (1300, UNKNOWN[1334]), else as it is. */
struct wedr_text wedr_audit_type(struct wedr_text type);

struct wedr_audit_field {
    struct wedr_text key, value; /* value without quotes */
    bool quoted;
};

/* Takes the next field off *text; false at the end. A value in ' ' or { } is not one field: what is
 * in it follows as fields of the record. */
bool wedr_audit_next(struct wedr_text *text, struct wedr_audit_field *ret_field);
/* Appends the value as it was before auditd encoded it (hexadecimal where it has blanks or quotes).
 * separator takes the place of NUL bytes. */
void wedr_audit_decode(const struct wedr_audit_field *f, char separator, struct wedr_buf *out);

/* One event: records that share a stamp and a serial, in the order of the file. */
struct wedr_audit_event {
    const struct wedr_audit_head *records;
    size_t count;
};

/* Appends record `index` as {"type":"SYSCALL",...}. What a record lacks and the system call of its
 * event has (exe, comm, pid, ppid, auid, uid, euid, SYSCALL, success) is added; to SYSCALL and
 * EXECVE also cwd and proctitle, the whole command line from EXECVE or else PROCTITLE. Further
 * EXECVE records of an event are part of the first; for them and for EOE nothing is appended. */
void wedr_audit_json(const struct wedr_audit_event *e, size_t index, struct wedr_buf *out);
