/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "detect/eval.h"
#include "detect/hunt.h"
#include "detect_lab.h"
#include "wedr/plat/time.h"
#include "wedr/rules/pipeline.h"
#include "wedr/wire/schema.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000LL

static struct lab l;
static int64_t now;

static int set_up(void **state)
{
    (void)state;
    lab_open(&l);
    now = wedr_time_utc_us();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lab_close(&l);
    return 0;
}

#define BASE_ID "11111111-1111-4111-8111-111111111111"
#define BASE                                                                                 \
    "title: id was run\nid: " BASE_ID "\nlevel: low\nlogsource: {product: linux, category: " \
    "process_creation}\ndetection:\n  s:\n    Image|endswith: /id\n  condition: s\n"
#define COUNT(group, number)                                                         \
    "title: many ids\nid: 22222222-2222-4222-8222-222222222222\nlevel: high\ntags: " \
    "[attack.t1033]\ncorrelation:\n  type: event_count\n  rules: [" BASE_ID "]\n"    \
    "  group-by: [" group "]\n  timespan: 1h\n  condition:\n    gte: " number "\n"

static const char *const by_user[] = {"base.yml", BASE, "many.yml", COUNT("User", "3")};
static const char *const by_host[] = {"base.yml", BASE, "many.yml", COUNT("host.name", "3")};

/* One run of id on a host. */
static void put_id(const char *agent, const char *hostname, uint64_t seq, int64_t ts_us)
{
    struct tb b;
    tb_init(&b, "kernel.critical");
    b.agent = agent;
    b.hostname = hostname;
    b.received_us = now;
    tb_create(&b, seq, ts_us, 100 + (uint32_t)seq, 1, "/usr/bin/id", "-u");
    lab_put(&l, &b);
}

/* The rules must be in force before events come. */
static void start_with(const char *const *files)
{
    struct wedr_detect_stats stats = {0};
    lab_rules(&l, 2, files);
    lab_start(&l);
    for (int i = 0; stats.watch.rules == 0 && i < 5000; i++) {
        wedr_time_sleep_ms(2);
        wedr_detect_stats(l.detect, &stats);
    }
    assert_int_equal(stats.watch.rules, 2);
}

static void a_correlation_counts_over_hosts_and_names_its_events(void **state)
{
    (void)state;
    start_with(by_user);
    put_id(TB_AGENT, "a", 1, now);
    put_id(TB_AGENT2, "b", 1, now + SECOND);
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 0);
    put_id(TB_AGENT, "a", 2, now + 2 * SECOND);
    lab_settle(&l);
    assert_string_equal(lab_sql(&l, "SELECT agent_id, origin, rule_title, severity, entity, tags, "
                                    "match_count, pid FROM alerts"),
                        "[{\"agent_id\":\"\",\"origin\":\"server\",\"rule_title\":\"many ids\","
                        "\"severity\":\"high\",\"entity\":\"User=alice\",\"tags\":"
                        "\"[\\\"attack.t1033\\\"]\",\"match_count\":3,\"pid\":102}]\n");
    assert_string_equal(
        lab_sql(&l, "SELECT agent_id, seq, event IS NULL cut FROM alert_evidence ORDER BY n"),
        "[{\"agent_id\":\"" TB_AGENT "\",\"seq\":1,\"cut\":1},\n"
        "{\"agent_id\":\"" TB_AGENT2 "\",\"seq\":1,\"cut\":1},\n"
        "{\"agent_id\":\"" TB_AGENT "\",\"seq\":2,\"cut\":0}]\n");
}

static void grouped_by_host_each_host_counts_for_itself(void **state)
{
    (void)state;
    start_with(by_host);
    put_id(TB_AGENT, "a", 1, now);
    put_id(TB_AGENT2, "b", 1, now);
    put_id(TB_AGENT, "a", 2, now);
    put_id(TB_AGENT2, "b", 2, now);
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 0);
    put_id(TB_AGENT2, "b", 3, now);
    lab_settle(&l);
    assert_string_equal(lab_sql(&l, "SELECT agent_id, hostname, entity FROM alerts"),
                        "[{\"agent_id\":\"" TB_AGENT2
                        "\",\"hostname\":\"b\",\"entity\":\"host.name=b\"}]\n");
}

static void more_of_the_same_is_counted_and_raises_no_second_alert(void **state)
{
    (void)state;
    struct wedr_detect_stats stats;
    start_with(by_user);
    for (unsigned i = 1; i <= 20; i++) {
        put_id(TB_AGENT, "a", i, now + i);
    }
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 1);
    wedr_detect_stats(l.detect, &stats);
    assert_true(stats.watch.suppressed > 0);
}

