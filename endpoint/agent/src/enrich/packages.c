/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/packages.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "enrich/packages_i.h"
#include "wedr/plat/proc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_ROOM 4096u
#define PACKAGE_BITS 16u
#define FIRST_FILES 4096u

struct wedr_packages {
    char root[PATH_ROOM];
    struct index x;
    enum wedr_msg_package_source source;
    struct database_state state;
    uint64_t look_ms; /* 0: never looked */
};

struct wedr_packages *wedr_packages_new(const char *root)
{
    struct wedr_packages *p = wedr_alloc(1, sizeof(*p));
    if (p) {
        (void)snprintf(p->root, sizeof(p->root), "%s", root);
        wedr_buf_init(&p->x.text, WEDR_PACKAGE_TEXT_MAX);
    }
    return p;
}

static void index_drop(struct index *x)
{
    wedr_free(x->package);
    wedr_free(x->file);
    wedr_buf_fini(&x->text);
    memset(x, 0, sizeof(*x));
}

void wedr_packages_free(struct wedr_packages *p)
{
    if (p) {
        index_drop(&p->x);
        wedr_free(p);
    }
}

int index_text(struct index *x, const char *s, size_t n, uint32_t *ret)
{
    if (n >= WEDR_MSG_NAME_MAX) {
        n = WEDR_MSG_NAME_MAX - 1;
    }
    *ret = (uint32_t)x->text.len;
    wedr_buf_add(&x->text, s, n);
    wedr_buf_add(&x->text, "", 1);
    return x->text.overflow ? WEDR_E_NOMEM : WEDR_OK;
}

int index_package(struct index *x, const struct package *p)
{
    if (x->package_count == WEDR_PACKAGES_MAX) {
        x->full = true;
        return WEDR_OK;
    }
    if (x->package_count == x->package_room) {
        uint32_t room = x->package_room == 0 ? 256 : x->package_room * 2;
        struct package *more = wedr_realloc(x->package, room, sizeof(*more));
        if (!more) {
            return WEDR_E_NOMEM;
        }
        x->package = more;
        x->package_room = room;
    }
    x->package[x->package_count++] = *p;
    return WEDR_OK;
}

static bool begins(const char *path, size_t n, const char *head)
{
    size_t len = strlen(head);
    return n >= len && memcmp(path, head, len) == 0;
}

/* Most of what packages own is never run. */
static bool is_never_run(const char *path, size_t n)
{
    static const char *const heads[] = {
        "/usr/share/doc/",  "/usr/share/man/",      "/usr/share/locale/", "/usr/share/icons/",
        "/usr/share/info/", "/usr/share/zoneinfo/", "/usr/include/",      "/usr/share/fonts/",
        "/usr/src/",        "/usr/share/help/"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(heads); i++) {
        if (begins(path, n, heads[i])) {
            return true;
        }
    }
    return false;
}

/* /bin/x is /usr/bin/x where the one leads to the other. */
static bool is_moved(const char *path, size_t n)
{
    static const char *const heads[] = {"/bin/",   "/sbin/",  "/lib/",
                                        "/lib32/", "/lib64/", "/libx32/"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(heads); i++) {
        if (begins(path, n, heads[i])) {
            return true;
        }
    }
    return false;
}

static uint64_t hash_of(const struct index *x, const char *path, size_t n)
{
    char merged[PATH_ROOM];
    if (x->merged && is_moved(path, n) && n + 4 <= sizeof(merged)) {
        memcpy(merged, "/usr", 4);
        memcpy(merged + 4, path, n);
        path = merged;
        n += 4;
    }
    return wedr_hash64(x->key, path, n) >> PACKAGE_BITS << PACKAGE_BITS;
}

int index_file(struct index *x, const char *path, size_t n, uint32_t package)
{
    if (n < 2 || path[0] != '/' || is_never_run(path, n)) {
        return WEDR_OK;
    }
    if (x->file_count == WEDR_PACKAGE_FILES_MAX) {
        x->full = true;
        return WEDR_OK;
    }
    if (x->file_count == x->file_room) {
        uint32_t room = x->file_room == 0 ? FIRST_FILES : x->file_room * 2;
        uint64_t *more = wedr_realloc(x->file, room, sizeof(*more));
        if (!more) {
            return WEDR_E_NOMEM;
        }
        x->file = more;
        x->file_room = room;
    }
    x->file[x->file_count++] = hash_of(x, path, n) | package;
    return WEDR_OK;
}

