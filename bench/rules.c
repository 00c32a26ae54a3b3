/* SPDX-License-Identifier: Apache-2.0
 * bench/rules.c — what matching costs: loads Sigma rules, then runs the events of each file over
 * them from JSON lines and from decoded events. Prints one JSON object. rules [-s SECONDS] [-j]
 * RULES... -- EVENTS... RULES are folders or files; an EVENTS file has one JSON event a line; -j
 * lets regexes be machine code. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include "wedr/rules/engine.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENTS_MAX 20000u
#define PATH_BYTES 1024u

struct bench {
    struct wedr_ruleset *rs;
    struct wedr_sigma *sigma;
    struct wedr_engine *e;
    struct wedr_field_map *map;
    struct wedr_matcher *m;
    double seconds;
    uint64_t read_ns, parse_ns, compile_ns;
    uint32_t *latency; /* ns of each event of a pass */
};

struct lane {
    struct wedr_buf text;
    struct wedr_span *lines;
    struct wedr_rule_event **events;
    size_t count, classed;
};

/* What this process used of a core: others share the machine. */
static uint64_t cpu_ns(void)
{
    return (uint64_t)clock() * (UINT64_C(1000000000) / CLOCKS_PER_SEC);
}

static int add_path(struct bench *b, const char *path);

struct folder {
    struct bench *b;
    const char *path;
};

static int add_entry(void *ctx, const char *name)
{
    const struct folder *f = ctx;
    char path[PATH_BYTES];
    if (name[0] == '.') {
        return 0;
    }
    int n = snprintf(path, sizeof(path), "%s/%s", f->path, name);
    return n < 0 || (size_t)n >= sizeof(path) ? WEDR_E_LIMIT : add_path(f->b, path);
}

static int read_file(const char *path, struct wedr_buf *out)
{
    wedr_handle h;
    int r = wedr_fs_open(path, WEDR_FS_READ, 0, &h);
    if (r == WEDR_OK) {
        r = wedr_fs_read_all(h, out);
        wedr_fs_close(h);
    }
    return r;
}

static int add_path(struct bench *b, const char *path)
{
    wedr_handle dir;
    size_t len = strlen(path);
    bool yaml = len > 4 && strcmp(path + len - 4, ".yml") == 0;
    if (!yaml) {
        int r = wedr_fs_open_dir(path, &dir);
        if (r == WEDR_OK) {
            struct folder f = {b, path};
            r = wedr_fs_list(dir, add_entry, &f);
            wedr_fs_close(dir);
        }
        return r == WEDR_E_INVAL ? WEDR_OK : r < 0 ? WEDR_OK : r; /* other files are no rules */
    }
    struct wedr_buf text;
    wedr_buf_init(&text, WEDR_SIGMA_FILE_MAX);
    uint64_t start = cpu_ns();
    int r = read_file(path, &text);
    uint64_t middle = cpu_ns();
    if (r == WEDR_OK) {
        r = wedr_sigma_add(b->sigma, path, (const char *)text.p, text.len);
    }
    b->read_ns += middle - start;
    b->parse_ns += cpu_ns() - middle;
    wedr_buf_fini(&text);
    return r == WEDR_E_NOMEM ? r : WEDR_OK;
}

static int compile(struct bench *b, bool jit)
{
    struct wedr_errinfo ei = {""};
    const struct wedr_engine_options opts = {.jit = jit};
    uint64_t start = cpu_ns();
    (void)wedr_sigma_finish(b->sigma);
    uint64_t middle = cpu_ns();
    b->parse_ns += middle - start;
    int r = wedr_engine_new_take(b->rs, &opts, &b->e, &ei);
    if (r == WEDR_OK) {
        r = wedr_pipeline_map(b->rs, NULL, 0, true, &b->map, &ei);
    }
    b->compile_ns = cpu_ns() - middle;
    b->m = r == WEDR_OK ? wedr_matcher_new(b->e) : NULL;
    if (!b->m) {
        fprintf(stderr, "%s\n", ei.text);
        return r < 0 ? r : WEDR_E_NOMEM;
    }
    return WEDR_OK;
}

