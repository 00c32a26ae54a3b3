/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/sql_functions.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define TRIM_SET_MAX 64 /* bytes of what is cut off */

/* Where needle begins, NULL: nowhere. memmem's time is linear in both lengths. */
static const char *find(const char *in, size_t in_len, const char *needle, size_t len)
{
    return len == 0 ? in : memmem(in, in_len, needle, len);
}

static bool continues_char(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* In characters, of two blobs in bytes; from 1, 0: not there. */
static void instr(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    bool bytes =
        sqlite3_value_type(argv[0]) == SQLITE_BLOB && sqlite3_value_type(argv[1]) == SQLITE_BLOB;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL) {
        return;
    }
    const char *in =
        bytes ? sqlite3_value_blob(argv[0]) : (const char *)sqlite3_value_text(argv[0]);
    const char *needle =
        bytes ? sqlite3_value_blob(argv[1]) : (const char *)sqlite3_value_text(argv[1]);
    size_t in_len = (size_t)sqlite3_value_bytes(argv[0]);
    size_t len = (size_t)sqlite3_value_bytes(argv[1]);
    if ((!in && in_len) || (!needle && len)) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    const char *at = len > in_len ? NULL : find(in ? in : "", in_len, needle, len);
    sqlite3_int64 place = at ? 1 : 0;
    for (const char *p = in; at && p && p < at; p++) {
        place += bytes || !continues_char(p[0]);
    }
    sqlite3_result_int64(ctx, place);
}

static void replace(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    sqlite3 *db = sqlite3_context_db_handle(ctx);
    size_t max = (size_t)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, -1), count = 0, size;
    const char *in = (const char *)sqlite3_value_text(argv[0]);
    const char *old = (const char *)sqlite3_value_text(argv[1]);
    const char *with = (const char *)sqlite3_value_text(argv[2]);
    size_t in_len = (size_t)sqlite3_value_bytes(argv[0]);
    size_t old_len = (size_t)sqlite3_value_bytes(argv[1]);
    size_t with_len = (size_t)sqlite3_value_bytes(argv[2]);
    if (!in || !old) {
        return;
    }
    if (old_len == 0 || old[0] == '\0') { /* of an empty text nothing is replaced */
        sqlite3_result_value(ctx, argv[0]);
        return;
    }
    if (!with) {
        return;
    }
    const char *end = in + in_len, *at;
    for (const char *p = in; (at = find(p, (size_t)(end - p), old, old_len)); p = at + old_len) {
        count++;
    }
    size = in_len - count * old_len;
    if (with_len && count > (max > size ? (max - size) / with_len : 0)) {
        sqlite3_result_error_toobig(ctx);
        return;
    }
    size += count * with_len;
    char *out = sqlite3_malloc64(size + 1), *to = out;
    if (!out) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    for (const char *p = in;; p = at + old_len) {
        at = find(p, (size_t)(end - p), old, old_len);
        size_t n = (size_t)((at ? at : end) - p);
        memcpy(to, p, n);
        to += n;
        if (!at) {
            break;
        }
        memcpy(to, with, with_len);
        to += with_len;
    }
    *to = '\0';
    sqlite3_result_text64(ctx, out, size, sqlite3_free, SQLITE_UTF8);
}

/* Bytes of the character that begins at p. */
static size_t char_len(const char *p, const char *end)
{
    size_t n = 1;
    while (p + n < end && continues_char(p[n])) {
        n++;
    }
    return n;
}

/* One of the characters of a set? */
static bool in_set(const char *c, size_t n, const char *set, const char *set_end)
{
    for (const char *p = set; p < set_end;) {
        size_t len = char_len(p, set_end);
        if (len == n && memcmp(p, c, n) == 0) {
            return true;
        }
        p += len;
    }
    return false;
}

enum trim_side { TRIM_LEFT = 1, TRIM_RIGHT = 2 };

static void trim(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    const int *sides = sqlite3_user_data(ctx);
    const char *in = (const char *)sqlite3_value_text(argv[0]);
    const char *set = (const char *)sqlite3_value_text(argv[1]);
    if (!in || !set) {
        return;
    }
    const char *end = in + sqlite3_value_bytes(argv[0]);
    const char *set_end = set + sqlite3_value_bytes(argv[1]);
    if (set_end - set > TRIM_SET_MAX) {
        sqlite3_result_error(ctx, "the characters to be cut off are too many", -1);
        return;
    }
    while ((*sides & TRIM_LEFT) && in < end && in_set(in, char_len(in, end), set, set_end)) {
        in += char_len(in, end);
    }
    while ((*sides & TRIM_RIGHT) && in < end) {
        const char *last = end - 1;
        while (last > in && continues_char(*last)) {
            last--;
        }
        if (!in_set(last, (size_t)(end - last), set, set_end)) {
            break;
        }
        end = last;
    }
    sqlite3_result_text(ctx, in, (int)(end - in), SQLITE_TRANSIENT);
}

int wedr_sql_add_functions(sqlite3 *db)
{
    static int left = TRIM_LEFT, right = TRIM_RIGHT, both = TRIM_LEFT | TRIM_RIGHT;
    static const struct {
        const char *name;
        int args;
        int *data;
        void (*run)(sqlite3_context *ctx, int argc, sqlite3_value **argv);
    } functions[] = {{"instr", 2, NULL, instr},
                     {"replace", 3, NULL, replace},
                     {"trim", 2, &both, trim},
                     {"ltrim", 2, &left, trim},
                     {"rtrim", 2, &right, trim}};
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof(functions) / sizeof(functions[0]); i++) {
        rc = sqlite3_create_function_v2(db, functions[i].name, functions[i].args,
                                        SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                        functions[i].data, functions[i].run, NULL, NULL, NULL);
    }
    return rc;
}
