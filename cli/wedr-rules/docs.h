/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/docs.h — the JSON documents of an event file: one a line, several (also
 * pretty-printed) one after another, or the elements of arrays. Bytes come in pieces; at most one
 * document is held, up to WEDR_DOCS_BYTES_MAX, a larger one is passed over. What is broken is told
 * once and left at the next line that begins with { or [. Not thread-safe. */
#pragma once

#include "core/util/buf.h"

#define WEDR_DOCS_BYTES_MAX ((size_t)1 << 20) /* of one document */

/* Borrowed during the call. */
struct wedr_doc {
    const char *json; /* an object by its brackets: its inside is not looked at */
    size_t len;
    uint64_t index;  /* in the file, from 0; broken ones count too */
    uint64_t line;   /* where it begins, from 1 */
    uint64_t offset; /* likewise, in bytes from 0 */
    const char *bad; /* why it is none, else NULL; then json is NULL */
    bool timed;      /* time_us is known besides what the text says */
    int64_t time_us; /* since 1970 */
};
/* Other than 0 stops. */
typedef int wedr_docs_fn(void *ctx, const struct wedr_doc *doc);

struct wedr_docs {
    wedr_docs_fn *fn;
    void *ctx;
    struct wedr_buf held; /* beginning of a document whose end did not come yet */
    uint64_t index, line, start_line;
    uint64_t offset, start_offset; /* bytes in front of the piece at hand, of the document */
    const char *piece;
    uint64_t arrays; /* kind of the open brackets, bit 0 the innermost: 1 for [ */
    unsigned depth;  /* open brackets of the document; 0 between documents */
    uint8_t state;
    char last;       /* last byte of the document that is no blank and outside strings */
    bool line_begun; /* something other than blanks stood in this line */
    bool in_array;   /* elements of an array at the top */
    bool array_lost; /* an element was broken: whether the array ended is not known */
    bool too_big;    /* the document is longer than can be held */
    uint8_t bom;     /* bytes of the mark at the beginning seen; 3 and more: over */
};

void wedr_docs_init(struct wedr_docs *d, wedr_docs_fn *fn, void *ctx);
/* What fn returned, WEDR_E_NOMEM, or 0. */
WEDR_MUST_USE int wedr_docs_feed(struct wedr_docs *d, const char *p, size_t n);
/* Tells what was still open. */
WEDR_MUST_USE int wedr_docs_end(struct wedr_docs *d);
void wedr_docs_fini(struct wedr_docs *d);
