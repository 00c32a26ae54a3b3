/* SPDX-License-Identifier: Apache-2.0
 * bench/rules_lane.c */
#include "rules_lane.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 5 /* of the latency of each event: the best counts, others share the machine */

enum work { DECODED, JSON, READ_ONLY };

/* What this process used of a core: others share the machine. */
static uint64_t cpu_ns(void)
{
    return (uint64_t)clock() * (UINT64_C(1000000000) / CLOCKS_PER_SEC);
}

int bench_read_file(const char *path, struct wedr_buf *out)
{
    wedr_handle h;
    int r = wedr_fs_open(path, WEDR_FS_READ, 0, &h);
    if (r == WEDR_OK) {
        r = wedr_fs_read_all(h, out);
        wedr_fs_close(h);
    }
    return r;
}

void bench_set_fini(struct bench_set *s)
{
    wedr_rule_event_free(s->ev);
    wedr_matcher_free(s->m);
    wedr_field_map_free(s->map);
    wedr_engine_free(s->e);
    memset(s, 0, sizeof(*s));
}

/* Keeps the values of the event at hand, texts resolved. The texts' memory does not move: as much
 * as the file has is set aside. */
static void keep_items(struct bench_lane *l, struct bench_set *s, struct bench_event *e)
{
    e->first = (uint32_t)(l->items.len / sizeof(struct bench_item));
    for (uint32_t i = 0; i < wedr_rule_event_value_count(s->ev); i++) {
        struct wedr_text t = wedr_rule_event_text(s->ev, i);
        const struct wedr_rule_value *v = wedr_rule_event_value(s->ev, i);
        struct bench_item item = {
            .field = v->field, .kind = v->kind, .boolean = v->boolean, .number = v->number};
        if (v->kind == WEDR_VALUE_TEXT) {
            item.text = wedr_text((const char *)l->texts.p + l->texts.len, t.len);
            wedr_buf_add(&l->texts, t.p, t.len);
        }
        if (v->kind != WEDR_VALUE_NULL) {
            wedr_buf_add(&l->items, &item, sizeof(item));
            e->count++;
        }
    }
    e->class_count = wedr_rule_event_class_count(s->ev);
    for (uint32_t i = 0; i < e->class_count; i++) {
        e->classes[i] = wedr_rule_event_class(s->ev, i);
    }
}

static int
add_line(struct bench_lane *l, struct bench_set *s, const char *path, const char *p, size_t len)
{
    struct wedr_errinfo ei = {""};
    const uint32_t *rules;
    size_t matches;
    if (wedr_rule_event_read_json(s->ev, s->map, p, len, &ei) < 0) {
        fprintf(stderr, "%s: %s\n", path, ei.text);
        return WEDR_OK;
    }
    int r = wedr_matcher_run(s->m, s->ev, &rules, &matches);
    struct bench_event *e = &l->events[l->count++];
    e->line = wedr_span(p, len);
    e->matches = (uint32_t)matches;
    keep_items(l, s, e);
    return r;
}

int bench_lane_read(struct bench_lane *l, struct bench_set *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    memset(l, 0, sizeof(*l));
    (void)snprintf(l->name, sizeof(l->name), "%s", slash ? slash + 1 : path);
    l->from = l;
    wedr_buf_init(&l->file, (size_t)1 << 30);
    wedr_buf_init(&l->texts, (size_t)1 << 30);
    wedr_buf_init(&l->items, (size_t)1 << 30);
    int r = bench_read_file(path, &l->file);
    l->events = wedr_alloc(BENCH_EVENTS_MAX, sizeof(*l->events));
    if (r < 0 || !l->events) {
        return r < 0 ? r : WEDR_E_NOMEM;
    }
    /* A value under several names is kept several times. */
    if (!wedr_buf_reserve(&l->texts, l->file.len * 4)) {
        return WEDR_E_NOMEM;
    }
    const char *p = (const char *)l->file.p;
    const char *end = p + l->file.len;
    while (r == WEDR_OK && p < end && l->count < BENCH_EVENTS_MAX) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t len = nl ? (size_t)(nl - p) : (size_t)(end - p);
        r = len > 1 ? add_line(l, s, path, p, len) : WEDR_OK;
        p += len + 1;
    }
    return r < 0 ? r : l->count > 0 ? WEDR_OK : WEDR_E_NOENT;
}

int bench_lane_derive(struct bench_lane *l,
                      const struct bench_lane *from,
                      const char *name,
                      bool matching,
                      size_t with_every)
{
    memset(l, 0, sizeof(*l));
    (void)snprintf(l->name, sizeof(l->name), "%s", name);
    l->from = from;
    l->events = wedr_alloc(BENCH_EVENTS_MAX * 2, sizeof(*l->events));
    if (!l->events) {
        return WEDR_E_NOMEM;
    }
    size_t other = 0;
    for (size_t i = 0; i < from->count; i++) {
        if ((from->events[i].matches > 0) != matching) {
            continue;
        }
        l->events[l->count++] = from->events[i];
        for (size_t n = 0;
             with_every && l->count % (with_every + 1) == with_every && n < from->count; n++) {
            other = (other + 1) % from->count;
            if ((from->events[other].matches > 0) != matching) {
                l->events[l->count++] = from->events[other];
            }
        }
    }
    return l->count > 0 ? WEDR_OK : WEDR_E_NOENT;
}

void bench_lane_fini(struct bench_lane *l)
{
    wedr_free(l->events);
    if (l->from == l) {
        wedr_buf_fini(&l->file);
        wedr_buf_fini(&l->texts);
        wedr_buf_fini(&l->items);
    }
    l->events = NULL;
}

