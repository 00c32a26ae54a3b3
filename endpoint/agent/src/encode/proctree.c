/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/proctree.h"

#include "core/base/endian.h"
#include "core/base/utf16.h"
#include "core/util/alloc.h"
#include <string.h>

#define FILETIME_EPOCH_US 11644473600000000 /* 1601 to 1970 */
#define NONE UINT32_MAX

struct node {
    struct wedr_proc p;
    uint32_t chain;        /* next one of the same bucket */
    uint32_t newer, older; /* order of use */
};

/* Where a record of one type and system has what is kept; NULL where it has none. */
struct places {
    const struct wedr_field_info *pid, *key, *parent, *uid, *image, *command;
};

struct wedr_proctree {
    struct places create[2], fork[2]; /* by os - 1 */
    uint32_t max, count, mask;
    uint32_t newest, oldest;
    uint64_t evicted;
    uint32_t *bucket;
    struct node *node;
};

static struct places places_of(uint16_t type, uint8_t os)
{
    const struct wedr_type_info *t = wedr_type_by_code(type);
    return (struct places){.pid = wedr_type_field(t, os, "pid"),
                           .key = wedr_type_field(t, os, "process_key"),
                           .parent = wedr_type_field(t, os, "parent_key"),
                           .uid = wedr_type_field(t, os, "uid"),
                           .image = wedr_type_field(t, os, "image_path"),
                           .command = wedr_type_field(t, os, "command_line")};
}

struct wedr_proctree *wedr_proctree_new(uint32_t max)
{
    uint32_t buckets = 1;
    while (buckets < max) {
        buckets *= 2;
    }
    struct wedr_proctree *t = wedr_alloc(1, sizeof(*t));
    if (!t) {
        return NULL;
    }
    t->bucket = wedr_alloc(buckets, sizeof(t->bucket[0]));
    t->node = wedr_alloc(max, sizeof(t->node[0]));
    if (!t->bucket || !t->node) {
        wedr_proctree_free(t);
        return NULL;
    }
    memset(t->bucket, 0xff, buckets * sizeof(t->bucket[0]));
    t->max = max;
    t->mask = buckets - 1;
    t->newest = t->oldest = NONE;
    for (unsigned os = WEDR_OS_WINDOWS; os <= WEDR_OS_LINUX; os++) {
        t->create[os - 1] = places_of(WEDR_EV_PROCESS_CREATE, (uint8_t)os);
        t->fork[os - 1] = places_of(WEDR_EV_PROCESS_FORK, (uint8_t)os);
    }
    return t;
}

void wedr_proctree_free(struct wedr_proctree *t)
{
    if (t) {
        wedr_free(t->bucket);
        wedr_free(t->node);
        wedr_free(t);
    }
}

uint32_t wedr_proctree_count(const struct wedr_proctree *t)
{
    return t->count;
}

uint64_t wedr_proctree_evicted(const struct wedr_proctree *t)
{
    return t->evicted;
}

int64_t wedr_record_utc_us(const struct wedr_event_header *h, struct wedr_clock_pair clock)
{
    if (h->os == WEDR_OS_WINDOWS) {
        return h->time / 10 - FILETIME_EPOCH_US;
    }
    int64_t delta = (int64_t)((uint64_t)h->time - clock.boot_ns) / 1000;
    int64_t sum;
    return __builtin_add_overflow(clock.utc_us, delta, &sum) ? 0 : sum;
}

static uint32_t bucket_of(const struct wedr_proctree *t, uint64_t key)
{
    return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 32) & t->mask;
}

static void unlink_use(struct wedr_proctree *t, uint32_t i)
{
    struct node *n = &t->node[i];
    if (n->newer != NONE) {
        t->node[n->newer].older = n->older;
    } else {
        t->newest = n->older;
    }
    if (n->older != NONE) {
        t->node[n->older].newer = n->newer;
    } else {
        t->oldest = n->newer;
    }
}

static void link_newest(struct wedr_proctree *t, uint32_t i)
{
    t->node[i].newer = NONE;
    t->node[i].older = t->newest;
    if (t->newest != NONE) {
        t->node[t->newest].newer = i;
    }
    t->newest = i;
    if (t->oldest == NONE) {
        t->oldest = i;
    }
}

static uint32_t find(const struct wedr_proctree *t, uint64_t key)
{
    uint32_t i = t->bucket[bucket_of(t, key)];
    while (i != NONE && t->node[i].p.key != key) {
        i = t->node[i].chain;
    }
    return i;
}

static void unchain(struct wedr_proctree *t, uint32_t i)
{
    uint32_t *at = &t->bucket[bucket_of(t, t->node[i].p.key)];
    while (*at != i) {
        at = &t->node[*at].chain;
    }
    *at = t->node[i].chain;
}

/* The entry of that key, newest in use; taken from the oldest one when the table is full. */
static struct wedr_proc *place(struct wedr_proctree *t, uint64_t key)
{
    uint32_t i = find(t, key);
    if (i != NONE) {
        unlink_use(t, i);
        link_newest(t, i);
        return &t->node[i].p;
    }
    if (t->count < t->max) {
        i = t->count++;
    } else {
        i = t->oldest;
        unlink_use(t, i);
        unchain(t, i);
        t->evicted++;
    }
    memset(&t->node[i].p, 0, offsetof(struct wedr_proc, image));
    t->node[i].p.key = key;
    uint32_t *bucket = &t->bucket[bucket_of(t, key)];
    t->node[i].chain = *bucket;
    *bucket = i;
    link_newest(t, i);
    return &t->node[i].p;
}

