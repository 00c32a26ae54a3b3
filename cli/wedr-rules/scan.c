/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "common/show.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "progress.h"
#include "report.h"
#include "wedr/plat/term.h"
#include "wedr/plat/thread.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MAX ((size_t)64 << 20)

struct scan {
    const struct wedr_rules_args *args;
    struct wedr_report report;
    const struct wedr_report_form *form;
    struct wedr_counting *counting; /* NULL: no correlations */
    struct wedr_progress progress;
    bool out_is_terminal;
};

static int flush(struct scan *s)
{
    if (s->report.out.len > 0 && s->out_is_terminal) {
        wedr_progress_clear(&s->progress);
    }
    return wedr_show_flush(&s->report.out) ? WEDR_OK : WEDR_E_IO;
}

static int report(struct scan *s, const struct wedr_match *m)
{
    s->report.matches++;
    s->report.tallies[m->rule]++;
    s->progress.matches++;
    s->progress.severe += m->r->severity >= WEDR_SEVERITY_HIGH;
    int r = s->form->match(&s->report, m);
    return r == WEDR_OK ? flush(s) : r;
}

static int on_hit(void *ctx, const struct wedr_hit *hit)
{
    struct scan *s = ctx;
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && i < hit->count; i++) {
        const struct wedr_rule *rule = wedr_ruleset_rule(s->report.rs, hit->rules[i]);
        struct wedr_match m = {.rule = hit->rules[i], .r = rule, .place = hit->place};
        if ((rule->flags & WEDR_RULE_HIDDEN) != 0) {
            continue;
        }
        memcpy(m.facts, hit->facts, sizeof(m.facts));
        memcpy(m.more, hit->more, sizeof(m.more));
        m.note = wedr_hit_note(hit, i);
        r = report(s, &m);
    }
    return r == WEDR_OK && s->counting ? wedr_counting_add(s->counting, hit) : r;
}

static int on_counted(void *ctx, const struct wedr_counted *c)
{
    struct wedr_match m = {.rule = c->rule, .place = c->place, .counted = c};
    struct scan *s = ctx;
    m.r = wedr_ruleset_rule(s->report.rs, c->rule);
    memcpy(m.facts, c->facts, sizeof(m.facts));
    memcpy(m.more, c->more, sizeof(m.more));
    return report(s, &m);
}

static void on_progress(void *ctx, const struct wedr_crew_stats *stats)
{
    struct scan *s = ctx;
    wedr_progress_show(&s->progress, stats);
}

static void on_problem(void *ctx)
{
    struct scan *s = ctx;
    wedr_progress_clear(&s->progress);
}

static const struct wedr_report_form *form_of(const struct wedr_rules_args *args)
{
    return args->json       ? &wedr_report_json
           : args->sarif    ? &wedr_report_sarif
           : args->timeline ? &wedr_report_timeline
           : args->summary  ? &wedr_report_summary
                            : &wedr_report_table;
}

static bool wants_color(const struct wedr_rules_args *args)
{
    const char *none = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe): one thread yet */
    return args->color ||
           (!args->no_color && !args->output && !(none && none[0]) && wedr_term_out());
}

static int parse_time(
    const char *name, const char *text, bool *ret_set, int64_t *ret_us, struct wedr_errinfo *ei)
{
    if (text && wedr_time_parse(text, strlen(text), ret_us) != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_INVAL, "%s: %.64s is no time (2026-01-31T08:00:00Z)", name,
                         text);
    }
    *ret_set = text != NULL;
    return WEDR_OK;
}

/* What the numbers alone do not say. */
static void tell_counting(const struct scan *s)
{
    struct wedr_counting_stats st;
    if (!s->counting) {
        return;
    }
    wedr_counting_stats(s->counting, &st);
    if (st.undated > 0) {
        (void)fprintf(stderr,
                      "correlations: %" PRIu64 " of %" PRIu64
                      " events had no time and were counted at that of the one before\n",
                      st.undated, st.kept);
    }
    if (st.early || st.evicted > 0) {
        (void)fprintf(stderr,
                      "correlations: too many events for memory: %s, %" PRIu64
                      " fell out of their window\n",
                      st.early ? "counted in parts" : "counted at once", st.evicted);
    }
}

