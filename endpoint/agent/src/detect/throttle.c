/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/throttle.h"

#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include <stdio.h>
#include <string.h>

#define NONE UINT32_MAX
#define KEY_TEXT_MAX 1024u

struct wedr_throttle {
    uint32_t max, count, mask;
    uint32_t newest, oldest;
    uint32_t holding; /* entries that hold something back */
    uint32_t turn;    /* the entry that is told first */
    wedr_throttle_tell_fn *tell;
    void *ctx;
    uint32_t *bucket;
    struct wedr_throttle_entry *entry;
};

struct wedr_throttle *wedr_throttle_new(uint32_t max, wedr_throttle_tell_fn *tell, void *ctx)
{
    uint32_t buckets = 1;
    while (buckets < max) {
        buckets *= 2;
    }
    struct wedr_throttle *t = wedr_alloc(1, sizeof(*t));
    if (!t) {
        return NULL;
    }
    t->bucket = wedr_alloc(buckets, sizeof(t->bucket[0]));
    t->entry = wedr_alloc(max, sizeof(t->entry[0]));
    if (!t->bucket || !t->entry) {
        wedr_throttle_free(t);
        return NULL;
    }
    memset(t->bucket, 0xff, buckets * sizeof(t->bucket[0]));
    t->max = max;
    t->mask = buckets - 1;
    t->newest = t->oldest = NONE;
    t->tell = tell;
    t->ctx = ctx;
    return t;
}

void wedr_throttle_free(struct wedr_throttle *t)
{
    if (t) {
        wedr_free(t->bucket);
        wedr_free(t->entry);
        wedr_free(t);
    }
}

uint32_t wedr_throttle_count(const struct wedr_throttle *t)
{
    return t->count;
}

static uint32_t bucket_of(const struct wedr_throttle *t, const uint8_t key[16])
{
    uint32_t h;
    memcpy(&h, key, sizeof(h));
    return h & t->mask;
}

/* Nobody who chooses an entity's text can choose it so that it meets another one's entry. */
static void key_of(const struct wedr_throttle_ask *ask, uint8_t ret[16])
{
    char text[KEY_TEXT_MAX];
    uint8_t digest[WEDR_SHA256_LEN], id[WEDR_SHA256_LEN];
    wedr_sha256(ask->rule_id, ask->rule_id_len, id);
    memcpy(text, id, sizeof(id));
    int n = snprintf(text + sizeof(id), sizeof(text) - sizeof(id), "%s", ask->entity);
    wedr_sha256(text, sizeof(id) + (n > 0 ? (size_t)n : 0), digest);
    memcpy(ret, digest, 16);
}

static void unlink_use(struct wedr_throttle *t, uint32_t i)
{
    struct wedr_throttle_entry *e = &t->entry[i];
    if (e->newer != NONE) {
        t->entry[e->newer].older = e->older;
    } else {
        t->newest = e->older;
    }
    if (e->older != NONE) {
        t->entry[e->older].newer = e->newer;
    } else {
        t->oldest = e->newer;
    }
}

static void link_newest(struct wedr_throttle *t, uint32_t i)
{
    t->entry[i].newer = NONE;
    t->entry[i].older = t->newest;
    if (t->newest != NONE) {
        t->entry[t->newest].newer = i;
    }
    t->newest = i;
    if (t->oldest == NONE) {
        t->oldest = i;
    }
}

static bool tell(struct wedr_throttle *t, struct wedr_throttle_entry *e, bool last)
{
    if (e->suppressed > 0) {
        if (!t->tell(t->ctx, e, last) && !last) {
            return false;
        }
        e->suppressed = 0;
        t->holding--;
    }
    return true;
}

static void unchain(struct wedr_throttle *t, uint32_t i)
{
    uint32_t *at = &t->bucket[bucket_of(t, t->entry[i].key)];
    while (*at != i) {
        at = &t->entry[*at].chain;
    }
    *at = t->entry[i].chain;
}

