/* SPDX-License-Identifier: Apache-2.0
 *
 * rpm: rpmdb.sqlite, one header a package. The older forms (Berkeley DB, ndb) are not read.
 */
#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "enrich/packages_i.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define PATH_ROOM 4200u
#define ENTRY_LEN 16u
#define ENTRIES_MAX 65536u
#define FILES_OF_ONE_MAX 262144u

enum { INT32 = 4, STRING = 6, STRING_ARRAY = 8, I18N_STRING = 9 };
enum {
    TAG_NAME = 1000,
    TAG_VERSION = 1001,
    TAG_RELEASE = 1002,
    TAG_DIR_INDEXES = 1116,
    TAG_BASE_NAMES = 1117,
    TAG_DIR_NAMES = 1118
};

/* Values of one tag. */
struct values {
    const uint8_t *p;
    size_t n; /* bytes up to the end of the data */
    uint32_t count;
};

struct header {
    struct values name, version, release, dir_index, base_name, dir_name;
};

static const char *const folders[] = {"/var/lib/rpm", "/usr/lib/sysimage/rpm"};

static uint32_t big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Number of entries, bytes of data, then the entries {tag, type, place, count} and the data. */
static int read_entries(const uint8_t *p, size_t n, struct header *ret)
{
    if (n < 8) {
        return WEDR_E_FORMAT;
    }
    uint32_t count = big32(p);
    uint32_t bytes = big32(p + 4);
    if (count > ENTRIES_MAX || bytes > n - 8 || (size_t)count * ENTRY_LEN > n - 8 - bytes) {
        return WEDR_E_FORMAT;
    }
    const uint8_t *data = p + 8 + (size_t)count * ENTRY_LEN;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *e = p + 8 + (size_t)i * ENTRY_LEN;
        uint32_t tag = big32(e);
        uint32_t type = big32(e + 4);
        uint32_t at = big32(e + 8);
        struct values v = {data + at, bytes - at, big32(e + 12)};
        bool text = type == STRING || type == STRING_ARRAY || type == I18N_STRING;
        if (at > bytes) {
            return WEDR_E_FORMAT;
        }
        if (tag == TAG_NAME && text) {
            ret->name = v;
        } else if (tag == TAG_VERSION && text) {
            ret->version = v;
        } else if (tag == TAG_RELEASE && text) {
            ret->release = v;
        } else if (tag == TAG_DIR_INDEXES && type == INT32) {
            ret->dir_index = v;
        } else if (tag == TAG_BASE_NAMES && type == STRING_ARRAY) {
            ret->base_name = v;
        } else if (tag == TAG_DIR_NAMES && type == STRING_ARRAY) {
            ret->dir_name = v;
        }
    }
    return WEDR_OK;
}

/* The next of NUL-terminated strings; NULL: no more. */
static const char *next_text(struct values *v, size_t *ret_len)
{
    const uint8_t *nul = v->count > 0 && v->n > 0 ? memchr(v->p, 0, v->n) : NULL;
    if (!nul) {
        return NULL;
    }
    const char *s = (const char *)v->p;
    *ret_len = (size_t)(nul - v->p);
    v->p += *ret_len + 1;
    v->n -= *ret_len + 1;
    v->count--;
    return s;
}

static int add_package(const struct header *h, struct index *x)
{
    char version[2 * WEDR_MSG_NAME_MAX];
    struct values name = h->name;
    struct values of_version = h->version;
    struct values of_release = h->release;
    size_t n = 0;
    size_t nv = 0;
    size_t nr = 0;
    const char *s = next_text(&name, &n);
    const char *v = next_text(&of_version, &nv);
    const char *r = next_text(&of_release, &nr);
    struct package p = {0, UINT32_MAX, 0};
    if (!s || !v || !r) {
        return WEDR_E_FORMAT;
    }
    int len = snprintf(version, sizeof(version), "%.63s-%.63s", v, r);
    int err = index_text(x, s, n, &p.name);
    if (err == WEDR_OK) {
        err = index_text(x, version, len > 0 ? (size_t)len : 0, &p.version);
    }
    return err == WEDR_OK ? index_package(x, &p) : err;
}

struct folder_name {
    const char *p;
    size_t n;
};

