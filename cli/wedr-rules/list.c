/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "choose.h"
#include "common/show.h"
#include "core/base/err.h"
#include "load.h"
#include <inttypes.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)4 << 20)

static void add_text_row(struct wedr_buf *out, const struct wedr_rule *rule)
{
    wedr_buf_addf(out, "%-13s  %-5.*s  ", wedr_severity_name(rule->severity),
                  (int)rule->language.len, rule->language.p ? rule->language.p : "");
    wedr_show_text(out, rule->id.len > 0 ? rule->id : wedr_text("-", 1), 0);
    wedr_buf_adds(out, "  ");
    wedr_show_text(out, rule->title, 0);
    for (uint32_t i = 0; i < rule->tags.count; i++) {
        wedr_buf_adds(out, i > 0 ? "," : "  ");
        wedr_show_text(out, rule->tags.v[i], 0);
    }
    wedr_buf_adds(out, "  ");
    wedr_show_text(out, rule->source_file, 0);
    wedr_buf_addf(out, ":%" PRIu32 "\n", rule->source_line);
}

static void add_key(struct wedr_buf *out, const char *key, struct wedr_text value)
{
    wedr_buf_addf(out, ",\"%s\":", key);
    wedr_show_json(out, value);
}

static void
add_json_row(struct wedr_buf *out, const struct wedr_ruleset *rs, const struct wedr_rule *rule)
{
    wedr_buf_adds(out, "{\"rule_id\":");
    wedr_show_json(out, rule->id);
    add_key(out, "rule_title", rule->title);
    wedr_buf_addf(out, ",\"severity\":\"%s\"", wedr_severity_name(rule->severity));
    add_key(out, "language", rule->language);
    add_key(out, "status", rule->status);
    add_key(out, "description", rule->description);
    wedr_buf_addf(out, ",\"correlation\":%s,\"tags\":[",
                  rule->correlation != WEDR_IR_NONE ? "true" : "false");
    for (uint32_t i = 0; i < rule->tags.count; i++) {
        wedr_buf_adds(out, i > 0 ? "," : "");
        wedr_show_json(out, rule->tags.v[i]);
    }
    wedr_buf_adds(out, "],\"log_sources\":[");
    for (uint32_t i = 0; i < rule->class_count; i++) {
        wedr_buf_adds(out, i > 0 ? "," : "");
        wedr_show_json(out, wedr_ruleset_class_name(rs, rule->classes[i]));
    }
    wedr_buf_adds(out, "]");
    add_key(out, "file", rule->source_file);
    wedr_buf_addf(out, ",\"line\":%" PRIu32 "}\n", rule->source_line);
}

int wedr_rules_list(const struct wedr_rules_args *args)
{
    struct wedr_errinfo ei = {""};
    struct wedr_load l = {.args = args};
    struct wedr_buf out;
    uint32_t chosen = 0;
    wedr_buf_init(&out, LINE_MAX_BYTES);
    int r = wedr_load_ruleset(&l, &ei);
    if (r == WEDR_OK) {
        r = wedr_choose(l.rs, args, &chosen, &ei);
    }
    for (uint32_t i = 0; r == WEDR_OK && i < wedr_ruleset_rule_count(l.rs); i++) {
        const struct wedr_rule *rule = wedr_ruleset_rule(l.rs, i);
        if ((rule->flags & (WEDR_RULE_HIDDEN | WEDR_RULE_DISABLED)) != 0) {
            continue;
        }
        if (args->json) {
            add_json_row(&out, l.rs, rule);
        } else {
            add_text_row(&out, rule);
        }
        r = wedr_show_flush(&out) ? WEDR_OK : WEDR_E_IO;
    }
    if (r == WEDR_OK && !args->json) {
        (void)fprintf(stderr, "%" PRIu32 " rules\n", chosen);
    }
    if (r < 0) {
        wedr_show_problem("", 0, ei.text[0] ? ei.text : wedr_err_text(r));
    }
    wedr_buf_fini(&out);
    wedr_load_fini(&l);
    return r == WEDR_E_INVAL       ? WEDR_EXIT_USAGE
           : r < 0 || l.failed > 0 ? WEDR_EXIT_FAILED
                                   : WEDR_EXIT_DONE;
}
