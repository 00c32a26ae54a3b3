/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_waza.c — any bytes as a Waza file that may include itself: errors have places and
 * can be printed, the formatter changes no rule and nothing the second time, a rule that is written
 * as text comes back, and what was compiled can be matched. */
#include "../unit/lib/rules/waza/same.h"
#include "core/base/err.h"
#include "wedr/rules/engine.h"
#include "wedr/rules/waza.h"
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *input;
static size_t input_len;

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

static int on_read(void *ctx, const char *path, struct wedr_buf *out)
{
    (void)ctx;
    require(path[0] != '/' && strncmp(path, "../", 3) != 0 && !strstr(path, "/../") &&
            !strchr(path, '\\'));
    if (strlen(path) > 12) {
        return WEDR_E_NOENT;
    }
    wedr_buf_add(out, input, input_len);
    return WEDR_OK;
}

static void on_error(void *ctx, const struct wedr_waza_error *e)
{
    struct wedr_buf out;
    (void)ctx;
    require(e->text[0] && !strchr(e->text, '\n') && e->width >= 1);
    require(e->line == 0 || (e->column >= 1 && e->column <= e->source.len + 1));
    wedr_buf_init(&out, 1u << 16);
    wedr_waza_error_print(e, &out);
    require(!out.overflow && out.len > 0);
    wedr_buf_fini(&out);
}

static struct wedr_ruleset *load(const char *text, size_t len, bool includes, int *ret_err)
{
    struct wedr_waza_options options = {.error = on_error};
    struct wedr_ruleset *rs = wedr_ruleset_new(16u << 20);
    options.read = includes ? on_read : NULL;
    struct wedr_waza *w = wedr_waza_new(rs, &options);
    require(rs && w);
    int a = wedr_waza_add(w, "f.waza", text, len);
    int b = wedr_waza_finish(w);
    struct wedr_waza_stats stats;
    wedr_waza_stats(w, &stats);
    require((a < 0 || b < 0) == (stats.errors > 0));
    wedr_waza_free(w);
    *ret_err = a < 0 ? a : b;
    return rs;
}

static void check_format(const struct wedr_ruleset *rs, int err)
{
    struct wedr_buf once;
    struct wedr_buf twice;
    wedr_buf_init(&once, 1u << 20);
    wedr_buf_init(&twice, 1u << 20);
    int e = wedr_waza_format("f.waza", input, input_len, &once, on_error, NULL);
    require(e == WEDR_OK || once.len == 0);
    if (e == WEDR_OK) {
        const char *text = once.len ? (const char *)once.p : "";
        require(wedr_waza_format("f.waza", text, once.len, &twice, NULL, NULL) == WEDR_OK);
        require(twice.len == once.len && (once.len == 0 || memcmp(once.p, twice.p, once.len) == 0));
        int again;
        struct wedr_ruleset *back = load(text, once.len, false, &again);
        require((again < 0) == (err < 0));
        require(wedr_ruleset_rule_count(rs) == wedr_ruleset_rule_count(back));
        for (uint32_t i = 0; i < wedr_ruleset_rule_count(rs); i++) {
            require(*same_rule(rs, i, back, i, true) == '\0');
        }
        wedr_ruleset_free(back);
    }
    wedr_buf_fini(&once);
    wedr_buf_fini(&twice);
}

static void check_write(const struct wedr_ruleset *rs)
{
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(rs); i++) {
        const struct wedr_rule *r = wedr_ruleset_rule(rs, i);
        struct wedr_buf out;
        struct wedr_errinfo ei = {{0}};
        wedr_buf_init(&out, 4u << 20);
        int e = wedr_waza_write_rule(rs, i, &out, &ei);
        require(e == WEDR_OK || e == WEDR_E_LIMIT || (e == WEDR_E_UNSUP && ei.text[0]));
        if (e == WEDR_OK && r->correlation == WEDR_IR_NONE) {
            struct wedr_ruleset *back = load((const char *)out.p, out.len, false, &e);
            require(e == WEDR_OK && wedr_ruleset_rule_count(back) == 1);
            /* A guard comes back inside of the condition. */
            require(r->guard != WEDR_IR_NONE || *same_rule(rs, i, back, 0, true) == '\0');
            wedr_ruleset_free(back);
        }
        wedr_buf_fini(&out);
    }
}

static void check_match(struct wedr_ruleset *rs)
{
    static const char json[] =
        "{\"module\":\"a\",\"event_type\":\"b\",\"raw\":{\"c\":1,\"d\":\"x\"}}";
    struct wedr_engine *e = NULL;
    if (wedr_engine_new_take(rs, NULL, &e, NULL) < 0) {
        wedr_ruleset_free(rs);
        return;
    }
    struct wedr_field_map *map = wedr_field_map_new(rs);
    require(wedr_field_map_seal(map) == WEDR_OK);
    struct wedr_matcher *m = wedr_matcher_new(e);
    const struct wedr_rule_event_limits limits = {.values_max = 64, .document_max = 4096};
    struct wedr_rule_event *ev = wedr_rule_event_new(rs, &limits);
    const uint32_t *rules;
    size_t count;
    require(wedr_rule_event_read_json(ev, map, json, sizeof(json) - 1, NULL) == WEDR_OK);
    require(wedr_matcher_run(m, ev, &rules, &count) == WEDR_OK);
    wedr_rule_event_free(ev);
    wedr_matcher_free(m);
    wedr_field_map_free(map);
    wedr_engine_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int e;
    input = (const char *)data;
    input_len = size < INPUT_MAX ? size : INPUT_MAX;
    wedr_ruleset_free(load(input, input_len, true, &e));
    struct wedr_ruleset *rs = load(input, input_len, false, &e);
    check_format(rs, e);
    check_write(rs);
    check_match(rs);
    return 0;
}
