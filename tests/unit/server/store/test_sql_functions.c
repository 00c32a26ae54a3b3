/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/events/sql/sql_functions.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 20000

static sqlite3 *db_open(bool ours)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    if (ours) {
        assert_int_equal(wedr_sql_add_functions(db), SQLITE_OK);
    }
    return db;
}

/* A short text of few letters, so that much of it is found; some values are blobs, numbers or
 * NULL. */
static void bind_any(sqlite3_stmt *a, sqlite3_stmt *b, int i)
{
    static const char *const letters[] = {"a", "b", "ab", "\xc3\xa9", "\xe2\x82\xac", " ", "aa"};
    char text[128] = "";
    size_t len = 0;
    int kind = rand() % 12;
    for (int n = rand() % 9; n > 0; n--) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", letters[rand() % 7]);
    }
    for (int k = 0; k < 2; k++) {
        sqlite3_stmt *st = k ? b : a;
        if (kind == 0) {
            assert_int_equal(sqlite3_bind_null(st, i), SQLITE_OK);
        } else if (kind == 1) {
            assert_int_equal(sqlite3_bind_int(st, i, 1221), SQLITE_OK);
        } else if (kind <= 3) {
            assert_int_equal(sqlite3_bind_blob(st, i, text, (int)len, SQLITE_TRANSIENT), SQLITE_OK);
        } else {
            assert_int_equal(sqlite3_bind_text(st, i, text, -1, SQLITE_TRANSIENT), SQLITE_OK);
        }
    }
}

static void same(sqlite3_stmt *a, sqlite3_stmt *b, const char *sql)
{
    assert_int_equal(sqlite3_step(a), SQLITE_ROW);
    assert_int_equal(sqlite3_step(b), SQLITE_ROW);
    const char *x = (const char *)sqlite3_column_text(a, 0);
    const char *y = (const char *)sqlite3_column_text(b, 0);
    if (sqlite3_column_type(a, 0) != sqlite3_column_type(b, 0) || (x == NULL) != (y == NULL) ||
        (x && strcmp(x, y) != 0)) {
        fail_msg("%s: %s, SQLite has %s", sql, x ? x : "NULL", y ? y : "NULL");
    }
    (void)sqlite3_reset(a);
    (void)sqlite3_reset(b);
}

static void results_are_those_of_sqlite(void **state)
{
    static const char *const calls[] = {
        "SELECT quote(instr(?1,?2))", "SELECT quote(replace(?1,?2,?3))",
        "SELECT quote(trim(?1,?2))", "SELECT quote(ltrim(?1,?2))", "SELECT quote(rtrim(?1,?2))"};
    (void)state;
    sqlite3 *ours = db_open(true), *theirs = db_open(false);
    srand(7);
    for (size_t c = 0; c < sizeof(calls) / sizeof(calls[0]); c++) {
        sqlite3_stmt *a = NULL, *b = NULL;
        assert_int_equal(sqlite3_prepare_v2(ours, calls[c], -1, &a, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(theirs, calls[c], -1, &b, NULL), SQLITE_OK);
        for (int i = 0; i < ROUNDS; i++) {
            for (int k = 1; k <= sqlite3_bind_parameter_count(a); k++) {
                bind_any(a, b, k);
            }
            same(a, b, calls[c]);
        }
        (void)sqlite3_finalize(a);
        (void)sqlite3_finalize(b);
    }
    sqlite3_close(ours);
    sqlite3_close(theirs);
}

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* SQLite's own would be at the first of these for hours. */
static void what_never_ended_ends(void **state)
{
    (void)state;
    sqlite3 *db = db_open(true);
    assert_int_equal(
        run(db, "SELECT instr(printf('%.*c',16000000,'a'),printf('%.*c',8000000,'a')||'b')"),
        SQLITE_OK);
    assert_int_equal(
        run(db, "SELECT replace(printf('%.*c',16000000,'a'),printf('%.*c',8000000,'a')||'b','')"),
        SQLITE_OK);
    assert_int_equal(run(db, "SELECT trim(printf('%.*c',1000,'a'),printf('%.*c',1000,'b'))"),
                     SQLITE_ERROR);
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1000000);
    assert_int_equal(run(db, "SELECT replace(printf('%.*c',1000,'a'),'a',printf('%.*c',1001,'b'))"),
                     SQLITE_TOOBIG);
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_sqlite),
        cmocka_unit_test(what_never_ended_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
