/* SPDX-License-Identifier: Apache-2.0
 * tests/rules/bundle_probe.c — bundle_probe EVENTS RULES...: Sigma folders or files as they are and
 * as a bundle that was written and loaded; every event (one JSON object a line) through both. Says
 * how much there was, what differed, and what writing and loading took, as one JSON object. */
#include "core/base/err.h"
#include "wedr/plat/fs.h"
#include "wedr/rules/bundle.h"
#include "wedr/rules/engine.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEMORY_MAX ((size_t)256 << 20)

struct side {
    struct wedr_engine *e;
    struct wedr_field_map *map;
    struct wedr_matcher *m;
    struct wedr_rule_event *ev;
};

static void need(int err, const char *what)
{
    if (err < 0) {
        fprintf(stderr, "bundle_probe: %s: %s\n", what, wedr_err_text(err));
        exit(1);
    }
}

static double cpu_ms(void)
{
    return (double)clock() * 1000.0 / CLOCKS_PER_SEC;
}

static void read_file(const char *path, struct wedr_buf *b)
{
    wedr_handle h;
    wedr_buf_init(b, (size_t)1 << 30);
    need(wedr_fs_open(path, WEDR_FS_READ, 0, &h), path);
    need(wedr_fs_read_all(h, b), path);
    wedr_fs_close(h);
}

static void add_path(struct wedr_sigma *s, const char *path);

struct folder {
    struct wedr_sigma *s;
    const char *path;
};

static int add_entry(void *ctx, const char *name)
{
    const struct folder *f = ctx;
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s", f->path, name);
    if (name[0] != '.') {
        add_path(f->s, path);
    }
    return WEDR_OK;
}

static void add_path(struct wedr_sigma *s, const char *path)
{
    wedr_handle h;
    size_t len = strlen(path);
    if (len > 4 && strcmp(path + len - 4, ".yml") == 0) {
        struct wedr_buf b;
        read_file(path, &b);
        wedr_sigma_add(s, path, (const char *)b.p, b.len); /* a refused rule is in neither */
        wedr_buf_fini(&b);
    } else if (wedr_fs_open_dir(path, &h) == WEDR_OK) {
        struct folder f = {s, path};
        need(wedr_fs_list(h, add_entry, &f), path);
        wedr_fs_close(h);
    }
}

static void open_side(struct side *s, struct wedr_ruleset *rs)
{
    need(wedr_engine_new_take(rs, NULL, &s->e, NULL), "engine");
    s->m = wedr_matcher_new(s->e);
    s->ev = wedr_rule_event_new(rs, NULL);
    need(s->m && s->ev ? WEDR_OK : WEDR_E_NOMEM, "matcher");
}

static void close_side(struct side *s)
{
    wedr_matcher_free(s->m);
    wedr_rule_event_free(s->ev);
    wedr_field_map_free(s->map);
    wedr_engine_free(s->e);
}

/* What an event is for one side: rules that match, by id. */
static int match(struct side *s, const char *p, size_t len, const uint32_t **rules, size_t *count)
{
    int err = wedr_rule_event_read_json(s->ev, s->map, p, len, NULL);
    return err < 0 ? err : wedr_matcher_run(s->m, s->ev, rules, count);
}

static bool same_rule(const struct side *a, uint32_t x, const struct side *b, uint32_t y)
{
    const struct wedr_rule *p = wedr_ruleset_rule(wedr_engine_ruleset(a->e), x);
    const struct wedr_rule *q = wedr_ruleset_rule(wedr_engine_ruleset(b->e), y);
    return p->id.len == q->id.len && memcmp(p->id.p, q->id.p, p->id.len) == 0 &&
           p->title.len == q->title.len && memcmp(p->title.p, q->title.p, p->title.len) == 0;
}

static bool same(struct side *a, struct side *b, const char *p, size_t len, uint64_t *matches)
{
    const uint32_t *x = NULL;
    const uint32_t *y = NULL;
    size_t n = 0;
    size_t m = 0;
    int err = match(a, p, len, &x, &n);
    if (err != match(b, p, len, &y, &m) || n != m) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!same_rule(a, x[i], b, y[i])) {
            return false;
        }
    }
    *matches += n;
    return true;
}

static void compare(struct side *a, struct side *b, const char *path, uint64_t counts[3])
{
    struct wedr_buf text;
    read_file(path, &text);
    const char *end = (const char *)text.p + text.len;
    for (const char *p = (const char *)text.p; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t len = nl ? (size_t)(nl - p) : (size_t)(end - p);
        counts[0]++;
        if (!same(a, b, p, len, &counts[1])) {
            counts[2]++;
            fprintf(stderr, "differs: %.*s\n", (int)(len < 2000 ? len : 2000), p);
        }
        p += len + 1;
    }
    wedr_buf_fini(&text);
}

int main(int argc, char **argv)
{
    static const uint8_t seed[32] = {1};
    static const struct wedr_bundle_options o = {.serial = 1, .profile = "probe"};
    uint8_t public_key[32], secret_key[64];
    struct side a = {0};
    struct side b = {0};
    struct wedr_buf bytes;
    struct wedr_bundle_info info;
    struct wedr_ruleset *rs = wedr_ruleset_new(MEMORY_MAX);
    struct wedr_ruleset *loaded;
    struct wedr_errinfo ei = {{0}};
    uint64_t counts[3] = {0};
    struct wedr_sigma *s = wedr_sigma_new(rs, NULL, NULL, NULL);
    need(s && argc > 2 ? WEDR_OK : WEDR_E_INVAL, "EVENTS RULES...");
    for (int i = 2; i < argc; i++) {
        add_path(s, argv[i]);
    }
    wedr_sigma_finish(s);
    wedr_sigma_free(s);
    need(wedr_pipeline_map(rs, NULL, 0, true, &a.map, NULL), "pipelines");
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    wedr_buf_init(&bytes, WEDR_BUNDLE_MAX);
    double t0 = cpu_ms();
    need(wedr_bundle_write(rs, a.map, &o, secret_key, &bytes, NULL, &ei), ei.text);
    double t1 = cpu_ms();
    need(wedr_bundle_check(bytes.p, bytes.len, public_key, &info, &ei), ei.text);
    double t2 = cpu_ms();
    need(wedr_bundle_load(bytes.p, bytes.len, MEMORY_MAX, &loaded, &b.map, &ei), ei.text);
    double t3 = cpu_ms();
    open_side(&b, loaded);
    double t4 = cpu_ms();
    open_side(&a, rs);
    compare(&a, &b, argv[1], counts);
    printf("{\"rules\":%u,\"bytes\":%zu,\"events\":%" PRIu64 ",\"matches\":%" PRIu64
           ",\"different\":%" PRIu64 ",\"write_ms\":%.1f,\"check_ms\":%.1f,\"load_ms\":%.1f,"
           "\"compile_ms\":%.1f}\n",
           (unsigned)info.rules, bytes.len, counts[0], counts[1], counts[2], t1 - t0, t2 - t1,
           t3 - t2, t4 - t3);
    wedr_buf_fini(&bytes);
    close_side(&b);
    close_side(&a);
    return 0;
}