/* Lines of the file, each decoded into an event of its own. */
static int lane_load(const struct bench *b, struct lane *l, const char *path)
{
    const struct wedr_rule_event_limits small = {.values_max = 512, .document_max = 1u << 17};
    struct wedr_errinfo ei = {""};
    wedr_buf_init(&l->text, (size_t)1 << 30);
    int r = read_file(path, &l->text);
    l->lines = wedr_alloc(EVENTS_MAX, sizeof(*l->lines));
    l->events = wedr_alloc(EVENTS_MAX, sizeof(*l->events));
    if (r < 0 || !l->lines || !l->events) {
        return r < 0 ? r : WEDR_E_NOMEM;
    }
    const char *p = (const char *)l->text.p;
    const char *end = p + l->text.len;
    while (p < end && l->count < EVENTS_MAX) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t len = nl ? (size_t)(nl - p) : (size_t)(end - p);
        struct wedr_rule_event *ev = wedr_rule_event_new(b->rs, &small);
        if (!ev) {
            return WEDR_E_NOMEM;
        }
        if (len > 1 && wedr_rule_event_read_json(ev, b->map, p, len, &ei) == WEDR_OK) {
            for (uint32_t i = 0; i < wedr_rule_event_value_count(ev); i++) {
                (void)wedr_rule_event_text(ev, i);
            }
            l->classed += wedr_rule_event_class_count(ev) > 0;
            l->lines[l->count] = wedr_span(p, len);
            l->events[l->count++] = ev;
        } else {
            if (len > 1) {
                fprintf(stderr, "%s: %s\n", path, ei.text);
            }
            wedr_rule_event_free(ev);
        }
        p += len + 1;
    }
    return l->count > 0 ? WEDR_OK : WEDR_E_NOENT;
}

static void lane_free(struct lane *l)
{
    for (size_t i = 0; i < l->count; i++) {
        wedr_rule_event_free(l->events[i]);
    }
    wedr_free(l->events);
    wedr_free(l->lines);
    wedr_buf_fini(&l->text);
}

enum work { DECODED, JSON, READ_ONLY };

/* What a decoder of records does: every value is set. */
static int copy_event(struct wedr_rule_event *to, const struct wedr_rule_event *from)
{
    int r = WEDR_OK;
    wedr_rule_event_clear(to);
    for (uint32_t i = 0; r == WEDR_OK && i < wedr_rule_event_class_count(from); i++) {
        r = wedr_rule_event_add_class(to, wedr_rule_event_class(from, i));
    }
    for (uint32_t i = 0; r == WEDR_OK && i < wedr_rule_event_value_count(from); i++) {
        const struct wedr_rule_value *v = wedr_rule_event_value(from, i);
        if (v->kind == WEDR_VALUE_NUMBER && v->number.kind == WEDR_NUMBER_I64) {
            r = wedr_rule_event_add_i64(to, v->field, v->number.v.i);
        } else if (v->kind == WEDR_VALUE_BOOL) {
            r = wedr_rule_event_add_bool(to, v->field, v->boolean);
        } else if (v->kind != WEDR_VALUE_NULL) {
            r = wedr_rule_event_add_text(to, v->field, v->text.p, v->text.len);
        }
    }
    return r;
}

static int once(struct bench *b,
                struct wedr_rule_event *ev,
                const struct wedr_rule_event *decoded,
                const struct wedr_span *line,
                enum work work,
                uint64_t *ret_matches)
{
    const uint32_t *rules;
    size_t count;
    int r = WEDR_OK;
    if (work == DECODED) {
        r = copy_event(ev, decoded);
    } else {
        r = wedr_rule_event_read_json(ev, b->map, (const char *)line->p, line->len, NULL);
    }
    if (r == WEDR_OK && work != READ_ONLY) {
        r = wedr_matcher_run(b->m, ev, &rules, &count);
        *ret_matches += r == WEDR_OK ? count : 0;
    }
    return r;
}

/* Nanoseconds of a core per event over whole passes, the fastest of them. */
static double
measure(struct bench *b, const struct lane *l, struct wedr_rule_event *reader, enum work work)
{
    uint64_t until = wedr_time_mono_ns() + (uint64_t)(b->seconds * 1e9);
    uint64_t best = UINT64_MAX;
    uint64_t matches = 0;
    uint64_t now;
    do {
        uint64_t start = cpu_ns();
        for (size_t i = 0; i < l->count; i++) {
            if (once(b, reader, l->events[i], &l->lines[i], work, &matches) < 0) {
                return -1;
            }
        }
        now = cpu_ns();
        best = now - start < best ? now - start : best;
    } while (wedr_time_mono_ns() < until);
    return (double)best / (double)l->count;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* 99th percentile of one event from its JSON line, the best of a few passes for each event. */
static uint32_t p99_ns(struct bench *b, const struct lane *l, struct wedr_rule_event *reader)
{
    uint64_t matches = 0;
    memset(b->latency, 0xFF, l->count * sizeof(*b->latency));
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < l->count; i++) {
            uint64_t start = wedr_time_mono_ns();
            (void)once(b, reader, NULL, &l->lines[i], JSON, &matches);
            uint64_t took = wedr_time_mono_ns() - start;
            b->latency[i] = took < b->latency[i] ? (uint32_t)took : b->latency[i];
        }
    }
    qsort(b->latency, l->count, sizeof(*b->latency), by_size);
    return b->latency[l->count * 99 / 100];
}

