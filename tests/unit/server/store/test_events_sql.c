/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "store/print.h"
#include "store_fixture.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#define DAY_US 86400000000ll

static void every_column_has_its_value(void **state)
{
    (void)state;
    for (uint32_t extra = 0; extra <= 600;
         extra += 600) { /* from a tiny batch and from a block with columns */
        struct fx f;
        struct tb b;
        fx_init(&f);
        tb_init(&b, "kernel.critical");
        tb_create(&b, 1, TB_T0 + 5, 4823, 824, "/usr/bin/curl", "-s");
        tb_forks(&b, 2, extra);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
        fx_assert_sql(
            &f,
            "SELECT ts, received_at, agent_id, hostname, epoch, boot_id, stream, seq, lane, "
            "module, event_type, pid, ppid,"
            " process_key, parent_key, process_name, process_path, command_line, uid, user, "
            "sha256, target_path,"
            " remote_ip, remote_port, dns_name, container_id FROM events WHERE seq=1",
            "[{\"ts\":1795478400000005,\"received_at\":1795478401000000,\"agent_id\":\"" TB_AGENT
            "\",\"hostname\":\"host-a\","
            "\"epoch\":\"fedcba9876543210\",\"boot_id\":\"a0a1a2a3a4a5a6a7a8a9aaabacadaeaf\","
            "\"stream\":\"kernel.critical\","
            "\"seq\":1,\"lane\":\"critical\",\"module\":\"kernel_callback\",\"event_type\":"
            "\"process_create\",\"pid\":4823,"
            "\"ppid\":824,\"process_key\":\"00000000000012d7\",\"parent_key\":\"0000000000000338\","
            "\"process_name\":\"curl\",\"process_path\":\"/usr/bin/curl\",\"command_line\":\"curl "
            "-s\",\"uid\":1000,"
            "\"user\":\"alice\",\"sha256\":"
            "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
            "\"target_path\":null,\"remote_ip\":null,\"remote_port\":null,\"dns_name\":null,"
            "\"container_id\":\"c0ffee\"}]");
        assert_int_equal(fx_int(&f, "SELECT raw ->> '$.raw.argv[1]' = '-s' AND json_valid(raw) "
                                    "FROM events WHERE seq=1"),
                         1);
        tb_init(&b, "kernel.bulk");
        tb_connect(&b, 1, TB_T0, 7, "10.1.2.3", 443);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
        fx_assert_sql(&f,
                      "SELECT lane, remote_ip, remote_port, ppid, process_name FROM events WHERE "
                      "stream='kernel.bulk'",
                      "[{\"lane\":\"bulk\",\"remote_ip\":\"10.1.2.3\",\"remote_port\":443,\"ppid\":"
                      "null,\"process_name\":null}]");
        fx_fini(&f);
    }
}

/* Two agents, two epochs, three days, blocks and tiny batches, holes, rejected lines. */
static void fill(struct fx *f)
{
    static const uint32_t sizes[] = {3, 600, 40, 700, 511, 512};
    for (uint32_t k = 0; k < WEDR_ARRAY_COUNT(sizes); k++) {
        struct tb b;
        tb_init(&b, k % 3 == 2 ? "kernel.bulk" : "kernel.critical");
        b.agent = k % 2 == 0 ? TB_AGENT : TB_AGENT2;
        b.id.epoch += k / 4;
        b.received_us += (int64_t)(k / 2) * DAY_US;
        for (uint32_t i = 0; i < sizes[k]; i++) {
            uint64_t seq = 1 + k * 10000ull + i * (k == 3 ? 3u : 1u);
            int64_t ts = TB_T0 + (int64_t)(i * 7919u % 1000u) * 1000000 + k;
            switch (i % 5) {
            case 0:
                tb_create(&b, seq, ts, i % 40, 1, "/usr/bin/tool", "x");
                break;
            case 1:
                tb_connect(&b, seq, ts, i % 40, "10.0.0.9", 80 + i % 3);
                break;
            case 2:
                if (i % 50 == 2) {
                    tb_line(&b, seq, "{\"seq\":%llu}", (unsigned long long)seq);
                } else {
                    tb_fork(&b, seq, ts, i % 40, i % 9);
                }
                break;
            default:
                tb_fork(&b, seq, ts, i % 40, i % 9);
                break;
            }
        }
        assert_int_equal(fx_put(f, &b), WEDR_COMMIT_STORED);
    }
}

