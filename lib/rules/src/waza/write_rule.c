/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/write_rule.c — a rule with all that describes it. */
#include "core/base/err.h"
#include "waza/write.h"
#include "wedr/rules/waza.h"
#include <inttypes.h>
#include <string.h>

#define NAME_MAX 60u

static void put_line(struct wedr_waza_writer *w, const char *key, struct wedr_text t)
{
    if (t.len > 0) {
        wedr_buf_addf(w->out, "    %s: ", key);
        wedr_waza_put_text(w, t, true);
        wedr_buf_adds(w->out, "\n");
    }
}

static void put_texts(struct wedr_waza_writer *w, const char *key, struct wedr_text_list list)
{
    bool lines = list.count > 3;
    if (list.count == 0) {
        return;
    }
    wedr_buf_addf(w->out, "    %s: [", key);
    for (uint32_t i = 0; i < list.count; i++) {
        wedr_buf_adds(w->out, lines ? i ? ",\n      " : "\n      " : i ? ", " : "");
        wedr_waza_put_text(w, list.v[i], true);
    }
    wedr_buf_adds(w->out, lines ? "\n    ]\n" : "]\n");
}

/* Letters of the title, and something that other rules do not have. */
static void put_group_name(struct wedr_waza_writer *w, const struct wedr_rule *r, uint32_t rule)
{
    uint32_t n = 0;
    bool gap = false;
    for (uint32_t i = 0; i < r->title.len && n < NAME_MAX; i++) {
        char c = r->title.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
            if (gap && n > 0) {
                wedr_buf_adds(w->out, "_");
            }
            wedr_buf_add(w->out, &c, 1);
            gap = false;
            n++;
        } else {
            gap = true;
        }
    }
    wedr_buf_adds(w->out, n ? "_" : "rule_");
    for (uint32_t i = 0, k = 0; i < r->id.len && k < 8; i++) {
        char c = r->id.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
            wedr_buf_add(w->out, &c, 1);
            k++;
        }
    }
    if (r->id.len == 0) {
        wedr_buf_addf(w->out, "%" PRIu32, rule);
    }
}

static void put_duration(struct wedr_waza_writer *w, uint64_t ms)
{
    static const struct {
        uint64_t ms;
        const char *unit;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms % units[i].ms != 0) {
        i++;
    }
    wedr_buf_addf(w->out, "%" PRIu64 "%s", ms / units[i].ms, ms ? units[i].unit : "s");
}

/* product/category/service without a star at the end. */
static void put_class(struct wedr_waza_writer *w, struct wedr_text t)
{
    uint32_t slashes = 0;
    bool quoted = false;
    for (uint32_t i = 0; i < t.len; i++) {
        char c = t.p[i];
        slashes += c == '/';
        quoted = quoted || c == ',' || c == '"' || c == '\'' || c == '#' || c == '[' || c == ']' ||
                 c == '\\' || (uint8_t)c <= ' ';
    }
    if (slashes == 2 && t.len > 2 && memcmp(t.p + t.len - 2, "/*", 2) == 0) {
        t.len -= 2;
    }
    if (quoted) {
        wedr_waza_put_text(w, t, true);
    } else {
        wedr_buf_add(w->out, t.p, t.len);
    }
}

static void put_sources(struct wedr_waza_writer *w, const struct wedr_rule *r)
{
    bool list = r->class_count > 1;
    wedr_buf_addf(w->out, "    source: %s", list ? "[" : r->class_count ? "" : "*");
    for (uint32_t i = 0; i < r->class_count; i++) {
        wedr_buf_adds(w->out, i ? ", " : "");
        put_class(w, wedr_ruleset_class_name(w->rs, r->classes[i]));
    }
    wedr_buf_adds(w->out, list ? "]\n" : "\n");
}

static void put_metadata(struct wedr_waza_writer *w, const struct wedr_rule *r)
{
    put_line(w, "id", r->id);
    put_line(w, "title", r->title);
    put_line(w, "description", r->description);
    put_line(w, "author", r->author);
    put_line(w, "date", r->date);
    put_line(w, "modified", r->modified);
    put_line(w, "status", r->status);
    put_line(w, "license", r->license);
    put_texts(w, "references", r->references);
    put_texts(w, "tags", r->tags);
    put_texts(w, "falsepositives", r->false_positives);
    wedr_buf_addf(w->out, "    severity: %s\n", wedr_severity_name(r->severity));
    wedr_buf_adds(w->out, r->flags & WEDR_RULE_DISABLED ? "    enabled: false\n" : "");
    wedr_buf_adds(w->out, r->flags & WEDR_RULE_HIDDEN ? "    hidden: true\n" : "");
    wedr_buf_adds(w->out, r->flags & WEDR_RULE_SERVER ? "    scope: server\n" : "");
    put_line(w, "needs", r->needs);
    if (r->throttle_count > 0) {
        wedr_buf_addf(w->out, "    throttle: %" PRIu32 "/", r->throttle_count);
        put_duration(w, r->throttle_ms);
        wedr_buf_adds(w->out, "\n");
    }
}

