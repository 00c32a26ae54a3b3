/* SPDX-License-Identifier: Apache-2.0
 * bench/agent_rules.c — Sigma files to a signed bundle, the bundle to an engine, the encoder's tap
 * to its events. */
#include "agent_rules.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "encode/tap.h"
#include "wedr/plat/fs.h"
#include "wedr/rules/bundle.h"
#include "wedr/rules/engine.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MEMORY_MAX ((size_t)256 << 20)

struct agent_rules {
    struct wedr_engine *e;
    struct wedr_field_map *map;
    struct wedr_tap *tap;
    struct wedr_rule_event *ev;
    struct wedr_matcher *m;
    struct agent_rules_info info;
};

static double cpu_ms(void)
{
    return (double)clock() * 1000.0 / CLOCKS_PER_SEC;
}

static int add_path(struct wedr_sigma *s, const char *path);

struct folder {
    struct wedr_sigma *s;
    const char *path;
};

static int add_entry(void *ctx, const char *name)
{
    const struct folder *f = ctx;
    char path[1024];
    int n = snprintf(path, sizeof(path), "%s/%s", f->path, name);
    return name[0] == '.' || n < 0 || (size_t)n >= sizeof(path) ? WEDR_OK : add_path(f->s, path);
}

static int add_path(struct wedr_sigma *s, const char *path)
{
    wedr_handle h;
    size_t len = strlen(path);
    if (len <= 4 || strcmp(path + len - 4, ".yml") != 0) {
        if (wedr_fs_open_dir(path, &h) != WEDR_OK) {
            return WEDR_OK; /* some other file */
        }
        struct folder f = {s, path};
        int err = wedr_fs_list(h, add_entry, &f);
        wedr_fs_close(h);
        return err;
    }
    struct wedr_buf b;
    wedr_buf_init(&b, WEDR_SIGMA_FILE_MAX);
    int err = wedr_fs_open(path, WEDR_FS_READ, 0, &h);
    if (err == WEDR_OK) {
        err = wedr_fs_read_all(h, &b);
        wedr_fs_close(h);
    }
    if (err == WEDR_OK) {
        (void)wedr_sigma_add(s, path, (const char *)b.p, b.len); /* refused ones stay out */
    }
    wedr_buf_fini(&b);
    return err;
}

/* The bundle that a server would make of the files. */
static int make_bundle(
    const char *path, uint32_t parts, struct wedr_buf *out, uint8_t public_key[32], double *ret_ms)
{
    static const uint8_t seed[32] = {1};
    uint8_t secret_key[64];
    const struct wedr_bundle_options o = {.serial = 1, .profile = "bench", .parts = parts};
    const char *yaml;
    size_t len;
    struct wedr_pipeline *p = NULL;
    struct wedr_field_map *map = NULL;
    struct wedr_ruleset *rs = wedr_ruleset_new(MEMORY_MAX);
    struct wedr_sigma *s = rs ? wedr_sigma_new(rs, NULL, NULL, NULL) : NULL;
    int err = s ? add_path(s, path) : WEDR_E_NOMEM;
    if (err == WEDR_OK) {
        (void)wedr_sigma_finish(s);
    }
    wedr_sigma_free(s);
    (void)wedr_pipeline_builtin(0, &yaml, &len);
    err = err < 0 ? err : wedr_pipeline_read(yaml, len, &p, NULL);
    const struct wedr_pipeline *const given[] = {p};
    err = err < 0 ? err : wedr_pipeline_map(rs, given, 1, parts == 0, &map, NULL);
    (void)crypto_sign_seed_keypair(public_key, secret_key, seed);
    double begin = cpu_ms();
    err = err < 0 ? err : wedr_bundle_write(rs, map, &o, secret_key, out, NULL, NULL);
    *ret_ms = cpu_ms() - begin;
    wedr_pipeline_free(p);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    return err;
}