static int run(struct scan *s, struct wedr_crew *crew, struct wedr_errinfo *ei)
{
    char *const *paths = s->args->more;
    size_t count = s->args->more_count;
    int r = s->form->open(&s->report);
    if (r == WEDR_OK) {
        r = flush(s);
    }
    if (r == WEDR_OK) {
        r = wedr_crew_run(crew, paths, count);
    }
    if (r == WEDR_OK && s->counting) {
        r = wedr_counting_finish(s->counting);
    }
    wedr_progress_clear(&s->progress);
    if (r == WEDR_OK) {
        r = s->form->end(&s->report, &crew->stats);
    }
    if (r == WEDR_OK) {
        r = flush(s);
    }
    if (r == WEDR_E_LIMIT) {
        return wedr_fail(ei, r, "more matches than can be held: choose fewer rules or events");
    }
    tell_counting(s);
    return r == WEDR_E_IO ? wedr_fail(ei, r, "standard output cannot be written") : r;
}

static int scan(const struct wedr_load *l,
                const struct wedr_rules_args *args,
                bool *ret_clean,
                struct wedr_errinfo *ei)
{
    int processors = wedr_cpu_count();
    struct scan s = {.args = args, .form = form_of(args), .out_is_terminal = wedr_term_out()};
    struct wedr_crew crew = {
        .load = l, .hit = on_hit, .progress = on_progress, .problem = on_problem, .ctx = &s};
    uint32_t count = wedr_ruleset_rule_count(wedr_engine_ruleset(l->engine));
    bool *wanted = wedr_alloc((size_t)count + 1, sizeof(*wanted));
    bool *feeds = wedr_alloc((size_t)count + 1, sizeof(*feeds));
    s.report = (struct wedr_report){.args = args, .rs = wedr_engine_ruleset(l->engine)};
    s.report.color = wants_color(args);
    s.report.tallies = wedr_alloc((size_t)count + 1, sizeof(*s.report.tallies));
    wedr_buf_init(&s.report.out, OUT_MAX);
    crew.threads = args->threads    ? (unsigned)args->threads
                   : processors > 0 ? (unsigned)processors
                                    : 1;
    crew.threads = crew.threads < WEDR_RULES_THREADS_MAX ? crew.threads : WEDR_RULES_THREADS_MAX;
    crew.wanted = wanted;
    int r = parse_time("--since", args->since, &crew.since_set, &crew.since_us, ei);
    if (r == WEDR_OK) {
        r = parse_time("--until", args->until, &crew.until_set, &crew.until_us, ei);
    }
    if (r == WEDR_OK && (!wanted || !feeds || !s.report.tallies)) {
        r = WEDR_E_NOMEM;
    }
    if (r == WEDR_OK) {
        r = wedr_counting_new(l, feeds, on_counted, &s, &s.counting);
    }
    for (uint32_t i = 0; r == WEDR_OK && i < count; i++) {
        wanted[i] = feeds[i] || (wedr_ruleset_rule(s.report.rs, i)->flags & WEDR_RULE_HIDDEN) == 0;
    }
    if (r == WEDR_OK) {
        wedr_progress_init(&s.progress, !args->quiet, args->more, args->more_count);
        r = run(&s, &crew, ei);
        s.form->close(&s.report);
    }
    *ret_clean = crew.stats.failed == 0;
    wedr_crew_fini(&crew);
    wedr_counting_free(s.counting);
    wedr_buf_fini(&s.report.out);
    wedr_free(s.report.tallies);
    wedr_free(wanted);
    wedr_free(feeds);
    return r;
}

int wedr_rules_scan(const struct wedr_rules_args *args)
{
    struct wedr_errinfo ei = {""};
    struct wedr_load l = {.args = args, .want_facts = true};
    bool clean = false;
    int forms = args->json + args->sarif + args->timeline + args->summary;
    int r = forms > 1 ? wedr_fail(&ei, WEDR_E_INVAL,
                                  "only one of --json, --sarif, --timeline and --summary")
                      : wedr_load_rules(&l, &ei);
    if (r == WEDR_OK) {
        r = scan(&l, args, &clean, &ei);
    }
    if (r < 0) {
        wedr_show_problem("", 0, ei.text[0] ? ei.text : wedr_err_text(r));
    }
    wedr_load_fini(&l);
    return r == WEDR_E_INVAL                 ? WEDR_EXIT_USAGE
           : r < 0 || !clean || l.failed > 0 ? WEDR_EXIT_FAILED
                                             : WEDR_EXIT_DONE;
}
