/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include "common/show.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/json.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TIME_COLUMNS 24
#define FLAT_MAX ((size_t)8 << 10) /* bytes of a text that can be shown */

struct rank {
    const struct wedr_rule *rule;
    uint64_t count;
    uint32_t index;
};

static int compare_text(struct wedr_text a, struct wedr_text b)
{
    uint32_t len = a.len < b.len ? a.len : b.len;
    int c = len > 0 ? memcmp(a.p, b.p, len) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int by_rank(const void *pa, const void *pb)
{
    const struct rank *a = pa;
    const struct rank *b = pb;
    if (a->rule->severity != b->rule->severity) {
        return a->rule->severity < b->rule->severity ? 1 : -1;
    }
    if (a->count != b->count) {
        return a->count < b->count ? 1 : -1;
    }
    int c = compare_text(a->rule->title, b->rule->title);
    return c ? c : compare_text(a->rule->id, b->rule->id);
}

/* Rules that matched, the severest first, then the most frequent. Owned; NULL: out of memory. */
static uint32_t *ranked(const struct wedr_report *r, size_t *ret_count)
{
    uint32_t count = wedr_ruleset_rule_count(r->rs);
    struct rank *ranks = wedr_alloc((size_t)count + 1, sizeof(*ranks));
    uint32_t *order = wedr_alloc((size_t)count + 1, sizeof(*order));
    size_t used = 0;
    if (!ranks || !order) {
        wedr_free(ranks);
        wedr_free(order);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (r->tallies[i] > 0) {
            ranks[used++] = (struct rank){wedr_ruleset_rule(r->rs, i), r->tallies[i], i};
        }
    }
    qsort(ranks, used, sizeof(*ranks), by_rank);
    for (size_t i = 0; i < used; i++) {
        order[i] = ranks[i].index;
    }
    wedr_free(ranks);
    *ret_count = used;
    return order;
}

int wedr_report_rules(struct wedr_report *r, wedr_report_rule_fn *rest)
{
    size_t count = 0;
    uint32_t *order = ranked(r, &count);
    if (!order) {
        return WEDR_E_NOMEM;
    }
    if (count > 0) {
        wedr_buf_addf(&r->out, "%-13s  %8s  %s\n", "SEVERITY", "MATCHES", "RULE");
    }
    for (size_t i = 0; i < count; i++) {
        const struct wedr_rule *rule = wedr_ruleset_rule(r->rs, order[i]);
        wedr_report_paint(r, rule->severity);
        wedr_buf_addf(&r->out, "%-13s", wedr_severity_name(rule->severity));
        wedr_report_plain(r);
        wedr_buf_addf(&r->out, "  %8" PRIu64 "  ", r->tallies[order[i]]);
        wedr_show_text(&r->out, rule->title, 0);
        if (rest) {
            rest(r, order[i]);
        } else {
            wedr_buf_adds(&r->out, "\n");
        }
    }
    wedr_free(order);
    return WEDR_OK;
}

void wedr_report_time_json(struct wedr_buf *out, int64_t time_us)
{
    char text[40];
    struct wedr_json j;
    wedr_json_init(&j, text, sizeof(text));
    wedr_json_time_us(&j, time_us);
    wedr_buf_add(out, text, wedr_json_len(&j));
}

void wedr_report_time(struct wedr_buf *out, const struct wedr_place *place)
{
    struct wedr_buf b;
    if (!place->timed) {
        wedr_buf_addf(out, "%-*s", TIME_COLUMNS, "no time");
        return;
    }
    wedr_buf_init(&b, 64);
    wedr_report_time_json(&b, place->time_us);
    if (b.len > TIME_COLUMNS) { /* "YYYY-MM-DDThh:mm:ss.uuuuuuZ" with its quotes */
        wedr_buf_add(out, b.p + 1, 10);
        wedr_buf_adds(out, " ");
        wedr_buf_add(out, b.p + 12, 12);
        wedr_buf_adds(out, "Z");
    }
    wedr_buf_fini(&b);
}

/* The part behind the last slash or backslash. */
static struct wedr_text base_name(struct wedr_text path)
{
    uint32_t at = path.len;
    while (at > 0 && path.p[at - 1] != '/' && path.p[at - 1] != '\\') {
        at--;
    }
    return wedr_text(path.p + at, path.len - at);
}

/* Lines and what indents them as single blanks: a message of many lines stays one. */
static void add_flat(struct wedr_buf *out, struct wedr_text t, size_t columns_max)
{
    struct wedr_buf flat;
    bool blank = true;
    wedr_buf_init(&flat, FLAT_MAX);
    for (uint32_t i = 0; i < t.len && flat.len < FLAT_MAX; i++) {
        bool is_blank = t.p[i] == ' ' || t.p[i] == '\t' || t.p[i] == '\r' || t.p[i] == '\n';
        if (!is_blank || !blank) {
            wedr_buf_add(&flat, is_blank ? " " : t.p + i, 1);
        }
        blank = is_blank && t.p[i] != ' ';
    }
    wedr_show_text(out, wedr_text((const char *)flat.p, flat.len), columns_max);
    wedr_buf_fini(&flat);
}

void wedr_report_gist(struct wedr_buf *out, const struct wedr_match *m, size_t columns_max)
{
    struct wedr_text image = m->facts[WEDR_FACT_IMAGE];
    struct wedr_text what = m->facts[WEDR_FACT_WHAT];
    const char *between = "";
    if (m->note.len > 0) {
        wedr_show_text(out, m->note, columns_max);
        between = ": ";
    }
    if (image.len > 0 && !wedr_text_contains(what, base_name(image), false)) {
        wedr_buf_adds(out, between);
        wedr_show_text(out, image, columns_max);
        between = ": ";
    }
    if (what.len > 0) {
        wedr_buf_adds(out, between);
        add_flat(out, what, columns_max);
    }
}

void wedr_report_paint(struct wedr_report *r, uint8_t severity)
{
    static const char *const codes[] = {"2", "36", "33", "31", "1;31"};
    if (r->color && severity < WEDR_ARRAY_COUNT(codes)) {
        wedr_buf_addf(&r->out, "\x1b[%sm", codes[severity]);
    }
}

void wedr_report_plain(struct wedr_report *r)
{
    wedr_buf_adds(&r->out, r->color ? "\x1b[0m" : "");
}

void wedr_report_totals(struct wedr_report *r, const struct wedr_crew_stats *stats)
{
    uint64_t severities[WEDR_SEVERITY_CRITICAL + 1] = {0};
    size_t rules = 0;
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(r->rs); i++) {
        severities[wedr_ruleset_rule(r->rs, i)->severity] += r->tallies[i];
        rules += r->tallies[i] > 0;
    }
    wedr_buf_addf(&r->out, "%" PRIu64 " matches of %zu rules", r->matches, rules);
    const char *before = " (";
    for (unsigned i = WEDR_SEVERITY_CRITICAL + 1; i-- > 0;) {
        if (severities[i] > 0) {
            wedr_buf_addf(&r->out, "%s%" PRIu64 " %s", before, severities[i],
                          wedr_severity_name((uint8_t)i));
            before = ", ";
        }
    }
    wedr_buf_addf(&r->out,
                  "%s; %" PRIu64 " events in %" PRIu64 " files, %" PRIu64
                  " from no log source of the rules, %" PRIu64 " unreadable",
                  r->matches > 0 ? ")" : "", stats->events, stats->files, stats->unknown,
                  stats->failed);
    if (r->args->since || r->args->until) {
        wedr_buf_addf(&r->out, ", %" PRIu64 " outside of the time asked for", stats->outside);
    }
    wedr_buf_adds(&r->out, "\n");
}