/* The same question with the condition in a form that cannot be pushed down must give the same
 * rows. */
static void pushed_conditions_give_what_a_full_scan_gives(void **state)
{
    (void)state;
    static const struct {
        const char *pushed, *plain;
    } cases[] = {
        {"agent_id='" TB_AGENT "'", "+agent_id='" TB_AGENT "'"},
        {"agent_id='nobody'", "+agent_id='nobody'"},
        {"epoch='fedcba9876543211'", "+epoch='fedcba9876543211'"},
        {"epoch='FEDCBA9876543211'", "+epoch='FEDCBA9876543211'"},
        {"stream='kernel.bulk'", "+stream='kernel.bulk'"},
        {"event_type='process_create'", "+event_type='process_create'"},
        {"event_type='no_such'", "+event_type='no_such'"},
        {"event_type IN ('process_fork','network_connect')",
         "+event_type IN ('process_fork','network_connect')"},
        {"pid=17", "+pid=17"},
        {"pid='17'", "+pid=17"},
        {"pid=17.0", "+pid=17.0"},
        {"seq=10003", "+seq=10003"},
        {"seq>10003 AND seq<=10010", "+seq>10003 AND +seq<=10010"},
        {"seq BETWEEN 30001 AND 30100", "+seq BETWEEN 30001 AND 30100"},
        {"ts=1795478400000000", "+ts=1795478400000000"},
        {"ts>=1795478500000000 AND ts<1795478600000000",
         "+ts>=1795478500000000 AND +ts<1795478600000000"},
        {"ts>1795478500000000.5", "+ts>1795478500000000.5"},
        {"ts<1e300 AND seq>-1e300", "+ts<1e300 AND +seq>-1e300"},
        {"ts>'1795478500000000'", "+ts>1795478500000000"},
        {"ts=NULL", "+ts=NULL"},
        {"agent_id=NULL OR pid=3", "+agent_id=NULL OR +pid=3"},
        {"pid=3 OR ts=1795478400000001", "+pid=3 OR +ts=1795478400000001"},
        {"stream='kernel.critical' AND event_type='process_fork' AND pid=9 AND ts>1795478450000000",
         "+stream='kernel.critical' AND +event_type='process_fork' AND +pid=9 AND "
         "+ts>1795478450000000"},
        {"event_type='PROCESS_CREATE' COLLATE NOCASE",
         "+event_type='PROCESS_CREATE' COLLATE NOCASE"},
        {"remote_port=81", "+remote_port=81"},
        {"process_name='tool' AND command_line LIKE '%x'",
         "+process_name='tool' AND +command_line LIKE '%x'"},
    };
    struct fx f;
    fx_init(&f);
    fill(&f);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(cases); i++) {
        char a[600], b[600];
        (void)snprintf(a, sizeof(a),
                       "SELECT count(*) n, coalesce(sum(rowid %% 1000003), 0) h, "
                       "coalesce(sum(seq), 0) s FROM events WHERE %s",
                       cases[i].pushed);
        (void)snprintf(b, sizeof(b),
                       "SELECT count(*) n, coalesce(sum(rowid %% 1000003), 0) h, "
                       "coalesce(sum(seq), 0) s FROM events WHERE %s",
                       cases[i].plain);
        char *x = fx_sql(&f, a), *y = fx_sql(&f, b);
        if (strcmp(x, y) != 0) {
            fail_msg("%s: %s but %s", cases[i].pushed, x, y);
        }
        free(x);
        free(y);
    }
    fx_fini(&f);
}

