/* SPDX-License-Identifier: Apache-2.0
 * For programs: an object a line, and SARIF 2.1.0 with what SARIF viewers ask for. */
#include "common/show.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "report.h"
#include <inttypes.h>
#include <string.h>

static void add_key(struct wedr_buf *out, const char *key, struct wedr_text value)
{
    wedr_buf_addf(out, ",\"%s\":", key);
    wedr_show_json(out, value);
}

static struct wedr_text of(const char *s)
{
    return wedr_text(s, strlen(s));
}

/* {"name":"value",...} of the fields asked for that the event has. */
static void
add_fields(const struct wedr_report *r, struct wedr_buf *out, const struct wedr_match *m)
{
    const char *comma = "";
    wedr_buf_adds(out, ",\"fields\":{");
    for (size_t i = 0; i < r->args->field.count; i++) {
        if (m->more[i].len > 0) {
            wedr_buf_adds(out, comma);
            wedr_show_json(out, of(r->args->field.v[i]));
            wedr_buf_adds(out, ":");
            wedr_show_json(out, m->more[i]);
            comma = ",";
        }
    }
    wedr_buf_adds(out, "}");
}

static void
add_counted(const struct wedr_report *r, struct wedr_buf *out, const struct wedr_counted *c)
{
    const struct wedr_rule *rule = wedr_ruleset_rule(r->rs, c->rule);
    const struct wedr_correlation *corr = wedr_ruleset_correlation(r->rs, rule->correlation);
    wedr_buf_addf(out, ",\"count\":%" PRIu64 ",\"group\":{", c->count);
    for (uint32_t i = 0; i < c->group_count && i < corr->group_count; i++) {
        wedr_buf_adds(out, i > 0 ? "," : "");
        wedr_show_json(out, wedr_ruleset_field_name(r->rs, corr->group_by[i]));
        wedr_buf_adds(out, ":");
        wedr_show_json(out, c->group[i]);
    }
    wedr_buf_adds(out, "},\"evidence\":[");
    for (size_t i = 0; i < c->evidence_count; i++) {
        wedr_buf_adds(out, i > 0 ? ",{\"file\":" : "{\"file\":");
        wedr_show_json(out, of(c->evidence[i].path));
        wedr_buf_addf(out, ",\"event_index\":%" PRIu64 "}", c->evidence[i].index);
    }
    wedr_buf_adds(out, "]");
}

static int nothing(struct wedr_report *r)
{
    (void)r;
    return WEDR_OK;
}

static void close_nothing(struct wedr_report *r)
{
    (void)r;
}

static int match_json(struct wedr_report *r, const struct wedr_match *m)
{
    struct wedr_buf *out = &r->out;
    wedr_buf_adds(out, "{\"rule_id\":");
    wedr_show_json(out, m->r->id);
    add_key(out, "rule_title", m->r->title);
    add_key(out, "severity", of(wedr_severity_name(m->r->severity)));
    add_key(out, "file", of(m->place.path));
    wedr_buf_addf(out, ",\"event_index\":%" PRIu64, m->place.index);
    if (m->counted) {
        add_counted(r, out, m->counted);
    }
    if (r->args->field.count > 0) {
        add_fields(r, out, m);
    }
    wedr_buf_adds(out, "}\n");
    return WEDR_OK;
}

static int end_json(struct wedr_report *r, const struct wedr_crew_stats *stats)
{
    (void)r;
    (void)stats;
    return WEDR_OK;
}

const struct wedr_report_form wedr_report_json = {nothing, match_json, end_json, close_nothing};

/* --- SARIF. Results are written as they come; the rules that they name follow at the end. */

struct sarif {
    uint32_t *index_of; /* of each rule, from 1; 0: no match yet */
    uint32_t *rules;    /* in the order of their indexes */
    uint32_t count;
};