static struct wedr_throttle_entry *find(struct wedr_throttle *t, const uint8_t key[16])
{
    uint32_t i = t->bucket[bucket_of(t, key)];
    while (i != NONE && memcmp(t->entry[i].key, key, 16) != 0) {
        i = t->entry[i].chain;
    }
    if (i == NONE) {
        return NULL;
    }
    unlink_use(t, i);
    link_newest(t, i);
    return &t->entry[i];
}

static struct wedr_throttle_entry *add(struct wedr_throttle *t, const uint8_t key[16])
{
    uint32_t i = t->count;
    if (i < t->max) {
        t->count++;
    } else {
        i = t->oldest;
        (void)tell(t, &t->entry[i], true);
        unlink_use(t, i);
        unchain(t, i);
    }
    struct wedr_throttle_entry *e = &t->entry[i];
    memset(e, 0, sizeof(*e));
    memcpy(e->key, key, 16);
    uint32_t *bucket = &t->bucket[bucket_of(t, key)];
    e->chain = *bucket;
    *bucket = i;
    link_newest(t, i);
    return e;
}

static void hold(struct wedr_throttle *t,
                 struct wedr_throttle_entry *e,
                 const struct wedr_throttle_ask *ask,
                 uint64_t n)
{
    t->holding += e->suppressed == 0 ? 1 : 0;
    e->suppressed += n;
    e->last = ask->s;
}

bool wedr_throttle_pass(struct wedr_throttle *t,
                        const struct wedr_throttle_ask *ask,
                        uint64_t *ret_suppressed)
{
    uint8_t key[16];
    key_of(ask, key);
    struct wedr_throttle_entry *e = find(t, key);
    if (!e) {
        e = add(t, key);
        e->since_ms = ask->now_ms;
        (void)snprintf(e->entity, sizeof(e->entity), "%s", ask->entity);
    }
    e->count = ask->count > 0 ? ask->count : WEDR_THROTTLE_ALERTS;
    e->rule = ask->rule;
    e->window_ms = ask->count > 0 ? ask->window_ms : WEDR_THROTTLE_WINDOW_MS;
    if (ask->now_ms - e->since_ms >= e->window_ms) {
        e->since_ms = ask->now_ms;
        e->sent = 0;
    }
    if (e->sent >= e->count) {
        hold(t, e, ask, 1);
        return false;
    }
    e->sent++;
    *ret_suppressed = e->suppressed;
    t->holding -= e->suppressed > 0 ? 1 : 0;
    e->suppressed = 0;
    return true;
}

void wedr_throttle_take_back(struct wedr_throttle *t,
                             const struct wedr_throttle_ask *ask,
                             uint64_t suppressed)
{
    uint8_t key[16];
    key_of(ask, key);
    struct wedr_throttle_entry *e = find(t, key);
    if (e) {
        hold(t, e, ask, suppressed + 1);
        e->sent -= e->sent > 0 ? 1 : 0;
    }
}

void wedr_throttle_tick(struct wedr_throttle *t, uint64_t now_ms, bool all)
{
    for (uint32_t n = 0; t->holding > 0 && n < t->count; n++) {
        uint32_t i = t->turn < t->count ? t->turn : 0;
        struct wedr_throttle_entry *e = &t->entry[i];
        bool over = now_ms - e->since_ms >= e->window_ms;
        t->turn = i + 1;
        if (e->suppressed > 0 && (all || over || e->sent < e->count)) {
            if (!tell(t, e, false)) {
                return;
            }
            /* What was told is an alert of this window, or the first one of the next. */
            e->since_ms = over || all ? now_ms : e->since_ms;
            e->sent = over || all ? 1 : e->sent + 1;
        }
    }
}

void wedr_throttle_rules(struct wedr_throttle *t, wedr_throttle_rule_fn *fn, void *ctx)
{
    for (uint32_t i = 0; i < t->count; i++) {
        struct wedr_throttle_entry *e = &t->entry[i];
        if (e->suppressed == 0) {
            continue; /* it learns its rule when it is asked the next time */
        }
        uint32_t rule = fn(ctx, e->rule);
        if (rule == WEDR_THROTTLE_RULE_GONE) {
            (void)tell(t, e, true);
        }
        e->rule = rule;
    }
}
