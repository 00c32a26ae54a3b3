/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "note.h"
#include <string.h>

#define ARRAY_MAX ((size_t)256 << 20) /* bytes: beyond what the events of a batch can need */

struct item {
    uint64_t index, line, offset;
    int64_t time_us;
    uint32_t at, len; /* in text; the reason when it is bad */
    bool timed, bad;
};

struct ref {
    uint32_t at, len;
};

/* refs: the reason when it is bad; else the facts, further fields, a note of each rule. */
struct result {
    uint32_t item, ref_first;
    uint32_t rule_first, rule_count, more_count;
    int64_t time_us;
    bool timed, bad;
};

#define BUFS 6u

static struct wedr_buf *buf_at(struct wedr_batch *b, size_t i)
{
    struct wedr_buf *const all[BUFS] = {&b->text,  &b->items, &b->results,
                                        &b->rules, &b->refs,  &b->strings};
    return all[i];
}

void wedr_batch_init(struct wedr_batch *b)
{
    *b = (struct wedr_batch){.path = ""};
    for (size_t i = 0; i < BUFS; i++) {
        wedr_buf_init(buf_at(b, i), ARRAY_MAX);
    }
}

void wedr_batch_fini(struct wedr_batch *b)
{
    for (size_t i = 0; i < BUFS; i++) {
        wedr_buf_fini(buf_at(b, i));
    }
}

void wedr_batch_clear(struct wedr_batch *b)
{
    for (size_t i = 0; i < BUFS; i++) {
        wedr_buf_truncate(buf_at(b, i), 0);
    }
    b->events = b->unknown = b->outside = b->undated = 0;
    b->err = WEDR_OK;
}

bool wedr_batch_is_empty(const struct wedr_batch *b)
{
    return b->items.len == 0;
}

bool wedr_batch_is_full(const struct wedr_batch *b)
{
    return b->text.len >= WEDR_CREW_BATCH ||
           b->items.len >= WEDR_CREW_BATCH_EVENTS * sizeof(struct item);
}

int wedr_batch_add(struct wedr_batch *b, const struct wedr_doc *doc)
{
    const char *text = doc->bad ? doc->bad : doc->json;
    size_t len = doc->bad ? strlen(doc->bad) : doc->len;
    struct item it = {.index = doc->index,
                      .line = doc->line,
                      .offset = doc->offset,
                      .time_us = doc->time_us,
                      .at = (uint32_t)b->text.len,
                      .len = (uint32_t)len,
                      .timed = doc->timed,
                      .bad = doc->bad != NULL};
    wedr_buf_add(&b->text, text, len);
    wedr_buf_add(&b->items, &it, sizeof(it));
    return b->text.overflow || b->items.overflow ? WEDR_E_NOMEM : WEDR_OK;
}

int wedr_batch_worker_init(struct wedr_batch_worker *w, const struct wedr_crew *crew)
{
    const struct wedr_rule_event_limits limits = {.document_max = (uint32_t)WEDR_DOCS_BYTES_MAX};
    *w = (struct wedr_batch_worker){.crew = crew};
    w->matcher = wedr_matcher_new(crew->load->engine);
    w->event = wedr_rule_event_new(wedr_engine_ruleset(crew->load->engine), &limits);
    return w->matcher && w->event ? WEDR_OK : WEDR_E_NOMEM;
}

void wedr_batch_worker_fini(struct wedr_batch_worker *w)
{
    wedr_matcher_free(w->matcher);
    wedr_rule_event_free(w->event);
}

/* --- Matching. */

static void add_ref(struct wedr_batch *b, struct wedr_text t)
{
    struct ref ref = {(uint32_t)b->strings.len, t.len};
    wedr_buf_add(&b->strings, t.p, t.len);
    wedr_buf_add(&b->refs, &ref, sizeof(ref));
}

static uint32_t ref_count(const struct wedr_batch *b)
{
    return (uint32_t)(b->refs.len / sizeof(struct ref));
}

static void add_bad(struct wedr_batch *b, uint32_t item, const char *reason)
{
    struct result res = {.item = item, .ref_first = ref_count(b), .bad = true};
    add_ref(b, wedr_text(reason, strlen(reason) + 1));
    wedr_buf_add(&b->results, &res, sizeof(res));
}

static void add_note(struct wedr_batch *b, const struct wedr_batch_worker *w, uint32_t rule)
{
    struct ref ref = {.at = (uint32_t)b->strings.len};
    wedr_note(wedr_engine_ruleset(w->crew->load->engine), rule, w->event, &b->strings);
    ref.len = (uint32_t)b->strings.len - ref.at;
    wedr_buf_add(&b->refs, &ref, sizeof(ref));
}

