/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts through the engine: before their events, once whatever happens in between. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "spool/internal.h"
#include "support.h"
#include "wedr/plat/pki.h"
#include "wedr/plat/time.h"
#include "wedr/rules/bundle.h"
#include "wedr/rules/pipeline.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <cmocka.h>
#include <jansson.h>

#define EPOCH 77u
#define EVENTS 40u
#define STEPS_MAX 400u

/* What a server would know of alerts. */
struct seen {
    unsigned event[EVENTS + 1]; /* how often it was stored */
    char id[EVENTS + 1][33];    /* of its alert, "" for none */
    unsigned alert_lines;
    unsigned early; /* an event that came while its alert had not come yet */
};

static struct wedr_buf bundle;
static unsigned steps, stop_at;

/* A kill at one step: from there on nothing reaches the disk. */
static int hook(void *arg, const char *step)
{
    (void)arg;
    (void)step;
    return ++steps >= stop_at ? WEDR_E_IO : WEDR_OK;
}

static void make_bundle_with(struct wedr_text event_type, uint8_t actions)
{
    uint8_t pub[WEDR_SIGN_PUBLIC_LEN], secret[WEDR_SIGN_SECRET_LEN];
    struct wedr_ruleset *rs = wedr_ruleset_new((size_t)16 << 20);
    struct wedr_rule rule = wedr_rule_init();
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    struct wedr_bundle_options o = {.serial = 5, .profile = "test"};
    uint32_t field, index;
    rule.id = wedr_text("fork", 4);
    rule.title = rule.id;
    rule.language = rule.id;
    rule.actions = actions;
    rule.throttle_count = 1000000;
    rule.throttle_ms = 1000;
    assert_int_equal(wedr_ruleset_field(rs, "event_type", 10, &field), WEDR_OK);
    assert_int_equal(wedr_ir_text(rs, field, WEDR_PRED_EQUALS, event_type, 0, &rule.condition, &ei),
                     WEDR_OK);
    assert_int_equal(wedr_ruleset_add_rule(rs, &rule, &index), WEDR_OK);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &map, &ei), WEDR_OK);
    wedr_sign_keypair(pub, secret);
    wedr_buf_init(&bundle, WEDR_BUNDLE_MAX);
    assert_int_equal(wedr_bundle_write(rs, map, &o, secret, &bundle, NULL, &ei), WEDR_OK);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
}

static void make_bundle_for(struct wedr_text event_type)
{
    make_bundle_with(event_type, WEDR_ACTION_ALERT);
}

static int make_bundle(void **state)
{
    (void)state;
    make_bundle_for(wedr_text("process_fork", 12));
    return 0;
}

static int free_bundle(void **state)
{
    (void)state;
    wedr_buf_fini(&bundle);
    return 0;
}

static void take_alert(struct seen *s, json_t *raw)
{
    json_t *ev = json_array_get(json_object_get(raw, "evidence"), 0);
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(ev, "seq"));
    const char *id = json_string_value(json_object_get(raw, "alert_id"));
    assert_true(seq >= 1 && seq <= EVENTS && strlen(id) == 32);
    s->alert_lines++;
    if (s->id[seq][0]) {
        assert_string_equal(s->id[seq], id);
    }
    memcpy(s->id[seq], id, 33);
}

static void take_line(struct seen *s, const struct wedr_batch_id *id, const char *p, size_t n)
{
    json_error_t e;
    json_t *j = json_loadb(p, n, JSON_REJECT_DUPLICATES, &e);
    assert_non_null(j);
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(j, "seq"));
    if (strcmp(id->stream, WEDR_STREAM_NAME_ALERT) == 0) {
        take_alert(s, json_object_get(j, "raw"));
    } else if (strcmp(id->stream, WEDR_STREAM_NAME_CRITICAL) == 0) {
        assert_true(seq >= 1 && seq <= EVENTS);
        s->event[seq]++;
        s->early += s->id[seq][0] == '\0';
    }
    json_decref(j);
}

