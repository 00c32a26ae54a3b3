/* SPDX-License-Identifier: Apache-2.0
 * A line for each match, in the order of time; and counts alone. */
#include "common/show.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "report.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX ((size_t)4 << 20)
#define BYTES_MAX ((size_t)1 << 30)
#define GIST_COLUMNS 160u
#define FIELD_COLUMNS 200u
#define LINE_BYTES_MAX ((size_t)1 << 16)
#define HOSTS_MAX 4096u /* counted by name; the others together */
#define HOST_BYTES_MAX 255u

/* --- Timeline. */

struct entry {
    int64_t time_us; /* INT64_MAX without one: at the end */
    uint64_t number; /* order of arrival */
    size_t at, len;  /* of its text */
};

struct timeline {
    struct entry *entries;
    size_t count, cap;
    struct wedr_buf text;
};

static int open_timeline(struct wedr_report *r)
{
    struct timeline *t = wedr_alloc(1, sizeof(*t));
    if (!t) {
        return WEDR_E_NOMEM;
    }
    wedr_buf_init(&t->text, BYTES_MAX);
    r->state = t;
    return WEDR_OK;
}

static const char *short_name(uint8_t severity)
{
    static const char *const names[] = {"info", "low", "medium", "high", "CRITICAL"};
    return severity < WEDR_ARRAY_COUNT(names) ? names[severity] : "";
}

/* Built in r->out, which is empty here, for the colours. */
static void add_line(struct wedr_report *r, const struct wedr_match *m)
{
    static const enum wedr_fact who[] = {WEDR_FACT_HOST, WEDR_FACT_USER};
    struct wedr_buf *out = &r->out;
    wedr_report_time(out, &m->place);
    wedr_buf_adds(out, "  ");
    wedr_report_paint(r, m->r->severity);
    wedr_buf_addf(out, "%-8s", short_name(m->r->severity));
    wedr_report_plain(r);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(who); i++) {
        wedr_buf_adds(out, "  ");
        if (m->facts[who[i]].len > 0) {
            wedr_show_text(out, m->facts[who[i]], 64);
        } else {
            wedr_buf_adds(out, "-");
        }
    }
    wedr_buf_adds(out, "  ");
    wedr_show_text(out, m->r->title, 0);
    wedr_buf_adds(out, "  | ");
    wedr_report_gist(out, m, GIST_COLUMNS);
    for (size_t i = 0; i < r->args->field.count; i++) {
        if (m->more[i].len > 0) {
            wedr_buf_addf(out, "  %s=", r->args->field.v[i]);
            wedr_show_text(out, m->more[i], FIELD_COLUMNS);
        }
    }
    wedr_buf_adds(out, "  | ");
    wedr_show_text(out, wedr_text(m->place.path, strlen(m->place.path)), 0);
    wedr_buf_addf(out, ":%" PRIu64, m->place.index);
    for (size_t i = 0; m->counted && i < m->counted->evidence_count; i++) {
        const struct wedr_place *p = &m->counted->evidence[i];
        wedr_buf_adds(out, i == 0 ? " of " : " ");
        wedr_show_text(out, wedr_text(p->path, strlen(p->path)), 0);
        wedr_buf_addf(out, ":%" PRIu64, p->index);
    }
    wedr_buf_adds(out, "\n");
}

static int match_timeline(struct wedr_report *r, const struct wedr_match *m)
{
    struct timeline *t = r->state;
    if (t->count == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 1024;
        struct entry *entries =
            cap > LINES_MAX ? NULL : wedr_realloc(t->entries, cap, sizeof(*entries));
        if (!entries) {
            return cap > LINES_MAX ? WEDR_E_LIMIT : WEDR_E_NOMEM;
        }
        t->entries = entries;
        t->cap = cap;
    }
    add_line(r, m);
    t->entries[t->count] = (struct entry){m->place.timed ? m->place.time_us : INT64_MAX, t->count,
                                          t->text.len, r->out.len};
    t->count++;
    wedr_buf_add(&t->text, r->out.p, r->out.len);
    wedr_buf_truncate(&r->out, 0);
    return t->text.overflow ? WEDR_E_LIMIT : WEDR_OK;
}

static int by_time(const void *pa, const void *pb)
{
    const struct entry *a = pa;
    const struct entry *b = pb;
    return a->time_us != b->time_us ? (a->time_us < b->time_us ? -1 : 1)
                                    : (a->number > b->number) - (a->number < b->number);
}

static int end_timeline(struct wedr_report *r, const struct wedr_crew_stats *stats)
{
    const struct timeline *t = r->state;
    if (t->count > 0) {
        qsort(t->entries, t->count, sizeof(*t->entries), by_time);
    }
    for (size_t i = 0; i < t->count; i++) {
        wedr_buf_add(&r->out, t->text.p + t->entries[i].at, t->entries[i].len);
        if (r->out.len >= LINE_BYTES_MAX && !wedr_show_flush(&r->out)) {
            return WEDR_E_IO;
        }
    }
    wedr_report_totals(r, stats);
    return WEDR_OK;
}

