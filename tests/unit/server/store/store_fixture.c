/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

static void no_log(void *arg, enum wedr_log_level level, const char *line, size_t len)
{
    (void)arg;
    (void)level;
    (void)line;
    (void)len;
}

void fx_init(struct fx *f)
{
    const char *base = getenv("TMPDIR");
    uint8_t r[8];
    char hex[17];
    wedr_log_init("test", WEDR_LOG_ERROR, no_log, NULL);
    wedr_random(r, sizeof(r));
    wedr_hex(r, sizeof(r), hex);
    f->s = NULL;
    f->wrong[0] = '\0';
    (void)snprintf(f->dir, sizeof(f->dir), "%s/wedr-store-%s", base == NULL ? "/tmp" : base, hex);
    assert_int_equal(wedr_fs_mkdir(f->dir, 0700, UINT32_MAX), WEDR_OK);
    fx_open(f);
}

void fx_open(struct fx *f)
{
    struct wedr_errinfo ei = {{0}};
    int rc = wedr_events_embedded.open(f->dir, &f->s, &ei);
    if (rc != WEDR_OK) {
        fail_msg("open: %d %s", rc, ei.text);
    }
}

void fx_close(struct fx *f)
{
    wedr_events_embedded.close(f->s);
    f->s = NULL;
}

static int remove_one(void *arg, const char *name)
{
    return wedr_fs_unlink_at(*(wedr_handle *)arg, name);
}

void fx_remove(const char *dir)
{
    char path[512];
    wedr_handle h;
    (void)snprintf(path, sizeof(path), "%s/events", dir);
    if (wedr_fs_open_dir(path, &h) == WEDR_OK) {
        assert_int_equal(wedr_fs_list(h, remove_one, &h), WEDR_OK);
        wedr_fs_close(h);
        (void)remove(path);
    }
    if (wedr_fs_open_dir(dir, &h) == WEDR_OK) {
        assert_int_equal(wedr_fs_list(h, remove_one, &h), WEDR_OK);
        wedr_fs_close(h);
        (void)remove(dir);
    }
}

void fx_fini(struct fx *f)
{
    fx_close(f);
    fx_remove(f->dir);
}

int fx_put(struct fx *f, struct tb *b)
{
    struct wedr_prepared *p = NULL;
    struct wedr_errinfo ei = {{0}};
    int rc = tb_prepare(b, &p);
    if (rc == WEDR_OK) {
        struct wedr_commit c = {p, WEDR_COMMIT_STORED};
        rc = wedr_events_embedded.commit(f->s, &c, 1, &ei);
        rc = rc == WEDR_OK ? (int)c.outcome : rc;
    }
    wedr_prepared_free(p);
    tb_fini(b);
    return rc;
}

int fx_forks(struct fx *f, uint64_t first, uint32_t count, int64_t received_us)
{
    struct tb b;
    tb_init(&b, "kernel.critical");
    b.received_us = received_us;
    tb_forks(&b, first, count);
    return fx_put(f, &b);
}

void fx_keep(struct fx *f)
{
    f->s->settings = (struct wedr_events_settings){.merge_lines = 100,
                                                   .merge_after_s = 300,
                                                   .merge_level = 1,
                                                   .merge_grace_s = 900,
                                                   .seal_after_s = 7200};
}

static void keep_last(void *ctx, const char *day, const char *batch, const char *what)
{
    struct fx *f = ctx;
    (void)snprintf(f->wrong, sizeof(f->wrong), "%s|%s|%s", day, batch, what);
}

struct wedr_verify_sums fx_verify(struct fx *f)
{
    struct wedr_verify_sums s;
    struct wedr_errinfo ei = {""};
    f->wrong[0] = '\0';
    if (wedr_events_verify(f->dir, keep_last, f, &s, &ei) != WEDR_OK) {
        fail_msg("%s", ei.text);
    }
    return s;
}

static int query(struct fx *f, const char *sql, char *out, size_t cap, struct wedr_errinfo *ei)
{
    FILE *m = tmpfile();
    assert_non_null(m);
    int rc = wedr_sql_run(f->dir, sql, true, 20000, m, ei);
    rewind(m);
    size_t n = fread(out, 1, cap - 1, m);
    out[n] = 0;
    (void)fclose(m);
    return rc;
}

#define OUT_MAX (1u << 20)

char *fx_sql(struct fx *f, const char *sql)
{
    char *out = calloc(1, OUT_MAX);
    struct wedr_errinfo ei = {{0}};
    int rc = query(f, sql, out, OUT_MAX, &ei);
    if (rc != WEDR_OK) {
        fail_msg("%s: %d %s", sql, rc, ei.text);
    }
    size_t n = strlen(out);
    if (n != 0 && out[n - 1] == '\n') {
        out[n - 1] = 0;
    }
    return out;
}

int64_t fx_int(struct fx *f, const char *sql)
{
    char *s = fx_sql(f, sql);
    const char *colon = strchr(s, ':');
    if (colon == NULL) {
        fail_msg("%s: no row", sql);
    }
    int64_t v = strtoll(colon + 1, NULL, 10);
    free(s);
    return v;
}

int fx_error(struct fx *f, const char *sql)
{
    static char out[OUT_MAX];
    struct wedr_errinfo ei = {{0}};
    return query(f, sql, out, sizeof(out), &ei);
}

void fx_tamper(struct fx *f, int64_t day_us, const char *sql)
{
    char path[512], day[WEDR_DAY_TEXT];
    sqlite3 *db = NULL;
    wedr_day_text(wedr_day_of(day_us), day);
    (void)snprintf(path, sizeof(path), "%s/events/%s.db", f->dir, day);
    assert_int_equal(wedr_db_open(path, SQLITE_OPEN_READWRITE, &db), WEDR_OK);
    char *err = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &err) != SQLITE_OK) {
        fail_msg("%s: %s", sql, err);
    }
    sqlite3_close(db);
}