const struct wedr_proc *wedr_proctree_get(struct wedr_proctree *t, uint64_t key)
{
    uint32_t i = key != 0 ? find(t, key) : NONE;
    if (i == NONE) {
        return NULL;
    }
    if (i != t->newest) {
        unlink_use(t, i);
        link_newest(t, i);
    }
    return &t->node[i].p;
}

/* Text as UTF-8, cut to cap; NULs between arguments become blanks. */
static uint16_t keep_text(struct wedr_span s, bool utf16, char *out, size_t cap, bool *ret_cut)
{
    while (s.len > 0 && !utf16 && s.p[s.len - 1] == '\0') {
        s.len--;
    }
    size_t n = s.len < cap ? s.len : cap;
    *ret_cut = s.len > n;
    if (utf16) {
        struct wedr_utf_result r = wedr_utf16_to_utf8(s.p, s.len, out, cap);
        *ret_cut = r.used < s.len;
        n = r.len;
    } else if (n > 0) {
        memcpy(out, s.p, n);
    }
    for (size_t i = 0; i < n; i++) {
        if (out[i] == '\0') {
            out[i] = ' ';
        }
    }
    return (uint16_t)n;
}

static uint16_t keep_field(const struct wedr_event_view *v,
                           const struct wedr_field_info *f,
                           char *out,
                           size_t cap,
                           bool *ret_cut)
{
    uint16_t flags = 0;
    *ret_cut = false;
    if (!f) {
        return 0;
    }
    struct wedr_span s = wedr_event_str(v, f, &flags);
    uint16_t n = keep_text(s, (flags & WEDR_SF_UTF16) != 0, out, cap, ret_cut);
    *ret_cut = *ret_cut || (flags & (WEDR_SF_CUT | WEDR_SF_HEAD_CUT)) != 0;
    return n;
}

static uint64_t number(const struct wedr_event_view *v, const struct wedr_field_info *f)
{
    return f ? wedr_event_uint(v, f) : 0;
}

/* Linux hides the start in the key; elsewhere the first record of a process is its start. */
static int64_t
start_of(const struct wedr_event_view *v, struct wedr_clock_pair clock, uint64_t key, uint32_t pid)
{
    struct wedr_event_header h = v->h;
    if (h.os == WEDR_OS_LINUX) {
        h.time = (int64_t)wedr_linux_process_key(key, pid); /* its own inverse */
    }
    return wedr_record_utc_us(&h, clock);
}

static void learn_create(struct wedr_proctree *t,
                         const struct wedr_event_view *v,
                         struct wedr_clock_pair clock,
                         const struct places *at,
                         uint64_t key,
                         const struct wedr_span *redacted)
{
    struct wedr_proc *p = place(t, key);
    uint64_t parent = number(v, at->parent);
    p->pid = (uint32_t)number(v, at->pid);
    p->parent_key = parent != 0 ? parent : p->parent_key;
    p->started_us = start_of(v, clock, key, p->pid);
    p->has_uid = v->h.os == WEDR_OS_LINUX;
    p->uid = (uint32_t)number(v, at->uid);
    p->windows = v->h.os == WEDR_OS_WINDOWS;
    p->image_len = keep_field(v, at->image, p->image, sizeof(p->image), &p->image_cut);
    p->redacted = redacted != NULL;
    p->command_len =
        redacted ? keep_text(*redacted, false, p->command, sizeof(p->command), &p->command_cut)
                 : keep_field(v, at->command, p->command, sizeof(p->command), &p->command_cut);
}

/* A child is what its parent was, until it runs a program of its own. */
static void learn_fork(struct wedr_proctree *t,
                       const struct wedr_event_view *v,
                       struct wedr_clock_pair clock,
                       const struct places *at,
                       uint64_t key)
{
    uint64_t parent_key = number(v, at->parent);
    uint32_t old = find(t, parent_key);
    struct wedr_proc *p = place(t, key);
    p->pid = (uint32_t)number(v, at->pid);
    p->parent_key = parent_key;
    p->started_us = start_of(v, clock, key, p->pid);
    p->has_uid = true;
    p->uid = (uint32_t)number(v, at->uid);
    const struct wedr_proc *parent = old != NONE ? &t->node[old].p : NULL;
    if (parent && parent != p && parent->key == parent_key) {
        p->image_len = parent->image_len;
        p->command_len = parent->command_len;
        p->windows = parent->windows;
        p->image_cut = parent->image_cut;
        p->command_cut = parent->command_cut;
        p->redacted = parent->redacted;
        memcpy(p->image, parent->image, p->image_len);
        memcpy(p->command, parent->command, p->command_len);
    }
}

void wedr_proctree_learn(struct wedr_proctree *t,
                         const struct wedr_event_view *v,
                         struct wedr_clock_pair clock,
                         const struct wedr_span *redacted)
{
    if (v->h.type != WEDR_EV_PROCESS_CREATE && v->h.type != WEDR_EV_PROCESS_FORK) {
        return;
    }
    bool create = v->h.type == WEDR_EV_PROCESS_CREATE;
    const struct places *at = create ? &t->create[v->h.os - 1] : &t->fork[v->h.os - 1];
    uint64_t key = number(v, at->key);
    if (key == 0) {
        return;
    }
    if (create) {
        learn_create(t, v, clock, at, key, redacted);
    } else {
        learn_fork(t, v, clock, at, key);
    }
}
