/* SPDX-License-Identifier: Apache-2.0
 * bench/rules.c — what matching costs: loads Sigma rules, then runs the events of each file over
 * them from JSON lines and from decoded events, and swaps the engine while another thread matches.
 * Prints one JSON object. rules [-s SECONDS] [-j] [-d FILE] [-l LANE]
 * [-p DECODED JSON] RULES... -- EVENTS... RULES are folders or files; an EVENTS file has one JSON
 * event a line (rules_lanes.py makes them); -j lets regexes be machine code; -d: FILE of the EVENTS
 * is taken apart into the lanes no-match, low-match (one event of 100 matches) and match-heavy
 * (every event does); -l: nothing but this lane. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "rules_lane.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATH_BYTES 1024u
#define LANES_MAX 32
#define LOW_MATCH_EVERY 99

/* Rules on their way to a set. */
struct loading {
    struct wedr_ruleset *rs;
    struct wedr_sigma *sigma;
    uint64_t read_ns, parse_ns, compile_ns;
};

struct options {
    double seconds;
    bool jit;
    const char *derive, *only;
    size_t decoded_passes, json_passes; /* nothing but this much work */
};

/* What this process used of a core: others share the machine. */
static uint64_t cpu_ns(void)
{
    return (uint64_t)clock() * (UINT64_C(1000000000) / CLOCKS_PER_SEC);
}

static int add_path(struct loading *b, const char *path);

struct folder {
    struct loading *b;
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

static int add_path(struct loading *b, const char *path)
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
    int r = bench_read_file(path, &text);
    uint64_t middle = cpu_ns();
    if (r == WEDR_OK) {
        r = wedr_sigma_add(b->sigma, path, (const char *)text.p, text.len);
    }
    b->read_ns += middle - start;
    b->parse_ns += cpu_ns() - middle;
    wedr_buf_fini(&text);
    return r == WEDR_E_NOMEM ? r : WEDR_OK;
}

static void loading_fini(struct loading *b)
{
    wedr_sigma_free(b->sigma);
    wedr_ruleset_free(b->rs);
    memset(b, 0, sizeof(*b));
}

/* Reads and parses RULES. */
static int load(struct loading *b, int argc, char **argv, int *ret_at)
{
    memset(b, 0, sizeof(*b));
    b->rs = wedr_ruleset_new((size_t)256 << 20);
    b->sigma = b->rs ? wedr_sigma_new(b->rs, NULL, NULL, NULL) : NULL;
    int r = b->sigma ? WEDR_OK : WEDR_E_NOMEM;
    for (*ret_at = 0; r == WEDR_OK && *ret_at < argc && strcmp(argv[*ret_at], "--") != 0;
         ++*ret_at) {
        r = add_path(b, argv[*ret_at]);
    }
    uint64_t start = cpu_ns();
    (void)wedr_sigma_finish(b->sigma);
    b->parse_ns += cpu_ns() - start;
    return r;
}

/* All that a thread needs to match; takes the ruleset. */
static int compile(struct loading *b, bool jit, struct bench_set *s)
{
    struct wedr_errinfo ei = {""};
    const struct wedr_engine_options opts = {.jit = jit};
    uint64_t start = cpu_ns();
    memset(s, 0, sizeof(*s));
    int r = wedr_engine_new_take(b->rs, &opts, &s->e, &ei);
    if (r == WEDR_OK) {
        r = wedr_pipeline_map(b->rs, NULL, 0, true, &s->map, &ei);
        s->m = wedr_matcher_new(s->e);
        s->ev = wedr_rule_event_new(b->rs, NULL);
        b->rs = NULL;
    }
    b->compile_ns = cpu_ns() - start;
    if (r < 0) {
        fprintf(stderr, "%s\n", ei.text);
    }
    return r == WEDR_OK && (!s->m || !s->ev) ? WEDR_E_NOMEM : r;
}

/* A thread that matches a lane over and over, and takes the next set between two events. */
struct feeder {
    struct bench_set *now;
    struct bench_set *_Atomic next;
    atomic_bool stop, taken;
    const struct bench_lane *lane;
    uint64_t events, after, wrong; /* matched by either set, by the second; other than expected */
    uint64_t pause_ns;             /* the longest time between two events around the change */
    uint64_t taken_ns;
};

