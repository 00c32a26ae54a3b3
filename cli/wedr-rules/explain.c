/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "common/show.h"
#include "core/base/err.h"
#include "events.h"
#include "note.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MAX ((size_t)256 << 20)
#define VALUE_COLUMNS 200u
#define PATH_BYTES 4096u
#define NOTE_MAX ((size_t)1 << 16)
#define DEPTH_MAX 16u /* correlations of correlations */
#define FOUND 1

struct explain {
    const struct wedr_load *load;
    const struct wedr_ruleset *rs;
    struct wedr_matcher *m;
    bool json;
    uint32_t rule, part; /* part: of the last step */
    bool begun;          /* a step was told */
    uint64_t index;      /* of the event */
    unsigned depth;      /* correlations around the rule at hand */
    struct wedr_buf out;
};

static const char *const part_names[] = {"log source", "condition", "exception"};

static const char *node_name(const struct wedr_node *n)
{
    static const char *const names[] = {
        "always",       "never",        "field",         "not",
        "all of these", "one of these", "some of these", "rule of a correlation"};
    return names[n->kind < WEDR_ARRAY_COUNT(names) ? n->kind : 0];
}

static void
describe(const struct explain *x, const struct wedr_explain_step *step, struct wedr_buf *out)
{
    const struct wedr_node *n = wedr_ruleset_node(x->rs, step->node);
    if (step->pred != WEDR_IR_NONE) {
        wedr_pred_describe(x->rs, step->pred, out);
    } else if (n->kind == WEDR_NODE_AT_LEAST) {
        wedr_buf_addf(out, "at least %" PRIu32 " of these", n->arg);
    } else {
        wedr_buf_adds(out, node_name(n));
    }
}

static void
step_json(struct explain *x, const struct wedr_explain_step *step, struct wedr_text what)
{
    wedr_buf_addf(&x->out, "%s{\"part\":\"%s\",\"depth\":%" PRIu32 ",\"truth\":%s,\"what\":",
                  x->begun ? "," : "", part_names[step->part], step->depth,
                  step->truth ? "true" : "false");
    wedr_show_json(&x->out, what);
    if (step->pred != WEDR_IR_NONE) {
        wedr_buf_adds(&x->out, ",\"field\":");
        wedr_show_json(&x->out, step->field);
        wedr_buf_addf(&x->out, ",\"value_count\":%" PRIu32 ",\"value\":", step->value_count);
        if (step->value.p) {
            wedr_show_json(&x->out, step->value);
        } else {
            wedr_buf_adds(&x->out, "null");
        }
    }
    wedr_buf_adds(&x->out, "}");
}

static void
step_text(struct explain *x, const struct wedr_explain_step *step, struct wedr_text what)
{
    if (!x->begun || step->part != x->part) {
        wedr_buf_addf(&x->out, "%s\n", part_names[step->part]);
    }
    wedr_buf_addf(&x->out, "  %s %*s", step->truth ? "yes" : " no", (int)step->depth * 2, "");
    wedr_show_text(&x->out, what, 0);
    if (step->pred != WEDR_IR_NONE && step->value.p) {
        wedr_buf_adds(&x->out, "   <- ");
        wedr_show_text(&x->out, step->value, VALUE_COLUMNS);
        if (step->value_count > 1) {
            wedr_buf_addf(&x->out, " (of %" PRIu32 " values)", step->value_count);
        }
    } else if (step->pred != WEDR_IR_NONE && step->value_count == 0) {
        wedr_buf_adds(&x->out, "   <- the event has no such field");
    }
    wedr_buf_adds(&x->out, "\n");
}

static void on_step(void *ctx, const struct wedr_explain_step *step)
{
    struct explain *x = ctx;
    struct wedr_buf what;
    wedr_buf_init(&what, (size_t)1 << 20);
    describe(x, step, &what);
    struct wedr_text text = wedr_text(what.p ? (const char *)what.p : "", what.len);
    if (x->json) {
        step_json(x, step, text);
    } else {
        step_text(x, step, text);
    }
    x->part = step->part;
    x->begun = true;
    x->out.overflow = x->out.overflow || what.overflow;
    wedr_buf_fini(&what);
}