static void ship(struct seen *s, struct wedr_engine *e)
{
    struct wedr_batch_id id;
    wedr_handle h;
    while (wedr_engine_next_batch(e, &id, &h) == WEDR_OK) {
        struct wedr_buf z;
        wedr_buf_init(&z, WEDR_BATCH_Z_MAX);
        assert_int_equal(wedr_fs_read_all(h, &z), WEDR_OK);
        wedr_fs_close(h);
        size_t n = (size_t)ZSTD_getFrameContentSize(z.p, z.len);
        char *text = malloc(n);
        assert_int_equal(ZSTD_decompress(text, n, z.p, z.len), n);
        for (char *p = text; p < text + n;) {
            char *nl = memchr(p, '\n', (size_t)(text + n - p));
            take_line(s, &id, p, (size_t)(nl - p));
            p = nl + 1;
        }
        free(text);
        wedr_buf_fini(&z);
        assert_int_equal(wedr_engine_outcome(e, &id, WEDR_BATCH_ACKED), WEDR_OK);
    }
}

static struct wedr_engine *open_with_rules(const struct wedr_engine_cfg *cfg, struct t_source *src)
{
    struct wedr_engine *e = t_open(cfg);
    struct wedr_errinfo ei = {""};
    struct wedr_detect_bundle info = {
        .serial = 5, .profile = "test", .policy = WEDR_BUNDLE_KILL_ALLOWED};
    assert_int_equal(wedr_engine_rules(e, bundle.p, bundle.len, &info, &ei), WEDR_OK);
    t_source_rewind(src);
    assert_int_equal(engine_source_take(e, &src->base, false), WEDR_OK);
    return e;
}

/* Rounds that may fail: a killed process has no say in it. */
static void work(struct wedr_engine *e, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        bool busy;
        uint32_t wait;
        (void)!wedr_engine_round(e, &busy, &wait);
    }
}

static void abandon(struct wedr_engine *e)
{
    wedr_spool_close(e->spool);
    e->spool = NULL;
    wedr_engine_close(e);
}

static void push_some(struct t_source *src, uint64_t first, uint64_t last)
{
    for (uint64_t seq = first; seq <= last; seq++) {
        t_push(src, WEDR_LANE_CRITICAL, seq);
    }
}

static bool killed_at(unsigned step)
{
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct t_source src;
    struct seen s;
    memset(&s, 0, sizeof(s));
    t_source_init(&src, EPOCH);
    struct wedr_engine *e = open_with_rules(&cfg, &src);
    steps = 0;
    stop_at = step;
    e->spool->cfg.hook = hook;
    for (uint64_t first = 1; first <= EVENTS; first += 10) {
        push_some(&src, first, first + 9);
        work(e, 3);
    }
    bool reached = steps >= stop_at;
    abandon(e);
    e = open_with_rules(&cfg, &src);
    work(e, 20);
    assert_int_equal(wedr_engine_seal(e), WEDR_OK);
    ship(&s, e);
    assert_int_equal(wedr_engine_stop(e, "stopped"), WEDR_OK);
    ship(&s, e);
    for (unsigned seq = 1; seq <= EVENTS; seq++) {
        if (s.event[seq] != 1 || !s.id[seq][0]) {
            fail_msg("killed at step %u: event %u stored %u times, alert '%s'", step, seq,
                     s.event[seq], s.id[seq]);
        }
    }
    assert_int_equal(s.early, 0);
    wedr_engine_close(e);
    t_source_fini(&src);
    t_rmdir(dir);
    return reached;
}

static void killed_between_any_two_steps_each_event_has_its_one_alert(void **state)
{
    (void)state;
    unsigned step = 1;
    while (step < STEPS_MAX && killed_at(step)) {
        step++;
    }
    assert_true(step > 10 && step < STEPS_MAX);
}

