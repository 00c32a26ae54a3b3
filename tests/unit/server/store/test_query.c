/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "store_fixture.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#define FOREVER "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n"

/* What a query gave, as one text: names, then rows, values with a letter for their type. */
struct got {
    char text[4096];
    size_t len;
    uint64_t stop_at; /* the row that the callback refuses; 0: none */
    uint64_t rows;
};

static void put(struct got *g, const char *fmt, ...) WEDR_PRINTF(2, 3);
static void put(struct got *g, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(g->text + g->len, sizeof(g->text) - g->len, fmt, ap);
    va_end(ap);
    assert_true(n >= 0 && (size_t)n < sizeof(g->text) - g->len);
    g->len += (size_t)n;
}

static int on_columns(void *arg, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(arg, "%s%s", i == 0 ? "" : ",", names[i]);
    }
    return WEDR_OK;
}

static int on_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct got *g = arg;
    if (++g->rows == g->stop_at) {
        return WEDR_E_NET;
    }
    put(g, ";");
    for (size_t i = 0; i < count; i++) {
        const char *comma = i == 0 ? "" : ",";
        switch (v[i].type) {
        case WEDR_QUERY_INT:
            put(g, "%si%lld", comma, (long long)v[i].i);
            break;
        case WEDR_QUERY_REAL:
            put(g, "%sr%g", comma, v[i].r);
            break;
        case WEDR_QUERY_TEXT:
            put(g, "%st%.*s", comma, (int)v[i].s.len, (const char *)v[i].s.p);
            break;
        case WEDR_QUERY_BLOB:
            put(g, "%sb%zu", comma, v[i].s.len);
            break;
        default:
            put(g, "%sn", comma);
            break;
        }
    }
    return WEDR_OK;
}

static int ask(struct fx *f, struct wedr_query *q, struct got *g, struct wedr_query_result *ret)
{
    struct wedr_errinfo ei = {""};
    q->data_dir = f->dir;
    q->time_limit_ms = q->time_limit_ms == 0 ? 20000 : q->time_limit_ms;
    q->columns = on_columns;
    q->row = on_row;
    q->arg = g;
    int err = wedr_query_run(q, ret, &ei);
    assert_true(err == WEDR_OK || g->stop_at != 0 || ei.text[0] != 0);
    return err;
}

static void fill(struct fx *f)
{
    static const char *const agents[] = {TB_AGENT, TB_AGENT2};
    for (uint32_t k = 0; k < 4; k++) { /* of each agent a tiny batch and a block */
        struct tb b;
        tb_init(&b, "kernel.critical");
        b.agent = agents[k % 2];
        b.hostname = k % 2 == 0 ? "host-a" : "host-b";
        tb_forks(&b, 1 + k * 10000, k < 2 ? 10 : 600);
        assert_int_equal(fx_put(f, &b), WEDR_COMMIT_STORED);
        tb_init(&b, "agent");
        b.agent = agents[k % 2];
        b.hostname = k % 2 == 0 ? "host-a" : "host-b";
        tb_loss(&b, 1 + 20 * k, TB_T0, TB_EPOCH, "kernel.critical", "late", k + 1, "");
        tb_gap(&b, 2 + 20 * k, TB_T0, "kernel.critical", TB_T0, TB_T0 + 1 + k, "host_off");
        assert_int_equal(fx_put(f, &b), WEDR_COMMIT_STORED);
    }
}

