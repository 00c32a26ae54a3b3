/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "events.h"
#include "show.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX 3u                     /* events shown of a rule */
#define PLACE_COLUMNS 100u                /* of the text of an event */
#define PLACE_BYTES_MAX ((size_t)1 << 16) /* of all that is shown of a rule */
#define LINE_MAX_BYTES ((size_t)1 << 20)

struct tally {
    uint64_t count;
    struct wedr_buf places; /* lines, made for a terminal; empty until the first match */
};

struct scan {
    bool json;
    bool lost; /* standard output did not take everything */
    const struct wedr_ruleset *rs;
    struct wedr_matcher *m;
    struct tally *tallies; /* of each rule */
    struct wedr_buf line;
    uint64_t matches;
};

static void
print_json(struct scan *s, const struct wedr_rule *rule, const char *path, uint64_t index)
{
    const char *severity = wedr_severity_name(rule->severity);
    wedr_buf_adds(&s->line, "{\"rule_id\":");
    wedr_show_json(&s->line, rule->id);
    wedr_buf_adds(&s->line, ",\"rule_title\":");
    wedr_show_json(&s->line, rule->title);
    wedr_buf_addf(&s->line, ",\"severity\":\"%s\",\"file\":", severity);
    wedr_show_json(&s->line, wedr_text(path, strlen(path)));
    wedr_buf_addf(&s->line, ",\"event_index\":%" PRIu64 "}\n", index);
    s->lost = !wedr_show_flush(&s->line) || s->lost;
}

/* What a person recognises an event by: the first of these that it has. */
static struct wedr_text gist(const struct scan *s, struct wedr_rule_event *ev)
{
    static const char *const fields[] = {
        "CommandLine", "ScriptBlockText", "TargetObject", "TargetFilename", "ImageLoaded",
        "QueryName",   "DestinationIp",   "Image",        "proctitle",      "exe"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(fields); i++) {
        uint32_t field = wedr_ruleset_field_find(s->rs, fields[i], strlen(fields[i]));
        uint32_t value = field == WEDR_IR_NONE ? field : wedr_rule_event_first(ev, field);
        struct wedr_text t =
            value == WEDR_IR_NONE ? wedr_text("", 0) : wedr_rule_event_text(ev, value);
        if (t.p && t.len > 0) {
            return t;
        }
    }
    return wedr_text("", 0);
}

static void keep_place(const struct scan *s,
                       struct tally *t,
                       const char *path,
                       uint64_t index,
                       struct wedr_rule_event *ev)
{
    if (t->count == 1) {
        wedr_buf_init(&t->places, PLACE_BYTES_MAX);
    }
    if (t->count <= PLACES_MAX) {
        wedr_buf_adds(&t->places, "                         ");
        wedr_show_text(&t->places, wedr_text(path, strlen(path)), 0);
        wedr_buf_addf(&t->places, ":%" PRIu64 "  ", index);
        wedr_show_text(&t->places, gist(s, ev), PLACE_COLUMNS);
        wedr_buf_adds(&t->places, "\n");
    }
}

static int on_event(
    void *ctx, const char *path, uint64_t index, struct wedr_rule_event *ev, struct wedr_text json)
{
    struct scan *s = ctx;
    const uint32_t *rules;
    size_t count;
    (void)json;
    int r = wedr_matcher_run(s->m, ev, &rules, &count);
    for (size_t i = 0; r == WEDR_OK && i < count; i++) {
        const struct wedr_rule *rule = wedr_ruleset_rule(s->rs, rules[i]);
        if ((rule->flags & WEDR_RULE_HIDDEN) != 0) {
            continue;
        }
        s->matches++;
        s->tallies[rules[i]].count++;
        if (s->json) {
            print_json(s, rule, path, index);
        } else {
            keep_place(s, &s->tallies[rules[i]], path, index, ev);
        }
    }
    return r == WEDR_OK && s->lost ? WEDR_E_IO : r;
}

struct row {
    const struct wedr_rule *rule;
    const struct tally *tally;
};

