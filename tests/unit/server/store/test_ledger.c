/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
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

#define CRIT "kernel.critical"
#define LEDGER_OF(stream) " FROM ledger WHERE stream='" stream "'"

static void put_forks(struct fx *f, uint64_t first, uint32_t count, uint64_t produced, int expected)
{
    struct tb b;
    tb_init(&b, CRIT);
    tb_forks(&b, first, count);
    b.id.produced = produced;
    assert_int_equal(fx_put(f, &b), expected);
}

static void sums_are(struct fx *f, int64_t produced, int64_t stored, int64_t lost, int64_t missing)
{
    char want[200];
    (void)snprintf(
        want, sizeof(want),
        "[{\"produced\":%lld,\"stored\":%lld,\"expired\":0,\"lost\":%lld,\"missing\":%lld}]",
        (long long)produced, (long long)stored, (long long)lost, (long long)missing);
    fx_assert_sql(f, "SELECT produced, stored, expired, lost, missing" LEDGER_OF(CRIT), want);
}

static void state_is(struct fx *f, const char *epoch, const char *stream, const char *state)
{
    char sql[200], want[100];
    (void)snprintf(sql, sizeof(sql), "SELECT state FROM ledger WHERE epoch='%s' AND stream='%s'",
                   epoch, stream);
    (void)snprintf(want, sizeof(want), "[{\"state\":\"%s\"}]", state);
    fx_assert_sql(f, sql, want);
}

static void everything_stored_means_nothing_missing(void **state)
{
    (void)state;
    struct fx f;
    fx_init(&f);
    put_forks(&f, 1, 600, 600, WEDR_COMMIT_STORED);
    put_forks(&f, 601, 10, 610, WEDR_COMMIT_STORED);
    sums_are(&f, 610, 610, 0, 0);
    fx_assert_sql(
        &f,
        "SELECT agent_id, hostname, epoch, boot_id, stream, state, unknown_since, in_flight FROM "
        "ledger",
        "[{\"agent_id\":\"" TB_AGENT
        "\",\"hostname\":\"host-a\",\"epoch\":\"fedcba9876543210\",\"boot_id\":"
        "\"a0a1a2a3a4a5a6a7a8a9aaabacadaeaf\",\"stream\":\"kernel.critical\",\"state\":\"open\","
        "\"unknown_since\":null,\"in_flight\":null}]");
    fx_fini(&f);
}

static void a_hole_is_missing_until_it_arrives(void **state)
{
    (void)state;
    struct fx f;
    fx_init(&f);
    put_forks(&f, 1, 10, 10, WEDR_COMMIT_STORED);
    put_forks(&f, 31, 10, 45, WEDR_COMMIT_STORED);
    sums_are(&f, 45, 20, 0, 25);
    put_forks(&f, 11, 20, 30, WEDR_COMMIT_STORED);
    sums_are(&f, 45, 40, 0, 5); /* the older counter does not undo the newer */
    fx_fini(&f);
}

static void losses_are_cumulative_so_a_dropped_record_heals(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    put_forks(&f, 1, 10, 40, WEDR_COMMIT_STORED);
    sums_are(&f, 40, 10, 0, 30);
    tb_init(&b, "agent");
    tb_loss(&b, 1, TB_T0, TB_EPOCH, CRIT, "ring_full", 5, NULL);
    tb_loss(&b, 2, TB_T0, TB_EPOCH, CRIT, "ring_full", 20, NULL);
    tb_loss(&b, 3, TB_T0, TB_EPOCH, CRIT, "no_scratch", 10, NULL);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    sums_are(&f, 40, 10, 30, 0);
    fx_assert_sql(
        &f, "SELECT reason, lost FROM ledger_loss ORDER BY reason",
        "[{\"reason\":\"no_scratch\",\"lost\":10},\n{\"reason\":\"ring_full\",\"lost\":20}]");
    fx_close(&f);
    fx_tamper(&f, TB_T0, "DELETE FROM loss WHERE src_seq=2");
    fx_open(&f);
    sums_are(&f, 40, 10, 15, 15);
    tb_init(&b, "agent");
    tb_loss(&b, 4, TB_T0, TB_EPOCH, CRIT, "ring_full", 20, NULL);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    sums_are(&f, 40, 10, 30, 0);
    fx_fini(&f);
}

