/* SPDX-License-Identifier: Apache-2.0 */
#include "store/backup.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "store/events/embedded/day_file.h"
#include "store/events/embedded/embedded.h"
#include "store/events/embedded/page_vfs.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "wedr-backup 1\n"
#define MANIFEST_MAX (64u << 20)
#define PATH_LEN_MAX 512u
#define NAMES_MAX 65536u
#define DEPTH_MAX 4u
#define CHUNK (1u << 20)
#define LOCK_TRIES 600u /* of 100 ms */
#define BUSY_MS 30000

struct backup {
    const char *from, *to;
    struct wedr_buf manifest;
    struct wedr_backup_sums *sums;
    struct wedr_errinfo *ei;
    uint8_t *chunk;
};

struct names {
    char v[NAMES_MAX][64];
    size_t count;
};

static int add_name(void *arg, const char *name)
{
    struct names *n = arg;
    size_t len = strlen(name);
    if (len >= sizeof(n->v[0]) || n->count == NAMES_MAX) {
        return WEDR_E_LIMIT;
    }
    memcpy(n->v[n->count++], name, len + 1);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Names of a folder in order; *ret is the caller's. */
static int list(const char *path, struct names **ret)
{
    wedr_handle dir = WEDR_HANDLE_NONE;
    struct names *n = wedr_alloc(1, sizeof(*n));
    int err = n ? wedr_fs_open_dir(path, &dir) : WEDR_E_NOMEM;
    err = err == WEDR_OK ? wedr_fs_list(dir, add_name, n) : err;
    wedr_fs_close(dir);
    if (err != WEDR_OK) {
        wedr_free(n);
        return err;
    }
    if (n->count > 1) {
        qsort(n->v, n->count, sizeof(n->v[0]), compare_names);
    }
    *ret = n;
    return WEDR_OK;
}

static int join(const char *a, const char *b, char ret[WEDR_EVENTS_PATH_MAX])
{
    int n = snprintf(ret, WEDR_EVENTS_PATH_MAX, "%s%s%s", a, a[0] ? "/" : "", b);
    return n > 0 && n < (int)WEDR_EVENTS_PATH_MAX ? WEDR_OK : WEDR_E_LIMIT;
}

static int fail(const struct backup *b, int err, const char *path)
{
    return b->ei && b->ei->text[0] ? err
                                   : wedr_fail(b->ei, err, "%s: %s", path, wedr_err_text(err));
}

/* A folder of the caller's alone that has nothing in it. */
static int empty_folder(const char *path)
{
    struct names *n = NULL;
    int err = wedr_fs_mkdir(path, 0700, UINT32_MAX);
    err = err == WEDR_OK ? list(path, &n) : err;
    err = err == WEDR_OK && n->count ? WEDR_E_EXIST : err;
    wedr_free(n);
    return err;
}

static int sync_folder(const char *path)
{
    wedr_handle dir = WEDR_HANDLE_NONE;
    int err = wedr_fs_open_dir(path, &dir);
    err = err == WEDR_OK ? wedr_fs_sync(dir) : err;
    wedr_fs_close(dir);
    return err;
}

/* Digest of an open file from its start; copies it to `out` when that is open. */
static int digest(struct backup *b,
                  wedr_handle in,
                  wedr_handle out,
                  uint64_t *ret_size,
                  uint8_t ret[WEDR_SHA256_LEN])
{
    struct wedr_sha256_state s;
    uint64_t at = 0;
    wedr_sha256_begin(&s);
    for (;;) {
        size_t n = 0;
        int err = wedr_fs_pread(in, b->chunk, CHUNK, at, &n);
        err =
            err == WEDR_OK && n && out != WEDR_HANDLE_NONE ? wedr_fs_write(out, b->chunk, n) : err;
        if (err != WEDR_OK) {
            return err;
        }
        if (n == 0) {
            break;
        }
        wedr_sha256_add(&s, b->chunk, n);
        at += n;
    }
    wedr_sha256_end(&s, ret);
    *ret_size = at;
    return WEDR_OK;
}

static void note(struct backup *b, const char *path, uint64_t size, uint32_t mode, const uint8_t *d)
{
    char hex[WEDR_SHA256_HEX + 1];
    wedr_hex(d, WEDR_SHA256_LEN, hex);
    wedr_buf_addf(&b->manifest, "%s %o %" PRIu64 " %s\n", hex, mode & 0777u, size, path);
    b->sums->files++;
    b->sums->bytes += size;
}

/* path: below both folders. */
static int
copy_file(struct backup *b, const char *path, uint32_t mode, uint64_t *ret_size, uint8_t *ret)
{
    char from[WEDR_EVENTS_PATH_MAX], to[WEDR_EVENTS_PATH_MAX];
    wedr_handle in = WEDR_HANDLE_NONE, out = WEDR_HANDLE_NONE;
    int err = join(b->from, path, from);
    err = err == WEDR_OK ? join(b->to, path, to) : err;
    err = err == WEDR_OK ? wedr_fs_open(from, WEDR_FS_READ, 0, &in) : err;
    err = err == WEDR_OK
              ? wedr_fs_open(to, WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_EXCL, mode, &out)
              : err;
    err = err == WEDR_OK ? digest(b, in, out, ret_size, ret) : err;
    err = err == WEDR_OK ? wedr_fs_sync(out) : err;
    wedr_fs_close(in);
    wedr_fs_close(out);
    return err == WEDR_OK ? err : fail(b, err, path);
}

/* --- Databases. */

static int pages_are_whole(sqlite3 *db)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &st, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(st) : rc;
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
    int err = text && strcmp(text, "ok") == 0 ? WEDR_OK
              : rc == SQLITE_ROW              ? WEDR_E_CORRUPT
                                              : wedr_sqlite_error(db, rc);
    (void)sqlite3_finalize(st);
    return err;
}