static int compare_text(struct wedr_text a, struct wedr_text b)
{
    uint32_t len = a.len < b.len ? a.len : b.len;
    int c = len > 0 ? memcmp(a.p, b.p, len) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* The severest first, then the most frequent. */
static int by_rank(const void *pa, const void *pb)
{
    const struct row *a = pa;
    const struct row *b = pb;
    if (a->rule->severity != b->rule->severity) {
        return a->rule->severity < b->rule->severity ? 1 : -1;
    }
    if (a->tally->count != b->tally->count) {
        return a->tally->count < b->tally->count ? 1 : -1;
    }
    int c = compare_text(a->rule->title, b->rule->title);
    return c ? c : compare_text(a->rule->id, b->rule->id);
}

static void print_row(struct scan *s, const struct row *row)
{
    wedr_buf_addf(&s->line, "%-13s  %8" PRIu64 "  ", wedr_severity_name(row->rule->severity),
                  row->tally->count);
    wedr_show_text(&s->line, row->rule->title, 0);
    if (row->rule->id.len > 0) {
        wedr_buf_adds(&s->line, "  ");
        wedr_show_text(&s->line, row->rule->id, 0);
    }
    wedr_buf_adds(&s->line, "\n");
    wedr_buf_add(&s->line, row->tally->places.p, row->tally->places.len);
    if (row->tally->count > PLACES_MAX) {
        wedr_buf_addf(&s->line, "                         and %" PRIu64 " more\n",
                      row->tally->count - PLACES_MAX);
    }
    s->lost = !wedr_show_flush(&s->line) || s->lost;
}

static int print_table(struct scan *s, const struct wedr_events *e)
{
    uint32_t count = wedr_ruleset_rule_count(s->rs);
    struct row *rows = wedr_alloc((size_t)count + 1, sizeof(*rows));
    size_t used = 0;
    if (!rows) {
        return WEDR_E_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (s->tallies[i].count > 0) {
            rows[used++] = (struct row){wedr_ruleset_rule(s->rs, i), &s->tallies[i]};
        }
    }
    qsort(rows, used, sizeof(*rows), by_rank);
    if (used > 0) {
        (void)printf("%-13s  %8s  %s\n", "SEVERITY", "MATCHES", "RULE");
    }
    for (size_t i = 0; i < used; i++) {
        print_row(s, &rows[i]);
    }
    (void)printf("%" PRIu64 " matches of %zu rules; %" PRIu64 " events in %" PRIu64
                 " files, %" PRIu64 " from no log source of the rules, %" PRIu64 " unreadable\n",
                 s->matches, used, e->events, e->files, e->unknown, e->failed);
    wedr_free(rows);
    return WEDR_OK;
}

static int scan(const struct wedr_load *l, const struct wedr_rules_args *args, bool *ret_clean)
{
    struct scan s = {.json = args->json, .rs = wedr_engine_ruleset(l->engine)};
    struct wedr_events e = {.load = l, .fn = on_event, .ctx = &s};
    uint32_t count = wedr_ruleset_rule_count(s.rs);
    int r = WEDR_E_NOMEM;
    wedr_buf_init(&s.line, LINE_MAX_BYTES);
    s.m = wedr_matcher_new(l->engine);
    s.tallies = wedr_alloc((size_t)count + 1, sizeof(*s.tallies));
    if (s.m && s.tallies) {
        r = wedr_events_run(&e, args->more, args->more_count);
    }
    if (r == WEDR_OK && !s.json) {
        r = print_table(&s, &e);
    }
    for (uint32_t i = 0; s.tallies && i < count; i++) {
        wedr_buf_fini(&s.tallies[i].places);
    }
    wedr_free(s.tallies);
    wedr_matcher_free(s.m);
    wedr_buf_fini(&s.line);
    *ret_clean = e.failed == 0 && !s.lost;
    return r;
}

int wedr_rules_scan(const struct wedr_rules_args *args)
{
    struct wedr_errinfo ei = {""};
    struct wedr_load l = {.failed_fn = NULL};
    bool clean = false;
    int r = wedr_load_rules(&l, args->rules, args->rule_count, &ei);
    if (r == WEDR_OK) {
        if (l.correlations > 0) {
            (void)fprintf(stderr, "%" PRIu64 " correlations are not counted over the events\n",
                          l.correlations);
        }
        r = scan(&l, args, &clean);
    }
    if (r < 0) {
        wedr_show_problem("", 0, ei.text[0] ? ei.text : wedr_err_text(r));
    }
    wedr_load_fini(&l);
    return r < 0 || !clean || l.failed > 0 ? WEDR_EXIT_FAILED : WEDR_EXIT_DONE;
}