static void rejected_lines_are_no_rows_and_rowids_are_unique(void **state)
{
    (void)state;
    struct fx f;
    fx_init(&f);
    fill(&f);
    int64_t rows = fx_int(&f, "SELECT count(*) FROM events");
    assert_int_equal(rows, fx_int(&f, "SELECT sum(stored) FROM ledger"));
    assert_true(fx_int(&f, "SELECT sum(lost) FROM ledger") > 20);
    assert_int_equal(rows, fx_int(&f, "SELECT count(DISTINCT rowid) FROM events"));
    assert_int_equal(rows,
                     fx_int(&f, "SELECT count(DISTINCT agent_id||epoch||stream||seq) FROM events"));
    assert_int_equal(0, fx_int(&f, "SELECT count(*) FROM events WHERE raw->>'$.seq' IS NOT seq OR "
                                   "raw->>'$.raw.pid' IS NOT pid"));
    fx_fini(&f);
}

static void ordering_limits_joins_and_recursion_work(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    tb_init(&b, "kernel.critical");
    for (uint32_t i = 1; i <= 600; i++) { /* a chain: each process is the child of the one before */
        tb_fork(&b, i, TB_T0 + (int64_t)(600 - i), i, i - 1);
    }
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    fx_assert_sql(&f, "SELECT seq FROM events ORDER BY ts LIMIT 2",
                  "[{\"seq\":600},\n{\"seq\":599}]");
    fx_assert_sql(&f, "SELECT seq FROM events ORDER BY ts DESC LIMIT 1 OFFSET 1", "[{\"seq\":2}]");
    fx_assert_sql(&f, "SELECT seq FROM events WHERE seq>5 LIMIT 0", "[]");
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events c JOIN events p ON c.ppid=p.pid AND "
                                "c.agent_id=p.agent_id WHERE c.seq<=50"),
                     49);
    assert_int_equal(fx_int(&f, "WITH RECURSIVE up(pid, n) AS (SELECT ppid, 1 FROM events WHERE "
                                "pid=30 UNION ALL SELECT e.ppid, n+1 FROM up"
                                " JOIN events e ON e.pid=up.pid) SELECT max(n) FROM up"),
                     30);
    assert_int_equal(fx_int(&f, "SELECT max(ts)-min(ts) FROM events"), 599);
    fx_assert_sql(&f, "SELECT event_type, count(*) n FROM events GROUP BY 1",
                  "[{\"event_type\":\"process_fork\",\"n\":600}]");
    fx_fini(&f);
}

static void conditions_skip_blocks_and_columns_save_parsing(void **state)
{
    (void)state;
    struct fx f;
    struct wedr_sql s;
    FILE *out = tmpfile();
    fx_init(&f);
    for (uint32_t k = 0; k < 5; k++) {
        struct tb b;
        tb_init(&b, "kernel.critical");
        tb_forks(&b, 1 + k * 1000, 600);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    }
    assert_int_equal(wedr_sql_open(f.dir, 10000, &s, NULL), WEDR_OK);
    assert_int_equal(wedr_sql_print(&s,
                                    "SELECT count(*), min(ts), max(pid), min(ppid), "
                                    "max(event_type), max(process_name), max(seq) FROM events",
                                    true, out, NULL),
                     WEDR_OK);
    assert_int_equal(s.lines_parsed, 0);
    assert_int_equal(s.blocks_opened, 0);
    assert_int_equal(wedr_sql_print(&s, "SELECT uid FROM events WHERE seq=2005", true, out, NULL),
                     WEDR_OK);
    assert_int_equal(s.lines_parsed, 1);
    assert_int_equal(s.blocks_opened, 1);
    assert_int_equal(wedr_sql_print(&s, "SELECT uid FROM events WHERE event_type='process_create'",
                                    true, out, NULL),
                     WEDR_OK);
    assert_int_equal(wedr_sql_print(&s, "SELECT uid FROM events WHERE agent_id='" TB_AGENT2 "'",
                                    true, out, NULL),
                     WEDR_OK);
    assert_int_equal(wedr_sql_print(&s, "SELECT uid FROM events WHERE ts<1000", true, out, NULL),
                     WEDR_OK);
    assert_int_equal(s.blocks_opened, 1);
    wedr_sql_close(&s);
    (void)fclose(out);
    fx_fini(&f);
}