static void feed(void *arg)
{
    struct feeder *f = arg;
    const uint32_t *rules;
    size_t count;
    uint64_t before = wedr_time_mono_ns();
    for (size_t i = 0; !atomic_load_explicit(&f->stop, memory_order_relaxed); i++) {
        const struct bench_event *e = &f->lane->events[i % f->lane->count];
        struct bench_set *next = atomic_load_explicit(&f->next, memory_order_acquire);
        if (next && next != f->now) {
            f->now = next;
            f->taken_ns = wedr_time_mono_ns();
            atomic_store(&f->taken, true);
        }
        int r = wedr_rule_event_read_json(f->now->ev, f->now->map, (const char *)e->line.p,
                                          e->line.len, NULL);
        r = r == WEDR_OK ? wedr_matcher_run(f->now->m, f->now->ev, &rules, &count) : r;
        f->wrong += r < 0 || count != e->matches;
        f->events++;
        f->after += f->now == next;
        uint64_t now = wedr_time_mono_ns();
        f->pause_ns = now - before > f->pause_ns ? now - before : f->pause_ns;
        before = now;
    }
}

/* Compiles a second set while a thread matches with the first, and hands it over. */
static int swap(struct bench_set *s,
                const struct bench_lane *lane,
                const struct options *o,
                int argc,
                char **argv)
{
    struct loading b;
    struct bench_set second = {.e = NULL};
    struct feeder f = {.now = s, .lane = lane};
    struct wedr_thread *t = NULL;
    int at;
    int r = load(&b, argc, argv, &at);
    r = r == WEDR_OK ? wedr_thread_new(&t, "feed", feed, &f) : r;
    if (r == WEDR_OK) {
        wedr_time_sleep_ms(50);
        uint64_t start = wedr_time_mono_ns();
        r = compile(&b, o->jit, &second);
        atomic_store_explicit(&f.next, &second, memory_order_release);
        while (r == WEDR_OK && !atomic_load(&f.taken)) {
            wedr_time_sleep_ms(1);
        }
        wedr_time_sleep_ms(50);
        atomic_store(&f.stop, true);
        wedr_thread_join(t);
        printf("\"swap\":{\"until_taken_ms\":%.1f,\"longest_pause_us\":%.1f,"
               "\"events\":%" PRIu64 ",\"by_second\":%" PRIu64 ",\"wrong\":%" PRIu64 "},",
               (double)(f.taken_ns - start) / 1e6, (double)f.pause_ns / 1e3, f.events, f.after,
               f.wrong);
    }
    loading_fini(&b);
    bench_set_fini(&second);
    return r;
}

static void print_engine(const struct loading *b, const struct bench_set *s)
{
    struct wedr_sigma_stats st;
    struct wedr_engine_info i;
    wedr_sigma_stats(b->sigma, &st);
    wedr_engine_info(s->e, &i);
    printf("\"files\":%" PRIu32 ",\"rules\":%" PRIu32 ",\"refused\":%" PRIu32 ",\"always\":%" PRIu32
           ",\"literals\":%" PRIu32 ",\"states\":%" PRIu32 ",\"atoms\":%" PRIu32
           ",\"residual\":%" PRIu32 ",\"fields\":%" PRIu32 ",\"regexes\":%" PRIu32 ",",
           st.files, i.rules, st.refused, i.rules_always, i.literals, i.states, i.atoms, i.residual,
           i.fields, i.regexes);
    printf("\"read_ms\":%.1f,\"parse_ms\":%.1f,\"compile_ms\":%.1f,\"automaton_bytes\":%zu,"
           "\"table_bytes\":%zu,\"ruleset_bytes\":%zu,\"total_bytes\":%zu,\"map_bytes\":%zu,"
           "\"matcher_bytes\":%zu,",
           (double)b->read_ns / 1e6, (double)b->parse_ns / 1e6, (double)b->compile_ns / 1e6,
           i.automaton_bytes, i.table_bytes, i.ruleset_bytes, i.total_bytes,
           wedr_field_map_memory(s->map), wedr_matcher_memory(s->m));
}