/* The names of classes, each after `before`. */
static void add_classes(struct explain *x, const uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct wedr_text name = wedr_ruleset_class_name(x->rs, ids[i]);
        if (x->json) {
            wedr_buf_adds(&x->out, i > 0 ? "," : "");
            wedr_show_json(&x->out, name);
        } else {
            wedr_buf_adds(&x->out, i > 0 ? ", " : "");
            wedr_show_text(&x->out, name, 0);
        }
    }
    if (count == 0 && !x->json) {
        wedr_buf_adds(&x->out, "none");
    }
}

static void
add_head(struct explain *x, uint32_t index, const char *path, const struct wedr_rule_event *ev)
{
    const struct wedr_rule *rule = wedr_ruleset_rule(x->rs, index);
    struct wedr_text file = wedr_text(path, strlen(path));
    uint32_t classes[WEDR_EVENT_CLASSES_MAX];
    uint32_t count = wedr_rule_event_class_count(ev);
    for (uint32_t i = 0; i < count && i < WEDR_EVENT_CLASSES_MAX; i++) {
        classes[i] = wedr_rule_event_class(ev, i);
    }
    if (x->json) {
        wedr_buf_adds(&x->out, "{\"rule_id\":");
        wedr_show_json(&x->out, rule->id);
        wedr_buf_adds(&x->out, ",\"rule_title\":");
        wedr_show_json(&x->out, rule->title);
        wedr_buf_adds(&x->out, ",\"file\":");
        wedr_show_json(&x->out, file);
        wedr_buf_addf(&x->out, ",\"event_index\":%" PRIu64 ",\"rule_log_sources\":[", x->index);
        add_classes(x, rule->classes, rule->class_count);
        wedr_buf_adds(&x->out, "],\"event_log_sources\":[");
        add_classes(x, classes, count);
        wedr_buf_adds(&x->out, "]");
        return;
    }
    wedr_show_text(&x->out, rule->title, 0);
    wedr_buf_adds(&x->out, "  ");
    wedr_show_text(&x->out, rule->id, 0);
    wedr_buf_adds(&x->out, "\n");
    wedr_show_text(&x->out, file, 0);
    wedr_buf_addf(&x->out, ":%" PRIu64 "\nlog sources of the rule: ", x->index);
    add_classes(x, rule->classes, rule->class_count);
    wedr_buf_adds(&x->out, "\nlog sources of the event that rules ask for: ");
    add_classes(x, classes, count);
    wedr_buf_adds(&x->out, "\n");
}

static int explain_rule(struct explain *x,
                        uint32_t index,
                        const char *path,
                        struct wedr_rule_event *ev,
                        bool *ret_match);

/* A correlation: each rule that it counts. ret_match: the event counts for one of them. */
static int explain_members(struct explain *x,
                           const struct wedr_correlation *c,
                           const char *path,
                           struct wedr_rule_event *ev,
                           bool *ret_match)
{
    static const char *const kinds[] = {"event_count", "value_count", "temporal",
                                        "temporal_ordered", "pattern"};
    int r = x->depth < DEPTH_MAX ? WEDR_OK : WEDR_E_LIMIT;
    const char *kind = kinds[c->kind < WEDR_ARRAY_COUNT(kinds) ? c->kind : 0];
    *ret_match = false;
    x->depth++;
    wedr_buf_addf(&x->out, x->json ? ",\"correlation\":\"%s\",\"members\":[" : "correlation: %s\n",
                  kind);
    for (uint32_t i = 0; r == WEDR_OK && i < c->member_count; i++) {
        bool match = false;
        if (x->json) {
            wedr_buf_adds(&x->out, i > 0 ? "," : "");
        } else {
            wedr_buf_addf(&x->out, "\nmember %" PRIu32 " of %" PRIu32 ": ", i + 1, c->member_count);
        }
        r = explain_rule(x, c->members[i], path, ev, &match);
        *ret_match = *ret_match || match;
    }
    x->depth--;
    wedr_buf_adds(&x->out, x->json ? "]" : "\n");
    return r;
}