/* All pages in one step: one read transaction, which no commit beside it disturbs. */
static int copy_pages(sqlite3 *from, const char *path)
{
    sqlite3 *to = NULL;
    int err = wedr_db_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &to);
    if (err == WEDR_OK && wedr_page_vfs_free_bytes(from) == WEDR_PAGE_SUM_LEN) {
        err = wedr_sqlite_error(to, wedr_page_vfs_begin(to));
    }
    err = err == WEDR_OK ? wedr_sqlite_exec(to, "PRAGMA synchronous=OFF") : err;
    if (err == WEDR_OK) {
        sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
        int rc = copy ? sqlite3_backup_step(copy, -1) : sqlite3_errcode(to);
        int end = sqlite3_backup_finish(copy);
        err = wedr_sqlite_error(to, end != SQLITE_OK ? end : rc);
    }
    err = err == WEDR_OK ? pages_are_whole(to) : err;
    sqlite3_close(to);
    return err;
}

static int
digest_of(struct backup *b, const char *folder, const char *path, uint64_t *size, uint8_t *d)
{
    char full[WEDR_EVENTS_PATH_MAX];
    wedr_handle h = WEDR_HANDLE_NONE;
    int err = join(folder, path, full);
    err = err == WEDR_OK ? wedr_fs_open(full, WEDR_FS_READ, 0, &h) : err;
    err = err == WEDR_OK ? digest(b, h, WEDR_HANDLE_NONE, size, d) : err;
    wedr_fs_close(h);
    return err;
}

static int sync_file(const char *path)
{
    wedr_handle h = WEDR_HANDLE_NONE;
    int err = wedr_fs_open(path, WEDR_FS_READ | WEDR_FS_WRITE, 0, &h);
    err = err == WEDR_OK ? wedr_fs_sync(h) : err;
    wedr_fs_close(h);
    return err;
}

/* A file that is gone since it was listed was a day that came to nothing. */
static int copy_database(struct backup *b, const char *path)
{
    char from[WEDR_EVENTS_PATH_MAX], to[WEDR_EVENTS_PATH_MAX];
    uint8_t d[WEDR_SHA256_LEN];
    uint64_t size = 0;
    sqlite3 *db = NULL;
    int err = join(b->from, path, from);
    err = err == WEDR_OK ? join(b->to, path, to) : err;
    err = err == WEDR_OK ? wedr_db_open(from, SQLITE_OPEN_READWRITE, &db) : err;
    if (err == WEDR_OK) {
        sqlite3_busy_timeout(db, BUSY_MS);
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        err = copy_pages(db, to);
    }
    sqlite3_close(db);
    err = err == WEDR_OK ? sync_file(to) : err;
    err = err == WEDR_OK ? digest_of(b, b->to, path, &size, d) : err;
    if (err == WEDR_OK) {
        note(b, path, size, 0600, d);
    }
    return err == WEDR_OK ? err : fail(b, err, path);
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), k = strlen(tail);
    return n >= k && strcmp(s + n - k, tail) == 0;
}

