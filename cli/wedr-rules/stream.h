/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/stream.h — the bytes of an event file as UTF-8: gzip and Zstandard are unpacked,
 * UTF-16 that begins with its mark (as PowerShell writes it) is converted. Memory is bounded
 * whatever the file unpacks to. One thread. */
#pragma once

#include "core/util/errinfo.h"
#include "wedr/plat/fs.h"

#define WEDR_STREAM_CHUNK ((size_t)1 << 16) /* bytes that are read at once */

struct wedr_stream;

/* The handle stays the caller's. WEDR_E_NOMEM; WEDR_E_UNSUP for what is known and not read here
 * (an .evtx file, a ZIP archive, xz): ei says what to do. */
WEDR_MUST_USE int
wedr_stream_new(wedr_handle h, struct wedr_stream **ret_s, struct wedr_errinfo *ei);
void wedr_stream_free(struct wedr_stream *s);
/* Up to WEDR_STREAM_CHUNK bytes, borrowed until the next call; *ret_n 0 at the end. WEDR_E_IO,
 * WEDR_E_FORMAT (packed data is damaged or ends early), WEDR_E_NOMEM. */
WEDR_MUST_USE int
wedr_stream_read(struct wedr_stream *s, const char **ret_p, size_t *ret_n, struct wedr_errinfo *ei);
/* Bytes of the file that were read. */
uint64_t wedr_stream_taken(const struct wedr_stream *s);
