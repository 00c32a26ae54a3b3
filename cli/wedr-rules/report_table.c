/* SPDX-License-Identifier: Apache-2.0
 * The default: each rule that matched, the severest first, with its first matches. */
#include "common/show.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "report.h"
#include <inttypes.h>
#include <string.h>

#define SHOWN_MAX 3u                      /* matches of a rule */
#define GIST_COLUMNS 160u                 /* of each of its parts */
#define FIELD_COLUMNS 200u                /* of a field that was asked for */
#define SHOWN_BYTES_MAX ((size_t)1 << 20) /* of a rule */
#define INDENT "      "
#define EVIDENCE_SHOWN 8u

static int open_table(struct wedr_report *r)
{
    uint32_t count = wedr_ruleset_rule_count(r->rs);
    struct wedr_buf *shown = wedr_alloc((size_t)count + 1, sizeof(*shown));
    if (!shown) {
        return WEDR_E_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        wedr_buf_init(&shown[i], SHOWN_BYTES_MAX);
    }
    r->state = shown;
    return WEDR_OK;
}

static void add_text(struct wedr_buf *out, const char *before, struct wedr_text t)
{
    if (t.len > 0) {
        wedr_buf_adds(out, before);
        wedr_show_text(out, t, FIELD_COLUMNS);
    }
}

static void add_place(struct wedr_buf *out, const struct wedr_place *p)
{
    wedr_show_text(out, wedr_text(p->path, strlen(p->path)), 0);
    wedr_buf_addf(out, ":%" PRIu64, p->index);
}

static void
add_counted(const struct wedr_report *r, struct wedr_buf *out, const struct wedr_counted *c)
{
    const struct wedr_rule *rule = wedr_ruleset_rule(r->rs, c->rule);
    const struct wedr_correlation *corr = wedr_ruleset_correlation(r->rs, rule->correlation);
    wedr_buf_addf(out, INDENT "  %" PRIu64 " counted", c->count);
    for (uint32_t i = 0; i < c->group_count && i < corr->group_count; i++) {
        wedr_buf_adds(out, i > 0 ? ", " : " for ");
        wedr_show_text(out, wedr_ruleset_field_name(r->rs, corr->group_by[i]), 0);
        add_text(out, " ", c->group[i]);
    }
    wedr_buf_adds(out, "; events");
    size_t from = c->evidence_count > EVIDENCE_SHOWN ? c->evidence_count - EVIDENCE_SHOWN : 0;
    wedr_buf_adds(out, from > 0 ? " ..." : "");
    for (size_t i = from; i < c->evidence_count; i++) {
        wedr_buf_adds(out, " ");
        add_place(out, &c->evidence[i]);
    }
    wedr_buf_adds(out, "\n");
}

static int match_table(struct wedr_report *r, const struct wedr_match *m)
{
    struct wedr_buf *out = &((struct wedr_buf *)r->state)[m->rule];
    if (r->tallies[m->rule] > SHOWN_MAX) {
        return WEDR_OK;
    }
    wedr_buf_adds(out, INDENT);
    wedr_report_time(out, &m->place);
    add_text(out, "  ", m->facts[WEDR_FACT_HOST]);
    add_text(out, "  ", m->facts[WEDR_FACT_USER]);
    wedr_buf_adds(out, "  ");
    add_place(out, &m->place);
    wedr_buf_adds(out, "\n");
    size_t before = out->len;
    wedr_buf_adds(out, INDENT "  ");
    size_t begun = out->len;
    wedr_report_gist(out, m, GIST_COLUMNS);
    if (out->len > begun) {
        wedr_buf_adds(out, "\n");
    } else {
        wedr_buf_truncate(out, before);
    }
    for (size_t i = 0; i < r->args->field.count; i++) {
        if (m->more[i].len > 0) {
            wedr_buf_addf(out, INDENT "  %s=", r->args->field.v[i]);
            add_text(out, "", m->more[i]);
            wedr_buf_adds(out, "\n");
        }
    }
    if (m->counted) {
        add_counted(r, out, m->counted);
    }
    return WEDR_OK;
}

static void add_rule(struct wedr_report *r, uint32_t index)
{
    const struct wedr_rule *rule = wedr_ruleset_rule(r->rs, index);
    const struct wedr_buf *shown = &((struct wedr_buf *)r->state)[index];
    add_text(&r->out, "  ", rule->id);
    for (uint32_t i = 0; i < rule->tags.count; i++) {
        if (wedr_text_starts(rule->tags.v[i], wedr_text("attack.t", 8), false)) {
            add_text(&r->out, "  ", wedr_text(rule->tags.v[i].p + 7, rule->tags.v[i].len - 7));
        }
    }
    wedr_buf_adds(&r->out, "\n");
    wedr_buf_add(&r->out, shown->p, shown->len);
    if (r->tallies[index] > SHOWN_MAX) {
        wedr_buf_addf(&r->out, INDENT "and %" PRIu64 " more\n", r->tallies[index] - SHOWN_MAX);
    }
}

static int end_table(struct wedr_report *r, const struct wedr_crew_stats *stats)
{
    int err = wedr_report_rules(r, add_rule);
    if (err == WEDR_OK) {
        wedr_report_totals(r, stats);
    }
    return err;
}

static void close_table(struct wedr_report *r)
{
    struct wedr_buf *shown = r->state;
    for (uint32_t i = 0; shown && i < wedr_ruleset_rule_count(r->rs); i++) {
        wedr_buf_fini(&shown[i]);
    }
    wedr_free(shown);
}

const struct wedr_report_form wedr_report_table = {open_table, match_table, end_table, close_table};
