/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "core/util/log.h"
#include "detect/publish.h"
#include "detect_lab.h"
#include "ingest/prepared.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t lab_secret[64];
#define OPS (&wedr_state_sqlite)

static void on_log(void *arg, enum wedr_log_level level, const char *line, size_t len)
{
    (void)arg;
    (void)level;
    (void)line;
    (void)len;
}

static void must(int err, const struct wedr_errinfo *ei)
{
    if (err != WEDR_OK) {
        fail_msg("%d: %s", err, ei->text);
    }
}

static void open_stores(struct lab *l)
{
    struct wedr_errinfo ei = {""};
    must(OPS->open(l->dir, &l->state, &ei), &ei);
    must(wedr_events_embedded.open(l->dir, &l->events, &ei), &ei);
}

void lab_open(struct lab *l)
{
    uint8_t pub[32];
    memset(l, 0, sizeof(*l));
    wedr_log_init("test", WEDR_LOG_ERROR, on_log, NULL);
    wedr_sign_keypair(pub, lab_secret);
    (void)snprintf(l->dir, sizeof(l->dir), "/tmp/wedr-detect.XXXXXX");
    assert_non_null(mkdtemp(l->dir));
    open_stores(l);
}

void lab_start(struct lab *l)
{
    struct wedr_errinfo ei = {""};
    struct wedr_detect_cfg cfg = {l->dir, OPS, l->state, &wedr_events_embedded, l->events};
    must(wedr_detect_start(&cfg, &l->detect, &ei), &ei);
}

void lab_stop(struct lab *l)
{
    wedr_detect_stop(l->detect);
    l->detect = NULL;
}

void lab_close(struct lab *l)
{
    char command[128];
    lab_stop(l);
    wedr_events_embedded.close(l->events);
    OPS->close(l->state);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", l->dir);
    assert_int_equal(system(command), 0);
}

void lab_rules(struct lab *l, size_t count, const char *const *files)
{
    struct wedr_sources s;
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    uint32_t refused = 0, stored = 0;
    must(wedr_sources_load(&s, OPS, l->state, &ei), &ei);
    for (size_t i = 0; i < count; i++) {
        must(wedr_sources_add(&s, files[2 * i], files[2 * i + 1], strlen(files[2 * i + 1])), &ei);
    }
    must(wedr_sources_compile(&s, 0, NULL, NULL, &rs, &map, &refused, &ei), &ei);
    assert_int_equal(refused, 0);
    must(wedr_sources_store(&s, OPS, l->state, "me", 1, &stored, &ei), &ei);
    assert_int_equal(stored, count);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_sources_fini(&s);
    struct wedr_publish p = {
        .ops = OPS, .state = l->state, .secret = lab_secret, .now_us = wedr_time_utc_us()};
    must(wedr_publish(&p, &refused, &ei), &ei);
}

void lab_put(struct lab *l, struct tb *b)
{
    struct wedr_prepared *p = NULL;
    struct wedr_errinfo ei = {""};
    must(tb_prepare(b, &p), &ei);
    struct wedr_commit c = {p, 0};
    must(wedr_events_embedded.commit(l->events, &c, 1, &ei), &ei);
    assert_int_equal(c.outcome, WEDR_COMMIT_STORED);
    wedr_prepared_free(p);
    tb_fini(b);
    if (l->detect) {
        wedr_detect_wake(l->detect);
    }
}

void lab_settle(struct lab *l)
{
    struct wedr_events_reader *r = NULL;
    struct wedr_errinfo ei = {""};
    int64_t newest = 0, cursor = -1;
    must(wedr_events_embedded.read->open(l->dir, &r, &ei), &ei);
    must(wedr_events_embedded.read->newest(r, &newest), &ei);
    wedr_events_embedded.read->close(r);
    for (int i = 0; cursor < newest && i < 60000; i++) {
        struct wedr_detect_stats stats;
        wedr_time_sleep_ms(2);
        wedr_detect_stats(l->detect, &stats);
        cursor = stats.cursor;
    }
    assert_true(cursor == newest);
}

const char *lab_sql(struct lab *l, const char *sql)
{
    static char text[65536];
    struct wedr_errinfo ei = {""};
    memset(text, 0, sizeof(text));
    FILE *out = fmemopen(text, sizeof(text) - 1, "w");
    assert_non_null(out);
    must(wedr_sql_run(l->dir, sql, true, 60000, out, &ei), &ei);
    (void)fclose(out);
    return text;
}

int64_t lab_int(struct lab *l, const char *sql)
{
    const char *colon = strchr(lab_sql(l, sql), ':');
    assert_non_null(colon);
    return strtoll(colon + 1, NULL, 10);
}

void lab_alert(struct tb *b, uint64_t seq, unsigned n, const char *evidence)
{
    tb_line(b, seq,
            "{\"ts\":\"%s\",\"module\":\"agent\",\"event_type\":\"alert\",\"process\":{\"pid\":77},"
            "\"raw\":{\"alert_id\":\"%032x\",\"entity\":\"e\",\"event_time\":\"%s\","
            "\"evidence\":%s,\"match_count\":1,\"message\":\"m\",\"pid\":77,"
            "\"rule_id\":\"r%u\",\"rule_language\":\"sigma\",\"rule_title\":\"title\","
            "\"rules_serial\":\"5\",\"severity\":\"high\",\"severity_code\":4,\"suppressed\":2,"
            "\"tags\":[\"attack.t1059\"]},\"source\":\"agent\",\"kind\":\"Alert\","
            "\"event_version\":7,\"seq\":%u}",
            tb_time(TB_T0 + 1000000), n, tb_time(TB_T0), evidence, n, (unsigned)seq);
}