static int compare(const void *a, const void *b)
{
    uint64_t x;
    uint64_t y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

/* A link in the place of a folder is refused by this call. */
static bool is_merged(const char *root)
{
    char path[PATH_ROOM + 8];
    wedr_handle dir = WEDR_HANDLE_NONE;
    (void)snprintf(path, sizeof(path), "%s/bin", root);
    int err = wedr_fs_open_dir(path, &dir);
    wedr_fs_close(dir);
    return err == WEDR_E_PERM;
}

static int read_database(struct wedr_packages *p, int (*read)(const char *, struct index *))
{
    struct index x;
    memset(&x, 0, sizeof(x));
    wedr_buf_init(&x.text, WEDR_PACKAGE_TEXT_MAX);
    wedr_random(x.key, sizeof(x.key));
    x.merged = is_merged(p->root);
    int err = read(p->root, &x);
    if (err != WEDR_OK) {
        index_drop(&x);
        return err;
    }
    if (x.file_count > 0) {
        qsort(x.file, x.file_count, sizeof(x.file[0]), compare);
        uint64_t *less = wedr_realloc(x.file, x.file_count, sizeof(*less));
        x.file = less ? less : x.file;
        x.file_room = x.file_count;
    }
    index_drop(&p->x);
    p->x = x;
    wedr_heap_trim();
    return WEDR_OK;
}

static bool try_one(struct wedr_packages *p,
                    enum wedr_msg_package_source source,
                    int (*state)(const char *, struct database_state *),
                    int (*read)(const char *, struct index *))
{
    struct database_state now;
    memset(&now, 0, sizeof(now));
    int err = state(p->root, &now);
    if (err == WEDR_E_UNSUP) {
        p->source = WEDR_MSG_PACKAGES_UNSUPPORTED;
    }
    if (err != WEDR_OK) {
        return false;
    }
    if (p->source == source && memcmp(&now, &p->state, sizeof(now)) == 0) {
        return true;
    }
    if (read_database(p, read) == WEDR_OK) {
        p->source = source;
        p->state = now;
    }
    return true;
}

static void look(struct wedr_packages *p, uint64_t now_ms)
{
    if (p->look_ms != 0 && now_ms - p->look_ms < WEDR_PACKAGES_LOOK_MS) {
        return;
    }
    p->look_ms = now_ms > 0 ? now_ms : 1;
    if (!try_one(p, WEDR_MSG_PACKAGES_DPKG, dpkg_state, dpkg_read)) {
        (void)try_one(p, WEDR_MSG_PACKAGES_RPM, rpm_state, rpm_read);
    }
}

static void copy_name(const struct index *x, uint32_t at, char *out)
{
    (void)snprintf(out, WEDR_MSG_NAME_MAX, "%s", (const char *)x->text.p + at);
}

bool wedr_packages_owner(struct wedr_packages *p,
                         const char *path,
                         uint64_t now_ms,
                         char ret_name[WEDR_MSG_NAME_MAX],
                         char ret_version[WEDR_MSG_NAME_MAX])
{
    look(p, now_ms);
    const struct index *x = &p->x;
    uint64_t want = hash_of(x, path, strlen(path));
    uint32_t low = 0;
    uint32_t high = x->file_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (x->file[mid] < want) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low == x->file_count || x->file[low] >> PACKAGE_BITS != want >> PACKAGE_BITS) {
        return false;
    }
    const struct package *of = &x->package[x->file[low] & ((1u << PACKAGE_BITS) - 1)];
    copy_name(x, of->name, ret_name);
    copy_name(x, of->version, ret_version);
    return true;
}

void wedr_packages_stats(const struct wedr_packages *p, struct wedr_packages_stats *ret)
{
    ret->packages = p->x.package_count;
    ret->files = p->x.file_count;
    ret->bytes = (uint64_t)p->x.file_room * sizeof(p->x.file[0]) +
                 (uint64_t)p->x.package_room * sizeof(p->x.package[0]) + p->x.text.len;
    ret->source = p->source;
}