static int lane_run(struct bench *b, const char *path, bool first)
{
    struct lane l = {.count = 0};
    struct wedr_rule_event *reader = wedr_rule_event_new(b->rs, NULL);
    int r = reader ? lane_load(b, &l, path) : WEDR_E_NOMEM;
    if (r == WEDR_OK) {
        struct wedr_matcher_stats before;
        struct wedr_matcher_stats after;
        uint64_t matches = 0;
        wedr_matcher_stats(b->m, &before);
        for (size_t i = 0; i < l.count; i++) {
            (void)once(b, reader, l.events[i], NULL, DECODED, &matches);
        }
        wedr_matcher_stats(b->m, &after);
        double decoded = measure(b, &l, reader, DECODED);
        double json = measure(b, &l, reader, JSON);
        double only = measure(b, &l, reader, READ_ONLY);
        const char *name = strrchr(path, '/');
        double n = (double)l.count;
        printf("%s{\"lane\":\"%s\",\"events\":%zu,\"with_class\":%zu,\"bytes_per_event\":%.0f,"
               "\"decoded_per_second\":%.0f,"
               "\"json_per_second\":%.0f,\"read_only_per_second\":%.0f,"
               "\"p99_ns\":%" PRIu32 ",\"candidates_per_event\":%.2f,\"matches_per_event\":%.3f,"
               "\"regexes_per_event\":%.2f}",
               first ? "" : ",", name ? name + 1 : path, l.count, l.classed, (double)l.text.len / n,
               1e9 / decoded, 1e9 / json, 1e9 / only, p99_ns(b, &l, reader),
               (double)(after.candidates - before.candidates) / n, (double)matches / n,
               (double)(after.regex_runs - before.regex_runs) / n);
    } else {
        fprintf(stderr, "%s: %s\n", path, wedr_err_name(r));
    }
    lane_free(&l);
    wedr_rule_event_free(reader);
    return r;
}

static void print_engine(const struct bench *b)
{
    struct wedr_sigma_stats s;
    struct wedr_engine_info i;
    wedr_sigma_stats(b->sigma, &s);
    wedr_engine_info(b->e, &i);
    printf("\"files\":%" PRIu32 ",\"rules\":%" PRIu32 ",\"refused\":%" PRIu32 ",\"always\":%" PRIu32
           ",\"literals\":%" PRIu32 ",\"states\":%" PRIu32 ",\"atoms\":%" PRIu32
           ",\"residual\":%" PRIu32 ",\"fields\":%" PRIu32 ",\"regexes\":%" PRIu32 ",",
           s.files, i.rules, s.refused, i.rules_always, i.literals, i.states, i.atoms, i.residual,
           i.fields, i.regexes);
    printf("\"read_ms\":%.1f,\"parse_ms\":%.1f,\"compile_ms\":%.1f,\"automaton_bytes\":%zu,\"table_"
           "bytes\":%zu,"
           "\"ruleset_bytes\":%zu,\"total_bytes\":%zu,\"matcher_bytes\":%zu,",
           (double)b->read_ns / 1e6, (double)b->parse_ns / 1e6, (double)b->compile_ns / 1e6,
           i.automaton_bytes, i.table_bytes, i.ruleset_bytes, i.total_bytes,
           wedr_matcher_memory(b->m));
}

static int run(struct bench *b, int argc, char **argv, bool jit)
{
    int at = 0;
    int r = WEDR_OK;
    for (; r == WEDR_OK && at < argc && strcmp(argv[at], "--") != 0; at++) {
        r = add_path(b, argv[at]);
    }
    if (r == WEDR_OK) {
        r = compile(b, jit);
    }
    if (r < 0) {
        return r;
    }
    printf("{");
    print_engine(b);
    printf("\"lanes\":[");
    for (int i = at + 1; r == WEDR_OK && i < argc; i++) {
        r = lane_run(b, argv[i], i == at + 1);
    }
    printf("]}\n");
    return r;
}

int main(int argc, char **argv)
{
    struct bench b = {.seconds = 1};
    bool jit = false;
    int at = 1;
    for (; at < argc && argv[at][0] == '-' && argv[at][1] != '-'; at++) {
        if (strcmp(argv[at], "-j") == 0) {
            jit = true;
        } else if (strcmp(argv[at], "-s") == 0 && at + 1 < argc) {
            b.seconds = strtod(argv[++at], NULL);
        }
    }
    b.rs = wedr_ruleset_new((size_t)256 << 20);
    b.sigma = b.rs ? wedr_sigma_new(b.rs, NULL, NULL, NULL) : NULL;
    b.latency = wedr_alloc(EVENTS_MAX, sizeof(*b.latency));
    int r = b.sigma && b.latency ? run(&b, argc - at, argv + at, jit) : WEDR_E_NOMEM;
    if (r < 0) {
        fprintf(stderr, "rules: %s\n", wedr_err_name(r));
    }
    wedr_matcher_free(b.m);
    wedr_field_map_free(b.map);
    wedr_sigma_free(b.sigma);
    if (b.e) {
        wedr_engine_free(b.e);
    } else {
        wedr_ruleset_free(b.rs);
    }
    wedr_free(b.latency);
    return r < 0;
}