/* What a decoder of records does: every value is set. */
static int
decode(const struct bench_lane *l, struct wedr_rule_event *to, const struct bench_event *e)
{
    const struct bench_item *items = (const struct bench_item *)(const void *)l->from->items.p;
    int r = WEDR_OK;
    wedr_rule_event_clear(to);
    for (uint32_t i = 0; r == WEDR_OK && i < e->class_count; i++) {
        r = wedr_rule_event_add_class(to, e->classes[i]);
    }
    for (uint32_t i = 0; r == WEDR_OK && i < e->count; i++) {
        const struct bench_item *v = &items[e->first + i];
        if (v->kind == WEDR_VALUE_TEXT) {
            r = wedr_rule_event_add_text(to, v->field, v->text.p, v->text.len);
        } else if (v->kind == WEDR_VALUE_BOOL) {
            r = wedr_rule_event_add_bool(to, v->field, v->boolean);
        } else if (v->number.kind == WEDR_NUMBER_I64) {
            r = wedr_rule_event_add_i64(to, v->field, v->number.v.i);
        } else if (v->number.kind == WEDR_NUMBER_U64) {
            r = wedr_rule_event_add_u64(to, v->field, v->number.v.u);
        } else {
            r = wedr_rule_event_add_f64(to, v->field, v->number.v.f);
        }
    }
    return r;
}

static int
once(const struct bench_lane *l, struct bench_set *s, const struct bench_event *e, enum work work)
{
    const uint32_t *rules;
    size_t count;
    int r = work == DECODED ? decode(l, s->ev, e)
                            : wedr_rule_event_read_json(s->ev, s->map, (const char *)e->line.p,
                                                        e->line.len, NULL);
    if (r == WEDR_OK && work != READ_ONLY) {
        r = wedr_matcher_run(s->m, s->ev, &rules, &count);
        r = r == WEDR_OK && count != e->matches ? WEDR_E_BUG : r;
    }
    return r;
}

static int all(const struct bench_lane *l, struct bench_set *s, enum work work)
{
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && i < l->count; i++) {
        r = once(l, s, &l->events[i], work);
    }
    return r;
}

/* Nanoseconds of a core per event over whole passes, the fastest of them. */
static int pass_ns(
    const struct bench_lane *l, struct bench_set *s, double seconds, enum work work, double *ret_ns)
{
    uint64_t until = wedr_time_mono_ns() + (uint64_t)(seconds * 1e9);
    uint64_t best = UINT64_MAX;
    uint64_t passes = l->count < 2000 ? 2000 / l->count + 1 : 1; /* in one measurement */
    int r = WEDR_OK;
    do {
        uint64_t start = cpu_ns();
        for (uint64_t i = 0; r == WEDR_OK && i < passes; i++) {
            r = all(l, s, work);
        }
        uint64_t took = cpu_ns() - start;
        best = took < best ? took : best;
    } while (r == WEDR_OK && wedr_time_mono_ns() < until);
    *ret_ns = (double)best / (double)(l->count * passes);
    return r;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Latencies of single events from their JSON lines. */
static int latencies(const struct bench_lane *l, struct bench_set *s, struct bench_result *ret)
{
    uint32_t *ns = wedr_alloc(l->count, sizeof(*ns));
    int r = ns ? WEDR_OK : WEDR_E_NOMEM;
    for (int round = 0; r == WEDR_OK && round < ROUNDS; round++) {
        for (size_t i = 0; r == WEDR_OK && i < l->count; i++) {
            uint64_t start = wedr_time_mono_ns();
            r = once(l, s, &l->events[i], JSON);
            uint64_t took = wedr_time_mono_ns() - start;
            ns[i] = round == 0 || took < ns[i] ? (uint32_t)took : ns[i];
        }
    }
    if (r == WEDR_OK) {
        qsort(ns, l->count, sizeof(*ns), by_size);
        ret->p99_ns = ns[l->count * 99 / 100];
        ret->worst_ns = ns[l->count - 1];
    }
    wedr_free(ns);
    return r;
}

int bench_lane_repeat(const struct bench_lane *l, struct bench_set *s, size_t passes, bool decoded)
{
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && i < passes; i++) {
        r = all(l, s, decoded ? DECODED : JSON);
    }
    return r;
}

int bench_lane_measure(const struct bench_lane *l,
                       struct bench_set *s,
                       double seconds,
                       struct bench_result *ret)
{
    struct wedr_matcher_stats before;
    struct wedr_matcher_stats after;
    double n = (double)l->count;
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < l->count; i++) {
        ret->bytes += (double)l->events[i].line.len / n;
        ret->matches += (double)l->events[i].matches / n;
        ret->classed += l->events[i].class_count > 0;
    }
    wedr_matcher_stats(s->m, &before);
    int r = all(l, s, DECODED);
    wedr_matcher_stats(s->m, &after);
    ret->candidates = (double)(after.candidates - before.candidates) / n;
    ret->regexes = (double)(after.regex_runs - before.regex_runs) / n;
    r = r == WEDR_OK ? pass_ns(l, s, seconds, DECODED, &ret->decoded_ns) : r;
    r = r == WEDR_OK ? pass_ns(l, s, seconds, JSON, &ret->json_ns) : r;
    r = r == WEDR_OK ? pass_ns(l, s, seconds, READ_ONLY, &ret->read_ns) : r;
    return r == WEDR_OK ? latencies(l, s, ret) : r;
}