static void a_window_that_was_open_at_a_restart_goes_on(void **state)
{
    (void)state;
    start_with(by_user);
    put_id(TB_AGENT, "a", 1, now);
    put_id(TB_AGENT, "a", 2, now);
    lab_settle(&l);
    lab_stop(&l);
    lab_start(&l);
    put_id(TB_AGENT, "a", 3, now);
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 1);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alert_evidence"), 3);
}

static void a_restart_raises_no_alert_again(void **state)
{
    (void)state;
    start_with(by_user);
    for (unsigned i = 1; i <= 5; i++) {
        put_id(TB_AGENT, "a", i, now + i);
    }
    lab_settle(&l);
    for (unsigned i = 0; i < 3; i++) {
        lab_stop(&l);
        lab_start(&l);
        put_id(TB_AGENT, "a", 6 + i, now + 6 + i);
        lab_settle(&l);
    }
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 1);
}

static void ten_thousand_open_windows_are_bounded(void **state)
{
    (void)state;
    struct wedr_detect_stats stats;
    static const char *const files[] = {"base.yml", BASE, "many.yml", COUNT("ProcessGuid", "3")};
    start_with(files);
    for (unsigned i = 0; i < 12000; i += 1000) {
        struct tb b;
        tb_init(&b, "kernel.critical");
        b.received_us = now;
        for (unsigned k = i; k < i + 1000; k++) {
            tb_create(&b, k + 1, now + k, 100000 + k, 1, "/usr/bin/id", "-u");
        }
        lab_put(&l, &b);
    }
    lab_settle(&l);
    wedr_detect_stats(l.detect, &stats);
    assert_int_equal(stats.watch.matches, 12000);
    assert_true(stats.watch.windows <= 10000);
    assert_int_equal(stats.watch.windows + stats.watch.evicted, 12000);
    assert_true(stats.watch.memory_bytes < (size_t)64 << 20);
}

static void new_rules_come_into_force_while_the_thread_runs(void **state)
{
    (void)state;
    struct wedr_detect_stats stats = {0};
    lab_start(&l);
    put_id(TB_AGENT, "a", 1, now);
    put_id(TB_AGENT, "a", 2, now);
    lab_settle(&l);
    lab_rules(&l, 2, by_user);
    for (int i = 0; stats.watch.rules == 0 && i < 5000; i++) {
        wedr_time_sleep_ms(2);
        wedr_detect_wake(l.detect);
        wedr_detect_stats(l.detect, &stats);
    }
    put_id(TB_AGENT, "a", 3, now);
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 1); /* the window reaches back */
}

static void a_publish_in_the_middle_of_a_window_neither_forgets_nor_doubles(void **state)
{
    (void)state;
    struct wedr_detect_stats before, after;
    static const char *const other[] = {
        "other.yml", "title: other\nid: 33333333-3333-4333-8333-333333333333\nlogsource: {product: "
                     "linux, category: process_creation}\ndetection:\n  s:\n    Image: x\n  "
                     "condition: s\n"};
    start_with(by_user);
    put_id(TB_AGENT, "a", 1, now);
    put_id(TB_AGENT, "a", 2, now);
    lab_settle(&l);
    wedr_detect_stats(l.detect, &before);
    lab_rules(&l, 1, other);
    after = before;
    for (int i = 0; after.watch.serial == before.watch.serial && i < 5000; i++) {
        wedr_time_sleep_ms(2);
        wedr_detect_wake(l.detect);
        wedr_detect_stats(l.detect, &after);
    }
    assert_true(after.watch.serial > before.watch.serial);
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 0); /* 2 are not 4 */
    put_id(TB_AGENT, "a", 3, now);
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT match_count FROM alerts"), 3);
}

/* The event store with a disk that fails once, at the second line of a block. */
static struct wedr_events_read_ops failing_read;
static struct wedr_events_ops failing;
static int failures_left;

static int line_that_fails(struct wedr_events_reader *r,
                           uint32_t row,
                           bool type_only,
                           struct wedr_event_line *ret)
{
    if (row == 1 && failures_left > 0) {
        failures_left--;
        return WEDR_E_IO;
    }
    return wedr_events_embedded.read->line(r, row, type_only, ret);
}

