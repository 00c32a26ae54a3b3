/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L /* fork, kill, mount of the test itself */
#include "core/base/err.h"
#include "store_fixture.h"
#include "wedr/plat/time.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
// clang-format on

#define DAY_US 86400000000ll

static void make(struct tb *b, uint64_t first, uint32_t count)
{
    tb_init(b, "kernel.critical");
    tb_forks(b, first, count);
}

static void s03_a_batch_is_stored_once_however_often_it_comes(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    make(&b, 1, 20);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    make(&b, 21, 600);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    for (int i = 0; i < 3; i++) {
        make(&b, 1, 20);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_DUPLICATE);
        make(&b, 21, 600);
        b.received_us += 3 * DAY_US; /* also on another day, and after a restart */
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_DUPLICATE);
        fx_close(&f);
        fx_open(&f);
    }
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 620);
    assert_int_equal(fx_int(&f, "SELECT count(DISTINCT seq) FROM events"), 620);
    fx_fini(&f);
}

static void an_overlap_with_another_digest_is_a_conflict_and_noted(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    make(&b, 10, 10);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    static const uint64_t bad[][2] = {{10, 9}, {10, 11}, {5, 6}, {19, 1}, {12, 3}, {1, 40}};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        make(&b, bad[i][0], (uint32_t)bad[i][1]);
        b.received_us += (int64_t)i * DAY_US;
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_CONFLICT);
    }
    make(&b, 10, 10);
    b.raw.p[20] = '1'; /* same range, other bytes */
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_CONFLICT);
    make(&b, 1, 9);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    make(&b, 20, 1);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    make(&b, 10, 10);
    b.id.epoch++; /* another epoch is another stream */
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    make(&b, 10, 10);
    b.agent = TB_AGENT2;
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 40);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM tamper"), 7);
    fx_fini(&f);
}

static void a_group_is_one_commit_and_sees_its_own_members(void **state)
{
    (void)state;
    struct fx f;
    struct tb b[4];
    struct wedr_commit c[4];
    struct wedr_prepared *p[4];
    struct wedr_errinfo ei;
    fx_init(&f);
    make(&b[0], 1, 10);
    make(&b[1], 1, 10);
    make(&b[2], 5, 10);
    make(&b[3], 11, 10);
    b[3].received_us += DAY_US; /* midnight in the middle of the group */
    for (int i = 0; i < 4; i++) {
        assert_int_equal(tb_prepare(&b[i], &p[i]), WEDR_OK);
        c[i].p = p[i];
    }
    assert_int_equal(wedr_events_embedded.commit(f.s, c, 4, &ei), WEDR_OK);
    assert_int_equal(c[0].outcome, WEDR_COMMIT_STORED);
    assert_int_equal(c[1].outcome, WEDR_COMMIT_DUPLICATE);
    assert_int_equal(c[2].outcome, WEDR_COMMIT_CONFLICT);
    assert_int_equal(c[3].outcome, WEDR_COMMIT_STORED);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 20);
    struct wedr_events_stats st;
    wedr_events_embedded.stats(f.s, &st);
    assert_int_equal(st.batches, 2);
    assert_int_equal(st.events, 20);
    assert_int_equal(st.conflicts, 1);
    for (int i = 0; i < 4; i++) {
        wedr_prepared_free(p[i]);
        tb_fini(&b[i]);
    }
    fx_fini(&f);
}

static void the_clock_may_jump_over_midnight_both_ways(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    static const int days[] = {0, 1, 0, -1, 5, 0, 2, 3, 4, -2, 0};
    fx_init(&f);
    for (uint32_t i = 0; i < WEDR_ARRAY_COUNT(days); i++) {
        make(&b, 1 + i * 10, 10);
        b.received_us += days[i] * DAY_US;
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
        wedr_events_embedded.tick(f.s);
    }
    for (uint32_t i = 0; i < WEDR_ARRAY_COUNT(days); i++) {
        make(&b, 1 + i * 10, 10);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_DUPLICATE);
    }
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 110);
    assert_int_equal(fx_int(&f, "SELECT missing FROM ledger"), 0);
    fx_fini(&f);
}

static int64_t log_bytes(const struct fx *f)
{
    char path[600], day[WEDR_DAY_TEXT];
    struct wedr_fs_stat st = {0};
    wedr_day_text(wedr_day_of(TB_T0), day);
    (void)snprintf(path, sizeof(path), "%s/events/%s.db-wal", f->dir, day);
    assert_int_equal(wedr_fs_stat_path(path, &st), WEDR_OK);
    return (int64_t)st.size;
}