static void a_range_called_lost_that_was_stored_is_not_lost(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    put_forks(&f, 1, 600, 600, WEDR_COMMIT_STORED);
    tb_init(&b, CRIT); /* a batch with holes: 601, 603, ... 619 */
    for (uint64_t i = 0; i < 10; i++) {
        tb_fork(&b, 601 + 2 * i, TB_T0, 5, 1);
    }
    b.id.produced = 700;
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    tb_init(&b, "agent");
    tb_loss(&b, 1, TB_T0, TB_EPOCH, CRIT, "evicted", 11, "595-605");
    tb_loss(&b, 2, TB_T0, TB_EPOCH, CRIT, "evicted", 92, "595-605,611-611,620-700");
    tb_loss(&b, 3, TB_T0, TB_EPOCH, CRIT, "malformed", 7,
            "606-606,608-608,610-610,612-612,614-614,616-616,618-618");
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    /* evicted names 93 seqs of which 6 + 3 + 1 are stored; 92 is its own count */
    fx_assert_sql(&f, "SELECT reason, lost FROM ledger_loss ORDER BY reason",
                  "[{\"reason\":\"evicted\",\"lost\":82},\n{\"reason\":\"malformed\",\"lost\":7}]");
    sums_are(&f, 700, 610, 89, 1);
    fx_fini(&f);
}

static void rejected_lines_are_lost_by_our_own_doing(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    tb_init(&b, CRIT);
    tb_fork(&b, 1, TB_T0, 2, 1);
    tb_line(&b, 2, "{\"x\":1}");
    tb_fork(&b, 3, TB_T0, 2, 1);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    tb_init(&b, "agent");
    tb_loss(&b, 1, TB_T0, TB_EPOCH, CRIT, "rejected", 1,
            NULL); /* an agent's echo of it counts nothing */
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    sums_are(&f, 3, 2, 1, 0);
    fx_assert_sql(&f, "SELECT reason, lost FROM ledger_loss",
                  "[{\"reason\":\"rejected\",\"lost\":1}]");
    fx_fini(&f);
}

static void deleting_a_block_or_a_batch_row_shows_as_missing(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        int64_t missing;
    } cases[] = {{"DELETE FROM blk", 600},
                 {"DELETE FROM data", 600},
                 {"DELETE FROM tiny", 25},
                 {"DELETE FROM batch WHERE seq0=1", 600},
                 {"DELETE FROM batch WHERE seq0=601", 25},
                 {"DELETE FROM blk; DELETE FROM tiny", 625}};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(cases); i++) {
        struct fx f;
        fx_init(&f);
        put_forks(&f, 1, 600, 600, WEDR_COMMIT_STORED);
        put_forks(&f, 601, 25, 625, WEDR_COMMIT_STORED);
        put_forks(&f, 626, 3, 628, WEDR_COMMIT_STORED);
        fx_close(&f);
        fx_tamper(&f, TB_T0, i == 2 || i == 5 ? "DELETE FROM tiny WHERE n=25" : cases[i].sql);
        if (i == 5) {
            fx_tamper(&f, TB_T0, "DELETE FROM blk");
        }
        fx_open(&f);
        sums_are(&f, 628, 628 - cases[i].missing, 0, cases[i].missing);
        fx_fini(&f);
    }
}

static void closed_takes_the_final_counter(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    put_forks(&f, 1, 10, 10, WEDR_COMMIT_STORED);
    tb_init(&b, "agent");
    b.id.epoch = 5;
    tb_epoch_start(&b, 1, TB_T0, TB_EPOCH, CRIT);
    tb_epoch_end(&b, 2, TB_T0, TB_EPOCH, CRIT, 12);
    tb_epoch_end(&b, 3, TB_T0, 5, "agent", 3);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    state_is(&f, "fedcba9876543210", CRIT, "closed");
    state_is(&f, "0000000000000005", "agent", "closed");
    sums_are(&f, 12, 10, 0, 2);
    fx_assert_sql(&f, "SELECT produced, stored, missing" LEDGER_OF("agent"),
                  "[{\"produced\":3,\"stored\":3,\"missing\":0}]");
    fx_fini(&f);
}