static void only_reading_is_allowed(void **state)
{
    (void)state;
    struct fx f;
    static const char *const denied[] = {"DELETE FROM ledger",
                                         "UPDATE agents SET revoked=0",
                                         "INSERT INTO ledger DEFAULT VALUES",
                                         "DROP TABLE ledger",
                                         "CREATE TABLE x(a)",
                                         "CREATE TEMP TABLE x(a)",
                                         "ATTACH '/tmp/x.db' AS x",
                                         "PRAGMA query_only=0",
                                         "SELECT * FROM pragma_database_list",
                                         "SELECT load_extension('x')",
                                         "SELECT fts3_tokenizer('a')",
                                         "VACUUM INTO '/tmp/y'",
                                         "BEGIN",
                                         "SELECT * FROM x_stream, ledger",
                                         "SELECT count(*) FROM x_stream, ledger",
                                         "SELECT * FROM dbstat",
                                         "SELECT * FROM sqlite_stmt",
                                         "SELECT zeroblob(1e9)",
                                         "SELECT 1; SELECT 2",
                                         "",
                                         "-- nothing",
                                         "EXPLAIN DELETE FROM ledger",
                                         "CREATE VIRTUAL TABLE v USING fts5(a)",
                                         "SELECT nonsense("};
    fx_init(&f);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(denied); i++) {
        int rc = fx_error(&f, denied[i]);
        if (rc != WEDR_E_PERM && rc != WEDR_E_INVAL) {
            fail_msg("%s: %d", denied[i], rc);
        }
    }
    assert_int_equal(
        fx_int(&f, "SELECT count(*) FROM ledger, agents, ledger_loss, coverage_gaps, tamper;"), 0);
    fx_fini(&f);
}

static void time_and_memory_are_limited(void **state)
{
    (void)state;
    struct fx f;
    FILE *out = tmpfile();
    struct wedr_errinfo ei;
    char wide[1024] = "WITH v(t) AS (SELECT printf('%.15000000c', 'x')) SELECT t||0";
    for (int i = 1; i < 45; i++) { /* values of 15 MB, as large as one may be */
        size_t len = strlen(wide);
        (void)snprintf(wide + len, sizeof(wide) - len, ",t||%d%s", i, i == 44 ? " FROM v" : "");
    }
    fx_init(&f);
    fill(&f);
    assert_int_equal(
        wedr_sql_run(
            f.dir,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n",
            true, 200, out, &ei),
        WEDR_E_TIMEOUT);
    assert_int_equal(wedr_sql_run(f.dir,
                                  "SELECT count(*) FROM events a, events b, events c WHERE "
                                  "a.command_line||b.raw LIKE '%q'",
                                  true, 200, out, &ei),
                     WEDR_E_TIMEOUT);
    assert_int_equal(wedr_sql_run(f.dir, wide, true, 60000, out, &ei), WEDR_E_LIMIT);
    assert_int_equal(
        fx_error(&f, "SELECT replace(printf('%.1000000c', 'x'), 'x', printf('%.1000000c', 'y'))"),
        WEDR_E_LIMIT);
    (void)fclose(out);
    fx_fini(&f);
}

static void output_forms_escape_what_endpoints_send(void **state)
{
    (void)state;
    struct fx f;
    char line[400];
    FILE *out = tmpfile();
    fx_init(&f);
    fx_assert_sql(&f,
                  "SELECT 1 a, -5 b, NULL c, 'x\"y\\z' || char(10) d, x'00ff' e, 0.5 f, "
                  "9223372036854775807 g",
                  "[{\"a\":1,\"b\":-5,\"c\":null,\"d\":\"x\\\"y\\\\z\\u000a\",\"e\":\"00ff\",\"f\":"
                  "0.5,\"g\":9223372036854775807}]");
    assert_int_equal(
        wedr_sql_run(f.dir,
                     "SELECT 'a' || char(27) || '[2J' || char(9) || char(155) AS x, NULL AS y",
                     false, 1000, out, NULL),
        WEDR_OK);
    rewind(out);
    size_t n = fread(line, 1, sizeof(line) - 1, out);
    line[n] = 0;
    assert_string_equal(line, "x\ty\na\\x1b[2J\\x09\\xc2\\x9b\t\n");
    (void)fclose(out);
    fx_fini(&f);
}

