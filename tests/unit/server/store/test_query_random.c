/* SPDX-License-Identifier: Apache-2.0
 *
 * Random questions to the table `events`, whose conditions are handed down to filters, columns and
 * text, and the same questions to a plain table of SQLite with the same rows: equal answers. */
#include "core/base/err.h"
#include "core/util/buf.h"
#include "store_fixture.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <strings.h>
#include <cmocka.h>
// clang-format on

#define DAY_US 86400000000ll
#if defined(__SANITIZE_THREAD__)
#    define QUESTIONS 60u /* each takes fifty times as long */
#elif defined(__SANITIZE_ADDRESS__)
#    define QUESTIONS 300u /* seven times */
#else
#    define QUESTIONS 1500u
#endif
#define KEY "agent_id, epoch, stream, seq"

static uint64_t seed = 20261126;

static uint32_t any(uint32_t n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % n;
}

/* As they stand in JSON. Some are numbers, some are spelled in a way of their own. */
static const char *const texts[] = {"alice",
                                    "ALICE",
                                    "1000",
                                    "0",
                                    "1",
                                    "-5",
                                    "root",
                                    "a\\\"b\\\\nbar\\\\temp",
                                    "line\\none",
                                    "tab\\tu001fab",
                                    "ctl\\u0001x",
                                    "b\xc3\xb6se",
                                    "100%_sure",
                                    "true",
                                    "nullable",
                                    "process_create",
                                    "x",
                                    "/usr/bin/curl",
                                    "/opt/Tool/run.sh --env prod",
                                    "kernel"};
static const char *const odd_texts[] = {"b\\u00f6se", "\\/usr\\/bin\\/curl", "\\u0061lice"};

static const char *text(bool canonical)
{
    return !canonical && any(3) == 0 ? odd_texts[any(WEDR_ARRAY_COUNT(odd_texts))]
                                     : texts[any(WEDR_ARRAY_COUNT(texts))];
}

static void create(struct tb *b, uint64_t seq, int64_t ts, bool canonical)
{
    unsigned pid = any(60), ppid = any(9), uid = any(4) * 500;
    const char *name = text(canonical), *path = text(canonical), *line = text(canonical);
    const char *user = text(canonical), *box = text(canonical);
    tb_line(b, seq,
            "{\"ts\":\"%s\",\"module\":%s\"kernel_callback\",\"event_type\":\"process_create\","
            "\"process\":{\"pid\":%u,\"ppid\":%u,\"key\":\"%016x\",\"parent_key\":\"%016x\","
            "\"name\":\"%s\",\"path\":\"%s\",\"command_line\":\"%s\",\"uid\":%u,\"user\":\"%s\"},"
            "\"raw\":{\"argv\":[\"%s\",\"%s\"],\"argv_size\":20,"
            "\"cap_bounding\":2199023255551,\"cap_effective\":0,\"cap_permitted\":0,\"cgroup_id\":"
            "77,\"comm\":\"%s\",\"command_line\":\"%s\",\"container_id\":\"%s\",\"creating_pid\":"
            "%u,\"egid\":1000,\"euid\":1000,\"exe_dev\":8388609,\"exe_inode\":5,\"exe_mode\":33261,"
            "\"exe_nlink\":1,\"exe_size\":12345,\"exe_uid\":0,\"fsgid\":1000,\"fsuid\":1000,\"gid\""
            ":1000,\"image_path\":\"%s\",\"login_uid\":4294967295,\"ns_cgroup\":1,\"ns_ipc\":2,"
            "\"ns_mnt\":3,\"ns_net\":4,\"ns_pid\":5,\"ns_pid_nr\":%u,\"ns_user\":6,\"ns_uts\":7,"
            "\"parent_key\":\"%016x\",\"parent_pid\":%u,\"pgid\":%u,\"pid\":%u,\"process_key\":\"%"
            "016x\",\"sgid\":1000,\"sha256\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca4"
            "95991b7852b8%02x\",\"sid\":1,\"suid\":1000,\"uid\":%u,\"user\":\"%s\"},\"source\":"
            "\"kernel\",\"kind\":\"ProcessCreate\",\"event_version\":7,\"seq\":%llu}",
            tb_time(ts), canonical ? "" : " ", pid, ppid, pid * 7, ppid * 7, name, path, line, uid,
            user, line, name, name, line, box, pid, path, pid, ppid * 7, ppid, pid, pid, pid * 7,
            any(256), uid, user, (unsigned long long)seq);
}

