/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include "auditd.h"
#include "core/base/err.h"
#include "stream.h"

struct reading {
    const struct wedr_reader *reader;
    struct wedr_stream *stream;
    struct wedr_docs docs;
    struct wedr_auditd *auditd; /* NULL: JSON */
    uint64_t next_index, line;  /* behind the last document told */
};

static int on_doc(void *ctx, const struct wedr_doc *doc)
{
    struct reading *g = ctx;
    g->next_index = doc->index + 1;
    g->line = doc->line;
    return g->reader->fn(g->reader->ctx, doc);
}

/* The file cannot be read on. */
static int tell_broken(struct reading *g, int err, const struct wedr_errinfo *ei)
{
    struct wedr_doc doc = {.index = g->next_index,
                           .line = g->line,
                           .offset = g->stream ? wedr_stream_taken(g->stream) : 0,
                           .bad = ei->text[0] ? ei->text : wedr_err_text(err)};
    return err == WEDR_E_NOMEM ? err : g->reader->fn(g->reader->ctx, &doc);
}

static int feed(struct reading *g, const char *p, size_t n)
{
    int r = g->auditd ? wedr_auditd_feed(g->auditd, p, n) : wedr_docs_feed(&g->docs, p, n);
    if (r == WEDR_OK && g->reader->piece) {
        r = g->reader->piece(g->reader->ctx, wedr_stream_taken(g->stream));
    }
    return r;
}

static int read_all(struct reading *g)
{
    struct wedr_errinfo ei = {""};
    const char *p = NULL;
    size_t n = 0;
    int r = wedr_stream_read(g->stream, &p, &n, &ei);
    if (r == WEDR_OK && wedr_auditd_knows(p, n)) {
        g->auditd = wedr_auditd_new(on_doc, g);
        if (!g->auditd) {
            return WEDR_E_NOMEM;
        }
    }
    while (r == WEDR_OK && n > 0) {
        int fed = feed(g, p, n);
        if (fed != WEDR_OK) {
            return fed;
        }
        r = wedr_stream_read(g->stream, &p, &n, &ei);
    }
    int ended = g->auditd ? wedr_auditd_end(g->auditd) : wedr_docs_end(&g->docs);
    return ended != WEDR_OK ? ended : r != WEDR_OK ? tell_broken(g, r, &ei) : WEDR_OK;
}

int wedr_reader_run(const struct wedr_reader *reader, wedr_handle h)
{
    struct reading g = {.reader = reader, .line = 1};
    struct wedr_errinfo ei = {""};
    wedr_docs_init(&g.docs, on_doc, &g);
    int r = wedr_stream_new(h, &g.stream, &ei);
    r = r == WEDR_OK ? read_all(&g) : tell_broken(&g, r, &ei);
    wedr_auditd_free(g.auditd);
    wedr_docs_fini(&g.docs);
    wedr_stream_free(g.stream);
    return r;
}