static int
open_bundle(struct agent_rules *r, const struct wedr_buf *b, const uint8_t public_key[32])
{
    struct wedr_bundle_info info;
    struct wedr_ruleset *rs;
    struct wedr_errinfo ei = {""};
    double begin = cpu_ms();
    int err = wedr_bundle_check(b->p, b->len, public_key, &info, &ei);
    double checked = cpu_ms();
    err = err < 0 ? err : wedr_bundle_load(b->p, b->len, MEMORY_MAX, &rs, &r->map, &ei);
    double loaded = cpu_ms();
    if (err == WEDR_OK) {
        err = wedr_engine_new_take(rs, NULL, &r->e, &ei);
        if (err < 0) {
            wedr_ruleset_free(rs);
        }
    }
    r->info.check_ms = checked - begin;
    r->info.load_ms = loaded - checked;
    r->info.compile_ms = cpu_ms() - loaded;
    r->info.bundle_bytes = b->len;
    if (err < 0) {
        (void)fprintf(stderr, "bundle: %s\n", ei.text);
    } else {
        r->info.rules = info.rules;
    }
    return err;
}

/* What the tap works out at the first event of each type. */
static void ask_all(struct wedr_tap *tap)
{
    size_t count;
    const struct wedr_type_info *types = wedr_types(&count);
    for (size_t i = 0; i < count; i++) {
        (void)wedr_tap_wants(tap, WEDR_OS_LINUX, types[i].code);
        (void)wedr_tap_wants(tap, WEDR_OS_WINDOWS, types[i].code);
    }
}

struct agent_rules *
agent_rules_open(const char *path, uint32_t parts, const struct wedr_encoder *enc)
{
    uint8_t public_key[32];
    struct wedr_buf b;
    struct agent_rules *r = wedr_alloc(1, sizeof(*r));
    wedr_buf_init(&b, WEDR_BUNDLE_MAX);
    int err = r ? make_bundle(path, parts, &b, public_key, &r->info.write_ms) : WEDR_E_NOMEM;
    err = err < 0 ? err : open_bundle(r, &b, public_key);
    wedr_buf_fini(&b);
    double begin = cpu_ms();
    err = err < 0 ? err : wedr_tap_new(enc, r->map, &r->tap);
    if (err == WEDR_OK) {
        ask_all(r->tap);
    }
    if (r) {
        r->info.tap_ms = cpu_ms() - begin;
    }
    if (err == WEDR_OK) {
        struct wedr_engine_info info;
        r->ev = wedr_rule_event_new(wedr_engine_ruleset(r->e), NULL);
        r->m = wedr_matcher_new(r->e);
        wedr_engine_info(r->e, &info);
        r->info.memory_bytes = info.total_bytes + wedr_tap_memory(r->tap);
        err = r->ev && r->m ? WEDR_OK : WEDR_E_NOMEM;
    }
    if (err < 0) {
        (void)fprintf(stderr, "rules of %s: %s\n", path, wedr_err_text(err));
        agent_rules_free(r);
        return NULL;
    }
    return r;
}

uint32_t agent_rules_parts(const char *word)
{
    return strcmp(word, "all") == 0       ? 0
           : strcmp(word, "linux") == 0   ? WEDR_BUNDLE_AGENT | WEDR_BUNDLE_LINUX
           : strcmp(word, "windows") == 0 ? WEDR_BUNDLE_AGENT | WEDR_BUNDLE_WINDOWS
                                          : UINT32_MAX;
}

void agent_rules_free(struct agent_rules *r)
{
    if (r) {
        wedr_matcher_free(r->m);
        wedr_rule_event_free(r->ev);
        wedr_tap_free(r->tap);
        wedr_field_map_free(r->map);
        wedr_engine_free(r->e);
        wedr_free(r);
    }
}

void agent_rules_run(struct agent_rules *r,
                     const struct wedr_encoder *enc,
                     const struct wedr_event_view *v,
                     const char *line,
                     size_t len)
{
    const uint32_t *rules;
    size_t count;
    bool any;
    if (!wedr_tap_wants(r->tap, v->h.os, v->h.type)) {
        return;
    }
    r->info.wanted++;
    if (wedr_tap_fill(r->tap, enc, line, len, r->ev, &any) != WEDR_OK || !any) {
        return;
    }
    r->info.filled++;
    if (wedr_matcher_run(r->m, r->ev, &rules, &count) == WEDR_OK) {
        r->info.matches += count;
    }
}

void agent_rules_info(const struct agent_rules *r, struct agent_rules_info *ret)
{
    *ret = r->info;
}