static const char *level(uint8_t severity)
{
    return severity >= WEDR_SEVERITY_HIGH     ? "error"
           : severity == WEDR_SEVERITY_MEDIUM ? "warning"
                                              : "note";
}

/* A path as a relative or file: reference. */
static void add_uri(struct wedr_buf *out, const char *path)
{
    wedr_buf_adds(out, path[0] == '/' ? "\"file://" : "\"");
    for (const unsigned char *c = (const unsigned char *)path; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("/._-~", *c);
        wedr_buf_addf(out, plain ? "%c" : "%%%02X", *c);
    }
    wedr_buf_adds(out, "\"");
}

static void add_location(struct wedr_buf *out, const struct wedr_place *p)
{
    wedr_buf_adds(out, "{\"physicalLocation\":{\"artifactLocation\":{\"uri\":");
    add_uri(out, p->path);
    wedr_buf_addf(out,
                  "},\"region\":{\"startLine\":%" PRIu64
                  "}},\"properties\":{\"event_index\":%" PRIu64 "}}",
                  p->line > 0 ? p->line : 1, p->index);
}

static int open_sarif(struct wedr_report *r)
{
    size_t count = (size_t)wedr_ruleset_rule_count(r->rs) + 1;
    struct sarif *s = wedr_alloc(1, sizeof(*s));
    r->state = s;
    if (!s) {
        return WEDR_E_NOMEM;
    }
    s->index_of = wedr_alloc(count, sizeof(*s->index_of));
    s->rules = wedr_alloc(count, sizeof(*s->rules));
    wedr_buf_adds(&r->out, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\","
                           "\"version\":\"2.1.0\",\"runs\":[{\"results\":[");
    return s->index_of && s->rules ? WEDR_OK : WEDR_E_NOMEM;
}

static void add_properties(struct wedr_report *r, const struct wedr_match *m)
{
    static const char *const names[] = {"time", "host", "user", "image", "what"};
    struct wedr_buf *out = &r->out;
    wedr_buf_addf(out, ",\"properties\":{\"severity\":\"%s\",\"event_index\":%" PRIu64,
                  wedr_severity_name(m->r->severity), m->place.index);
    if (m->place.timed) {
        wedr_buf_adds(out, ",\"time\":");
        wedr_report_time_json(out, m->place.time_us);
    }
    for (size_t i = WEDR_FACT_HOST; i < WEDR_FACT_COUNT; i++) {
        if (m->facts[i].len > 0) {
            add_key(out, names[i], m->facts[i]);
        }
    }
    if (m->counted) {
        add_counted(r, out, m->counted);
    }
    if (r->args->field.count > 0) {
        add_fields(r, out, m);
    }
    wedr_buf_adds(out, "}");
}

static void add_message(struct wedr_buf *out, const struct wedr_match *m)
{
    struct wedr_buf text;
    wedr_buf_init(&text, (size_t)1 << 20);
    wedr_show_text(&text, m->r->title, 0);
    size_t before = text.len;
    wedr_buf_adds(&text, ": ");
    wedr_report_gist(&text, m, 1000);
    if (text.len == before + 2) {
        wedr_buf_truncate(&text, before);
    }
    wedr_show_json(out, wedr_text(text.p ? (const char *)text.p : "", text.len));
    wedr_buf_fini(&text);
}

static struct wedr_text id_of(const struct wedr_rule *rule)
{
    return rule->id.len > 0 ? rule->id : rule->title;
}

