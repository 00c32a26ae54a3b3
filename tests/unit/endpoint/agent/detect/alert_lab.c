/* SPDX-License-Identifier: Apache-2.0 */
#include "alert_lab.h"
#include "core/base/err.h"
#include "detect/state.h"
#include "wedr/rules/bundle.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

uint8_t lab_mem[WEDR_RECORD_MAX];
const struct wedr_clock_pair lab_pair = {0, RECORDS_UTC_US};
uint64_t lab_now_ms = 1000;

static char line[WEDR_LINE_MAX];

static uint64_t test_clock(void)
{
    return lab_now_ms;
}

void lab_use(struct alert_lab *f, const char *yaml, uint64_t serial, uint32_t policy)
{
    struct wedr_ruleset *rs = wedr_ruleset_new((size_t)16 << 20);
    struct wedr_sigma *s = wedr_sigma_new(rs, NULL, NULL, NULL);
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    struct wedr_detect_bundle info = {serial, policy, "test"};
    assert_int_equal(wedr_sigma_add(s, "t.yml", yaml, strlen(yaml)), WEDR_OK);
    assert_int_equal(wedr_sigma_finish(s), WEDR_OK);
    wedr_sigma_free(s);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &map, &ei), WEDR_OK);
    assert_int_equal(wedr_detect_use_take(f->d, rs, map, &info, &ei), WEDR_OK);
}

void lab_use_one(
    struct alert_lab *f, const char *field, const char *word, uint8_t actions, uint32_t policy)
{
    struct wedr_ruleset *rs = wedr_ruleset_new((size_t)16 << 20);
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    struct wedr_detect_bundle info = {1, policy, "test"};
    struct wedr_rule rule = wedr_rule_init();
    uint32_t id, index;
    assert_int_equal(wedr_ruleset_field(rs, field, strlen(field), &id), WEDR_OK);
    assert_int_equal(wedr_ir_text(rs, id, WEDR_PRED_CONTAINS, wedr_text(word, strlen(word)), 0,
                                  &rule.condition, &ei),
                     WEDR_OK);
    rule.id = wedr_text("one", 3);
    rule.title = rule.id;
    rule.language = wedr_text("waza", 4);
    rule.actions = actions;
    assert_int_equal(wedr_ruleset_add_rule(rs, &rule, &index), WEDR_OK);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &map, &ei), WEDR_OK);
    assert_int_equal(wedr_detect_use_take(f->d, rs, map, &info, &ei), WEDR_OK);
}

void lab_use_kill(struct alert_lab *f, uint32_t policy)
{
    lab_use_one(f, "CommandLine", "evil", WEDR_ACTION_ALERT | WEDR_ACTION_KILL, policy);
}

int lab_set_up(void **state)
{
    struct alert_lab *f = calloc(1, sizeof(*f));
    lab_now_ms = 1000;
    assert_int_equal(wedr_encoder_new(&f->enc), WEDR_OK);
    assert_int_equal(wedr_detect_new(f->enc, &f->d), WEDR_OK);
    f->d->mono_ms = test_clock;
    f->d->budget_ms = lab_now_ms;
    f->lines = json_array();
    *state = f;
    return 0;
}

int lab_tear_down(void **state)
{
    struct alert_lab *f = *state;
    wedr_detect_free(f->d);
    wedr_encoder_free(f->enc);
    json_decref(f->lines);
    free(f);
    return 0;
}

size_t lab_collect(struct alert_lab *f)
{
    struct wedr_spool_frame_in in;
    size_t n = 0;
    json_array_clear(f->lines);
    if (!wedr_detect_frame(f->d, &in)) {
        return 0;
    }
    for (char *p = in.lines; p < in.lines + in.len;) {
        char *end = memchr(p, '\n', (size_t)(in.lines + in.len - p));
        json_error_t e;
        assert_non_null(end);
        json_t *j = json_loadb(p, (size_t)(end - p), JSON_REJECT_DUPLICATES, &e);
        if (!j) {
            fail_msg("%s: %.*s", e.text, (int)(end - p), p);
        }
        assert_int_equal(json_integer_value(json_object_get(j, "seq")), in.first_seq + n);
        json_array_append_new(f->lines, j);
        p = end + 1;
        n++;
    }
    assert_int_equal(n, in.count);
    assert_int_equal(in.last_seq, in.first_seq + n - 1);
    assert_int_equal(in.produced, in.last_seq);
    wedr_detect_written(f->d);
    return n;
}

json_t *lab_raw(struct alert_lab *f, size_t i)
{
    return json_object_get(json_array_get(f->lines, i), "raw");
}

const char *lab_text(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "(none)";
}

json_int_t lab_number(json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

void lab_show(struct alert_lab *f, const struct wedr_event_view *v, const char *stream)
{
    size_t len = 0;
    assert_int_equal(wedr_encode(f->enc, v, lab_pair, line, sizeof(line), &len), WEDR_OK);
    struct wedr_detect_event e = {v, line, len, stream, LAB_EPOCH, lab_pair};
    wedr_detect_event(f->d, &e, lab_pair);
}

void lab_run(struct alert_lab *f, uint32_t pid, const char *image, const char *command)
{
    f->seq++;
    struct wedr_event_view v =
        rec_exec(lab_mem, f->seq, f->seq + 10, pid, 7, image, command, strlen(command));
    lab_show(f, &v, "kernel.critical");
}
