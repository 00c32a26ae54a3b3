/* SPDX-License-Identifier: Apache-2.0 */
#include "main/files.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/fs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 200000u

/* Names of one folder, sorted: the same folder gives the same order everywhere. */
struct names {
    char **v;
    size_t count;
};

static int add_name(void *arg, const char *name)
{
    struct names *n = arg;
    if (name[0] == '.') {
        return 0;
    }
    if (n->count == NAMES_MAX) {
        return WEDR_E_LIMIT;
    }
    if ((n->count & (n->count - 1)) == 0) {
        char **v = wedr_realloc(n->v, n->count ? n->count * 2 : 1, sizeof(*v));
        if (!v) {
            return WEDR_E_NOMEM;
        }
        n->v = v;
    }
    n->v[n->count] = wedr_strndup(name, strlen(name));
    return n->v[n->count++] ? 0 : WEDR_E_NOMEM;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_into(struct wedr_sources *s, wedr_handle f, const char *name, uint32_t *count)
{
    struct wedr_buf text;
    wedr_buf_init(&text, WEDR_RULE_SOURCE_TEXT_MAX);
    int err = wedr_fs_read_all(f, &text);
    if (err == WEDR_OK) {
        err = wedr_sources_add(s, name, text.p ? (const char *)text.p : "", text.len);
    }
    *count += err == WEDR_OK;
    wedr_buf_fini(&text);
    return err;
}

static int walk(struct wedr_sources *s,
                wedr_handle dir,
                const char *prefix,
                unsigned depth,
                uint32_t *count,
                struct wedr_errinfo *ei);

static int visit(struct wedr_sources *s,
                 wedr_handle dir,
                 const char *prefix,
                 const char *name,
                 unsigned depth,
                 uint32_t *count,
                 struct wedr_errinfo *ei)
{
    char path[WEDR_RULE_SOURCE_MAX];
    wedr_handle f = WEDR_HANDLE_NONE;
    struct wedr_fs_stat st = {0};
    int n = snprintf(path, sizeof(path), "%s/%s", prefix, name);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return wedr_fail(ei, WEDR_E_LIMIT, "%.200s/...: the path is too long", prefix);
    }
    int err = wedr_fs_open_at(dir, name, WEDR_FS_READ, 0, &f);
    if (err == WEDR_E_PERM) {
        return WEDR_OK; /* a link, a pipe: no rule */
    }
    err = err == WEDR_OK ? wedr_fs_stat(f, &st) : err;
    if (err == WEDR_OK && st.directory) {
        err = walk(s, f, path, depth + 1, count, ei);
    } else if (err == WEDR_OK && wedr_source_language(name)) {
        err = read_into(s, f, path, count);
    }
    wedr_fs_close(f);
    return err == WEDR_OK || (ei && ei->text[0])
               ? err
               : wedr_fail(ei, err, "%s: %s", path, wedr_err_text(err));
}

static int walk(struct wedr_sources *s,
                wedr_handle dir,
                const char *prefix,
                unsigned depth,
                uint32_t *count,
                struct wedr_errinfo *ei)
{
    struct names n = {NULL, 0};
    if (depth > WEDR_FILES_DEPTH_MAX) {
        return wedr_fail(ei, WEDR_E_LIMIT, "%s: folders are too deep", prefix);
    }
    int err = wedr_fs_list(dir, add_name, &n);
    if (n.count > 1) {
        qsort(n.v, n.count, sizeof(*n.v), compare);
    }
    for (size_t i = 0; i < n.count; i++) {
        if (err == WEDR_OK) {
            err = visit(s, dir, prefix, n.v[i], depth, count, ei);
        }
        wedr_free(n.v[i]);
    }
    wedr_free(n.v);
    return err;
}

/* The last component, without slashes behind it. */
static void last_name(const char *path, char *ret, size_t cap)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') {
        begin--;
    }
    (void)snprintf(ret, cap, "%.*s", (int)(end - begin), path + begin);
}

int wedr_files_add(struct wedr_sources *s,
                   const char *path,
                   uint32_t *ret_count,
                   struct wedr_errinfo *ei)
{
    char name[WEDR_RULE_SOURCE_MAX / 2];
    wedr_handle h = WEDR_HANDLE_NONE;
    if (strlen(path) >= sizeof(name)) {
        return wedr_fail(ei, WEDR_E_LIMIT, "%.100s...: the path is too long", path);
    }
    last_name(path, name, sizeof(name));
    int err = wedr_fs_open_dir(path, &h);
    if (err == WEDR_OK) {
        err = walk(s, h, name, 0, ret_count, ei);
        wedr_fs_close(h);
        return err;
    }
    if (!wedr_source_language(name)) {
        return wedr_fail(ei, WEDR_E_INVAL, "%s: rule files end in .yml, .yaml, .waza or .ioc",
                         path);
    }
    err = wedr_fs_open(path, WEDR_FS_READ, 0, &h);
    err = err == WEDR_OK ? read_into(s, h, name, ret_count) : err;
    wedr_fs_close(h);
    return err == WEDR_OK ? err : wedr_fail(ei, err, "%s: %s", path, wedr_err_text(err));
}
