/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/loader.c — files, what they include, and the order in which rules come out. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "waza/compiler.h"
#include <string.h>

#define MAGIC 0x57415A41u
#define MEMORY_MAX ((size_t)512 << 20) /* of all files; only what is used is touched */
#define PASSES_MAX 64u                 /* rules of rules of rules */

static int make_lists(struct wedr_waza *w)
{
    struct wedr_waza_source s = {.arena = w->arena};
    for (size_t i = 0; i < w->options.list_count; i++) {
        const struct wedr_waza_list *from = &w->options.lists[i];
        struct wedr_waza_named *l = wedr_waza_alloc(&s, sizeof(*l));
        if (!l) {
            return WEDR_E_NOMEM;
        }
        l->name = wedr_text(from->name, strlen(from->name));
        struct wedr_waza_value **link = &l->first;
        for (size_t k = 0; k < from->count; k++) {
            struct wedr_waza_value *v = wedr_waza_alloc(&s, sizeof(*v));
            if (!v) {
                return WEDR_E_NOMEM;
            }
            v->kind = WAZA_TEXT;
            v->text = wedr_text(from->values[k], strlen(from->values[k]));
            *link = v;
            link = &v->next;
            l->count++;
        }
        l->next = w->lists;
        w->lists = l;
    }
    return WEDR_OK;
}

struct wedr_waza *wedr_waza_new(struct wedr_ruleset *rs, const struct wedr_waza_options *options)
{
    struct wedr_waza *w = wedr_alloc(1, sizeof(*w));
    if (!w) {
        return NULL;
    }
    w->magic = MAGIC;
    w->rs = rs;
    if (options) {
        w->options = *options;
    }
    w->pool.memory_max = MEMORY_MAX;
    w->arena = wedr_arena_new(MEMORY_MAX);
    if (!w->arena || make_lists(w) < 0) {
        wedr_waza_free(w);
        return NULL;
    }
    return w;
}

void wedr_waza_free(struct wedr_waza *w)
{
    if (w) {
        wedr_index_fini(&w->pool, &w->names);
        wedr_index_fini(&w->pool, &w->ids);
        wedr_vec_fini(&w->pool, &w->name_files, sizeof(struct wedr_waza_file *));
        wedr_vec_fini(&w->pool, &w->id_groups, sizeof(struct wedr_waza_taken));
        wedr_vec_fini(&w->pool, &w->waiting, sizeof(struct wedr_waza_waiting));
        wedr_pool_fini(&w->pool);
        wedr_arena_free(w->arena);
        w->magic = 0;
        wedr_free(w);
    }
}

/* --- Names of files and ids of rules. */

struct name_key {
    const struct wedr_waza *w;
    struct wedr_text text;
};

static bool same_name(const void *ctx, uint32_t id)
{
    const struct name_key *k = ctx;
    const struct wedr_waza_file *f = *WEDR_VEC_AT(struct wedr_waza_file *, k->w->name_files, id);
    return strlen(f->source.name) == k->text.len &&
           memcmp(f->source.name, k->text.p, k->text.len) == 0;
}

static bool same_id(const void *ctx, uint32_t id)
{
    const struct name_key *k = ctx;
    struct wedr_text have = WEDR_VEC_AT(const struct wedr_waza_taken, k->w->id_groups, id)->id;
    return have.len == k->text.len && memcmp(have.p, k->text.p, have.len) == 0;
}

static struct wedr_waza_file *find_file(const struct wedr_waza *w, struct wedr_text name)
{
    struct name_key key = {w, name};
    uint32_t id = wedr_index_find(&w->names, wedr_hash_bytes(name.p, name.len, 0), same_name, &key);
    return id == WEDR_IR_NONE ? NULL : *WEDR_VEC_AT(struct wedr_waza_file *, w->name_files, id);
}

/* A file of that name that is not yet read. NULL: no memory, or one too many. */
static struct wedr_waza_file *new_file(struct wedr_waza *w, struct wedr_text name)
{
    struct wedr_waza_file *f = wedr_arena_alloc(w->arena, sizeof(*f));
    uint32_t id = (uint32_t)w->name_files.count;
    if (!f || id >= WEDR_WAZA_FILES_MAX) {
        return NULL;
    }
    f->source.arena = w->arena;
    f->source.name = wedr_arena_strndup(w->arena, name.p, name.len);
    if (!f->source.name || wedr_vec_push(&w->pool, &w->name_files, &f, 1, sizeof(void *)) < 0 ||
        wedr_index_add(&w->pool, &w->names, wedr_hash_bytes(name.p, name.len, 0), id) < 0) {
        return NULL;
    }
    if (w->files_last) {
        w->files_last->next = f;
    } else {
        w->files = f;
    }
    w->files_last = f;
    w->stats.files++;
    return f;
}