/* Batches of both kinds, of two agents, over three days, that overlap in time. Every ts is its own.
 */
static void fill(struct fx *f)
{
    static const uint32_t sizes[] = {30, 600, 520, 7, 900, 511, 512, 1, 600, 530, 40, 600, 515};
    uint32_t made = 0;
    for (uint32_t k = 0; k < WEDR_ARRAY_COUNT(sizes); k++) {
        struct tb b;
        bool canonical = k % 4 != 2;
        tb_init(&b, k % 3 == 2 ? "kernel.bulk" : "kernel.critical");
        b.agent = k % 2 == 0 ? TB_AGENT : TB_AGENT2;
        b.hostname = k % 2 == 0 ? "host-a" : "Host-B";
        b.id.epoch += k / 6;
        b.received_us += (int64_t)(k / 5) * DAY_US;
        uint64_t seq = k * 10000ull;
        for (uint32_t i = 0; i < sizes[k]; i++, made++) {
            int64_t ts = TB_T0 + (int64_t)any(400) * 1000000 + made;
            seq += k % 5 == 1 ? 1 + any(3) : 1;
            switch (any(6)) {
            case 0:
                tb_connect(&b, seq, ts, any(60), any(2) ? "10.0.0.9" : "fe80::1", 80 + any(5));
                break;
            case 1:
                tb_fork(&b, seq, ts, any(60), any(9));
                break;
            case 2:
                if (any(8) == 0 && i != 0 && i + 1 != sizes[k]) {
                    tb_line(&b, seq, "{\"seq\":%llu}", (unsigned long long)seq);
                    break;
                }
                tb_create(&b, seq, ts, any(60), any(9), "/usr/bin/curl", "-s");
                break;
            default:
                create(&b, seq, ts, canonical);
                break;
            }
        }
        assert_int_equal(fx_put(f, &b), WEDR_COMMIT_STORED);
    }
}

/* --- The same rows in a plain table. */

static const char *const columns[] = {
    "ts",       "received_at",  "agent_id",   "hostname",     "epoch",        "boot_id",
    "stream",   "seq",          "lane",       "module",       "event_type",   "pid",
    "ppid",     "process_key",  "parent_key", "process_name", "process_path", "command_line",
    "uid",      "user",         "sha256",     "target_path",  "remote_ip",    "remote_port",
    "dns_name", "container_id", "raw"};
static const char numbers[] = "ts received_at seq pid ppid uid remote_port ";

static bool is_number(const char *column)
{
    char word[40];
    (void)snprintf(word, sizeof(word), "%s ", column);
    const char *at = strstr(numbers, word);
    return at != NULL && (at == numbers || at[-1] == ' ');
}

static void contains(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    const char *s = (const char *)sqlite3_value_text(argv[0]);
    const char *n = (const char *)sqlite3_value_text(argv[1]);
    if (s != NULL && n != NULL) {
        size_t len = strlen(s), want = strlen(n), i = 0;
        while (i + want <= len && strncasecmp(s + i, n, want) != 0) {
            i++;
        }
        sqlite3_result_int(ctx, i + want <= len);
    }
}

struct copy {
    sqlite3_stmt *insert;
};

static int bind(sqlite3_stmt *st, int i, const struct wedr_query_value *v)
{
    switch (v->type) {
    case WEDR_QUERY_INT:
        return sqlite3_bind_int64(st, i, v->i);
    case WEDR_QUERY_TEXT:
        return sqlite3_bind_text64(st, i, (const char *)v->s.p, v->s.len, SQLITE_TRANSIENT,
                                   SQLITE_UTF8);
    default:
        return sqlite3_bind_null(st, i);
    }
}

static int copy_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct copy *c = arg;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(bind(c->insert, (int)i + 1, &v[i]), SQLITE_OK);
    }
    assert_int_equal(sqlite3_step(c->insert), SQLITE_DONE);
    (void)sqlite3_reset(c->insert);
    return WEDR_OK;
}