static int match_sarif(struct wedr_report *r, const struct wedr_match *m)
{
    struct sarif *s = r->state;
    struct wedr_buf *out = &r->out;
    if (s->index_of[m->rule] == 0) {
        s->rules[s->count] = m->rule;
        s->index_of[m->rule] = ++s->count;
    }
    wedr_buf_adds(out, r->matches > 1 ? ",\n{\"ruleId\":" : "\n{\"ruleId\":");
    wedr_show_json(out, id_of(m->r));
    wedr_buf_addf(out, ",\"ruleIndex\":%" PRIu32 ",\"level\":\"%s\",\"message\":{\"text\":",
                  s->index_of[m->rule] - 1, level(m->r->severity));
    add_message(out, m);
    wedr_buf_adds(out, "},\"locations\":[");
    add_location(out, &m->place);
    wedr_buf_adds(out, "]");
    if (m->counted) {
        wedr_buf_adds(out, ",\"relatedLocations\":[");
        for (size_t i = 0; i < m->counted->evidence_count; i++) {
            wedr_buf_adds(out, i > 0 ? "," : "");
            add_location(out, &m->counted->evidence[i]);
        }
        wedr_buf_adds(out, "]");
    }
    add_properties(r, m);
    wedr_buf_adds(out, "}");
    return WEDR_OK;
}

static void add_list(struct wedr_buf *out, const char *key, struct wedr_text_list list)
{
    wedr_buf_addf(out, ",\"%s\":[", key);
    for (uint32_t i = 0; i < list.count; i++) {
        wedr_buf_adds(out, i > 0 ? "," : "");
        wedr_show_json(out, list.v[i]);
    }
    wedr_buf_adds(out, "]");
}

static void add_rule(struct wedr_buf *out, const struct wedr_rule *rule)
{
    static const char *const scores[] = {"0.0", "3.0", "5.0", "8.0", "9.5"};
    wedr_buf_adds(out, "{\"id\":");
    wedr_show_json(out, id_of(rule));
    add_key(out, "name", rule->title);
    wedr_buf_adds(out, ",\"shortDescription\":{\"text\":");
    wedr_show_json(out, rule->title.len > 0 ? rule->title : id_of(rule));
    wedr_buf_adds(out, "}");
    if (rule->description.len > 0) {
        wedr_buf_adds(out, ",\"fullDescription\":{\"text\":");
        wedr_show_json(out, rule->description);
        wedr_buf_adds(out, "}");
    }
    wedr_buf_addf(out,
                  ",\"defaultConfiguration\":{\"level\":\"%s\"},\"properties\":{\"severity\":\"%s\""
                  ",\"security-severity\":\"%s\"",
                  level(rule->severity), wedr_severity_name(rule->severity),
                  scores[rule->severity <= WEDR_SEVERITY_CRITICAL ? rule->severity : 0]);
    add_list(out, "tags", rule->tags);
    add_list(out, "references", rule->references);
    add_list(out, "falsePositives", rule->false_positives);
    wedr_buf_adds(out, "}}");
}

static int end_sarif(struct wedr_report *r, const struct wedr_crew_stats *stats)
{
    const struct sarif *s = r->state;
    struct wedr_buf *out = &r->out;
    wedr_buf_adds(
        out, "],\n\"tool\":{\"driver\":{\"name\":\"wedr-rules\",\"version\":\"" WEDR_RULES_VERSION
             "\",\"rules\":[");
    for (uint32_t i = 0; i < s->count; i++) {
        wedr_buf_adds(out, i > 0 ? ",\n" : "\n");
        add_rule(out, wedr_ruleset_rule(r->rs, s->rules[i]));
    }
    wedr_buf_addf(out,
                  "]}},\n\"invocations\":[{\"executionSuccessful\":%s}],\"properties\":{"
                  "\"events\":%" PRIu64 ",\"files\":%" PRIu64 ",\"unreadable\":%" PRIu64 "}}]}\n",
                  stats->failed == 0 ? "true" : "false", stats->events, stats->files,
                  stats->failed);
    return WEDR_OK;
}

static void close_sarif(struct wedr_report *r)
{
    struct sarif *s = r->state;
    if (s) {
        wedr_free(s->index_of);
        wedr_free(s->rules);
        wedr_free(s);
    }
}

const struct wedr_report_form wedr_report_sarif = {open_sarif, match_sarif, end_sarif, close_sarif};