static int take_id(struct wedr_waza *w, struct wedr_waza_file *f, struct wedr_waza_group *g)
{
    struct wedr_text id = g->id.len ? g->id : g->name;
    struct name_key key = {w, id};
    uint32_t hash = wedr_hash_bytes(id.p, id.len, 0);
    uint32_t at = wedr_index_find(&w->ids, hash, same_id, &key);
    if (at != WEDR_IR_NONE) {
        const struct wedr_waza_taken *t =
            WEDR_VEC_AT(const struct wedr_waza_taken, w->id_groups, at);
        g->bad = true;
        return wedr_waza_fail(&f->source, g->span, WEDR_E_EXIST,
                              "%s '%.*s' is used already in %s:%u", g->id.len ? "id" : "rule",
                              WEDR_WAZA_SHOWN(id), t->file->source.name, t->line);
    }
    struct wedr_waza_taken taken = {id, f, g->line};
    at = (uint32_t)w->id_groups.count;
    int e = wedr_vec_push(&w->pool, &w->id_groups, &taken, 1, sizeof(taken));
    return e < 0 ? e : wedr_index_add(&w->pool, &w->ids, hash, at);
}

/* --- Includes. */

/* Relative, and downwards only. */
static bool path_ok(struct wedr_text t)
{
    uint32_t begin = 0;
    for (uint32_t i = 0; i <= t.len; i++) {
        if (i < t.len && ((uint8_t)t.p[i] < ' ' || t.p[i] == '\\' || t.p[i] == 0x7F ||
                          (t.p[i] == ':' && i == 1))) {
            return false;
        }
        if (i == t.len || t.p[i] == '/') {
            uint32_t n = i - begin;
            if (n == 0 || (n == 1 && t.p[begin] == '.') ||
                (n == 2 && t.p[begin] == '.' && t.p[begin + 1] == '.')) {
                return false;
            }
            begin = i + 1;
        }
    }
    return true;
}

/* Folder of the file, and the text of the include; NULL when that is refused. */
static const char *
include_path(struct wedr_waza *w, const struct wedr_waza_file *f, struct wedr_text t)
{
    while (t.len > 2 && t.p[0] == '.' && t.p[1] == '/') {
        t.p += 2;
        t.len -= 2;
    }
    const char *slash = strrchr(f->source.name, '/');
    size_t folder = slash ? (size_t)(slash - f->source.name) + 1 : 0;
    if (!path_ok(t) || folder + t.len > WEDR_WAZA_PATH_MAX) {
        return NULL;
    }
    return wedr_arena_printf(w->arena, "%.*s%.*s", (int)folder, f->source.name, (int)t.len, t.p);
}

static int read_file(
    struct wedr_waza *w, struct wedr_waza_file *f, const char *text, size_t len, uint32_t depth);

static int read_include(struct wedr_waza *w,
                        struct wedr_waza_file *f,
                        struct wedr_waza_include *i,
                        const char *path,
                        uint32_t depth)
{
    struct wedr_buf text;
    wedr_buf_init(&text, WEDR_WAZA_FILE_MAX);
    int e = w->options.read ? w->options.read(w->options.ctx, path, &text) : WEDR_E_PERM;
    if (e == WEDR_OK && text.overflow) {
        e = WEDR_E_LIMIT;
    }
    if (e < 0) {
        e = wedr_waza_fail(&f->source, i->span, e, "read '%s': %s", path,
                           w->options.read ? wedr_err_text(e) : "includes are off");
    } else {
        i->file = new_file(w, wedr_text(path, strlen(path)));
        e = i->file ? read_file(w, i->file, (const char *)text.p, text.len, depth + 1)
                    : wedr_waza_fail(&f->source, i->span, WEDR_E_LIMIT, "too many files");
    }
    wedr_buf_fini(&text);
    return e;
}

static int
include(struct wedr_waza *w, struct wedr_waza_file *f, struct wedr_waza_include *i, uint32_t depth)
{
    const char *path = include_path(w, f, i->path);
    if (!path) {
        return wedr_waza_fail(
            &f->source, i->span, WEDR_E_PERM,
            "an include names a file in this folder or below: no absolute path, no "
            "'..', no backslash");
    }
    i->file = find_file(w, wedr_text(path, strlen(path)));
    if (i->file && i->file->open) {
        i->file = NULL;
        return wedr_waza_fail(&f->source, i->span, WEDR_E_FORMAT, "circular include: %s", path);
    }
    if (i->file) {
        return WEDR_OK; /* read before */
    }
    if (depth >= WEDR_WAZA_INCLUDE_DEPTH_MAX) {
        return wedr_waza_fail(&f->source, i->span, WEDR_E_LIMIT, "includes more than %u deep",
                              WEDR_WAZA_INCLUDE_DEPTH_MAX);
    }
    return read_include(w, f, i, path, depth);
}