static void put_entity(struct wedr_waza_writer *w, const struct wedr_rule *r)
{
    if (r->entity_field != WEDR_IR_NONE) {
        wedr_buf_adds(w->out, "    entity: ");
        wedr_waza_put_field(w, r->entity_field);
        wedr_buf_adds(w->out, "\n");
    }
}

/* --- One event. */

/* The first name has the condition of all of them. */
static void put_exceptions(struct wedr_waza_writer *w, const struct wedr_rule *r)
{
    for (uint32_t i = 0; r->exception != WEDR_IR_NONE && (i == 0 || i < r->exceptions.count); i++) {
        wedr_buf_adds(w->out, "    exception ");
        wedr_waza_put_text(w, i < r->exceptions.count ? r->exceptions.v[i] : wedr_text("filter", 6),
                           true);
        wedr_buf_adds(w->out, ": ");
        if (i == 0) {
            wedr_waza_put_node(w, r->exception, true);
        } else {
            wedr_buf_adds(w->out, "false");
        }
        wedr_buf_adds(w->out, "\n");
    }
}

static void put_condition(struct wedr_waza_writer *w, const struct wedr_rule *r)
{
    const struct wedr_node *n = wedr_ruleset_node(w->rs, r->condition);
    wedr_buf_adds(w->out, "    - ");
    if (r->guard != WEDR_IR_NONE) {
        bool mixed = n->kind == WEDR_NODE_OR;
        wedr_buf_adds(w->out, "(");
        wedr_waza_put_node(w, r->guard, false);
        wedr_buf_adds(w->out, mixed ? ") && (" : ") &&\n      ");
        wedr_waza_put_node(w, r->condition, !mixed);
        wedr_buf_adds(w->out, mixed ? ")\n" : "\n");
        return;
    }
    if (n->kind != WEDR_NODE_OR || n->kid_count > 64) {
        wedr_waza_put_node(w, r->condition, true);
        wedr_buf_adds(w->out, "\n");
        return;
    }
    const uint32_t *kids = wedr_ruleset_kids(w->rs, n);
    bool predicates = true;
    for (uint32_t i = 0; i < n->kid_count; i++) {
        predicates = predicates && wedr_ruleset_node(w->rs, kids[i])->kind == WEDR_NODE_PRED;
    }
    if (predicates) { /* lists read better */
        wedr_waza_put_node(w, r->condition, true);
    }
    for (uint32_t i = 0; !predicates && i < n->kid_count; i++) { /* alternatives are lines */
        wedr_buf_adds(w->out, i ? "\n    - " : "");
        wedr_waza_put_node(w, kids[i], true);
    }
    wedr_buf_adds(w->out, "\n");
}

/* --- Several events. */

static void put_limits(struct wedr_waza_writer *w, const struct wedr_correlation *c)
{
    static const char *const signs[] = {
        [WEDR_OP_EQ] = "==", [WEDR_OP_NE] = "!=", [WEDR_OP_LT] = "<",
        [WEDR_OP_LE] = "<=", [WEDR_OP_GT] = ">",  [WEDR_OP_GE] = ">="};
    for (uint32_t i = 0; i < c->limit_count; i++) {
        wedr_buf_addf(w->out, "%s %s ", i ? " &&" : "", signs[c->limits[i].op]);
        wedr_waza_put_number(w, c->limits[i].number);
    }
}

static void put_mode(struct wedr_waza_writer *w, const struct wedr_correlation *c)
{
    bool pattern = c->kind == WEDR_CORR_PATTERN;
    if (pattern && !c->ordered) {
        return;
    }
    wedr_buf_adds(w->out, "    ");
    if (c->kind == WEDR_CORR_VALUE_COUNT) {
        wedr_buf_adds(w->out, "distinct ");
        wedr_waza_put_field(w, c->value_field);
    } else {
        wedr_buf_adds(w->out, c->kind == WEDR_CORR_EVENT_COUNT ? "count"
                              : c->kind == WEDR_CORR_TEMPORAL  ? "all"
                                                               : "sequence");
    }
    put_limits(w, c);
    wedr_buf_adds(w->out, "\n");
}

static void put_keys(struct wedr_waza_writer *w, const struct wedr_correlation *c)
{
    if (c->group_count > 0) {
        wedr_buf_adds(w->out, "    by: ");
    }
    for (uint32_t g = 0; g < c->group_count; g++) {
        wedr_buf_adds(w->out, g ? ", " : "");
        wedr_waza_put_field(w, c->group_by[g]);
        for (uint32_t i = 0; i < c->alias_count; i++) {
            const struct wedr_correlation_alias *a = &c->aliases[i];
            if (a->group == g) {
                wedr_buf_addf(w->out, " || $m%" PRIu32 ".", a->member + 1);
                wedr_waza_put_field(w, a->field);
            }
        }
    }
    wedr_buf_adds(w->out, c->group_count ? "\n" : "");
}