static sqlite3 *plain_table(struct fx *f)
{
    sqlite3 *db = NULL;
    struct copy c;
    struct wedr_query_result r;
    struct wedr_query q = {.data_dir = f->dir,
                           .sql = "SELECT * FROM events",
                           .time_limit_ms = 60000,
                           .row = copy_row,
                           .arg = &c};
    struct wedr_buf sql;
    wedr_buf_init(&sql, 4096);
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(columns); i++) {
        wedr_buf_addf(&sql, "%s%s %s", i == 0 ? "CREATE TABLE events(" : ",", columns[i],
                      is_number(columns[i]) ? "INTEGER" : "TEXT");
    }
    wedr_buf_adds(&sql, ")");
    assert_int_equal(sqlite3_exec(db, (const char *)sql.p, NULL, NULL, NULL), SQLITE_OK);
    wedr_buf_truncate(&sql, 0);
    wedr_buf_adds(&sql, "INSERT INTO events VALUES(?");
    for (size_t i = 1; i < WEDR_ARRAY_COUNT(columns); i++) {
        wedr_buf_adds(&sql, ",?");
    }
    wedr_buf_adds(&sql, ")");
    assert_int_equal(sqlite3_prepare_v2(db, (const char *)sql.p, -1, &c.insert, NULL), SQLITE_OK);
    wedr_buf_fini(&sql);
    assert_int_equal(
        sqlite3_create_function(db, "contains", 2, SQLITE_UTF8, NULL, contains, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(wedr_query_run(&q, &r, NULL), WEDR_OK);
    (void)sqlite3_finalize(c.insert);
    assert_true(r.rows > 5000);
    return db;
}

/* --- Random conditions. */

/* A value of the column, or something like it, as an SQL literal. */
static void add_value(struct wedr_buf *out, sqlite3 *db, const char *column, int form)
{
    char sql[600], pick[200];
    sqlite3_stmt *st = NULL;
    (void)snprintf(pick, sizeof(pick), "(SELECT %s v FROM events WHERE rowid=%u)", column,
                   1 + any(6000));
    static const char *const forms[] = {
        "quote(v)",     "quote(upper(v))", NULL,     "quote(CAST(v AS TEXT))",
        "quote(v+0.5)", "quote(v||'x')",   "'NULL'", NULL};
    char chosen[100];
    if (forms[form] == NULL) {
        (void)snprintf(chosen, sizeof(chosen), "quote(substr(v, %u, %u))",
                       form == 7 ? 1 : 1 + any(40), 1 + any(14));
    } else {
        (void)snprintf(chosen, sizeof(chosen), "%s", forms[form]);
    }
    (void)snprintf(sql, sizeof(sql), "SELECT %s FROM %s", chosen, pick);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    const char *v =
        sqlite3_step(st) == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
    wedr_buf_adds(out, v == NULL ? "NULL" : v);
    (void)sqlite3_finalize(st);
}

static int value_form(void)
{
    static const int often[] = {0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7};
    return often[any(WEDR_ARRAY_COUNT(often))];
}

static void add_condition(struct wedr_buf *out, sqlite3 *db)
{
    static const char *const operators[] = {"=", "=", "=", "<>", "<", "<=", ">", ">=", "IS"};
    const char *c = columns[any(WEDR_ARRAY_COUNT(columns))];
    switch (any(10)) {
    case 0:
        wedr_buf_addf(out, "%s IN (", c);
        for (uint32_t i = 0, n = any(5); i < n; i++) {
            wedr_buf_adds(out, i == 0 ? "" : ",");
            add_value(out, db, c, value_form());
        }
        wedr_buf_adds(out, ")");
        break;
    case 1:
        wedr_buf_addf(out, "%s BETWEEN ", c);
        add_value(out, db, c, 0);
        wedr_buf_adds(out, " AND ");
        add_value(out, db, c, 0);
        break;
    case 2:
    case 3:
    case 4: {
        static const char *const patterns[][2] = {{"'%'||", "||'%'"}, {"", "||'%'"},
                                                  {"'%'||", ""},      {"", ""},
                                                  {"'_'||", "||'%'"}, {"'%'||", "||'_'"}};
        const char *const *p = patterns[any(WEDR_ARRAY_COUNT(patterns))];
        c = any(3) == 0 ? "raw" : c;
        wedr_buf_addf(out, "%s %sLIKE %s", c, any(8) == 0 ? "NOT " : "", p[0]);
        add_value(out, db, c, any(3) == 0 ? 7 : 2);
        wedr_buf_addf(out, "%s%s", p[1], any(10) == 0 ? " ESCAPE '\\'" : "");
        break;
    }
    case 5:
        c = any(2) == 0 ? "raw" : c;
        wedr_buf_addf(out, "contains(%s, ", c);
        add_value(out, db, c, any(2) == 0 ? 2 : value_form());
        wedr_buf_adds(out, ")");
        break;
    case 6: /* a subquery that gives one value */
        wedr_buf_addf(out, "%s IN (SELECT ", c);
        add_value(out, db, c, 0);
        wedr_buf_adds(out, ")");
        break;
    case 7:
        wedr_buf_addf(out, "%s IS %sNULL", c, any(2) == 0 ? "NOT " : "");
        break;
    default:
        wedr_buf_addf(out, "%s %s ", c, operators[any(WEDR_ARRAY_COUNT(operators))]);
        add_value(out, db, c, value_form());
        break;
    }
}

static void add_where(struct wedr_buf *out, sqlite3 *db)
{
    uint32_t n = 1 + any(4);
    for (uint32_t i = 0; i < n; i++) {
        wedr_buf_adds(out, i == 0 ? " WHERE " : any(4) == 0 ? " OR " : " AND ");
        wedr_buf_adds(out, any(12) == 0 ? "NOT (" : "(");
        add_condition(out, db);
        wedr_buf_adds(out, ")");
    }
}

static void add_question(struct wedr_buf *out, sqlite3 *db)
{
    static const char *const orders[] = {" ORDER BY ts", " ORDER BY ts DESC"};
    wedr_buf_adds(out, "SELECT " KEY);
    if (any(3) == 0) {
        wedr_buf_addf(out, ", quote(CAST(%s AS TEXT))", columns[any(WEDR_ARRAY_COUNT(columns))]);
    }
    wedr_buf_adds(out, " FROM events");
    if (any(15) != 0) {
        add_where(out, db);
    }
    if (any(2) == 0) {
        wedr_buf_adds(out, orders[any(2)]);
        if (any(2) == 0) {
            wedr_buf_addf(out, " LIMIT %u", any(30));
        }
        if (any(2) == 0 && ((const char *)out->p)[out->len - 1] != 'C' &&
            strstr((const char *)out->p, " LIMIT ") != NULL) {
            wedr_buf_addf(out, " OFFSET %u", any(20));
        }
    } else {
        wedr_buf_adds(out, " ORDER BY " KEY);
    }
}

/* --- Answers as text. */

static int put_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (v[i].type == WEDR_QUERY_INT) {
            wedr_buf_addf(arg, "%lld|", (long long)v[i].i);
        } else {
            wedr_buf_add(arg, v[i].s.p, v[i].s.len);
            wedr_buf_adds(arg, "|");
        }
    }
    wedr_buf_adds(arg, "\n");
    return WEDR_OK;
}