static void add_hit(struct wedr_batch *b,
                    struct wedr_batch_worker *w,
                    struct result *res,
                    const uint32_t *rules,
                    size_t count)
{
    const struct wedr_facts *facts = &w->crew->load->facts;
    res->ref_first = ref_count(b);
    res->rule_first = (uint32_t)(b->rules.len / sizeof(uint32_t));
    for (size_t i = 0; i < count; i++) {
        if (w->crew->wanted[rules[i]]) {
            wedr_buf_add(&b->rules, &rules[i], sizeof(rules[i]));
            res->rule_count++;
        }
    }
    if (res->rule_count == 0) {
        return;
    }
    for (unsigned i = 0; i < WEDR_FACT_COUNT; i++) {
        add_ref(b, i == WEDR_FACT_TIME ? wedr_text("", 0)
                                       : wedr_facts_text(facts, w->event, (enum wedr_fact)i));
    }
    res->more_count = (uint32_t)facts->more_count;
    for (size_t i = 0; i < facts->more_count; i++) {
        add_ref(b, wedr_facts_more(facts, w->event, i));
    }
    for (uint32_t i = 0; i < res->rule_count; i++) {
        add_note(b, w, ((const uint32_t *)(const void *)b->rules.p)[res->rule_first + i]);
    }
    wedr_buf_add(&b->results, res, sizeof(*res));
}

/* Whether the event lies in the time asked for. */
static bool is_inside(struct wedr_batch *b, struct wedr_batch_worker *w, struct result *res)
{
    const struct wedr_crew *p = w->crew;
    if (!p->since_set && !p->until_set) {
        return true;
    }
    if (!res->timed) {
        res->timed = wedr_facts_time(&p->load->facts, w->event, &res->time_us);
    }
    bool inside = !res->timed || ((!p->since_set || res->time_us >= p->since_us) &&
                                  (!p->until_set || res->time_us < p->until_us));
    b->undated += !res->timed;
    b->outside += !inside;
    return inside;
}

static int match_one(struct wedr_batch *b, struct wedr_batch_worker *w, uint32_t i)
{
    const struct item *it = (const struct item *)(const void *)b->items.p + i;
    const char *text = (const char *)b->text.p + it->at;
    struct result res = {.item = i, .time_us = it->time_us, .timed = it->timed};
    struct wedr_errinfo ei = {""};
    const uint32_t *rules;
    size_t count;
    if (it->bad) {
        (void)wedr_fail(&ei, WEDR_E_FORMAT, "%.*s", (int)it->len, text);
        add_bad(b, i, ei.text);
        return WEDR_OK;
    }
    int r = wedr_rule_event_read_json(w->event, w->crew->load->map, text, it->len, &ei);
    if (r != WEDR_OK) {
        add_bad(b, i, ei.text[0] ? ei.text : wedr_err_text(r));
        return r == WEDR_E_NOMEM ? r : WEDR_OK;
    }
    b->events++;
    b->unknown += wedr_rule_event_class_count(w->event) == 0;
    if (!is_inside(b, w, &res)) {
        return WEDR_OK;
    }
    r = wedr_matcher_run(w->matcher, w->event, &rules, &count);
    if (r != WEDR_OK || count == 0) {
        return r;
    }
    if (!res.timed) {
        res.timed = wedr_facts_time(&w->crew->load->facts, w->event, &res.time_us);
    }
    add_hit(b, w, &res, rules, count);
    return WEDR_OK;
}

void wedr_batch_match(struct wedr_batch *b, struct wedr_batch_worker *w)
{
    uint32_t count = (uint32_t)(b->items.len / sizeof(struct item));
    int r = WEDR_OK;
    for (uint32_t i = 0; r == WEDR_OK && i < count; i++) {
        r = match_one(b, w, i);
    }
    bool lost = b->results.overflow || b->rules.overflow || b->refs.overflow || b->strings.overflow;
    b->err = r == WEDR_OK && lost ? WEDR_E_NOMEM : r;
}

/* --- Telling. */

static struct wedr_text ref_text(const struct wedr_batch *b, size_t i)
{
    const struct ref *ref = (const struct ref *)(const void *)b->refs.p + i;
    return wedr_text(b->strings.p ? (const char *)b->strings.p + ref->at : "", ref->len);
}

struct wedr_text wedr_hit_note(const struct wedr_hit *hit, size_t index)
{
    return ref_text(hit->batch, hit->note_first + index);
}

static int tell_hit(const struct wedr_batch *b,
                    const struct item *it,
                    const struct result *res,
                    wedr_batch_hit_fn *fn,
                    void *ctx)
{
    size_t ref = res->ref_first;
    struct wedr_hit hit = {.place = {b->path, it->index, it->line, res->timed, res->time_us},
                           .json = wedr_text((const char *)b->text.p + it->at, it->len),
                           .rules = (const uint32_t *)(const void *)b->rules.p + res->rule_first,
                           .count = res->rule_count,
                           .batch = b};
    for (size_t i = 0; i < WEDR_FACT_COUNT; i++) {
        hit.facts[i] = ref_text(b, ref++);
    }
    for (size_t i = 0; i < res->more_count; i++) {
        hit.more[i] = ref_text(b, ref++);
    }
    hit.note_first = ref;
    return fn(ctx, &hit);
}

int wedr_batch_tell(const struct wedr_batch *b,
                    wedr_batch_hit_fn *hit,
                    wedr_batch_bad_fn *bad,
                    void *ctx)
{
    size_t count = b->results.len / sizeof(struct result);
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && i < count; i++) {
        const struct result *res = (const struct result *)(const void *)b->results.p + i;
        const struct item *it = (const struct item *)(const void *)b->items.p + res->item;
        if (res->bad) {
            bad(ctx, b->path, it->line, it->offset, ref_text(b, res->ref_first).p);
        } else {
            r = tell_hit(b, it, res, hit, ctx);
        }
    }
    return r;
}