/* The committing thread does not wait for him, and does not forget. */
static void a_log_that_somebody_reads_is_emptied_when_he_is_done(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    sqlite3 *db = NULL;
    int64_t n = 0;
    char path[600], day[WEDR_DAY_TEXT];
    fx_init(&f);
    make(&b, 1, 10);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    wedr_day_text(wedr_day_of(TB_T0), day);
    (void)snprintf(path, sizeof(path), "%s/events/%s.db", f.dir, day);
    assert_int_equal(wedr_day_open_reader(path, &db), WEDR_OK);
    assert_int_equal(wedr_sqlite_exec(db, "BEGIN"), WEDR_OK);
    assert_int_equal(wedr_sqlite_int(db, "SELECT count(*) FROM batch", &n), WEDR_OK);
    make(&b, 11, 10);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    for (int i = 0; i < 15; i++) {
        wedr_events_embedded.tick(f.s);
    }
    assert_true(log_bytes(&f) > 0);
    assert_int_equal(wedr_sqlite_exec(db, "COMMIT"), WEDR_OK);
    sqlite3_close(db);
    for (int i = 0; i < 15; i++) {
        wedr_events_embedded.tick(f.s);
    }
    assert_int_equal(log_bytes(&f), 0);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 20);
    fx_fini(&f);
}

static void only_one_writer_per_folder(void **state)
{
    (void)state;
    struct fx f;
    fx_init(&f);
    pid_t pid = fork();
    if (pid == 0) {
        struct wedr_events *s = NULL;
        _exit(wedr_events_embedded.open(f.dir, &s, NULL) == WEDR_E_BUSY ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    fx_fini(&f);
}

/* The child commits batch after batch and writes a byte for each that was reported durable; it is
 * killed at some time. */
static void child_commits(struct fx *f, int report)
{
    struct tb b;
    fx_open(f);
    for (uint64_t i = 0; i < 100000; i++) {
        make(&b, 1 + i * 10, 10);
        b.received_us += (int64_t)(i / 7) * DAY_US; /* new files on the way */
        if (fx_put(f, &b) < 0 || write(report, "x", 1) != 1) {
            _exit(1);
        }
    }
    _exit(0);
}

static void a_killed_writer_loses_nothing_that_was_reported_durable(void **state)
{
    (void)state;
    struct fx f;
    fx_init(&f);
    fx_close(&f);
    for (unsigned round = 0; round < 8; round++) {
        int fd[2];
        char buf[4096];
        uint64_t durable = 0;
        assert_int_equal(pipe(fd), 0);
        pid_t pid = fork();
        if (pid == 0) {
            (void)close(fd[0]);
            child_commits(&f, fd[1]);
        }
        (void)close(fd[1]);
        if (round == 7) { /* by then something is durable, however slow it goes */
            assert_int_equal(read(fd[0], buf, 1), 1);
            durable = 1;
        }
        wedr_time_sleep_ms(20 + round * 17);
        assert_int_equal(kill(pid, SIGKILL), 0);
        for (ssize_t n; (n = read(fd[0], buf, sizeof(buf))) > 0;) {
            durable += (uint64_t)n;
        }
        (void)close(fd[0]);
        (void)waitpid(pid, NULL, 0);
        fx_open(&f);
        int64_t stored = fx_int(&f, "SELECT count(*) FROM events");
        assert_int_equal(stored % 10, 0);
        assert_true((uint64_t)stored >= durable * 10);
        assert_int_equal(fx_int(&f, "SELECT count(DISTINCT seq) FROM events"), stored);
        assert_true(stored == 0 || fx_int(&f, "SELECT max(seq) FROM events") == stored);
        fx_close(&f);
    }
    assert_true(fx_int(&f, "SELECT count(*) FROM events") > 0);
    fx_remove(f.dir);
}

static void a_full_disk_stores_nothing_and_heals(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    char filler[300];
    fx_init(&f);
    fx_close(&f);
    if (mount("none", f.dir, "tmpfs", 0, "size=6m") != 0) {
        fx_remove(f.dir);
        print_message("a_full_disk_stores_nothing_and_heals: no right to mount a tmpfs\n");
        skip();
    }
    fx_open(&f);
    make(&b, 1, 10);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    (void)snprintf(filler, sizeof(filler), "%s/filler", f.dir);
    FILE *file = fopen(filler, "wb");
    assert_non_null(file);
    static char zeros[4096];
    while (fwrite(zeros, 1, sizeof(zeros), file) == sizeof(zeros) && fflush(file) == 0) {
    }
    (void)fclose(file);
    uint64_t stored = 10;
    int rc = WEDR_OK;
    for (int i = 0; i < 200 && rc != WEDR_E_NOSPC; i++) {
        make(&b, stored + 1, 600);
        b.received_us += (i % 2) * DAY_US; /* also where the file must be made first */
        rc = fx_put(&f, &b);
        assert_true(rc == WEDR_COMMIT_STORED || rc == WEDR_E_NOSPC);
        stored += rc == WEDR_COMMIT_STORED ? 600 : 0;
    }
    assert_int_equal(rc, WEDR_E_NOSPC);
    make(&b, stored + 1, 600);
    assert_int_equal(fx_put(&f, &b), WEDR_E_NOSPC);
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), (int64_t)stored);
    make(&b, stored + 1, 600);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    make(&b, stored + 601, 5);
    b.received_us += DAY_US;
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), (int64_t)stored + 605);
    assert_int_equal(fx_int(&f, "SELECT missing FROM ledger"), 0);
    fx_close(&f);
    assert_int_equal(umount(f.dir), 0);
    fx_remove(f.dir);
}