static int ask_plain(sqlite3 *db, const char *sql, struct wedr_buf *out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            const char *v = (const char *)sqlite3_column_text(st, i);
            wedr_buf_addf(out, "%s|", v == NULL ? "" : v);
        }
        wedr_buf_adds(out, "\n");
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void random_questions_get_what_a_plain_table_gives(void **state)
{
    (void)state;
    struct fx f;
    struct wedr_buf sql, mine, plain;
    const char *given = getenv("WEDR_TEST_SEED");
    seed = given == NULL ? seed : strtoull(given, NULL, 10);
    fx_init(&f);
    fill(&f);
    sqlite3 *db = plain_table(&f);
    wedr_buf_init(&sql, 1 << 20);
    wedr_buf_init(&mine, 64u << 20);
    wedr_buf_init(&plain, 64u << 20);
    uint64_t rows = 0;
    for (uint32_t i = 0; i < QUESTIONS; i++) {
        struct wedr_query_result r;
        struct wedr_errinfo ei = {""};
        wedr_buf_truncate(&sql, 0);
        wedr_buf_truncate(&mine, 0);
        wedr_buf_truncate(&plain, 0);
        add_question(&sql, db);
        struct wedr_query q = {.data_dir = f.dir,
                               .sql = (const char *)sql.p,
                               .time_limit_ms = 60000,
                               .row = put_row,
                               .arg = &mine};
        int err = wedr_query_run(&q, &r, &ei);
        int rc = ask_plain(db, (const char *)sql.p, &plain);
        if (rc != SQLITE_OK && err == WEDR_E_INVAL) {
            continue; /* both refuse it */
        }
        if (err != WEDR_OK || rc != SQLITE_OK || mine.len != plain.len ||
            (mine.len != 0 && memcmp(mine.p, plain.p, mine.len) != 0)) {
            fail_msg("question %u: %s\n%d %s %d, %zu and %zu bytes\n%.600s\n\n%.600s", i, sql.p,
                     err, ei.text, rc, mine.len, plain.len, mine.p, plain.p);
        }
        rows += r.rows;
    }
    assert_true(rows > 50000);
    wedr_buf_fini(&sql);
    wedr_buf_fini(&mine);
    wedr_buf_fini(&plain);
    sqlite3_close(db);
    fx_fini(&f);
}