static void start_failing(int times)
{
    struct wedr_errinfo ei = {""};
    failing_read = *wedr_events_embedded.read;
    failing_read.line = line_that_fails;
    failing = wedr_events_embedded;
    failing.read = &failing_read;
    failures_left = times;
    struct wedr_detect_cfg cfg = {l.dir, &wedr_state_sqlite, l.state, &failing, l.events};
    assert_int_equal(wedr_detect_start(&cfg, &l.detect, &ei), WEDR_OK);
}

static void put_two_ids(void)
{
    struct tb b;
    tb_init(&b, "kernel.critical");
    b.received_us = now;
    for (uint32_t i = 1; i <= 2; i++) {
        tb_create(&b, i, now, 100 + i, 1, "/usr/bin/id", "-u");
    }
    lab_put(&l, &b);
}

static void an_error_within_a_block_counts_no_event_twice(void **state)
{
    (void)state;
    start_with(by_user);
    lab_stop(&l);
    start_failing(2);
    put_two_ids();
    lab_settle(&l);
    assert_int_equal(failures_left, 0);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 0); /* 2 are not 3 */
    put_id(TB_AGENT, "a", 3, now);
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT match_count FROM alerts"), 3);
    lab_stop(&l); /* before the ops go */
}

static void an_error_while_windows_are_rebuilt_neither_forgets_nor_doubles(void **state)
{
    (void)state;
    start_with(by_user);
    put_two_ids();
    lab_settle(&l);
    lab_stop(&l);
    start_failing(2);
    put_id(TB_AGENT, "a", 3, now);
    lab_settle(&l);
    assert_int_equal(failures_left, 0);
    assert_int_equal(lab_int(&l, "SELECT match_count FROM alerts"), 3);
    lab_stop(&l);
}

static void a_rule_of_the_server_alerts_without_any_agents_help(void **state)
{
    (void)state;
    struct wedr_detect_stats stats = {0};
    static const char *const files[] = {
        "own.waza",
        "- Detection:\n  - ServerOnly:\n    id: "
        "55555555-5555-4555-8555-555555555555\n    title: \"id was run\"\n    severity: "
        "low\n    scope: server\n    - kernel_callback.process_create.image_path endsWith "
        "\"/id\"\n- Action:\n  - ServerOnly:\n    - alert \"somebody asked who he is\"\n"};
    lab_rules(&l, 1, files);
    lab_start(&l);
    for (int i = 0; stats.watch.rules == 0 && i < 5000; i++) {
        wedr_time_sleep_ms(2);
        wedr_detect_stats(l.detect, &stats);
    }
    put_id(TB_AGENT, "a", 1, now);
    put_id(TB_AGENT2, "b", 1, now);
    lab_settle(&l);
    assert_string_equal(lab_sql(&l,
                                "SELECT hostname, origin, rule_language, message, actions, pid, "
                                "image_path FROM alerts ORDER BY hostname LIMIT 1"),
                        "[{\"hostname\":\"a\",\"origin\":\"server\",\"rule_language\":\"waza\","
                        "\"message\":\"somebody asked who he is\",\"actions\":\"[\\\"alert\\\"]\","
                        "\"pid\":101,\"image_path\":\"/usr/bin/id\"}]\n");
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 2);
}

/* --- Hunts. */

struct found {
    unsigned count;
    uint64_t last_seq, last_count;
    char title[64];
};

static int note(void *ctx, const struct wedr_hunt_match *m)
{
    struct found *f = ctx;
    f->count++;
    f->last_seq = m->line->seq;
    f->last_count = m->count;
    (void)snprintf(f->title, sizeof(f->title), "%.*s", (int)m->rule->title.len, m->rule->title.p);
    return 0;
}

static int run_hunt(struct wedr_hunt *h,
                    const char *name,
                    const char *text,
                    const char *id,
                    struct found *f,
                    struct wedr_hunt_stats *stats)
{
    struct wedr_sources s;
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    assert_int_equal(wedr_sources_load(&s, &wedr_state_sqlite, l.state, NULL), WEDR_OK);
    if (name) {
        assert_int_equal(wedr_sources_add(&s, name, text, strlen(text)), WEDR_OK);
    }
    int err = wedr_hunt_choose(&s, &id, id ? 1 : 0, NULL, NULL, &rs, &map, NULL);
    wedr_sources_fini(&s);
    h->events_ops = &wedr_events_embedded;
    h->data_dir = l.dir;
    h->match = note;
    h->ctx = f;
    h->to_us = h->to_us ? h->to_us : INT64_MAX;
    return err == WEDR_OK ? wedr_hunt_run_take(h, rs, map, stats, NULL) : err;
}