static void overwrite(const struct fx *f, int64_t day_us, long offset, size_t n)
{
    char path[512], day[WEDR_DAY_TEXT];
    wedr_day_text(wedr_day_of(day_us), day);
    (void)snprintf(path, sizeof(path), "%s/events/%s.db", f->dir, day);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    (void)fseek(file, offset, SEEK_SET);
    for (size_t i = 0; i < n; i++) {
        (void)fputc(0x5A, file);
    }
    (void)fclose(file);
}

static void a_damaged_day_file_is_set_aside_and_shows_as_missing(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    fx_init(&f);
    make(&b, 1, 10);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    make(&b, 11, 20);
    b.received_us += DAY_US;
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    fx_close(&f);
    overwrite(&f, TB_T0, 0, 4096);
    fx_open(&f);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 20);
    assert_int_equal(fx_int(&f, "SELECT missing FROM ledger"), 10);
    make(&b, 31, 5); /* a new file takes its place */
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 25);
    make(&b, 1, 10); /* what was in it may come again */
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    assert_int_equal(fx_int(&f, "SELECT missing FROM ledger"), 0);
    fx_fini(&f);
}

static void damage_inside_a_file_is_never_fatal(void **state)
{
    (void)state;
    for (long page = 1; page < 30; page++) {
        struct fx f;
        struct tb b;
        fx_init(&f);
        make(&b, 1, 600);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
        make(&b, 601, 5);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
        fx_close(&f);
        overwrite(&f, TB_T0, page * 16384 + 8, 64);
        fx_open(&f);
        (void)fx_error(&f, "SELECT *, raw FROM events");
        (void)fx_error(&f, "SELECT * FROM ledger");
        make(&b, 606, 5);
        int rc = fx_put(&f, &b);
        if (rc == WEDR_E_IO) { /* the file was set aside by this commit */
            make(&b, 606, 5);
            rc = fx_put(&f, &b);
        }
        assert_int_equal(rc, WEDR_COMMIT_STORED);
        fx_fini(&f);
    }
}

static void what_a_dropped_day_held_is_expired_not_missing(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    struct wedr_errinfo ei;
    fx_init(&f);
    make(&b, 1, 600);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    make(&b, 601, 50);
    b.received_us += DAY_US;
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    assert_int_equal(wedr_embedded_drop_day(f.s, wedr_day_of(TB_T0), &ei), WEDR_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fx_int(&f, "SELECT stored FROM ledger"), 50);
        assert_int_equal(fx_int(&f, "SELECT expired FROM ledger"), 600);
        assert_int_equal(fx_int(&f, "SELECT missing FROM ledger"), 0);
        make(&b, 1, 600);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_EXPIRED);
        make(&b, 5, 10);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_EXPIRED);
        make(&b, 601, 50);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_DUPLICATE);
        fx_close(&f);
        fx_open(&f);
    }
    fx_fini(&f);
}