static const char *printed(void (*print)(FILE *, const void *, size_t), const char *text)
{
    static char line[400];
    FILE *out = tmpfile();
    assert_non_null(out);
    print(out, text, strlen(text));
    rewind(out);
    line[fread(line, 1, sizeof(line) - 1, out)] = 0;
    (void)fclose(out);
    return line;
}

static void no_byte_that_steers_a_terminal_is_printed(void **state)
{
    (void)state;
    const char *bad = "\x9b"
                      "31m \xc2\x9b \xe2\x80\xae \xc3\xa9 \x7f";
    assert_string_equal(printed(wedr_print_text, bad),
                        "\\x9b31m \\xc2\\x9b \\xe2\\x80\\xae \xc3\xa9 \\x7f");
    assert_string_equal(printed(wedr_print_json, bad), "\"\xef\xbf\xbd"
                                                       "31m \\u009b \\u202e \xc3\xa9 \\u007f\"");
    assert_string_equal(printed(wedr_print_json_value, "[\r\"\xc2\x9b\\u001b\x7f\xc3\xa9\"]"),
                        "[ \"\\u009b\\u001b\\u007f\xc3\xa9\"]");
}

static void a_result_is_whole_or_an_error_whatever_allocation_fails(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "SELECT count(*) AS n, sum(seq) AS s, count(process_name) AS p, count(command_line) AS c,"
        " sum(length(raw)) AS r FROM events",
        "SELECT sum(stored) AS s, sum(lost) AS l, sum(missing) AS m FROM ledger"};
    struct fx f;
    struct tb b;
    fx_init(&f);
    fill(&f);
    tb_init(&b, "agent");
    b.agent = TB_AGENT2;
    tb_loss(&b, 1, TB_T0, TB_EPOCH, "kernel.critical", "late", 100, "30001-30100");
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    for (size_t q = 0; q < WEDR_ARRAY_COUNT(queries); q++) {
        char *whole = fx_sql(&f, queries[q]);
        size_t n = 1;
        for (size_t made = n; n <= made; n++) {
            char got[1000] = "";
            struct wedr_errinfo ei = {""};
            FILE *out = tmpfile();
            assert_non_null(out);
            wedr_alloc_fail_nth(n);
            int rc = wedr_sql_run(f.dir, queries[q], true, 20000, out, &ei);
            made = wedr_alloc_fail_nth(0);
            made = rc == WEDR_OK ? made : n + 1; /* it may have ended early */
            rewind(out);
            (void)!fread(got, 1, sizeof(got) - 1, out);
            (void)fclose(out);
            if (rc == WEDR_OK && strncmp(got, whole, strlen(whole)) != 0) {
                fail_msg("allocation %zu of %zu: %s instead of %s", n, made, got, whole);
            }
        }
        assert_true(n > 3);
        free(whole);
    }
    fx_fini(&f);
}

static void many_open_blocks_are_too_much_memory(void **state)
{
    (void)state;
    struct fx f;
    struct wedr_sql s;
    struct wedr_errinfo ei = {""};
    FILE *out = tmpfile();
    static const char one[] = "SELECT count(raw) FROM events";
    static const char four[] =
        "SELECT 1 FROM events a, events b, events c, events d WHERE a.raw<>'' AND"
        " b.raw<>'' AND c.raw<>'' AND d.raw<>'' AND a.seq=10001 AND b.seq=10001"
        " AND c.seq=10001 AND d.seq=10001";
    assert_non_null(out);
    fx_init(&f);
    fill(&f);
    assert_int_equal(wedr_sql_open(f.dir, 20000, &s, &ei), WEDR_OK);
    s.open_bytes_max = 600000;
    assert_int_equal(wedr_sql_print(&s, one, true, out, &ei), WEDR_OK);
    assert_int_equal(wedr_sql_print(&s, four, true, out, &ei), WEDR_E_LIMIT);
    wedr_sql_close(&s);
    (void)fclose(out);
    fx_fini(&f);
}