static void close_timeline(struct wedr_report *r)
{
    struct timeline *t = r->state;
    if (t) {
        wedr_buf_fini(&t->text);
        wedr_free(t->entries);
        wedr_free(t);
    }
}

const struct wedr_report_form wedr_report_timeline = {open_timeline, match_timeline, end_timeline,
                                                      close_timeline};

/* --- Summary. */

struct host {
    char name[HOST_BYTES_MAX + 1];
    uint64_t matches, severe; /* severe: high and critical */
};

struct summary {
    struct host *hosts;
    size_t count, cap;
    uint64_t others; /* matches of hosts beyond HOSTS_MAX */
    bool timed;
    struct wedr_place first, last;
};

static int open_summary(struct wedr_report *r)
{
    r->state = wedr_alloc(1, sizeof(struct summary));
    return r->state ? WEDR_OK : WEDR_E_NOMEM;
}

static int host_of(struct summary *s, struct wedr_text name, struct host **ret_host)
{
    char key[HOST_BYTES_MAX + 1] = "";
    size_t len = name.len < HOST_BYTES_MAX ? name.len : HOST_BYTES_MAX;
    if (len > 0) {
        memcpy(key, name.p, len);
    }
    *ret_host = NULL;
    for (size_t i = 0; i < s->count; i++) {
        if (memcmp(s->hosts[i].name, key, sizeof(key)) == 0) {
            *ret_host = &s->hosts[i];
            return WEDR_OK;
        }
    }
    if (s->count == HOSTS_MAX) {
        return WEDR_OK;
    }
    if (s->count == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 16;
        struct host *hosts = wedr_realloc(s->hosts, cap, sizeof(*hosts));
        if (!hosts) {
            return WEDR_E_NOMEM;
        }
        s->hosts = hosts;
        s->cap = cap;
    }
    *ret_host = &s->hosts[s->count++];
    **ret_host = (struct host){.matches = 0};
    memcpy((*ret_host)->name, key, sizeof(key));
    return WEDR_OK;
}

static int match_summary(struct wedr_report *r, const struct wedr_match *m)
{
    struct summary *s = r->state;
    struct host *host;
    int err = host_of(s, m->facts[WEDR_FACT_HOST], &host);
    if (err != WEDR_OK) {
        return err;
    }
    if (host) {
        host->matches++;
        host->severe += m->r->severity >= WEDR_SEVERITY_HIGH;
    } else {
        s->others++;
    }
    if (m->place.timed) {
        s->first = !s->timed || m->place.time_us < s->first.time_us ? m->place : s->first;
        s->last = !s->timed || m->place.time_us > s->last.time_us ? m->place : s->last;
        s->timed = true;
    }
    return WEDR_OK;
}

static int by_matches(const void *pa, const void *pb)
{
    const struct host *a = pa;
    const struct host *b = pb;
    if (a->severe != b->severe) {
        return a->severe < b->severe ? 1 : -1;
    }
    return a->matches != b->matches ? (a->matches < b->matches ? 1 : -1) : strcmp(a->name, b->name);
}

static int end_summary(struct wedr_report *r, const struct wedr_crew_stats *stats)
{
    const struct summary *s = r->state;
    int err = wedr_report_rules(r, NULL);
    if (err != WEDR_OK) {
        return err;
    }
    if (s->count > 0) {
        qsort(s->hosts, s->count, sizeof(*s->hosts), by_matches);
        wedr_buf_addf(&r->out, "\n%13s  %8s  %s\n", "HIGH OR MORE", "MATCHES", "HOST");
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct host *h = &s->hosts[i];
        wedr_buf_addf(&r->out, "%13" PRIu64 "  %8" PRIu64 "  ", h->severe, h->matches);
        wedr_show_text(&r->out,
                       wedr_text(h->name[0] ? h->name : "-", h->name[0] ? strlen(h->name) : 1), 0);
        wedr_buf_adds(&r->out, "\n");
    }
    if (s->others > 0) {
        wedr_buf_addf(&r->out, "%13s  %8" PRIu64 "  further hosts\n", "", s->others);
    }
    if (s->timed) {
        wedr_buf_adds(&r->out, "\nfirst match ");
        wedr_report_time(&r->out, &s->first);
        wedr_buf_adds(&r->out, ", last match ");
        wedr_report_time(&r->out, &s->last);
        wedr_buf_adds(&r->out, "\n");
    }
    wedr_report_totals(r, stats);
    return WEDR_OK;
}

static void close_summary(struct wedr_report *r)
{
    struct summary *s = r->state;
    if (s) {
        wedr_free(s->hosts);
        wedr_free(s);
    }
}

const struct wedr_report_form wedr_report_summary = {open_summary, match_summary, end_summary,
                                                     close_summary};