/* What belongs to a database that is copied as such, or to a process. */
static bool is_passing(const char *name)
{
    return name[0] == '.' || ends_with(name, "-wal") || ends_with(name, "-shm") ||
           ends_with(name, "-journal") || strcmp(name, "listen") == 0 ||
           strcmp(name, "LOCK") == 0 || strcmp(name, "totp.key") == 0 ||
           /* who has a backup cannot make codes */ strcmp(name, WEDR_EVENTS_KEEP_LOCK) == 0 ||
           strcmp(name, WEDR_BACKUP_MANIFEST) == 0 || strstr(name, ".db.damaged") ||
           strstr(name, ".db.salvaged");
}

static int copy_folder(struct backup *b, const char *folder, unsigned depth);

static int copy_plain(struct backup *b, const char *path, unsigned depth)
{
    char full[WEDR_EVENTS_PATH_MAX];
    uint8_t d[WEDR_SHA256_LEN];
    struct wedr_fs_stat st = {0};
    wedr_handle h = WEDR_HANDLE_NONE;
    uint64_t size = 0;
    int err = join(b->from, path, full);
    if (err == WEDR_OK && wedr_fs_open_dir(full, &h) == WEDR_OK) {
        wedr_fs_close(h);
        err = join(b->to, path, full);
        err = err == WEDR_OK ? wedr_fs_mkdir(full, 0700, UINT32_MAX) : err;
        return err == WEDR_OK ? copy_folder(b, path, depth + 1) : fail(b, err, path);
    }
    err = err == WEDR_OK ? wedr_fs_open(full, WEDR_FS_READ, 0, &h) : err;
    err = err == WEDR_OK ? wedr_fs_stat(h, &st) : err;
    wedr_fs_close(h);
    err = err == WEDR_OK ? copy_file(b, path, st.mode & 0777u, &size, d) : fail(b, err, path);
    if (err == WEDR_OK) {
        note(b, path, size, st.mode, d);
    }
    return err;
}

/* Everything but the databases of the root and the events. */
static int copy_folder(struct backup *b, const char *folder, unsigned depth)
{
    char path[WEDR_EVENTS_PATH_MAX];
    struct names *n = NULL;
    int err = depth > DEPTH_MAX ? WEDR_E_LIMIT : join(b->from, folder, path);
    err = err == WEDR_OK ? list(folder[0] ? path : b->from, &n) : err;
    for (size_t i = 0; err == WEDR_OK && i < n->count; i++) {
        const char *name = n->v[i];
        if (is_passing(name) ||
            (depth == 0 && (ends_with(name, ".db") || strcmp(name, "events") == 0))) {
            continue;
        }
        err = join(folder, name, path);
        err = err == WEDR_OK ? copy_plain(b, path, depth) : err;
    }
    wedr_free(n);
    if (err == WEDR_OK && join(b->to, folder, path) == WEDR_OK) {
        err = sync_folder(folder[0] ? path : b->to);
    }
    return err;
}

/* The catalog, and the days from the newest to the oldest: what a day says about an older one is in
 * the copy of the older one, too. */
static int copy_events(struct backup *b)
{
    char folder[WEDR_EVENTS_PATH_MAX], path[WEDR_EVENTS_PATH_MAX];
    struct names *n = NULL;
    int err = join(b->to, "events", folder);
    err = err == WEDR_OK ? wedr_fs_mkdir(folder, 0700, UINT32_MAX) : err;
    err = err == WEDR_OK ? join(b->from, "events", path) : err;
    err = err == WEDR_OK ? list(path, &n) : err;
    for (size_t i = err == WEDR_OK ? n->count : 0; err == WEDR_OK && i-- > 0;) {
        int32_t day = 0;
        if (wedr_day_of_file(n->v[i], &day) || strcmp(n->v[i], "catalog.db") == 0) {
            err = join("events", n->v[i], path);
            err = err == WEDR_OK ? copy_database(b, path) : err;
        }
    }
    wedr_free(n);
    return err == WEDR_OK ? sync_folder(folder) : fail(b, err, "events");
}

/* While it is held no day is deleted. */
static int take_keep_lock(const char *data, wedr_handle *ret)
{
    char path[WEDR_EVENTS_PATH_MAX];
    int err = join(data, "events/" WEDR_EVENTS_KEEP_LOCK, path);
    err = err == WEDR_OK
              ? wedr_fs_open(path, WEDR_FS_READ | WEDR_FS_WRITE | WEDR_FS_CREATE, 0600, ret)
              : err;
    for (unsigned i = 0; err == WEDR_OK; i++) {
        int got = wedr_fs_lock(*ret);
        if (got != WEDR_E_BUSY || i == LOCK_TRIES) {
            return got;
        }
        wedr_time_sleep_ms(100);
    }
    return err;
}