static void an_epoch_without_events_still_stands_in_the_ledger(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    tb_init(&b, "agent");
    tb_epoch_start(&b, 1, TB_T0, TB_EPOCH, CRIT);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    sums_are(&f, 0, 0, 0, 0);
    state_is(&f, "fedcba9876543210", CRIT, "open");
    fx_fini(&f);
}

static void a_newer_epoch_of_the_stream_cuts_an_open_one(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    put_forks(&f, 1, 10, 10, WEDR_COMMIT_STORED);
    tb_init(&b, CRIT);
    b.id.epoch = 3;
    tb_fork(&b, 1, TB_T0 - 90000000, 2,
            1); /* the endpoint's clock went back meanwhile: arrival decides */
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    state_is(&f, "fedcba9876543210", CRIT, "cut");
    state_is(&f, "0000000000000003", CRIT, "open");
    assert_int_equal(fx_int(&f, "SELECT unknown_since FROM ledger WHERE state='cut'"),
                     TB_T0 + 10 * 1000000);
    put_forks(&f, 11, 5, 15,
              WEDR_COMMIT_STORED); /* a late batch of the old epoch changes nothing */
    state_is(&f, "fedcba9876543210", CRIT, "cut");
    state_is(&f, "0000000000000003", CRIT, "open");
    fx_fini(&f);
}

static void put_agent_start(struct fx *f, uint64_t epoch, uint8_t boot)
{
    struct tb b;
    tb_init(&b, "agent");
    b.id.epoch = epoch;
    memset(b.id.boot_id, boot, sizeof(b.id.boot_id));
    tb_epoch_start(&b, 1, TB_T0, epoch, "agent");
    assert_int_equal(fx_put(f, &b), WEDR_COMMIT_STORED);
}

static void put_kernel(struct fx *f, uint64_t epoch, uint8_t boot)
{
    struct tb b;
    tb_init(&b, CRIT);
    b.id.epoch = epoch;
    memset(b.id.boot_id, boot, sizeof(b.id.boot_id));
    tb_fork(&b, 1, TB_T0, 2, 1);
    assert_int_equal(fx_put(f, &b), WEDR_COMMIT_STORED);
}

static void a_new_boot_cuts_what_ran_before_it(void **state)
{
    (void)state;
    struct fx f;
    fx_init(&f);
    put_agent_start(&f, 1, 0x11);
    put_kernel(&f, 2, 0x11);
    put_agent_start(&f, 3, 0x11); /* the agent restarted: the sensor lives on */
    state_is(&f, "0000000000000001", "agent", "cut");
    state_is(&f, "0000000000000002", CRIT, "open");
    put_agent_start(&f, 4, 0x22); /* the machine restarted */
    state_is(&f, "0000000000000002", CRIT, "cut");
    state_is(&f, "0000000000000004", "agent", "open");
    fx_fini(&f);
}

static void a_replay_with_the_boot_id_of_its_capture_cuts_nothing(void **state)
{
    (void)state;
    struct fx f;
    fx_init(&f);
    put_agent_start(&f, 1, 0x11);
    put_kernel(&f, 2, 0x99);
    state_is(&f, "0000000000000001", "agent", "open");
    state_is(&f, "0000000000000002", CRIT, "open");
    fx_fini(&f);
}

static void what_another_identity_left_behind_is_only_lost(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    tb_init(&b, "agent");
    tb_loss(&b, 1, TB_T0, 9, CRIT, "reenrolled", 5, "10-14");
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    sums_are(&f, 5, 0, 5, 0);
    fx_fini(&f);
}