static void values_keep_their_type_and_parameters_are_bound(void **state)
{
    (void)state;
    struct fx f;
    struct got g = {.len = 0};
    struct wedr_query_result r;
    struct wedr_query_value p[] = {{.type = WEDR_QUERY_INT, .i = -5},
                                   {.type = WEDR_QUERY_REAL, .r = 0.5},
                                   {.type = WEDR_QUERY_TEXT, .s = wedr_span("x' OR 1", 7)},
                                   {.type = WEDR_QUERY_BLOB, .s = wedr_span("\0\1", 2)},
                                   {.type = WEDR_QUERY_NULL}};
    struct wedr_query q = {.sql = "SELECT ?1 AS a, ?2 AS b, ?3 AS c, ?4 AS d, ?5 AS e, ?6 AS f",
                           .params = p,
                           .param_count = 5};
    fx_init(&f);
    assert_int_equal(ask(&f, &q, &g, &r), WEDR_OK);
    assert_string_equal(g.text, "a,b,c,d,e,f;i-5,r0.5,tx' OR 1,b2,n,n");
    assert_int_equal(r.rows, 1);
    assert_false(r.truncated);
    q.sql = "SELECT ?1";
    assert_int_equal(ask(&f, &q, &g, &r), WEDR_E_INVAL); /* more values than parameters */
    fx_fini(&f);
}

static void limits_on_the_result_say_that_there_is_more(void **state)
{
    (void)state;
    struct fx f;
    struct wedr_query_result r;
    struct wedr_query q = {.sql = "SELECT seq FROM events WHERE agent_id='" TB_AGENT
                                  "' AND stream='kernel.critical' AND seq<=10 ORDER BY seq"};
    fx_init(&f);
    fill(&f);
    for (uint64_t max = 0; max <= 11; max++) {
        struct got g = {.len = 0};
        q.rows_max = max;
        q.bytes_max = 0;
        assert_int_equal(ask(&f, &q, &g, &r), WEDR_OK);
        assert_int_equal(r.rows, max == 0 || max > 10 ? 10 : max);
        assert_int_equal(r.truncated, max != 0 && max < 10);
        g = (struct got){.len = 0};
        q.rows_max = 0;
        q.bytes_max = max == 0 ? 0 : 3 + 8 * max; /* the name and max numbers */
        assert_int_equal(ask(&f, &q, &g, &r), WEDR_OK);
        assert_int_equal(r.rows, max == 0 || max > 10 ? 10 : max);
        assert_int_equal(r.truncated, max != 0 && max < 10);
    }
    struct got g = {.stop_at = 3};
    q.bytes_max = 0;
    assert_int_equal(ask(&f, &q, &g, &r), WEDR_E_NET);
    assert_int_equal(r.rows, 2);
    fx_fini(&f);
}

static void errors_name_their_place(void **state)
{
    (void)state;
    struct fx f;
    struct got g = {.len = 0};
    struct wedr_query_result r;
    struct wedr_query q = {.sql = "SELECT ts FROM events WHERE nonsense=1"};
    fx_init(&f);
    assert_int_equal(ask(&f, &q, &g, &r), WEDR_E_INVAL);
    assert_int_equal(r.error_position, 28);
    q.sql = "SELECT 1; SELECT 2";
    assert_int_equal(ask(&f, &q, &g, &r), WEDR_E_INVAL);
    assert_int_equal(r.error_position, -1);
    q.sql = "SELECT * FROM x_stream, ledger";
    assert_int_equal(ask(&f, &q, &g, &r), WEDR_E_PERM);
    fx_fini(&f);
}

/* Whatever is asked of any table, the caller sees what a store would give that has nothing but the
 * rows of his endpoints. */