static int write_manifest(struct backup *b)
{
    wedr_handle dir = WEDR_HANDLE_NONE;
    wedr_buf_addf(&b->manifest, "end %" PRIu64 "\n", b->sums->files);
    int err = b->manifest.overflow ? WEDR_E_NOMEM : wedr_fs_open_dir(b->to, &dir);
    err = err == WEDR_OK
              ? wedr_fs_replace_at(dir, WEDR_BACKUP_MANIFEST, b->manifest.p, b->manifest.len, 0600)
              : err;
    wedr_fs_close(dir);
    return err == WEDR_OK ? err : fail(b, err, WEDR_BACKUP_MANIFEST);
}

static int begin(struct backup *b,
                 const char *from,
                 const char *to,
                 struct wedr_backup_sums *sums,
                 struct wedr_errinfo *ei)
{
    memset(sums, 0, sizeof(*sums));
    *b = (struct backup){.from = from, .to = to, .sums = sums, .ei = ei};
    wedr_buf_init(&b->manifest, MANIFEST_MAX);
    b->chunk = wedr_alloc(CHUNK, 1);
    int err = b->chunk ? empty_folder(to) : WEDR_E_NOMEM;
    return err == WEDR_E_EXIST ? wedr_fail(ei, err, "%s is not empty", to)
           : err == WEDR_OK    ? err
                               : fail(b, err, to);
}

static void end(struct backup *b)
{
    wedr_buf_fini(&b->manifest);
    wedr_free(b->chunk);
}

int wedr_backup(const char *data,
                const char *to,
                struct wedr_backup_sums *ret_sums,
                struct wedr_errinfo *ei)
{
    struct backup b;
    wedr_handle lock = WEDR_HANDLE_NONE;
    size_t len = strlen(data);
    if (strncmp(data, to, len) == 0 && (to[len] == '/' || to[len] == '\0')) {
        return wedr_fail(ei, WEDR_E_INVAL, "%s lies in the data folder", to);
    }
    int err = begin(&b, data, to, ret_sums, ei);
    if (err == WEDR_OK) {
        wedr_buf_adds(&b.manifest, HEAD);
        err = take_keep_lock(data, &lock);
        err = err == WEDR_OK ? err : fail(&b, err, "events");
    }
    err = err == WEDR_OK ? copy_database(&b, "state.db") : err;
    err = err == WEDR_OK ? copy_folder(&b, "", 0) : err;
    err = err == WEDR_OK ? copy_events(&b) : err;
    err = err == WEDR_OK ? write_manifest(&b) : err;
    wedr_fs_close(lock);
    end(&b);
    return err;
}

/* --- Back. */

struct entry {
    char path[PATH_LEN_MAX];
    uint8_t digest[WEDR_SHA256_LEN];
    uint32_t mode;
    uint64_t size;
};

/* Names of [A-Za-z0-9._-], none of them "." or "..", with '/' between. */
static bool path_is_plain(const char *s)
{
    const char *name = s;
    for (const char *p = s;; p++) {
        if (*p == '/' || *p == '\0') {
            size_t n = (size_t)(p - name);
            if (n == 0 || (name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.')))) {
                return false;
            }
            name = p + 1;
        } else if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-",
                           *p)) {
            return false;
        }
        if (*p == '\0') {
            return true;
        }
    }
}

static bool parse_number(const char **at, unsigned base, uint64_t max, uint64_t *ret)
{
    const char *s = *at;
    uint64_t v = 0;
    for (; *s >= '0' && *s < (char)('0' + base); s++) {
        if (v > max / base) {
            return false;
        }
        v = v * base + (uint64_t)(*s - '0');
    }
    bool some = s != *at;
    *at = s;
    *ret = v;
    return some && v <= max;
}

/* One line without its newline. */
static bool parse_entry(char *line, struct entry *ret)
{
    uint64_t mode = 0;
    const char *at = line + WEDR_SHA256_HEX;
    size_t len = strlen(line);
    if (len < WEDR_SHA256_HEX + 2 ||
        wedr_unhex(line, WEDR_SHA256_HEX, ret->digest, WEDR_SHA256_LEN) != WEDR_OK ||
        *at++ != ' ' || !parse_number(&at, 8, 0777, &mode) || *at++ != ' ' ||
        !parse_number(&at, 10, INT64_MAX, &ret->size) || *at++ != ' ') {
        return false;
    }
    int n = snprintf(ret->path, sizeof(ret->path), "%s", at);
    ret->mode = (uint32_t)mode;
    return n > 0 && (size_t)n < sizeof(ret->path) && path_is_plain(ret->path);
}