static void compare(struct fx *f, sqlite3 *db, const char *sql, const char *plain_sql)
{
    struct wedr_buf mine, plain;
    struct wedr_query_result r;
    struct wedr_errinfo ei = {""};
    wedr_buf_init(&mine, 64u << 20);
    wedr_buf_init(&plain, 64u << 20);
    struct wedr_query q = {
        .data_dir = f->dir, .sql = sql, .time_limit_ms = 60000, .row = put_row, .arg = &mine};
    int err = wedr_query_run(&q, &r, &ei);
    assert_int_equal(ask_plain(db, plain_sql, &plain), SQLITE_OK);
    if (err != WEDR_OK || mine.len != plain.len ||
        (mine.len != 0 && memcmp(mine.p, plain.p, mine.len) != 0)) {
        fail_msg("%s\n%s\n%d %s\n%s\n%s", sql, plain_sql, err, ei.text, mine.p, plain.p);
    }
    wedr_buf_fini(&mine);
    wedr_buf_fini(&plain);
}

static void counts_are_those_of_the_rows(void **state)
{
    (void)state;
    static const char *const conditions[] = {"1",
                                             "event_type='process_fork'",
                                             "agent_id='" TB_AGENT "'",
                                             "hostname IN ('Host-B','host-c')",
                                             "event_type<>'process_create' AND hostname='host-a'",
                                             "hour>=1795478460000000 AND hour<1795478700000000"};
    struct fx f;
    char sql[600], plain[900], hour[60];
    fx_init(&f);
    fill(&f);
    sqlite3 *db = plain_table(&f);
    for (uint32_t i = 0; i < 60; i++) {
        long long span = i % 4 == 0 ? 3600 : 1 + any(200);
        long long from = TB_T0 + (long long)any(500) * 1000000 - 50000000,
                  to = from + any(400000000);
        const char *where = conditions[i % WEDR_ARRAY_COUNT(conditions)];
        (void)snprintf(hour, sizeof(hour), "ts-ts%%(%lld*1000000)", span);
        (void)snprintf(sql, sizeof(sql),
                       "SELECT hour, event_type, agent_id, hostname, count FROM event_counts(%lld,"
                       " %lld, %lld) WHERE %s ORDER BY 1, 2, 3",
                       span, from, to, where);
        (void)snprintf(
            plain, sizeof(plain),
            "SELECT * FROM (SELECT %s hour, event_type, agent_id, hostname, count(*) FROM"
            " events WHERE ts BETWEEN %lld AND %lld GROUP BY 1, 2, 3, 4) WHERE %s ORDER"
            " BY 1, 2, 3",
            hour, from, to, where);
        compare(&f, db, sql, plain);
    }
    compare(&f, db, "SELECT hour, event_type, sum(count) FROM event_counts GROUP BY 1, 2",
            "SELECT ts-ts%3600000000, event_type, count(*) FROM events GROUP BY 1, 2");
    compare(&f, db,
            "SELECT sum(count) FROM event_counts WHERE event_type='process_fork' OR "
            "agent_id='" TB_AGENT "'",
            "SELECT count(*) FROM events WHERE event_type='process_fork' OR agent_id='" TB_AGENT
            "'");
    assert_int_equal(fx_error(&f, "SELECT * FROM event_counts(0)"), WEDR_E_INVAL);
    sqlite3_close(db);
    fx_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_questions_get_what_a_plain_table_gives),
        cmocka_unit_test(counts_are_those_of_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