/* The disk is full for a while: the same events are written again, but matched once. */
static void events_that_are_written_again_are_not_matched_again(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct t_source src;
    struct seen s;
    struct wedr_engine_stats stats;
    memset(&s, 0, sizeof(s));
    t_source_init(&src, EPOCH);
    struct wedr_engine *e = open_with_rules(&cfg, &src);
    work(e, 3);
    push_some(&src, 1, EVENTS);
    steps = 0;
    stop_at = 1;
    e->spool->cfg.hook = hook;
    work(e, 5);
    e->spool->cfg.hook = NULL;
    work(e, 5);
    wedr_engine_stats(e, &stats);
    assert_int_equal(stats.detect.matched, EVENTS);
    assert_int_equal(wedr_engine_stop(e, "stopped"), WEDR_OK);
    ship(&s, e);
    assert_int_equal(s.alert_lines, EVENTS);
    wedr_engine_close(e);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void alerts_leave_first_and_their_stream_is_accounted_for(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct t_source src;
    struct t_server srv;
    struct wedr_batch_id id;
    wedr_handle h;
    t_source_init(&src, EPOCH);
    t_server_init(&srv);
    struct wedr_engine *e = open_with_rules(&cfg, &src);
    push_some(&src, 1, 5);
    work(e, 3); /* sealed at once, though segments may grow old */
    assert_int_equal(wedr_engine_next_batch(e, &id, &h), WEDR_OK);
    assert_string_equal(id.stream, "alert");
    assert_true(id.epoch == e->agent_epoch);
    assert_int_equal(id.count, 5);
    wedr_fs_close(h);
    assert_int_equal(wedr_engine_outcome(e, &id, WEDR_BATCH_RETRY), WEDR_OK);
    assert_int_equal(wedr_engine_stop(e, "stopped"), WEDR_OK);
    (void)t_ship(&srv, e, 100);
    struct t_stream *st = t_stream(&srv, e->agent_epoch, "alert");
    assert_int_equal(st->stored, 5);
    assert_int_equal(st->starts, 1);
    assert_int_equal(st->ends, 1);
    assert_int_equal(st->end_produced, 5);
    assert_int_equal(t_missing(st), 0);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
}

/* The last words of a run are events too: what they raise is part of what the stream says of
 * itself.
 */
static void a_rule_for_the_last_words_leaves_the_ledger_whole(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct t_source src;
    struct t_server srv;
    wedr_buf_fini(&bundle);
    make_bundle_for(wedr_text("epoch_end", 9));
    t_source_init(&src, EPOCH);
    t_server_init(&srv);
    struct wedr_engine *e = open_with_rules(&cfg, &src);
    push_some(&src, 1, 5);
    work(e, 3);
    assert_int_equal(wedr_engine_source_end(e, "gone"), WEDR_OK); /* a first match */
    work(e, 3);
    assert_int_equal(wedr_engine_stop(e, "stopped"), WEDR_OK);
    (void)t_ship(&srv, e, 100);
    struct t_stream *st = t_stream(&srv, e->agent_epoch, "alert");
    assert_true(st->stored >= 1);
    assert_int_equal(st->ends, 1);
    assert_int_equal(st->end_produced, st->stored);
    assert_int_equal(t_missing(st), 0);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
    wedr_buf_fini(&bundle);
    make_bundle_for(wedr_text("process_fork", 12));
}

static void more_processes_than_kills_may_wait_are_all_asked_for(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct t_source src;
    struct wedr_engine_stats stats;
    struct wedr_detect_kill k;
    unsigned kills = 0;
    wedr_buf_fini(&bundle);
    make_bundle_with(wedr_text("process_fork", 12), WEDR_ACTION_ALERT | WEDR_ACTION_KILL);
    t_source_init(&src, EPOCH);
    struct wedr_engine *e = open_with_rules(&cfg, &src);
    push_some(&src, 1, EVENTS);
    for (unsigned i = 0; i < 10; i++) {
        work(e, 2); /* what is not taken after one round waits, and so do the events */
        while (wedr_engine_next_kill(e, &k)) {
            kills++;
        }
    }
    wedr_engine_stats(e, &stats);
    assert_int_equal(kills, EVENTS);
    assert_int_equal(stats.detect.matched, EVENTS);
    assert_int_equal(stats.detect.responses, 0); /* no "too many" */
    assert_int_equal(stats.lane[WEDR_LANE_CRITICAL].spooled, EVENTS);
    wedr_engine_close(e);
    t_source_fini(&src);
    t_rmdir(dir);
    wedr_buf_fini(&bundle);
    make_bundle_for(wedr_text("process_fork", 12));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_between_any_two_steps_each_event_has_its_one_alert),
        cmocka_unit_test(events_that_are_written_again_are_not_matched_again),
        cmocka_unit_test(alerts_leave_first_and_their_stream_is_accounted_for),
        cmocka_unit_test(a_rule_for_the_last_words_leaves_the_ledger_whole),
        cmocka_unit_test(more_processes_than_kills_may_wait_are_all_asked_for),
    };
    return cmocka_run_group_tests(tests, make_bundle, free_bundle);
}