static int explain_rule(struct explain *x,
                        uint32_t index,
                        const char *path,
                        struct wedr_rule_event *ev,
                        bool *ret_match)
{
    const struct wedr_rule *rule = wedr_ruleset_rule(x->rs, index);
    int r = WEDR_OK;
    add_head(x, index, path, ev);
    if (rule->correlation != WEDR_IR_NONE) {
        r = explain_members(x, wedr_ruleset_correlation(x->rs, rule->correlation), path, ev,
                            ret_match);
    } else {
        x->begun = false;
        wedr_buf_adds(&x->out, x->json ? ",\"steps\":[" : "");
        r = wedr_engine_explain(x->m, index, ev, on_step, x, ret_match);
        wedr_buf_adds(&x->out, x->json ? "]" : "");
    }
    if (x->json) {
        wedr_buf_addf(&x->out, ",\"match\":%s}", *ret_match ? "true" : "false");
    } else if (rule->correlation != WEDR_IR_NONE) {
        wedr_buf_adds(&x->out, *ret_match ? "the event counts for it\n"
                                          : "the event does not count for it\n");
    } else {
        wedr_buf_adds(&x->out, *ret_match ? "match" : "no match");
        struct wedr_buf note;
        wedr_buf_init(&note, NOTE_MAX);
        wedr_note(x->rs, index, ev, &note);
        wedr_buf_adds(&x->out, note.len > 0 ? ": " : "");
        wedr_show_text(&x->out, wedr_text((const char *)note.p, note.len), 0);
        wedr_buf_fini(&note);
        wedr_buf_adds(&x->out, "\n");
    }
    return r;
}

static int
on_event(void *ctx, const char *path, const struct wedr_doc *doc, struct wedr_rule_event *ev)
{
    struct explain *x = ctx;
    bool match = false;
    if (doc->index != x->index) {
        return WEDR_OK;
    }
    int r = explain_rule(x, x->rule, path, ev, &match);
    wedr_buf_adds(&x->out, x->json ? "\n" : "");
    return r < 0 ? r : FOUND;
}

/* "events.json:3" into its parts; without a number behind the last colon the event is the first. */
static bool parse_place(const char *place, char path[PATH_BYTES], uint64_t *ret_index)
{
    size_t len = strlen(place);
    size_t digits = 0;
    while (digits < len && place[len - digits - 1] >= '0' && place[len - digits - 1] <= '9') {
        digits++;
    }
    *ret_index = 0;
    if (digits > 0 && digits < 19 && digits + 1 < len && place[len - digits - 1] == ':') {
        *ret_index = strtoull(place + len - digits, NULL, 10);
        len -= digits + 1;
    }
    if (len >= PATH_BYTES) {
        return false;
    }
    memcpy(path, place, len);
    path[len] = '\0';
    return true;
}

/* Reads events up to the one wanted. WEDR_E_NOENT when it is not there. */
static int explain(struct explain *x, const char *place, struct wedr_errinfo *ei)
{
    char path[PATH_BYTES];
    char *paths[] = {path};
    struct wedr_events e = {.load = x->load, .fn = on_event, .ctx = x};
    if (!parse_place(place, path, &x->index)) {
        return wedr_fail(ei, WEDR_E_LIMIT, "path longer than 4,095 bytes");
    }
    x->m = wedr_matcher_new(x->load->engine);
    int r = x->m ? wedr_events_run(&e, paths, 1) : WEDR_E_NOMEM;
    wedr_matcher_free(x->m);
    if (r == WEDR_OK) {
        return wedr_fail(ei, WEDR_E_NOENT, "event %" PRIu64 " cannot be read or is not there",
                         x->index);
    }
    if (r == FOUND && !wedr_show_flush(&x->out)) {
        return wedr_fail(ei, WEDR_E_LIMIT, "the explanation could not be printed whole");
    }
    return r < 0 ? r : WEDR_OK;
}

int wedr_rules_explain(const struct wedr_rules_args *args)
{
    struct wedr_errinfo ei = {""};
    struct wedr_load l = {.args = args};
    int r = wedr_load_rules(&l, &ei);
    if (r == WEDR_OK) {
        struct explain x = {.load = &l, .rs = wedr_engine_ruleset(l.engine), .json = args->json};
        wedr_buf_init(&x.out, OUT_MAX);
        x.rule = wedr_ruleset_rule_find(x.rs, args->more[0], strlen(args->more[0]));
        r = x.rule == WEDR_IR_NONE
                ? wedr_fail(&ei, WEDR_E_NOENT, "no rule has the id or title %.100s", args->more[0])
                : explain(&x, args->more[1], &ei);
        wedr_buf_fini(&x.out);
    }
    if (r < 0) {
        wedr_show_problem("", 0, ei.text[0] ? ei.text : wedr_err_text(r));
    }
    wedr_load_fini(&l);
    return r < 0 || l.failed > 0 ? WEDR_EXIT_FAILED : WEDR_EXIT_DONE;
}