/* The columns of such a block still answer what they can. */
static void rows_whose_lines_cannot_be_unpacked_are_left_out(void **state)
{
    static const char *const damages[] = {
        "UPDATE data SET z=CAST(substr(z, 1, 50) || x'5A5B' || substr(z, 53) AS BLOB)",
        "UPDATE data SET z=substr(z, 1, 9)", "DELETE FROM data"};
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(damages); i++) {
        struct fx f;
        struct tb b;
        fx_init(&f);
        tb_init(&b, "kernel.critical");
        tb_forks(&b, 1, 600);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
        fx_close(&f);
        fx_tamper(&f, TB_T0, damages[i]);
        fx_open(&f);
        fx_assert_sql(&f, "SELECT seq, raw FROM events", "[]");
        fx_assert_sql(&f, "SELECT uid FROM events ORDER BY ts DESC LIMIT 3", "[]");
        fx_assert_sql(&f, "SELECT seq FROM events ORDER BY ts DESC LIMIT 1", "[{\"seq\":600}]");
        assert_int_equal(fx_int(&f, "SELECT count(pid) FROM events WHERE ts>0"), 600);
        fx_fini(&f);
    }
}

static void output_is_json_whatever_a_query_makes(void **state)
{
    (void)state;
    struct fx f;
    fx_init(&f);
    fx_assert_sql(&f, "SELECT CAST(x'ff41c328' AS TEXT) AS a, char(0xd800, 66) AS b",
                  "[{\"a\":\"\xef\xbf\xbd"
                  "A\xef\xbf\xbd(\",\"b\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                  "B\"}]");
    fx_assert_sql(&f, "SELECT 1 AS '\xff'", "[{\"\xef\xbf\xbd\":1}]");
    fx_assert_sql(&f, "SELECT 1.75e308 AS a, 9e999 AS b, -9e999 AS c",
                  "[{\"a\":1.75e+308,\"b\":null,\"c\":null}]");
    fx_fini(&f);
}

static void a_folder_without_events_or_without_anything(void **state)
{
    (void)state;
    struct fx f;
    fx_init(&f);
    fx_assert_sql(&f, "SELECT * FROM events", "[]");
    fx_assert_sql(&f, "SELECT * FROM ledger", "[]");
    fx_fini(&f);
    assert_int_equal(fx_error(&f, "SELECT 1"), WEDR_E_NOENT);
}

static void reading_works_beside_the_writer_and_leaves_its_files_alone(void **state)
{
    (void)state;
    struct fx f;
    fx_init(&f);
    for (uint64_t i = 0; i < 50; i++) {
        struct tb b;
        tb_init(&b, "kernel.critical");
        tb_forks(&b, 1 + i * 10, 10);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
        assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), (int64_t)(i + 1) * 10);
        wedr_events_embedded.tick(f.s);
    }
    fx_close(&f);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 500);
    fx_open(&f);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 500);
    fx_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_column_has_its_value),
        cmocka_unit_test(pushed_conditions_give_what_a_full_scan_gives),
        cmocka_unit_test(rejected_lines_are_no_rows_and_rowids_are_unique),
        cmocka_unit_test(ordering_limits_joins_and_recursion_work),
        cmocka_unit_test(conditions_skip_blocks_and_columns_save_parsing),
        cmocka_unit_test(only_reading_is_allowed),
        cmocka_unit_test(time_and_memory_are_limited),
        cmocka_unit_test(output_forms_escape_what_endpoints_send),
        cmocka_unit_test(no_byte_that_steers_a_terminal_is_printed),
        cmocka_unit_test(a_result_is_whole_or_an_error_whatever_allocation_fails),
        cmocka_unit_test(many_open_blocks_are_too_much_memory),
        cmocka_unit_test(rows_whose_lines_cannot_be_unpacked_are_left_out),
        cmocka_unit_test(output_is_json_whatever_a_query_makes),
        cmocka_unit_test(a_folder_without_events_or_without_anything),
        cmocka_unit_test(reading_works_beside_the_writer_and_leaves_its_files_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