static void another_endpoints_rows_do_not_exist(void **state)
{
    (void)state;
    static const char *const mine[] = {TB_AGENT2};
    static const struct wedr_query_scope scopes[] = {{mine, 1}, {mine, 0}};
    static const struct {
        const char *sql, *one, *none;
    } cases[] = {
        {"SELECT count(*), count(DISTINCT agent_id), min(hostname) FROM events WHERE stream<>"
         "'agent'",
         ";i610,i1,thost-b", ";i0,i0,n"},
        {"SELECT count(*) FROM events WHERE agent_id='" TB_AGENT "' OR hostname='host-a'", ";i0",
         ";i0"},
        {"SELECT count(*) FROM (SELECT raw FROM events)", ";i614", ";i0"},
        {"SELECT count(*), max(agent_id) FROM ledger", ";i2,t" TB_AGENT2, ";i0,n"},
        {"SELECT sum(lost) FROM ledger_loss", ";i4", ";n"},
        {"SELECT count(*), min(agent_id) FROM coverage_gaps", ";i2,t" TB_AGENT2, ";i0,n"},
        {"SELECT count(*), max(agent_id) FROM tamper", ";i1,t" TB_AGENT2, ";i0,n"},
        {"WITH events AS (SELECT * FROM events) SELECT count(*) FROM events", NULL, NULL},
        {"SELECT count(*) FROM events a JOIN events b ON b.seq=a.seq AND b.agent_id<>a.agent_id",
         ";i0", ";i0"}};
    struct fx f;
    fx_init(&f);
    fill(&f);
    for (int k = 0; k < 2; k++) { /* refused overlaps of both */
        struct tb b;
        tb_init(&b, "kernel.critical");
        b.agent = k == 0 ? TB_AGENT : TB_AGENT2;
        tb_forks(&b, k == 0 ? 2 : 10002, 3);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_CONFLICT);
    }
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM tamper"), 2);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(cases); i++) {
        for (size_t k = 0; k < 2; k++) {
            struct got g = {.len = 0};
            struct wedr_query_result r;
            struct wedr_query q = {.sql = cases[i].sql, .scope = &scopes[k]};
            int err = ask(&f, &q, &g, &r);
            const char *rows = strchr(g.text, ';');
            if (cases[i].one == NULL
                    ? err == WEDR_OK
                    : err != WEDR_OK || rows == NULL ||
                          strcmp(rows, k == 0 ? cases[i].one : cases[i].none) != 0) {
                fail_msg("%s: %d %s", cases[i].sql, err, g.text);
            }
        }
    }
    fx_fini(&f);
}

