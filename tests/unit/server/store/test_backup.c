/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L /* stat, chmod, mkdir of the test itself */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "store/backup.h"
#include "store/events/embedded/keep.h"
#include "store/events/embedded/verify.h"
#include "store_fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DAY_US 86400000000LL
#define NOW_US (20500 * DAY_US)
#define LINES 10u

struct lab {
    struct fx f;
    char copy[300], back[300];
};

static void put(struct fx *f, uint64_t first, int64_t received_us)
{
    assert_int_equal(fx_forks(f, first, LINES, received_us), WEDR_COMMIT_STORED);
}

static void write_file(const char *folder, const char *name, const char *text, unsigned mode)
{
    char path[600];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static unsigned mode_of(const char *folder, const char *name)
{
    char path[600];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

/* Two days, a state, a secret and a certificate in a folder. */
static void init(struct lab *l)
{
    char path[600];
    sqlite3 *db = NULL;
    fx_init(&l->f);
    (void)snprintf(l->copy, sizeof(l->copy), "%s-copy", l->f.dir);
    (void)snprintf(l->back, sizeof(l->back), "%s-back", l->f.dir);
    put(&l->f, 1, NOW_US);
    put(&l->f, 1 + LINES, NOW_US + DAY_US);
    (void)snprintf(path, sizeof(path), "%s/state.db", l->f.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(7)", 0, 0, 0), 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    (void)snprintf(path, sizeof(path), "%s/pki", l->f.dir);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file(path, "ca.key", "secret\n", 0600);
    write_file(l->f.dir, "totp.key", "not in a backup\n", 0600);
    write_file(path, "ca.pem", "public\n", 0644);
    write_file(l->f.dir, "listen", "127.0.0.1:1\n", 0644);
}

static void fini(struct lab *l)
{
    char command[1200];
    fx_close(&l->f);
    (void)snprintf(command, sizeof(command), "rm -rf '%s' '%s' '%s'", l->f.dir, l->copy, l->back);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

static void no_problem(void *ctx, const char *day, const char *batch, const char *what)
{
    (void)ctx;
    fail_msg("%s %s %s", day, batch, what);
}

static void a_copy_beside_the_writer_is_whole_and_comes_back(void **state)
{
    (void)state;
    struct lab l;
    struct wedr_backup_sums s, again;
    struct wedr_verify_sums v;
    struct wedr_errinfo ei = {""};
    init(&l);
    if (wedr_backup(l.f.dir, l.copy, &s, &ei) != WEDR_OK) {
        fail_msg("%s", ei.text);
    }
    assert_int_equal(s.files, 6);              /* state, two of pki, catalog, two days */
    put(&l.f, 1 + 2 * LINES, NOW_US + DAY_US); /* what comes later is not in it */
    assert_int_equal(wedr_restore(l.copy, l.back, &again, &ei), WEDR_OK);
    assert_int_equal(again.bytes, s.bytes);
    assert_int_equal(again.files, s.files);
    assert_int_equal(mode_of(l.back, "pki/ca.key"), 0600);
    assert_int_equal(mode_of(l.back, "pki/ca.pem"), 0644);
    assert_int_equal(mode_of(l.back, "state.db"), 0600);
    assert_int_equal(mode_of(l.back, "pki"), 0700);
    assert_int_equal(mode_of(l.copy, "MANIFEST"), 0600);
    assert_int_equal(wedr_events_verify(l.back, no_problem, NULL, &v, &ei), WEDR_OK);
    assert_int_equal(v.lines, 2 * LINES);
    struct fx b = {.s = NULL};
    (void)snprintf(b.dir, sizeof(b.dir), "%.255s", l.back);
    fx_open(&b);
    assert_int_equal(fx_int(&b, "SELECT sum(stored) FROM ledger"), 2 * LINES);
    assert_int_equal(fx_int(&b, "SELECT sum(missing) FROM ledger"), 0);
    put(&b, 1 + 2 * LINES, NOW_US + DAY_US); /* the agent sends it again */
    assert_int_equal(fx_int(&b, "SELECT count(*) FROM events"), 3 * LINES);
    fx_close(&b);
    fini(&l);
}

static void a_backup_that_was_changed_or_cut_is_refused(void **state)
{
    static const struct {
        const char *command;
        int err;
    } changes[] = {
        {"printf x >> pki/ca.key", WEDR_E_CORRUPT},
        {"rm events/2026-02-17.db", WEDR_E_CORRUPT},
        {"rm MANIFEST", WEDR_E_FORMAT},
        {"sed -i '$d' MANIFEST", WEDR_E_FORMAT},
        {"sed -i 3d MANIFEST", WEDR_E_FORMAT},
        {"sed -i 's#pki/ca.key#pki/../../../x#' MANIFEST", WEDR_E_FORMAT},
        {"sed -i 's#pki/ca.key#/etc/x#' MANIFEST", WEDR_E_FORMAT},
        {"sed -i '2s/^./z/' MANIFEST", WEDR_E_FORMAT},
        {"printf more >> MANIFEST", WEDR_E_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(changes); i++) {
        struct lab l;
        struct wedr_backup_sums s;
        struct wedr_errinfo ei = {""};
        char command[800];
        struct stat st;
        init(&l);
        assert_int_equal(wedr_backup(l.f.dir, l.copy, &s, &ei), WEDR_OK);
        (void)snprintf(command, sizeof(command), "cd '%s' && %s", l.copy, changes[i].command);
        assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
        int err = wedr_restore(l.copy, l.back, &s, &ei);
        if (err != changes[i].err) {
            fail_msg("%s: %d %s", changes[i].command, err, ei.text);
        }
        (void)snprintf(command, sizeof(command), "%s/pki", l.back);
        assert_int_not_equal(stat(command, &st), 0); /* nothing was restored */
        fini(&l);
    }
}

static void folders_that_have_something_are_left_alone(void **state)
{
    (void)state;
    struct lab l;
    struct wedr_backup_sums s;
    char inside[700];
    init(&l);
    assert_int_equal(wedr_backup(l.f.dir, l.copy, &s, NULL), WEDR_OK);
    assert_int_equal(wedr_backup(l.f.dir, l.copy, &s, NULL), WEDR_E_EXIST);
    assert_int_equal(wedr_restore(l.copy, l.f.dir, &s, NULL), WEDR_E_EXIST);
    (void)snprintf(inside, sizeof(inside), "%s/backup", l.f.dir);
    assert_int_equal(wedr_backup(l.f.dir, inside, &s, NULL), WEDR_E_INVAL);
    fini(&l);
}

/* A backup holds the lock while it copies: no day goes away under it. */
static void no_day_is_deleted_while_a_backup_is_made(void **state)
{
    (void)state;
    struct lab l;
    char path[700];
    wedr_handle lock = WEDR_HANDLE_NONE;
    init(&l);
    l.f.s->settings = (struct wedr_events_settings){.retention_bytes = 1};
    (void)snprintf(path, sizeof(path), "%s/events/KEEP", l.f.dir);
    assert_int_equal(wedr_fs_open(path, WEDR_FS_READ | WEDR_FS_WRITE | WEDR_FS_CREATE, 0600, &lock),
                     WEDR_OK);
    assert_int_equal(wedr_fs_lock(lock), WEDR_OK);
    wedr_keep_round(l.f.s, NOW_US + DAY_US);
    assert_int_equal(l.f.s->stats.days, 2);
    wedr_fs_close(lock);
    wedr_keep_round(l.f.s, NOW_US + DAY_US);
    assert_int_equal(l.f.s->stats.days, 1);
    fini(&l);
}

static void a_damaged_database_makes_no_backup(void **state)
{
    (void)state;
    struct lab l;
    struct wedr_backup_sums s;
    struct wedr_errinfo ei = {""};
    char path[700];
    init(&l);
    fx_close(&l.f);
    (void)snprintf(path, sizeof(path), "%s/events/2026-02-16.db", l.f.dir);
    FILE *f = fopen(path, "r+be");
    assert_non_null(f);
    assert_int_equal(fseek(f, 3 * 16384, SEEK_SET), 0);
    assert_int_equal(fputc(0xA5, f), 0xA5);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(wedr_backup(l.f.dir, l.copy, &s, &ei), WEDR_E_CORRUPT);
    assert_non_null(strstr(ei.text, "2026-02-16"));
    assert_int_equal(wedr_restore(l.copy, l.back, &s, &ei), WEDR_E_FORMAT);
    fx_open(&l.f);
    fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_beside_the_writer_is_whole_and_comes_back),
        cmocka_unit_test(a_backup_that_was_changed_or_cut_is_refused),
        cmocka_unit_test(folders_that_have_something_are_left_alone),
        cmocka_unit_test(no_day_is_deleted_while_a_backup_is_made),
        cmocka_unit_test(a_damaged_database_makes_no_backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