static void put_members(struct wedr_waza_writer *w, const struct wedr_correlation *c)
{
    for (uint32_t m = 0; m < c->member_count; m++) {
        const struct wedr_rule *r = wedr_ruleset_rule(w->rs, c->members[m]);
        wedr_buf_addf(w->out, "    event m%" PRIu32 ": rule ", m + 1);
        wedr_waza_put_text(w, r->id.len ? r->id : r->title, true);
        wedr_buf_adds(w->out, "\n");
    }
}

static void put_pattern(struct wedr_waza_writer *w, const struct wedr_correlation *c)
{
    wedr_buf_adds(w->out, c->join_count ? "    - (" : "    - ");
    if (c->expression != WEDR_IR_NONE) {
        wedr_waza_put_node(w, c->expression, false);
    }
    for (uint32_t m = 0; c->expression == WEDR_IR_NONE && m < c->member_count; m++) {
        wedr_buf_addf(w->out, "%s$m%" PRIu32, m ? " && " : "", m + 1);
    }
    wedr_buf_adds(w->out, c->join_count ? ")" : "");
    for (uint32_t i = 0; i < c->join_count; i++) {
        const struct wedr_correlation_join *j = &c->joins[i];
        wedr_buf_addf(w->out, " &&\n      $m%" PRIu32 ".", j->member_a + 1);
        wedr_waza_put_field(w, j->field_a);
        wedr_buf_addf(w->out, " == $m%" PRIu32 ".", j->member_b + 1);
        wedr_waza_put_field(w, j->field_b);
    }
    wedr_buf_adds(w->out, "\n");
}

static void put_correlation(struct wedr_waza_writer *w, const struct wedr_correlation *c)
{
    wedr_buf_adds(w->out, "    source: *\n    window: ");
    put_duration(w, c->timespan_ms);
    wedr_buf_addf(w->out, "\n    consume: %s\n", c->consume ? "true" : "false");
    put_mode(w, c);
    put_members(w, c);
    put_keys(w, c);
    if (c->kind == WEDR_CORR_PATTERN) {
        put_pattern(w, c);
    }
    for (uint32_t m = 0; c->kind != WEDR_CORR_PATTERN && m < c->member_count; m++) {
        wedr_buf_addf(w->out, "    - $m%" PRIu32 "\n", m + 1);
    }
}

/* --- The rule. */

static void put_actions(struct wedr_waza_writer *w, const struct wedr_rule *r)
{
    if (r->actions & WEDR_ACTION_LOG || r->actions == 0) {
        wedr_buf_adds(w->out, "    - log\n");
    }
    if (r->actions & WEDR_ACTION_ALERT) {
        wedr_buf_adds(w->out, "    - alert");
        if (r->message.len > 0) {
            wedr_buf_adds(w->out, " ");
            wedr_waza_put_text(w, r->message, true);
        }
        wedr_buf_adds(w->out, "\n");
    }
    if (r->actions & WEDR_ACTION_KILL) {
        wedr_buf_adds(w->out, "    - kill\n");
    }
}

static void put_rule(struct wedr_waza_writer *w, const struct wedr_rule *r, uint32_t rule)
{
    wedr_buf_adds(w->out, "- Detection:\n  - ");
    put_group_name(w, r, rule);
    wedr_buf_adds(w->out, ":\n");
    put_metadata(w, r);
    if (r->correlation != WEDR_IR_NONE) {
        put_correlation(w, wedr_ruleset_correlation(w->rs, r->correlation));
        put_entity(w, r);
    } else {
        put_sources(w, r);
        put_entity(w, r);
        put_exceptions(w, r);
        put_condition(w, r);
    }
    wedr_buf_adds(w->out, "- Action:\n  - ");
    put_group_name(w, r, rule);
    wedr_buf_adds(w->out, ":\n");
    put_actions(w, r);
}

int wedr_waza_write_rule(const struct wedr_ruleset *rs,
                         uint32_t rule,
                         struct wedr_buf *out,
                         struct wedr_errinfo *ei)
{
    const struct wedr_rule *r = wedr_ruleset_rule(rs, rule);
    struct wedr_buf text;
    struct wedr_waza_writer w = {.rs = rs, .out = &text, .ei = ei};
    if (!r) {
        return WEDR_E_NOENT;
    }
    wedr_buf_init(&text, WEDR_WAZA_FILE_MAX);
    put_rule(&w, r, rule);
    int e = w.err < 0 ? w.err : text.overflow ? WEDR_E_LIMIT : WEDR_OK;
    if (e == WEDR_OK) {
        e = wedr_waza_format("", (const char *)text.p, text.len, out, NULL, NULL);
        e = e == WEDR_E_FORMAT ? wedr_waza_no_form(&w, "too deeply nested") : e;
    }
    wedr_buf_fini(&text);
    return e;
}