/* Parses a file and all that it includes; files come into w->files in the order of their rules. */
static int read_file(
    struct wedr_waza *w, struct wedr_waza_file *f, const char *text, size_t len, uint32_t depth)
{
    struct wedr_waza_span whole = {0, 0};
    if (len > WEDR_WAZA_FILE_MAX) {
        f->source.text = "";
        return wedr_waza_fail(&f->source, whole, WEDR_E_LIMIT, "larger than %zu bytes",
                              WEDR_WAZA_FILE_MAX);
    }
    f->source.text = wedr_arena_strndup(w->arena, len ? text : "", len);
    if (!f->source.text) {
        f->source.text = "";
        return wedr_waza_fail(&f->source, whole, WEDR_E_LIMIT, "the rules need too much memory");
    }
    f->source.len = (uint32_t)len;
    f->open = true;
    wedr_waza_parse(f);
    for (struct wedr_waza_include *i = f->includes; i; i = i->next) {
        (void)include(w, f, i, depth);
    }
    f->open = false;
    return f->source.err;
}

/* --- Rules. */

static int tell(struct wedr_waza *w, struct wedr_waza_file *f)
{
    wedr_waza_tell(&f->source, w->options.error, w->options.ctx);
    w->stats.errors += f->source.errors;
    w->stats.warnings += f->source.warnings;
    f->source.errors = f->source.warnings = 0;
    int e = f->source.err;
    f->source.err = WEDR_OK;
    return e;
}

static int compile_file(struct wedr_waza *w, struct wedr_waza_file *f)
{
    for (struct wedr_waza_group *g = f->groups; g; g = g->next) {
        if (g->action) {
            w->stats.refused += g->bad && (!g->other || !g->other->bad);
            continue;
        }
        if (g->other && g->other->bad) {
            g->bad = true;
        }
        if (!g->other || g->lines.count == 0 || take_id(w, f, g) < 0) {
            w->stats.refused++;
            continue;
        }
        if (wedr_waza_names_rules(g)) {
            struct wedr_waza_waiting waiting = {f, g, false};
            int e = wedr_vec_push(&w->pool, &w->waiting, &waiting, 1, sizeof(waiting));
            if (e < 0) {
                (void)wedr_waza_fail(&f->source, g->span, e, "%s", wedr_err_text(e));
            }
        } else {
            (void)wedr_waza_compile(w, f, g);
        }
    }
    return tell(w, f);
}

int wedr_waza_add(struct wedr_waza *w, const char *file, const char *text, size_t len)
{
    WEDR_OBJ_CHECK(w, MAGIC);
    if (w->finished) {
        return WEDR_E_STATE;
    }
    if (strlen(file) > WEDR_WAZA_PATH_MAX) {
        return WEDR_E_LIMIT;
    }
    struct wedr_text name = wedr_text(file, strlen(file));
    if (find_file(w, name)) {
        return WEDR_OK;
    }
    struct wedr_waza_file *f = new_file(w, name);
    if (!f) {
        return WEDR_E_LIMIT;
    }
    (void)read_file(w, f, text, len, 0);
    int result = WEDR_OK;
    for (; f; f = f->next) { /* it and what it brought */
        int e = compile_file(w, f);
        result = e < 0 ? e : result;
    }
    return result;
}

int wedr_waza_finish(struct wedr_waza *w)
{
    WEDR_OBJ_CHECK(w, MAGIC);
    if (w->finished) {
        return WEDR_E_STATE;
    }
    w->finished = true;
    bool more = w->waiting.count > 0;
    for (uint32_t pass = 0; more; pass++) {
        bool last = pass >= PASSES_MAX;
        more = false;
        for (size_t i = 0; i < w->waiting.count; i++) {
            struct wedr_waza_waiting *x = WEDR_VEC_AT(struct wedr_waza_waiting, w->waiting, i);
            if (!x->done && (last || wedr_waza_rules_known(w->rs, x->group))) {
                x->done = more = true;
                (void)wedr_waza_compile(w, x->file, x->group);
            }
        }
        more = more && !last;
    }
    for (size_t i = 0; i < w->waiting.count; i++) { /* those whose rules never came */
        struct wedr_waza_waiting *x = WEDR_VEC_AT(struct wedr_waza_waiting, w->waiting, i);
        if (!x->done) {
            (void)wedr_waza_compile(w, x->file, x->group);
        }
    }
    int result = WEDR_OK;
    for (struct wedr_waza_file *f = w->files; f; f = f->next) {
        int e = tell(w, f);
        result = e < 0 ? e : result;
    }
    return result;
}

void wedr_waza_stats(const struct wedr_waza *w, struct wedr_waza_stats *ret_stats)
{
    *ret_stats = w->stats;
}