static int print_lane(const struct bench_lane *l, struct bench_set *s, double seconds, bool first)
{
    struct bench_result x;
    int r = bench_lane_measure(l, s, seconds, &x);
    if (r == WEDR_OK) {
        printf("%s{\"lane\":\"%s\",\"events\":%zu,\"with_class\":%zu,\"bytes_per_event\":%.0f,"
               "\"decoded_per_second\":%.0f,\"json_per_second\":%.0f,\"read_only_per_second\":%.0f,"
               "\"p99_ns\":%" PRIu32 ",\"worst_ns\":%" PRIu32
               ",\"candidates_per_event\":%.2f,\"matches_per_event\":%.3f,"
               "\"regexes_per_event\":%.2f}",
               first ? "" : ",", l->name, l->count, x.classed, x.bytes, 1e9 / x.decoded_ns,
               1e9 / x.json_ns, 1e9 / x.read_ns, x.p99_ns, x.worst_ns, x.candidates, x.matches,
               x.regexes);
    }
    return r;
}

struct lanes {
    struct bench_lane all[LANES_MAX];
    int count;
};

/* EVENTS, and what one of them is taken apart into. */
static int
read_lanes(struct lanes *l, struct bench_set *s, const struct options *o, int argc, char **argv)
{
    int r = WEDR_OK;
    for (int i = 0; r == WEDR_OK && i < argc && l->count < LANES_MAX - 3; i++) {
        struct bench_lane *lane = &l->all[l->count++];
        r = bench_lane_read(lane, s, argv[i]);
        if (r < 0) {
            fprintf(stderr, "%s: %s\n", argv[i], wedr_err_name(r));
        } else if (o->derive && strcmp(o->derive, argv[i]) == 0) {
            r = bench_lane_derive(&l->all[l->count++], lane, "no-match", false, 0);
            r = r < 0 ? r
                      : bench_lane_derive(&l->all[l->count++], lane, "low-match", false,
                                          LOW_MATCH_EVERY);
            r = r < 0 ? r : bench_lane_derive(&l->all[l->count++], lane, "match-heavy", true, 0);
        }
    }
    return r;
}

static int run(const struct options *o, int argc, char **argv)
{
    struct loading b;
    struct bench_set s = {.e = NULL};
    struct lanes *l = wedr_alloc(1, sizeof(*l));
    int at;
    int r = load(&b, argc, argv, &at);
    r = r == WEDR_OK && !l ? WEDR_E_NOMEM : r;
    r = r == WEDR_OK ? compile(&b, o->jit, &s) : r;
    r = r == WEDR_OK ? read_lanes(l, &s, o, argc - at - 1, argv + at + 1) : r;
    if (r == WEDR_OK) {
        printf("{");
        print_engine(&b, &s);
        r = l->count > 0 && !o->only ? swap(&s, &l->all[0], o, argc, argv) : WEDR_OK;
        printf("\"lanes\":[");
        bool first = true;
        for (int i = 0; r == WEDR_OK && i < l->count; i++) {
            if (o->only && strcmp(o->only, l->all[i].name) != 0) {
                continue;
            }
            if (o->decoded_passes + o->json_passes > 0) {
                r = bench_lane_repeat(&l->all[i], &s, o->decoded_passes, true);
                r = r == WEDR_OK ? bench_lane_repeat(&l->all[i], &s, o->json_passes, false) : r;
            } else {
                r = print_lane(&l->all[i], &s, o->seconds, first);
                first = false;
            }
        }
        printf("]}\n");
    }
    for (int i = 0; l && i < l->count; i++) {
        bench_lane_fini(&l->all[i]);
    }
    wedr_free(l);
    loading_fini(&b);
    bench_set_fini(&s);
    return r;
}

int main(int argc, char **argv)
{
    struct options o = {.seconds = 1};
    int at = 1;
    for (; at < argc && argv[at][0] == '-' && argv[at][1] != '-'; at++) {
        if (strcmp(argv[at], "-j") == 0) {
            o.jit = true;
        } else if (strcmp(argv[at], "-s") == 0 && at + 1 < argc) {
            o.seconds = strtod(argv[++at], NULL);
        } else if (strcmp(argv[at], "-d") == 0 && at + 1 < argc) {
            o.derive = argv[++at];
        } else if (strcmp(argv[at], "-l") == 0 && at + 1 < argc) {
            o.only = argv[++at];
        } else if (strcmp(argv[at], "-p") == 0 && at + 2 < argc) {
            o.decoded_passes = (size_t)strtoul(argv[++at], NULL, 10);
            o.json_passes = (size_t)strtoul(argv[++at], NULL, 10);
        }
    }
    int r = run(&o, argc - at, argv + at);
    if (r < 0) {
        fprintf(stderr, "rules: %s\n", wedr_err_name(r));
    }
    return r < 0;
}