typedef int entry_fn(struct backup *b, const struct entry *e);

static int for_entries(struct backup *b, entry_fn *fn)
{
    char *text = (char *)b->manifest.p;
    uint64_t files = 0;
    size_t at = strlen(HEAD);
    while (at < b->manifest.len) {
        struct entry e;
        char line[PATH_LEN_MAX + 256], last[64];
        const char *nl = memchr(text + at, '\n', b->manifest.len - at);
        size_t len = nl ? (size_t)(nl - text) - at : 0;
        if (!nl || len >= sizeof(line)) {
            return WEDR_E_FORMAT;
        }
        memcpy(line, text + at, len);
        line[len] = '\0';
        at += len + 1;
        (void)snprintf(last, sizeof(last), "end %" PRIu64, files);
        if (strcmp(line, last) == 0) {
            return at == b->manifest.len ? WEDR_OK : WEDR_E_FORMAT;
        }
        if (!parse_entry(line, &e)) {
            return WEDR_E_FORMAT;
        }
        int err = fn(b, &e);
        if (err != WEDR_OK) {
            return err;
        }
        files++;
    }
    return WEDR_E_FORMAT; /* it was cut */
}

static int same(struct backup *b, const struct entry *e, uint64_t size, const uint8_t *d)
{
    return size == e->size && memcmp(d, e->digest, WEDR_SHA256_LEN) == 0
               ? WEDR_OK
               : wedr_fail(b->ei, WEDR_E_CORRUPT, "%s is not what was backed up", e->path);
}

static int check_entry(struct backup *b, const struct entry *e)
{
    uint8_t d[WEDR_SHA256_LEN];
    uint64_t size = 0;
    int err = digest_of(b, b->from, e->path, &size, d);
    return err == WEDR_OK ? same(b, e, size, d)
                          : fail(b, err == WEDR_E_NOENT ? WEDR_E_CORRUPT : err, e->path);
}

static int restore_entry(struct backup *b, const struct entry *e)
{
    char path[WEDR_EVENTS_PATH_MAX];
    uint8_t d[WEDR_SHA256_LEN];
    uint64_t size = 0;
    int err = join(b->to, e->path, path);
    char *slash = err == WEDR_OK ? strrchr(path, '/') : NULL;
    if (slash) {
        *slash = '\0';
        err = strcmp(path, b->to) == 0 ? WEDR_OK : wedr_fs_mkdir(path, 0700, UINT32_MAX);
    }
    err = err == WEDR_OK ? copy_file(b, e->path, e->mode, &size, d) : fail(b, err, e->path);
    err = err == WEDR_OK ? same(b, e, size, d) : err;
    err = err == WEDR_OK && slash ? sync_folder(path) : err;
    if (err == WEDR_OK) {
        b->sums->files++;
        b->sums->bytes += size;
    }
    return err;
}

static int read_manifest(struct backup *b)
{
    char path[WEDR_EVENTS_PATH_MAX];
    wedr_handle h = WEDR_HANDLE_NONE;
    int err = join(b->from, WEDR_BACKUP_MANIFEST, path);
    err = err == WEDR_OK ? wedr_fs_open(path, WEDR_FS_READ, 0, &h) : err;
    err = err == WEDR_OK ? wedr_fs_read_all(h, &b->manifest) : err;
    wedr_fs_close(h);
    if (err == WEDR_E_NOENT ||
        (err == WEDR_OK &&
         (b->manifest.len < strlen(HEAD) || memcmp(b->manifest.p, HEAD, strlen(HEAD)) != 0))) {
        return wedr_fail(b->ei, WEDR_E_FORMAT, "%s is no finished backup", b->from);
    }
    return err;
}

int wedr_restore(const char *from,
                 const char *data,
                 struct wedr_backup_sums *ret_sums,
                 struct wedr_errinfo *ei)
{
    struct backup b;
    int err = begin(&b, from, data, ret_sums, ei);
    err = err == WEDR_OK ? read_manifest(&b) : err;
    err = err == WEDR_OK ? for_entries(&b, check_entry) : err;
    err = err == WEDR_OK ? for_entries(&b, restore_entry) : err;
    err = err == WEDR_OK ? sync_folder(data) : err;
    err = err == WEDR_OK ? err : fail(&b, err, from);
    end(&b);
    return err;
}
