/* SPDX-License-Identifier: Apache-2.0
 *
 * dpkg: versions from /var/lib/dpkg/status, files from info/<package>[:<architecture>].list.
 * Diversions are not looked at: a diverted file keeps its first owner.
 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "enrich/packages_i.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_ROOM 4200u
#define READ_ROOM 65536u

struct reader {
    wedr_handle file;
    size_t n, at;
    bool skip; /* the rest of a line that was too long */
    char room[READ_ROOM];
};

/* The next line without its newline, NUL-terminated. False: the end. */
static bool next_line(struct reader *r, char **ret, size_t *ret_len)
{
    for (;;) {
        char *nl = r->n > r->at ? memchr(r->room + r->at, '\n', r->n - r->at) : NULL;
        if (nl) {
            *ret = r->room + r->at;
            *ret_len = (size_t)(nl - *ret);
            *nl = '\0';
            r->at += *ret_len + 1;
            if (!r->skip) {
                return true;
            }
            r->skip = false;
            continue;
        }
        size_t left = r->n - r->at;
        memmove(r->room, r->room + r->at, left);
        if (left == sizeof(r->room)) {
            r->skip = true;
            left = 0;
        }
        size_t more = 0;
        r->at = 0;
        r->n = left;
        if (wedr_fs_read(r->file, r->room + left, sizeof(r->room) - left, &more) != WEDR_OK) {
            return false;
        }
        if (more == 0 && (left == 0 || r->skip)) {
            return false;
        }
        if (more == 0) { /* the last line has no newline: it gets one */
            r->room[left] = '\n';
            more = 1;
        }
        r->n += more;
    }
}

static int open_folder(const char *root, const char *name, wedr_handle *ret)
{
    char path[PATH_ROOM];
    (void)snprintf(path, sizeof(path), "%s/var/lib/dpkg%s", root, name);
    return wedr_fs_open_dir(path, ret);
}

int dpkg_state(const char *root, struct database_state *ret)
{
    wedr_handle dir = WEDR_HANDLE_NONE;
    wedr_handle info = WEDR_HANDLE_NONE;
    wedr_handle status = WEDR_HANDLE_NONE;
    struct wedr_fs_stat st = {0};
    struct wedr_fs_stat st_info = {0};
    int err = open_folder(root, "", &dir);
    if (err == WEDR_OK) {
        err = wedr_fs_open_at(dir, "status", WEDR_FS_READ, 0, &status);
    }
    if (err == WEDR_OK) {
        err = open_folder(root, "/info", &info);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_stat(status, &st);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_stat(info, &st_info);
    }
    if (err == WEDR_OK && st.size > 0) {
        ret->first_us = st.mtime_us;
        ret->second_us = st_info.mtime_us;
        ret->size = st.size;
    }
    bool none = err != WEDR_OK || st.size == 0;
    wedr_fs_close(status);
    wedr_fs_close(info);
    wedr_fs_close(dir);
    return none ? WEDR_E_NOENT : WEDR_OK;
}

/* The value behind "name: ", or NULL. */
static const char *value(const char *line, const char *name)
{
    size_t n = strlen(name);
    return strncmp(line, name, n) == 0 && line[n] == ':' && line[n + 1] == ' ' ? line + n + 2
                                                                               : NULL;
}

static int read_status(struct reader *r, struct index *x)
{
    struct package p = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    char *line;
    size_t n;
    int err = WEDR_OK;
    bool more = true;
    while (err == WEDR_OK && more) {
        more = next_line(r, &line, &n);
        const char *v;
        if (!more || n == 0) { /* the end of one */
            if (p.name != UINT32_MAX && p.version != UINT32_MAX && p.arch != UINT32_MAX) {
                err = index_package(x, &p);
            }
            p = (struct package){UINT32_MAX, UINT32_MAX, UINT32_MAX};
        } else if ((v = value(line, "Package")) != NULL) {
            err = index_text(x, v, strlen(v), &p.name);
        } else if ((v = value(line, "Version")) != NULL) {
            err = index_text(x, v, strlen(v), &p.version);
        } else if ((v = value(line, "Architecture")) != NULL) {
            err = index_text(x, v, strlen(v), &p.arch);
        }
    }
    return err;
}

struct list_context {
    struct index *x;
    struct reader *r;
    wedr_handle info;
    int err;
};

static const char *text_at(const struct index *x, uint32_t at)
{
    return (const char *)x->text.p + at;
}

static const struct index *sorted; /* qsort has no argument for it; one thread */

static int by_name(const void *a, const void *b)
{
    const struct package *p = a;
    const struct package *q = b;
    int c = strcmp(text_at(sorted, p->name), text_at(sorted, q->name));
    return c != 0 ? c : strcmp(text_at(sorted, p->arch), text_at(sorted, q->arch));
}

/* The first of that name; with an architecture, that one. UINT32_MAX: none. */
static uint32_t find(const struct index *x, const char *name, const char *arch)
{
    uint32_t low = 0;
    uint32_t high = x->package_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (strcmp(text_at(x, x->package[mid].name), name) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    for (; low < x->package_count && strcmp(text_at(x, x->package[low].name), name) == 0; low++) {
        if (!arch || strcmp(text_at(x, x->package[low].arch), arch) == 0) {
            return low;
        }
    }
    return UINT32_MAX;
}

static int read_list(void *arg, const char *file_name)
{
    struct list_context *c = arg;
    char name[256];
    char *line;
    size_t n = strlen(file_name);
    if (n < 6 || n - 5 >= sizeof(name) || strcmp(file_name + n - 5, ".list") != 0) {
        return 0;
    }
    memcpy(name, file_name, n - 5);
    name[n - 5] = '\0';
    char *arch = strchr(name, ':');
    if (arch) {
        *arch++ = '\0';
    }
    uint32_t package = find(c->x, name, arch);
    if (package == UINT32_MAX ||
        wedr_fs_open_at(c->info, file_name, WEDR_FS_READ, 0, &c->r->file) != WEDR_OK) {
        return 0;
    }
    c->r->n = c->r->at = 0;
    c->r->skip = false;
    while (c->err == WEDR_OK && next_line(c->r, &line, &n)) {
        c->err = index_file(c->x, line, n, package);
    }
    wedr_fs_close(c->r->file);
    return c->err == WEDR_OK ? 0 : 1;
}

int dpkg_read(const char *root, struct index *x)
{
    struct list_context c = {.x = x, .info = WEDR_HANDLE_NONE, .err = WEDR_OK};
    wedr_handle dir = WEDR_HANDLE_NONE;
    c.r = wedr_alloc(1, sizeof(*c.r));
    if (!c.r) {
        return WEDR_E_NOMEM;
    }
    int err = open_folder(root, "", &dir);
    if (err == WEDR_OK) {
        err = wedr_fs_open_at(dir, "status", WEDR_FS_READ, 0, &c.r->file);
    }
    if (err == WEDR_OK) {
        err = read_status(c.r, x);
        wedr_fs_close(c.r->file);
    }
    if (err == WEDR_OK) {
        err = open_folder(root, "/info", &c.info);
    }
    if (err == WEDR_OK && x->package_count > 0) {
        sorted = x;
        qsort(x->package, x->package_count, sizeof(x->package[0]), by_name);
        (void)!wedr_fs_list(c.info, read_list, &c);
        err = c.err;
    }
    wedr_fs_close(c.info);
    wedr_fs_close(dir);
    wedr_free(c.r);
    return err;
}