static void a_hunt_finds_what_was_stored_before_the_rule(void **state)
{
    (void)state;
    struct wedr_hunt h = {0}, late = {.from_us = now + 3}, other = {.agent_id = TB_AGENT2};
    struct wedr_hunt_stats stats;
    struct found f = {0}, g = {0}, o = {0};
    for (unsigned i = 1; i <= 4; i++) {
        put_id(TB_AGENT, "a", i, now + i);
    }
    struct tb b;
    tb_init(&b, "kernel.bulk");
    b.received_us = now;
    tb_connect(&b, 1, now, 5, "10.0.0.1", 80);
    lab_put(&l, &b);
    assert_int_equal(run_hunt(&h, "base.yml", BASE, NULL, &f, &stats), WEDR_OK);
    assert_int_equal(f.count, 4);
    assert_string_equal(f.title, "id was run");
    assert_int_equal(stats.blocks, 4); /* the connection's block was skipped by its type */
    assert_int_equal(run_hunt(&late, "base.yml", BASE, NULL, &g, &stats), WEDR_OK);
    assert_int_equal(g.count, 2);
    assert_int_equal(run_hunt(&other, "base.yml", BASE, NULL, &o, &stats), WEDR_OK);
    assert_int_equal(o.count, 0);
}

static void a_hunt_runs_correlations_and_stored_rules_by_id(void **state)
{
    (void)state;
    struct wedr_hunt h = {0};
    struct wedr_hunt_stats stats;
    struct found f = {0};
    lab_rules(&l, 2, by_user);
    for (unsigned i = 1; i <= 3; i++) {
        put_id(TB_AGENT, "a", i, now + i);
    }
    assert_int_equal(run_hunt(&h, NULL, NULL, "22222222-2222-4222-8222-222222222222", &f, &stats),
                     WEDR_OK);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.last_seq, 3);
    assert_int_equal(f.last_count, 3);
    assert_string_equal(f.title, "many ids");
    assert_int_equal(run_hunt(&h, NULL, NULL, "nobody", &f, &stats), WEDR_E_NOENT);
}

static void a_hunt_ends_at_its_limits(void **state)
{
    (void)state;
    struct wedr_hunt few = {.match_limit = 2};
    struct wedr_hunt_stats stats;
    struct found f = {0};
    for (unsigned i = 1; i <= 4; i++) {
        put_id(TB_AGENT, "a", i, now + i);
    }
    assert_int_equal(run_hunt(&few, "base.yml", BASE, NULL, &f, &stats), WEDR_OK);
    assert_int_equal(f.count, 2);
    assert_true(stats.limited);
    assert_int_equal(run_hunt(&few, "bad.yml", "title: x\n", NULL, &f, &stats), WEDR_E_FORMAT);
}

static void check_view(void *ctx, const char *source, const char *view)
{
    (void)ctx;
    if (view && !wedr_type_by_name(view, strlen(view))) {
        fail_msg("%s: view %s is no event type", source, view);
    }
}

/* Skipping blocks by type rests on this. */
static void the_views_of_our_pipeline_are_event_types(void **state)
{
    (void)state;
    const char *yaml = NULL, *name = NULL;
    size_t len = 0;
    struct wedr_pipeline *p = NULL;
    for (size_t i = 0; (name = wedr_pipeline_builtin(i, &yaml, &len)) != NULL; i++) {
        if (strcmp(name, "wedr") == 0) {
            break;
        }
    }
    assert_int_equal(wedr_pipeline_read(yaml, len, &p, NULL), WEDR_OK);
    wedr_pipeline_sources(p, check_view, NULL);
    wedr_pipeline_free(p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_correlation_counts_over_hosts_and_names_its_events),
        T(grouped_by_host_each_host_counts_for_itself),
        T(more_of_the_same_is_counted_and_raises_no_second_alert),
        T(a_window_that_was_open_at_a_restart_goes_on),
        T(a_restart_raises_no_alert_again),
        T(ten_thousand_open_windows_are_bounded),
        T(new_rules_come_into_force_while_the_thread_runs),
        T(a_publish_in_the_middle_of_a_window_neither_forgets_nor_doubles),
        T(an_error_within_a_block_counts_no_event_twice),
        T(an_error_while_windows_are_rebuilt_neither_forgets_nor_doubles),
        T(a_rule_of_the_server_alerts_without_any_agents_help),
        T(a_hunt_finds_what_was_stored_before_the_rule),
        T(a_hunt_runs_correlations_and_stored_rules_by_id),
        T(a_hunt_ends_at_its_limits),
        T(the_views_of_our_pipeline_are_event_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
