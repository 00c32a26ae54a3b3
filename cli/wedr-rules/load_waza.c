/* SPDX-License-Identifier: Apache-2.0 */
#include "below.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "load_language.h"
#include "walk.h"
#include "wedr/rules/pack.h"
#include "wedr/rules/waza.h"
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX ((size_t)16 << 10)

struct waza {
    struct wedr_loading *g;
    struct wedr_waza *loader;
    struct wedr_waza_stats stats; /* when the last file was done */
};

static void on_error(void *ctx, const struct wedr_waza_error *e)
{
    struct waza *w = ctx;
    struct wedr_load *l = w->g->l;
    char reason[WEDR_ERRINFO_MAX + 64];
    struct wedr_buf shown;
    wedr_buf_init(&shown, SHOWN_MAX);
    wedr_waza_error_print(e, &shown);
    const char *text = shown.p ? (const char *)shown.p : NULL;
    if (e->warning) {
        l->warnings++;
        if (!l->failed_fn && text) {
            (void)fputs(text, stderr);
        }
    } else {
        (void)snprintf(reason, sizeof(reason), e->column > 0 ? "%s (column %u)" : "%s", e->text,
                       (unsigned)e->column);
        wedr_load_failed(l, e->file, e->line, reason, text);
    }
    wedr_buf_fini(&shown);
}

static void on_rule(void *ctx, const struct wedr_waza_report *report)
{
    const struct waza *w = ctx;
    struct wedr_load *l = w->g->l;
    l->rules++;
    l->compiled++;
    l->correlations += wedr_ruleset_rule(l->rs, report->rule)->correlation != WEDR_IR_NONE;
}

static int read_pack(const char *name, struct wedr_buf *out)
{
    const char *text;
    size_t len;
    const char *have;
    for (size_t i = 0; (have = wedr_pack_file(i, &text, &len)) != NULL; i++) {
        if (strcmp(have, name) == 0) {
            wedr_buf_add(out, text, len);
            return out->overflow ? WEDR_E_LIMIT : WEDR_OK;
        }
    }
    return WEDR_E_NOENT;
}

/* What a rule includes lies below the folder, or beside the file, that a person named. */
static int on_read(void *ctx, const char *path, struct wedr_buf *out)
{
    const struct waza *w = ctx;
    const char *root = w->g->root;
    char folder[WEDR_WALK_PATH_MAX];
    if (root[0] == '@') {
        return strncmp(path, "@pack/", 6) == 0 ? read_pack(path + 6, out) : WEDR_E_PERM;
    }
    if (wedr_walk_is_folder(root)) {
        int n = snprintf(folder, sizeof(folder), "%s", root);
        if (n < 0 || (size_t)n >= sizeof(folder)) {
            return WEDR_E_LIMIT;
        }
    } else if (!wedr_below_folder(root, folder, sizeof(folder))) {
        return WEDR_E_LIMIT;
    }
    size_t len = strlen(folder);
    if (strcmp(folder, ".") == 0 && strncmp(path, "./", 2) != 0) {
        return wedr_below_read(folder, path, out);
    }
    while (len > 0 && folder[len - 1] == '/') {
        len--;
    }
    if (strncmp(path, folder, len) != 0 || path[len] != '/') {
        return WEDR_E_PERM;
    }
    const char *relative = path + len;
    while (*relative == '/') {
        relative++;
    }
    return wedr_below_read(folder, relative, out);
}

static int open_waza(struct wedr_loading *g, void **state)
{
    struct waza *w = wedr_alloc(1, sizeof(*w));
    if (!w) {
        return WEDR_E_NOMEM;
    }
    const struct wedr_waza_options options = {
        .read = on_read, .error = on_error, .report = on_rule, .ctx = w};
    w->g = g;
    w->loader = wedr_waza_new(g->l->rs, &options);
    *state = w;
    return w->loader ? WEDR_OK : WEDR_E_NOMEM;
}

/* Groups that did not become rules are rules that failed. */
static void count_refused(struct waza *w)
{
    struct wedr_waza_stats now;
    wedr_waza_stats(w->loader, &now);
    w->g->l->rules += now.refused - w->stats.refused;
    w->stats = now;
}

static int add(struct wedr_loading *g, void *state, const char *path, const char *text, size_t len)
{
    struct waza *w = state;
    (void)g;
    int r = wedr_waza_add(w->loader, path, text, len);
    count_refused(w);
    return r;
}

static int finish(struct wedr_loading *g, void *state)
{
    struct waza *w = state;
    (void)g;
    int r = wedr_waza_finish(w->loader);
    count_refused(w);
    return r;
}

static void close_waza(void *state)
{
    struct waza *w = state;
    if (w) {
        wedr_waza_free(w->loader);
        wedr_free(w);
    }
}

static const char *const endings[] = {".waza", NULL};

const struct wedr_load_language wedr_load_waza = {
    endings, WEDR_WAZA_FILE_MAX, "larger than 8 MiB", open_waza, add, finish, close_waza};