static void put_state(struct fx *f, const char *sql)
{
    char path[512];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof(path), "%s/state.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static const char two_agents[] =
    "CREATE TABLE agent(agent_id TEXT PRIMARY KEY, hostname TEXT, os TEXT, os_version"
    " TEXT, agent_version TEXT, cert_sha256 TEXT, enrolled_us INTEGER, last_seen_us"
    " INTEGER, revoked INTEGER, sign_public BLOB) WITHOUT ROWID;"
    "INSERT INTO agent VALUES('a1','h1','linux','','','',3,4,0,x'00'),"
    "('a2','h2','linux','','','',5,6,0,x'00');"
    "CREATE TABLE process(agent_id TEXT, process_key TEXT, parent_key TEXT, pid"
    " INTEGER, ppid INTEGER, image_path TEXT, command_line TEXT, user TEXT, started"
    " INTEGER, ended INTEGER);"
    "INSERT INTO process(agent_id, process_key, pid) VALUES('a1','k1',1),"
    "('a2','k2',2);"
    "CREATE TABLE alert(id INTEGER PRIMARY KEY, alert_id TEXT, agent_id TEXT);"
    "INSERT INTO alert VALUES(1,'x','a1'),(2,'x','a2'),(3,'y',''),(4,'z',''),"
    "(5,'w','');"
    "CREATE TABLE alert_evidence(alert INTEGER, n INTEGER, agent_id TEXT, epoch TEXT,"
    " stream TEXT, seq INTEGER, event TEXT);"
    "INSERT INTO alert_evidence(alert, n, agent_id) VALUES(1,0,'a1'),(2,0,'a2'),"
    "(3,0,'a2'),(4,0,'a1'),(4,1,'a2');";

static void the_scope_holds_in_the_tables_over_the_state_store(void **state)
{
    (void)state;
    static const char *const mine[] = {"a2"};
    static const struct wedr_query_scope scope = {mine, 1};
    static const struct {
        const char *sql, *all, *scoped;
    } cases[] = {
        {"SELECT agent_id, hostname FROM agents ORDER BY agent_id DESC", ";ta2,th2;ta1,th1",
         ";ta2,th2"},
        {"SELECT count(*) FROM agents WHERE agent_id='a1' OR hostname='h1'", ";i1", ";i0"},
        {"SELECT agent_id FROM agents WHERE hostname='h1' OR hostname='h2' OR agent_id='a2' ORDER "
         "BY 1",
         ";ta1;ta2", ";ta2"},
        {"SELECT count(*) FROM agents WHERE enrolled_at>'2'", ";i2", ";i1"},
        {"SELECT count(*) FROM agents WHERE enrolled_at>=2 AND enrolled_at<4.5", ";i1", ";i0"},
        {"SELECT process_key, hostname FROM process_tree ORDER BY pid", ";tk1,th1;tk2,th2",
         ";tk2,th2"},
        {"SELECT pid FROM process_tree WHERE pid=2 OR process_key='k1' OR pid=1 ORDER BY pid",
         ";i1;i2", ";i2"},
        {"SELECT p.pid FROM agents a JOIN process_tree p USING(agent_id) WHERE a.hostname='h2'",
         ";i2", ";i2"},
        /* of several endpoints: those whose evidence is in scope, all of it, and some */
        {"SELECT id FROM alerts ORDER BY id", ";i1;i2;i3;i4;i5", ";i2;i3"},
        {"SELECT alert, n FROM alert_evidence ORDER BY 1, 2", ";i1,i0;i2,i0;i3,i0;i4,i0;i4,i1",
         ";i2,i0;i3,i0"}};
    struct fx f;
    fx_init(&f);
    put_state(&f, two_agents);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(cases); i++) {
        for (size_t k = 0; k < 2; k++) {
            struct got g = {.len = 0};
            struct wedr_query_result r;
            struct wedr_query q = {.sql = cases[i].sql, .scope = k == 0 ? NULL : &scope};
            int err = ask(&f, &q, &g, &r);
            const char *rows = strchr(g.text, ';');
            if (err != WEDR_OK || rows == NULL ||
                strcmp(rows, k == 0 ? cases[i].all : cases[i].scoped) != 0) {
                fail_msg("%s: %d %s", cases[i].sql, err, g.text);
            }
        }
    }
    struct got g = {.len = 0};
    struct wedr_query_result r;
    struct wedr_query q = {.sql = "SELECT sign_public FROM agents"};
    assert_int_equal(ask(&f, &q, &g, &r), WEDR_E_INVAL);
    q.sql = "SELECT * FROM agent";
    assert_int_not_equal(ask(&f, &q, &g, &r), WEDR_OK);
    fx_fini(&f);
}

static void cancel_soon(void *arg)
{
    wedr_time_sleep_ms(50);
    atomic_store((atomic_bool *)arg, true);
}

static void another_thread_ends_a_query(void **state)
{
    (void)state;
    struct fx f;
    struct got g = {.len = 0};
    struct wedr_query_result r;
    struct wedr_thread *t = NULL;
    atomic_bool cancel = false;
    struct wedr_query q = {.sql = FOREVER, .cancel = &cancel, .time_limit_ms = 600000};
    fx_init(&f);
    assert_int_equal(wedr_thread_new(&t, "cancel", cancel_soon, &cancel), WEDR_OK);
    assert_int_equal(ask(&f, &q, &g, &r), WEDR_E_CLOSED);
    wedr_thread_join(t);
    q.cancel = NULL;
    q.time_limit_ms = 50;
    assert_int_equal(ask(&f, &q, &g, &r), WEDR_E_TIMEOUT);
    fx_fini(&f);
}

struct stopper {
    atomic_bool cancel;
    uint64_t rows, at;
};

static int stop_at_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct stopper *s = arg;
    (void)v;
    (void)count;
    if (++s->rows == s->at) {
        atomic_store(&s->cancel, true);
    }
    return WEDR_OK;
}