static void coverage_gaps_are_listed_once(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    for (int i = 0; i < 2; i++) {
        tb_init(&b, "agent");
        tb_gap(&b, 1, TB_T0, "kernel", TB_T0 - 5000000, TB_T0 - 1, "sensor_detached");
        assert_int_equal(fx_put(&f, &b), i == 0 ? WEDR_COMMIT_STORED : WEDR_COMMIT_DUPLICATE);
    }
    tb_init(&b, "agent"); /* told once more, by an agent that died before it knew */
    tb_gap(&b, 2, TB_T0, "kernel", TB_T0 - 5000000, TB_T0 - 1, "sensor_detached");
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    fx_assert_sql(&f, "SELECT * FROM coverage_gaps",
                  "[{\"agent_id\":\"" TB_AGENT
                  "\",\"hostname\":\"host-a\",\"stream\":\"kernel\",\"from_ts\":1795478395000000,"
                  "\"to_ts\":1795478399999999,\"reason\":\"sensor_detached\"}]");
    fx_fini(&f);
}

static void the_state_store_adds_agents_hostnames_and_what_is_in_flight(void **state)
{
    (void)state;
    struct fx f;
    char path[512];
    sqlite3 *db = NULL;
    fx_init(&f);
    put_forks(&f, 1, 10, 10, WEDR_COMMIT_STORED);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM agents"), 0);
    (void)snprintf(path, sizeof(path), "%s/state.db", f.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "CREATE TABLE agent(agent_id TEXT PRIMARY KEY, hostname, os, os_version, "
            "agent_version, cert_sha256,"
            " cert_sha256_next, sign_public BLOB, enrolled_us, last_seen_us, revoked, status_json);"
            "CREATE TABLE agent_stream(agent_id, epoch TEXT, stream, in_flight, PRIMARY "
            "KEY(agent_id, epoch, stream));"
            "INSERT INTO agent VALUES('" TB_AGENT
            "','renamed','linux','6.1','0.1.0','aa','','',1,2,0,'{}');"
            "INSERT INTO agent_stream VALUES('" TB_AGENT
            "','fedcba9876543210','kernel.critical',17)",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    fx_assert_sql(&f, "SELECT hostname, in_flight FROM ledger",
                  "[{\"hostname\":\"renamed\",\"in_flight\":17}]");
    fx_assert_sql(&f, "SELECT * FROM agents",
                  "[{\"agent_id\":\"" TB_AGENT
                  "\",\"hostname\":\"renamed\",\"os\":\"linux\",\"os_version\":\"6.1\","
                  "\"agent_version\":\"0.1.0\",\"enrolled_at\":1,\"last_seen\":2,\"cert_sha256\":"
                  "\"aa\",\"revoked\":0,\"endpoint_group\":null}]");
    /* A store that only an older server opened lacks newer columns. */
    fx_assert_sql(&f, "SELECT count(*) AS n FROM agents WHERE endpoint_group = 'default'",
                  "[{\"n\":0}]");
    fx_fini(&f);
}

static void one_agents_absurd_numbers_do_not_cost_the_ledger(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    put_forks(&f, 1, 10, 10, WEDR_COMMIT_STORED);
    tb_init(&b, "agent");
    b.agent = TB_AGENT2;
    tb_loss(&b, 1, TB_T0, 0x77, CRIT, "ring_full", 9000000000000000000ull, NULL);
    tb_loss(&b, 2, TB_T0, 0x77, CRIT, "late", 9000000000000000000ull, NULL);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    assert_int_equal(fx_int(&f, "SELECT sum(stored) FROM ledger WHERE stream='" CRIT "'"), 10);
    assert_int_equal(fx_int(&f, "SELECT lost FROM ledger_loss WHERE agent_id='" TB_AGENT2
                                "' AND reason='rejected'"),
                     2);
    fx_fini(&f);
}

/* The newest file was set aside, the numbers went on from an older one, and the file came back. */
static void facts_of_two_files_with_the_same_numbers_all_count(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    put_forks(&f, 6, 5, 10, WEDR_COMMIT_STORED);
    tb_init(&b, "agent");
    tb_loss(&b, 1, TB_T0, TB_EPOCH, CRIT, "ring_full", 3, NULL);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    tb_init(&b, "agent");
    b.received_us += 86400000000;
    tb_loss(&b, 2, TB_T0, TB_EPOCH, CRIT, "ring_full", 5, NULL);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    fx_close(&f);
    fx_tamper(&f, TB_T0 + 86400000000, "UPDATE loss SET arrival=131072");
    sums_are(&f, 10, 5, 5, 0);
    fx_fini(&f);
}

static void many_ranges_cost_one_look_into_a_batch(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    struct wedr_sql s;
    struct wedr_errinfo ei = {""};
    char ranges[600] = "1-2";
    fx_init(&f);
    tb_init(&b, CRIT);
    for (uint64_t seq = 1; seq <= 400; seq += seq % 2 == 0 ? 1 : 3) { /* 1, 4, 5, 8, 9 ... */
        tb_fork(&b, seq, TB_T0, 2, 1);
    }
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    for (int i = 4; i < 200; i += 4) { /* 4-5, 8-9 ...: all of them stored */
        size_t n = strlen(ranges);
        (void)snprintf(ranges + n, sizeof(ranges) - n, ",%d-%d", i, i + 1);
    }
    tb_init(&b, "agent");
    tb_loss(&b, 1, TB_T0, TB_EPOCH, CRIT, "evicted", 100, ranges);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    fx_assert_sql(&f, "SELECT lost FROM ledger_loss", "[{\"lost\":1}]"); /* 2 alone is not stored */
    FILE *out = tmpfile();
    assert_non_null(out);
    assert_int_equal(wedr_sql_open(f.dir, 20000, &s, &ei), WEDR_OK);
    assert_int_equal(wedr_sql_print(&s, "SELECT lost FROM ledger_loss", true, out, &ei), WEDR_OK);
    assert_int_equal(s.blocks_opened, 1);
    wedr_sql_close(&s);
    (void)fclose(out);
    fx_fini(&f);
}

static void a_rejected_line_in_a_range_called_lost_is_lost_once(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    tb_init(&b, CRIT);
    tb_line(&b, 1, "no JSON");
    tb_fork(&b, 2, TB_T0, 2, 1);
    tb_fork(&b, 4, TB_T0, 2, 1); /* 3 came too late */
    tb_fork(&b, 5, TB_T0, 2, 1);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    tb_init(&b, "agent");
    tb_loss(&b, 1, TB_T0, TB_EPOCH, CRIT, "late", 5, "1-5");
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    sums_are(&f, 5, 3, 2, 0);
    fx_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_stored_means_nothing_missing),
        cmocka_unit_test(a_hole_is_missing_until_it_arrives),
        cmocka_unit_test(losses_are_cumulative_so_a_dropped_record_heals),
        cmocka_unit_test(a_range_called_lost_that_was_stored_is_not_lost),
        cmocka_unit_test(rejected_lines_are_lost_by_our_own_doing),
        cmocka_unit_test(deleting_a_block_or_a_batch_row_shows_as_missing),
        cmocka_unit_test(closed_takes_the_final_counter),
        cmocka_unit_test(an_epoch_without_events_still_stands_in_the_ledger),
        cmocka_unit_test(a_newer_epoch_of_the_stream_cuts_an_open_one),
        cmocka_unit_test(a_new_boot_cuts_what_ran_before_it),
        cmocka_unit_test(a_replay_with_the_boot_id_of_its_capture_cuts_nothing),
        cmocka_unit_test(what_another_identity_left_behind_is_only_lost),
        cmocka_unit_test(coverage_gaps_are_listed_once),
        cmocka_unit_test(one_agents_absurd_numbers_do_not_cost_the_ledger),
        cmocka_unit_test(facts_of_two_files_with_the_same_numbers_all_count),
        cmocka_unit_test(many_ranges_cost_one_look_into_a_batch),
        cmocka_unit_test(a_rejected_line_in_a_range_called_lost_is_lost_once),
        cmocka_unit_test(the_state_store_adds_agents_hostnames_and_what_is_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