static void a_day_that_comes_back_and_is_dropped_again_expires_more(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    struct wedr_errinfo ei = {""};
    fx_init(&f);
    make(&b, 1, 600);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    assert_int_equal(wedr_embedded_drop_day(f.s, wedr_day_of(TB_T0), &ei), WEDR_OK);
    make(&b, 601, 50); /* the server's clock was set back */
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    assert_int_equal(wedr_embedded_drop_day(f.s, wedr_day_of(TB_T0), &ei), WEDR_OK);
    assert_int_equal(fx_int(&f, "SELECT expired FROM ledger"), 650);
    assert_int_equal(fx_int(&f, "SELECT missing FROM ledger"), 0);
    fx_fini(&f);
}

/* Every third seq was lost before the batch was made, and a record names one of them. */
static void put_with_holes(struct fx *f, uint64_t first, uint32_t count)
{
    struct tb b;
    tb_init(&b, "kernel.critical");
    for (uint32_t i = 0; i < count; i++) {
        if (i % 3 != 1) {
            tb_fork(&b, first + i, TB_T0 + i, 100, 1);
        }
    }
    assert_int_equal(fx_put(f, &b), WEDR_COMMIT_STORED);
}

static void holes_of_a_dropped_day_stay_lost(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    struct wedr_errinfo ei = {""};
    fx_init(&f);
    put_with_holes(&f, 1, 30);    /* small: kept as it came */
    put_with_holes(&f, 31, 1500); /* a block with columns */
    tb_init(&b, "agent");
    b.received_us += DAY_US;
    tb_loss(&b, 1, TB_T0, TB_EPOCH, "kernel.critical", "late", 510, "1-1530");
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    static const char lost[] = "SELECT lost FROM ledger WHERE stream='kernel.critical'";
    static const char missing[] = "SELECT missing FROM ledger WHERE stream='kernel.critical'";
    int64_t lost_before = fx_int(&f, lost), missing_before = fx_int(&f, missing);
    assert_int_equal(wedr_embedded_drop_day(f.s, wedr_day_of(TB_T0), &ei), WEDR_OK);
    assert_int_equal(fx_int(&f, lost), lost_before);
    assert_int_equal(fx_int(&f, missing), missing_before);
    fx_fini(&f);
}

static void a_drop_that_was_cut_short_counts_once(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    struct wedr_errinfo ei = {""};
    char command[1200];
    fx_init(&f);
    make(&b, 1, 600);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    fx_close(&f);
    (void)snprintf(command, sizeof(command), "cp %s/events/2026-11-24.db %s/copy", f.dir, f.dir);
    assert_int_equal(system(command), 0);
    fx_open(&f);
    assert_int_equal(wedr_embedded_drop_day(f.s, wedr_day_of(TB_T0), &ei), WEDR_OK);
    assert_int_equal(wedr_sqlite_exec(f.s->catalog, "INSERT INTO dropping VALUES(20781)"), WEDR_OK);
    assert_int_equal(wedr_day_of(TB_T0), 20781);
    fx_close(&f);
    (void)snprintf(command, sizeof(command), "mv %s/copy %s/events/2026-11-24.db", f.dir, f.dir);
    assert_int_equal(system(command), 0);
    for (int i = 0; i < 2; i++) { /* before and after a server finished it */
        assert_int_equal(fx_int(&f, "SELECT stored FROM ledger"), 0);
        assert_int_equal(fx_int(&f, "SELECT expired FROM ledger"), 600);
        assert_int_equal(fx_int(&f, "SELECT missing FROM ledger"), 0);
        assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 0);
        if (i == 0) {
            fx_open(&f);
        }
    }
    fx_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s03_a_batch_is_stored_once_however_often_it_comes),
        cmocka_unit_test(an_overlap_with_another_digest_is_a_conflict_and_noted),
        cmocka_unit_test(a_group_is_one_commit_and_sees_its_own_members),
        cmocka_unit_test(the_clock_may_jump_over_midnight_both_ways),
        cmocka_unit_test(a_log_that_somebody_reads_is_emptied_when_he_is_done),
        cmocka_unit_test(only_one_writer_per_folder),
        cmocka_unit_test(a_killed_writer_loses_nothing_that_was_reported_durable),
        cmocka_unit_test(a_full_disk_stores_nothing_and_heals),
        cmocka_unit_test(a_damaged_day_file_is_set_aside_and_shows_as_missing),
        cmocka_unit_test(damage_inside_a_file_is_never_fatal),
        cmocka_unit_test(what_a_dropped_day_held_is_expired_not_missing),
        cmocka_unit_test(a_day_that_comes_back_and_is_dropped_again_expires_more),
        cmocka_unit_test(holes_of_a_dropped_day_stay_lost),
        cmocka_unit_test(a_drop_that_was_cut_short_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