static int add_files(const struct header *h, const struct folder_name *dirs, struct index *x)
{
    char path[4096];
    struct values names = h->base_name;
    const char *base;
    size_t n;
    uint32_t package = x->package_count - 1;
    for (uint32_t i = 0; i < h->base_name.count && i < FILES_OF_ONE_MAX; i++) {
        base = next_text(&names, &n);
        if (!base || h->dir_index.n / 4 <= i || h->dir_index.count <= i) {
            return WEDR_E_FORMAT;
        }
        uint32_t dir = big32(h->dir_index.p + (size_t)i * 4);
        if (dir >= h->dir_name.count) {
            return WEDR_E_FORMAT;
        }
        if (dirs[dir].n + n > sizeof(path)) {
            continue;
        }
        memcpy(path, dirs[dir].p, dirs[dir].n);
        memcpy(path + dirs[dir].n, base, n);
        int err = index_file(x, path, dirs[dir].n + n, package);
        if (err != WEDR_OK) {
            return err;
        }
    }
    return WEDR_OK;
}

int rpm_header_read(const void *p, size_t n, struct index *x)
{
    struct header h;
    memset(&h, 0, sizeof(h));
    int err = read_entries(p, n, &h);
    uint32_t before = x->package_count;
    err = err == WEDR_OK ? add_package(&h, x) : err;
    /* Every name has a byte at least: a count beyond that lies. */
    if (err != WEDR_OK || x->package_count == before || h.dir_name.count == 0 ||
        h.dir_name.count > h.dir_name.n) {
        return err;
    }
    struct folder_name *dirs = wedr_alloc(h.dir_name.count, sizeof(*dirs));
    if (!dirs) {
        return WEDR_E_NOMEM;
    }
    struct values names = h.dir_name;
    for (uint32_t i = 0; err == WEDR_OK && i < h.dir_name.count; i++) {
        dirs[i].p = next_text(&names, &dirs[i].n);
        err = dirs[i].p ? WEDR_OK : WEDR_E_FORMAT;
    }
    err = err == WEDR_OK ? add_files(&h, dirs, x) : err;
    wedr_free(dirs);
    return err;
}

static bool
has_file(const char *root, const char *folder, const char *name, struct wedr_fs_stat *st)
{
    char path[PATH_ROOM];
    wedr_handle file = WEDR_HANDLE_NONE;
    (void)snprintf(path, sizeof(path), "%s%s/%s", root, folder, name);
    int err = wedr_fs_open(path, WEDR_FS_READ, 0, &file);
    if (err == WEDR_OK) {
        err = wedr_fs_stat(file, st);
    }
    wedr_fs_close(file);
    return err == WEDR_OK && st->size > 0;
}

static const char *folder_of(const char *root, struct wedr_fs_stat *st)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(folders); i++) {
        if (has_file(root, folders[i], "rpmdb.sqlite", st)) {
            return folders[i];
        }
    }
    return NULL;
}

int rpm_state(const char *root, struct database_state *ret)
{
    struct wedr_fs_stat st;
    const char *folder = folder_of(root, &st);
    if (folder) {
        ret->first_us = st.mtime_us;
        ret->size = st.size;
        if (has_file(root, folder, "rpmdb.sqlite-wal", &st)) {
            ret->second_us = st.mtime_us;
        }
        return WEDR_OK;
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(folders); i++) {
        if (has_file(root, folders[i], "Packages", &st) ||
            has_file(root, folders[i], "Packages.db", &st)) {
            return WEDR_E_UNSUP;
        }
    }
    return WEDR_E_NOENT;
}

/* A header that is malformed costs only itself. */
static int read_rows(sqlite3_stmt *rows, struct index *x)
{
    int step;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        const void *blob = sqlite3_column_blob(rows, 0);
        int n = sqlite3_column_bytes(rows, 0);
        int err = blob && n > 0 ? rpm_header_read(blob, (size_t)n, x) : WEDR_OK;
        if (err == WEDR_E_NOMEM) {
            return err;
        }
    }
    return step == SQLITE_DONE ? WEDR_OK : WEDR_E_CORRUPT;
}

/* immutable: this process may not write the files that a reader of the log needs. What a running
 * rpm has not written back yet is seen at the next look. */
int rpm_read(const char *root, struct index *x)
{
    char uri[PATH_ROOM + 64];
    struct wedr_fs_stat st;
    sqlite3 *db = NULL;
    sqlite3_stmt *rows = NULL;
    const char *folder = folder_of(root, &st);
    if (!folder) {
        return WEDR_E_NOENT;
    }
    (void)snprintf(uri, sizeof(uri), "file:%s%s/rpmdb.sqlite?immutable=1", root, folder);
    int err = WEDR_E_CORRUPT;
    if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "SELECT blob FROM Packages", -1, &rows, NULL) == SQLITE_OK) {
        err = read_rows(rows, x);
    }
    (void)sqlite3_finalize(rows);
    (void)sqlite3_close(db);
    return err;
}
