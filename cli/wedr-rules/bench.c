/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "common/show.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "events.h"
#include "wedr/plat/proc.h"
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define HELD_BYTES_MAX ((size_t)256 << 20) /* of event text */
#define HELD_EVENTS_MAX ((size_t)1 << 20)
#define SECONDS_MIN 2.0 /* of a core: whole passes until then */
#define FULL 1

struct held {
    struct wedr_buf text;
    uint32_t *lens; /* of the events in text, one behind the other */
    size_t count, cap;
};

static int hold(void *ctx, const char *path, const struct wedr_doc *doc, struct wedr_rule_event *ev)
{
    struct held *h = ctx;
    struct wedr_text json = wedr_text(doc->json, doc->len);
    (void)path;
    (void)ev;
    if (h->count == HELD_EVENTS_MAX || json.len > HELD_BYTES_MAX - h->text.len) {
        (void)fprintf(stderr, "only the first %zu events are used: at most 2^20 of 256 MiB\n",
                      h->count);
        return FULL;
    }
    if (h->count == h->cap) {
        size_t cap = h->cap ? 2 * h->cap : 1024;
        uint32_t *lens = wedr_realloc(h->lens, cap, sizeof(*lens));
        if (!lens) {
            return WEDR_E_NOMEM;
        }
        h->lens = lens;
        h->cap = cap;
    }
    wedr_buf_add(&h->text, json.p, json.len);
    h->lens[h->count++] = json.len;
    return h->text.overflow ? WEDR_E_NOMEM : WEDR_OK;
}

/* Every event once, from its text. */
static int pass(const struct wedr_load *l,
                const struct held *h,
                struct wedr_matcher *m,
                struct wedr_rule_event *ev)
{
    const char *at = (const char *)h->text.p;
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && i < h->count; i++) {
        const uint32_t *rules;
        size_t count;
        r = wedr_rule_event_read_json(ev, l->map, at, h->lens[i], NULL);
        if (r == WEDR_OK) {
            r = wedr_matcher_run(m, ev, &rules, &count);
        }
        at += h->lens[i];
    }
    return r;
}

static double cpu_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static int measure(const struct wedr_load *l, const struct held *h, bool json)
{
    struct wedr_matcher *m = wedr_matcher_new(l->engine);
    struct wedr_rule_event *ev = wedr_rule_event_new(wedr_engine_ruleset(l->engine), NULL);
    struct wedr_proc_usage usage = {.rss_bytes = 0};
    struct wedr_engine_info info;
    uint64_t events = 0;
    double seconds = 0;
    int r = m && ev ? pass(l, h, m, ev) : WEDR_E_NOMEM; /* memory and caches become warm */
    double start = cpu_seconds();
    while (r == WEDR_OK && seconds < SECONDS_MIN) {
        r = pass(l, h, m, ev);
        events += h->count;
        seconds = cpu_seconds() - start;
    }
    if (r == WEDR_OK) {
        r = wedr_proc_usage(0, &usage);
    }
    if (r == WEDR_OK) {
        uint64_t held = h->text.len + h->count * sizeof(*h->lens);
        usage.rss_bytes -= held < usage.rss_bytes ? held : 0;
        wedr_engine_info(l->engine, &info);
        (void)printf(
            json ? "{\"events\":%" PRIu64
                   ",\"seconds\":%.3f,\"events_per_second_per_core\":%.0f,\"rules\":%" PRIu32
                   ",\"rss_bytes\":%" PRIu64 "}\n"
                 : "%" PRIu64 " events in %.3f s of a core: %.0f a second, with %" PRIu32
                   " rules in %" PRIu64 " bytes of resident memory\n",
            events, seconds, (double)events / seconds, info.rules, usage.rss_bytes);
    }
    wedr_rule_event_free(ev);
    wedr_matcher_free(m);
    return r;
}

int wedr_rules_bench(const struct wedr_rules_args *args)
{
    struct wedr_errinfo ei = {""};
    struct wedr_load l = {.args = args};
    struct held h = {.count = 0};
    struct wedr_events e = {.load = &l, .fn = hold, .ctx = &h};
    wedr_buf_init(&h.text, HELD_BYTES_MAX);
    int r = wedr_load_rules(&l, &ei);
    if (r == WEDR_OK) {
        r = wedr_events_run(&e, args->more, args->more_count);
    }
    if (r >= 0) {
        r = h.count > 0 ? measure(&l, &h, args->json)
                        : wedr_fail(&ei, WEDR_E_NOENT, "there are no events");
    }
    if (r < 0) {
        wedr_show_problem("", 0, ei.text[0] ? ei.text : wedr_err_text(r));
    }
    wedr_buf_fini(&h.text);
    wedr_free(h.lens);
    wedr_load_fini(&l);
    return r < 0 || e.failed > 0 || l.failed > 0 ? WEDR_EXIT_FAILED : WEDR_EXIT_DONE;
}
