/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/reader.h — the events of one file, whatever its form: JSON (docs.h) or a log of
 * the Linux audit daemon (auditd.h), packed or in UTF-16 (stream.h). One thread. */
#pragma once

#include "docs.h"
#include "wedr/plat/fs.h"

struct wedr_reader {
    wedr_docs_fn *fn; /* hears of what is broken too, of a file that cannot be read on as well */
    /* May be NULL: after each piece, with the bytes of the file taken so far. Other than 0 stops.
     */
    int (*piece)(void *ctx, uint64_t taken);
    void *ctx;
};

/* What fn or piece returned, WEDR_E_NOMEM, or 0. */
WEDR_MUST_USE int wedr_reader_run(const struct wedr_reader *reader, wedr_handle h);
