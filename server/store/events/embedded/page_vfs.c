/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/embedded/page_vfs.h"

#include "core/base/endian.h"
#include <string.h>

#define NAME "wedr-pages"
#define HEADER 100 /* of a database: what SQLite reads first */
#define AT_FREE_BYTES 20
#define CONTROL_SUMS 0x57454452 /* this file gets sums; above SQLite's own numbers */
#define SUMMED (WEDR_PAGE_LEN - WEDR_PAGE_SUM_LEN)

struct file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
    bool sums;
};

static struct file *file_of(sqlite3_file *f)
{
    return (struct file *)(void *)f;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
    return file_of(f)->real;
}

#define K 0x9E3779B97F4A7C15u
#define M 0xD6E8FEB86659FD93u

/* A one-to-one change of its lane: one changed word always changes the sum. */
static uint64_t step(uint64_t lane, const uint8_t *word)
{
    lane = (lane ^ wedr_le64(word)) * K;
    return lane << 29 | lane >> 35;
}

static uint64_t finish(uint64_t sum, uint64_t lane)
{
    sum = (sum ^ lane) * M;
    return sum ^ sum >> 32;
}

/* Four lanes: a processor multiplies for all of them at once. */
static uint64_t sum_of(const uint8_t *page, uint64_t number)
{
    uint64_t a = number * K + 1, b = number + M, c = K, d = ~(uint64_t)M;
    size_t at = 0;
    for (; at + 32 <= SUMMED; at += 32) {
        a = step(a, page + at);
        b = step(b, page + at + 8);
        c = step(c, page + at + 16);
        d = step(d, page + at + 24);
    }
    for (; at < SUMMED; at += 8) {
        a = step(a, page + at);
    }
    return finish(finish(finish(finish(number, a), b), c), d);
}

void wedr_page_sum_put(uint8_t page[WEDR_PAGE_LEN], uint64_t number)
{
    wedr_put_le64(page + SUMMED, sum_of(page, number));
}

bool wedr_page_sum_is_right(const uint8_t page[WEDR_PAGE_LEN], uint64_t number)
{
    return wedr_le64(page + SUMMED) == sum_of(page, number);
}

/* Whether the file has sums stands in its header. */
static void learn(struct file *f, const uint8_t *p, int len, sqlite3_int64 at)
{
    if (at == 0 && len >= HEADER && memcmp(p, "SQLite format 3", 16) == 0) {
        f->sums = p[AT_FREE_BYTES] == WEDR_PAGE_SUM_LEN;
    }
}

static bool is_page(int len, sqlite3_int64 at)
{
    return len == (int)WEDR_PAGE_LEN && at % WEDR_PAGE_LEN == 0;
}

static uint64_t number_of(sqlite3_int64 at)
{
    return (uint64_t)at / WEDR_PAGE_LEN + 1;
}

static int vfs_read(sqlite3_file *file, void *p, int len, sqlite3_int64 at)
{
    struct file *f = file_of(file);
    int rc = f->real->pMethods->xRead(f->real, p, len, at);
    if (rc != SQLITE_OK) {
        return rc;
    }
    learn(f, p, len, at);
    if (!f->sums || len <= HEADER) {
        return SQLITE_OK;
    }
    /* A header that was changed may ask for pages of another size. */
    return is_page(len, at) && wedr_page_sum_is_right(p, number_of(at)) ? SQLITE_OK
                                                                        : SQLITE_CORRUPT;
}

/* SQLite may leave out a page that it will never read again; a copy of the file reads it. */
static int fill_up_to(struct file *f, sqlite3_int64 end)
{
    uint8_t page[WEDR_PAGE_LEN] = {0};
    sqlite3_int64 size = 0;
    int rc = f->real->pMethods->xFileSize(f->real, &size);
    for (size -= size % WEDR_PAGE_LEN; rc == SQLITE_OK && size < end; size += WEDR_PAGE_LEN) {
        wedr_page_sum_put(page, number_of(size));
        rc = f->real->pMethods->xWrite(f->real, page, (int)WEDR_PAGE_LEN, size);
    }
    return rc;
}

static int vfs_write(sqlite3_file *file, const void *p, int len, sqlite3_int64 at)
{
    struct file *f = file_of(file);
    uint8_t page[WEDR_PAGE_LEN];
    learn(f, p, len, at);
    if (!f->sums || !is_page(len, at)) {
        return f->real->pMethods->xWrite(f->real, p, len, at);
    }
    memcpy(page, p, WEDR_PAGE_LEN);
    wedr_page_sum_put(page, number_of(at));
    int rc = fill_up_to(f, at);
    return rc == SQLITE_OK ? f->real->pMethods->xWrite(f->real, page, len, at) : rc;
}

static int vfs_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct file *f = file_of(file);
    int rc = f->sums ? fill_up_to(f, size) : SQLITE_OK;
    return rc == SQLITE_OK ? f->real->pMethods->xTruncate(f->real, size) : rc;
}

/* --- The rest goes through. */

static int vfs_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int vfs_sync(sqlite3_file *f, int flags)
{
    return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int vfs_file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), ret);
}

static int vfs_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int vfs_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int vfs_reserved(sqlite3_file *f, int *ret)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}

static int vfs_control(sqlite3_file *f, int op, void *arg)
{
    if (op == CONTROL_SUMS) {
        file_of(f)->sums = true;
        return SQLITE_OK;
    }
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int vfs_sector_size(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int vfs_characteristics(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int vfs_shm_map(sqlite3_file *f, int region, int len, int extend, void volatile **ret)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), region, len, extend, ret);
}

static int vfs_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void vfs_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int vfs_shm_unmap(sqlite3_file *f, int unlink)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), unlink);
}

/* Version 2: nothing is read past xRead through a mapping. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_file_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector_size,
    .xDeviceCharacteristics = vfs_characteristics,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

/* Logs and temporary files are the lower layer's own. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret)
{
    sqlite3_vfs *lower = vfs->pAppData;
    struct file *f = file_of(file);
    if (!(flags & SQLITE_OPEN_MAIN_DB)) {
        return lower->xOpen(lower, name, file, flags, ret);
    }
    memset(f, 0, sizeof(*f));
    f->real = (sqlite3_file *)(void *)(f + 1);
    int rc = lower->xOpen(lower, name, f->real, flags, ret);
    f->base.pMethods = f->real->pMethods ? &methods : NULL; /* NULL: xClose is not called */
    return rc;
}

const char *wedr_page_vfs(void)
{
    static sqlite3_vfs vfs;
    if (sqlite3_initialize() != SQLITE_OK) {
        return NULL;
    }
    sqlite3_mutex *m = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
    sqlite3_mutex_enter(m);
    sqlite3_vfs *lower = vfs.zName ? NULL : sqlite3_vfs_find(NULL);
    if (lower) {
        vfs = *lower;
        vfs.zName = NAME;
        vfs.pNext = NULL;
        vfs.pAppData = lower;
        vfs.szOsFile = (int)sizeof(struct file) + lower->szOsFile;
        vfs.xOpen = vfs_open;
        vfs.zName = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? NAME : NULL;
    }
    const char *name = vfs.zName;
    sqlite3_mutex_leave(m);
    return name;
}

int wedr_page_vfs_free_bytes(sqlite3 *db)
{
    int n = -1; /* asks */
    return sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &n) == SQLITE_OK ? n : 0;
}

int wedr_page_vfs_begin(sqlite3 *db)
{
    int n = WEDR_PAGE_SUM_LEN;
    int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &n);
    return rc == SQLITE_OK ? sqlite3_file_control(db, "main", CONTROL_SUMS, NULL) : rc;
}
