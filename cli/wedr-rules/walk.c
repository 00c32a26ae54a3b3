/* SPDX-License-Identifier: Apache-2.0 */
#include "walk.h"

#include "below.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct walking {
    const struct wedr_walk *w;
    char path[WEDR_WALK_PATH_MAX]; /* of the folder or file at hand */
    size_t files;                  /* met so far */
    size_t failures;
};

struct names {
    char **v;
    size_t count, cap;
};

static void fail(struct walking *g, const char *reason)
{
    g->failures++;
    g->w->failed(g->w->ctx, g->path, reason);
}

bool wedr_walk_has_ending(const char *name, const char *const *endings)
{
    size_t len = strlen(name);
    for (; *endings; endings++) {
        size_t n = strlen(*endings);
        if (len > n && strcmp(name + len - n, *endings) == 0) {
            return true;
        }
    }
    return false;
}

static int add_name(void *ctx, const char *name)
{
    struct names *n = ctx;
    if (name[0] == '.') {
        return WEDR_OK;
    }
    if (n->count == WEDR_WALK_NAMES_MAX) {
        return WEDR_E_LIMIT;
    }
    if (n->count == n->cap) {
        size_t cap = n->cap ? 2 * n->cap : 64;
        char **v = wedr_realloc(n->v, cap, sizeof(*v));
        if (!v) {
            return WEDR_E_NOMEM;
        }
        n->v = v;
        n->cap = cap;
    }
    n->v[n->count] = wedr_strndup(name, strlen(name));
    return n->v[n->count++] ? WEDR_OK : WEDR_E_NOMEM;
}

static void names_fini(struct names *n)
{
    for (size_t i = 0; i < n->count; i++) {
        wedr_free(n->v[i]);
    }
    wedr_free(n->v);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int walk_folder(struct walking *g, wedr_handle dir, unsigned depth);

/* One name of the folder g->path. */
static int walk_entry(struct walking *g, wedr_handle dir, const char *name, unsigned depth)
{
    wedr_handle h = WEDR_HANDLE_NONE;
    struct wedr_fs_stat st = {.size = 0};
    int r = wedr_fs_open_at(dir, name, WEDR_FS_READ, 0, &h);
    if (r == WEDR_OK) {
        r = wedr_fs_stat(h, &st);
    }
    bool wanted = wedr_walk_has_ending(name, g->w->endings);
    if (r != WEDR_OK) {
        if (wanted || r != WEDR_E_PERM) {
            fail(g, r == WEDR_E_PERM ? "no permission, or no plain file (links are not followed)"
                                     : wedr_err_text(r));
        }
        r = WEDR_OK;
    } else if (st.directory) {
        r = walk_folder(g, h, depth + 1);
    } else if (wanted) {
        g->files++;
        r = g->w->file(g->w->ctx, g->path, h);
    }
    wedr_fs_close(h);
    return r;
}

static int walk_folder(struct walking *g, wedr_handle dir, unsigned depth)
{
    struct names names = {.count = 0};
    size_t len = strlen(g->path);
    if (depth > WEDR_WALK_DEPTH_MAX) {
        fail(g, "more than 32 folders deep");
        return WEDR_OK;
    }
    int r = wedr_fs_list(dir, add_name, &names);
    if (r != WEDR_OK && r != WEDR_E_NOMEM) {
        fail(g, wedr_err_text(r));
        r = WEDR_OK;
    }
    if (names.count > 1) {
        qsort(names.v, names.count, sizeof(*names.v), by_name);
    }
    for (size_t i = 0; r == WEDR_OK && i < names.count; i++) {
        const char *slash = len > 0 && g->path[len - 1] == '/' ? "" : "/";
        int n = snprintf(g->path + len, sizeof(g->path) - len, "%s%s", slash, names.v[i]);
        if (n < 0 || (size_t)n >= sizeof(g->path) - len) {
            fail(g, "path longer than 4,095 bytes");
        } else {
            r = walk_entry(g, dir, names.v[i], depth);
        }
        g->path[len] = '\0';
    }
    names_fini(&names);
    return r;
}

bool wedr_walk_is_folder(const char *path)
{
    wedr_handle h;
    if (wedr_below_open(path, &h) != WEDR_OK) {
        return false;
    }
    wedr_fs_close(h);
    return true;
}

int wedr_walk(const struct wedr_walk *w, const char *path)
{
    struct walking g = {.w = w};
    wedr_handle h;
    int n = snprintf(g.path, sizeof(g.path), "%s", path);
    if (n < 0 || (size_t)n >= sizeof(g.path)) {
        fail(&g, "path longer than 4,095 bytes");
        return WEDR_OK;
    }
    int r = wedr_below_open(path, &h);
    if (r == WEDR_OK) {
        r = walk_folder(&g, h, 1);
        if (r == WEDR_OK && g.files == 0 && g.failures == 0) {
            fail(&g, "no file with a known ending in this folder");
        }
        wedr_fs_close(h);
        return r;
    }
    r = wedr_fs_open(path, WEDR_FS_READ, 0, &h);
    if (r != WEDR_OK) {
        fail(&g, r == WEDR_E_PERM ? "no permission, or no plain file" : wedr_err_text(r));
        return WEDR_OK;
    }
    r = w->file(w->ctx, path, h);
    wedr_fs_close(h);
    return r;
}