/* At any row, while other threads scan blocks ahead of the reader. */
static void a_query_may_end_anywhere(void **state)
{
    (void)state;
    static const char *const queries[] = {"SELECT raw FROM events ORDER BY ts DESC",
                                          "SELECT raw, uid FROM events WHERE contains(raw, 'sh')",
                                          "SELECT ts FROM events WHERE uid=0 ORDER BY ts"};
    struct fx f;
    fx_init(&f);
    for (uint32_t k = 0; k < 24; k++) {
        struct tb b;
        tb_init(&b, "kernel.critical");
        tb_forks(&b, 1 + k * 1000, 520);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(queries); i++) {
        for (uint64_t at = 1; at < 12480; at = at * 3 + 1) {
            struct stopper s = {.at = at};
            struct wedr_query_result r;
            struct wedr_query q = {.data_dir = f.dir,
                                   .sql = queries[i],
                                   .time_limit_ms = 60000,
                                   .cancel = &s.cancel,
                                   .row = stop_at_row,
                                   .arg = &s};
            assert_int_equal(wedr_query_run(&q, &r, NULL), WEDR_E_CLOSED);
            assert_int_equal(r.rows, at);
            q.cancel = NULL;
            q.rows_max = at;
            assert_int_equal(wedr_query_run(&q, &r, NULL), WEDR_OK);
            assert_int_equal(r.rows, at);
            assert_true(r.truncated);
            q.rows_max = 0;
            q.time_limit_ms = (uint32_t)(at % 13);
            int err = wedr_query_run(&q, &r, NULL);
            assert_true(err == WEDR_OK || err == WEDR_E_TIMEOUT);
        }
    }
    fx_fini(&f);
}

/* What a query opened: a proof that filters, columns and order save the work. */
static void work_is_bounded_by_what_is_asked(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        uint64_t rows, opened, parsed; /* at most */
    } cases[] = {{"SELECT raw FROM events WHERE process_path='/usr/bin/absent'", 0, 0, 0},
                 {"SELECT raw FROM events WHERE process_path='/opt/rare'", 1, 1, 2},
                 {"SELECT seq FROM events WHERE contains(raw, 'opt/rare')", 1, 1, 0},
                 {"SELECT seq FROM events WHERE raw LIKE '%absent%'", 0, 0, 0},
                 {"SELECT seq FROM events WHERE process_path LIKE '/opt/%'", 1, 1, 2},
                 {"SELECT seq FROM events WHERE process_key='00000000deadbeef' OR parent_key="
                  "'00000000deadbeef'",
                  0, 0, 0},
                 {"SELECT seq FROM events WHERE pid=987654", 0, 0, 0},
                 {"SELECT count(*) FROM events WHERE event_type='process_fork'", 1, 0, 0},
                 {"SELECT seq, ts FROM events ORDER BY ts DESC LIMIT 5", 5, 0, 0},
                 {"SELECT raw FROM events ORDER BY ts DESC LIMIT 5", 5, 4, 0},
                 {"SELECT sum(count) FROM event_counts", 1, 0, 0}};
    struct fx f;
    fx_init(&f);
    for (uint32_t k = 0; k < 20; k++) {
        struct tb b;
        tb_init(&b, "kernel.critical");
        for (uint32_t i = 0; i < 600; i++) {
            int64_t ts = TB_T0 + (int64_t)(k * 600 + i) * 1000;
            tb_create(&b, 1 + k * 1000 + i, ts, 1 + i, 1,
                      k == 7 && i == 300 ? "/opt/rare" : "/usr/bin/tool", "-x");
        }
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(cases); i++) {
        struct wedr_query_result r;
        struct wedr_errinfo ei = {""};
        struct wedr_query q = {.data_dir = f.dir, .sql = cases[i].sql, .time_limit_ms = 60000};
        int err = wedr_query_run(&q, &r, &ei);
        if (err != WEDR_OK || r.rows != cases[i].rows || r.blocks_opened > cases[i].opened ||
            r.lines_parsed > cases[i].parsed) {
            fail_msg("%s: %d %s, %llu rows, %llu blocks, %llu lines", cases[i].sql, err, ei.text,
                     (unsigned long long)r.rows, (unsigned long long)r.blocks_opened,
                     (unsigned long long)r.lines_parsed);
        }
    }
    fx_fini(&f);
}

static void expect_work(struct fx *f, const char *sql, uint64_t rows, uint64_t opened)
{
    struct wedr_query_result r;
    struct wedr_query q = {.data_dir = f->dir, .sql = sql, .time_limit_ms = 60000};
    assert_int_equal(wedr_query_run(&q, &r, NULL), WEDR_OK);
    assert_int_equal(r.rows, rows);
    assert_int_equal(r.blocks_opened, opened);
}

/* The keys of two processes stand in every block, as their children's parent or as their own. */
static void a_process_tree_opens_the_blocks_where_lives_begin(void **state)
{
    (void)state;
    static const char born[] = "SELECT seq FROM events WHERE process_key='00000000000abcde' AND "
                               "event_type IN ('process_create','process_fork')",
                      any[] = "SELECT seq FROM events WHERE process_key='00000000000abcde' AND "
                              "event_type<>'process_terminate'",
                      children[] = "SELECT seq FROM events WHERE parent_key='00000000000ACDED' "
                                   "COLLATE NOCASE AND parent_key='00000000000acded'";
    struct fx f;
    fx_init(&f);
    for (uint32_t k = 0; k < 5; k++) {
        struct tb b;
        tb_init(&b, "kernel.critical");
        for (uint32_t i = 0; i < 600; i++) {
            bool first = k == 3 && i == 100, second = k == 1 && i == 100;
            tb_create(&b, 1 + k * 1000 + i, TB_T0 + i,
                      first    ? 0xabcde
                      : i == 5 ? 0xacded
                               : 1 + i,
                      second ? 0xacded : 0xabcde, "/usr/bin/tool", "-x");
        }
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    }
    expect_work(&f, born, 1, 1);
    expect_work(&f, any, 1, 5); /* not only of lives: the value may stand anywhere */
    expect_work(&f, children, 1, 1);
    fx_close(&f);
    fx_tamper(&f, TB_T0, "UPDATE filt SET f=CAST(x'01'||substr(f,2) AS BLOB)"); /* an older store */
    fx_open(&f);
    expect_work(&f, born, 1, 5);
    expect_work(&f, children, 1, 5);
    fx_fini(&f);
}

/* A sort that is kept in memory, and others beside it that go on. */
static void one_querys_memory_is_its_own_limit(void **state)
{
    (void)state;
    static const char sort[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200000) SELECT"
        " printf('%.300c', 'x') || i AS t FROM n ORDER BY t DESC LIMIT 1 OFFSET 100000";
    struct fx f;
    struct wedr_query_result r;
    struct wedr_query q = {.sql = sort, .memory_limit = 16u << 20};
    fx_init(&f);
    fill(&f);
    for (int i = 0; i < 2; i++) {
        struct got g = {.len = 0};
        assert_int_equal(ask(&f, &q, &g, &r), WEDR_E_LIMIT);
        assert_int_equal(fx_int(&f, "SELECT count(*) FROM events WHERE stream<>'agent'"), 1220);
    }
    struct got g = {.len = 0};
    q.memory_limit = 0;
    assert_int_equal(ask(&f, &q, &g, &r), WEDR_OK);
    assert_int_equal(r.rows, 1);
    fx_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_keep_their_type_and_parameters_are_bound),
        cmocka_unit_test(limits_on_the_result_say_that_there_is_more),
        cmocka_unit_test(errors_name_their_place),
        cmocka_unit_test(another_endpoints_rows_do_not_exist),
        cmocka_unit_test(the_scope_holds_in_the_tables_over_the_state_store),
        cmocka_unit_test(another_thread_ends_a_query),
        cmocka_unit_test(a_query_may_end_anywhere),
        cmocka_unit_test(work_is_bounded_by_what_is_asked),
        cmocka_unit_test(a_process_tree_opens_the_blocks_where_lives_begin),
        cmocka_unit_test(one_querys_memory_is_its_own_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
