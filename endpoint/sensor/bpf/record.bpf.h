/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/record.bpf.h — how a record is made. Two ways:
 *
 *   with strings (process context only): build_begin, PUT and add_*, build_end. The record grows in
 *   the CPU's scratch slot and is copied into the ring with its exact length.
 *   without strings, or with short ones of a fixed place (any context): emit_reserve, PUT,
 * emit_submit.
 *
 * A sequence number is taken when the record is certain to be wanted and before it can be lost: a
 * failure is a number and a counted loss. Filters (filter.bpf.h) come before.
 */
#pragma once

#include "task.bpf.h"

#define STRINGS_MAX \
    28672u /* the strings before argv end below this: fixed part, four paths, names */
#define SLOT_OWN (bpf_get_smp_processor_id() + 1) /* scratch slot of this CPU */

struct build {
    struct scratch *s;
    struct wedr_sensor_lane *lane;
    u32 lane_nr;
    u32 slot;
    u32 pos;     /* where the next string goes */
    u32 at, len; /* the string added last */
    u32 cut;     /* strings cut in this record */
    u32 flags;   /* the program's own */
};

static __always_inline u64 lane_next(struct wedr_sensor_lane *lane)
{
    return __sync_fetch_and_add(&lane->seq, 1) + 1;
}

/* A record of `fixed` bytes (a constant), zeroed, in the slot, for the lane; NULL when there is no
 * room to build it: that is counted, with a sequence number. Ends with build_end or build_drop. */
static __always_inline void *build_begin(struct build *b, u32 lane_nr, u32 slot, u32 fixed)
{
    struct wedr_sensor_state *st = state_get();
    if (!st) {
        return NULL;
    }
    b->lane_nr = lane_nr;
    b->lane = &st->lane[lane_nr & 1];
    b->slot = slot;
    b->s = scratch_take(slot);
    if (!b->s) {
        lane_next(b->lane);
        lane_lost(b->lane, WEDR_LOSS_REASON_SCRATCH);
        return NULL;
    }
    void *r = b->s->rec;
    __builtin_memset(r, 0, fixed);
    b->pos = fixed;
    return r;
}

/* The record is not wanted after all. */
static __always_inline void build_drop(struct build *b)
{
    scratch_give(b->s);
}

/* Writes the header, puts the record into its lane's ring and gives the slot back. */
static __always_inline void
build_end(struct build *b, void *rec, u32 type, u32 fixed, u32 header_flags)
{
    struct wedr_sensor_lane *lane = b->lane;
    if (b->cut) {
        __sync_fetch_and_add(&lane->trunc, b->cut);
    }
    u64 seq = lane_next(lane);
    u32 len = b->pos;
    bool bulk = b->lane_nr == WEDR_LANE_BULK;
    header_put(rec, lane, seq, type, len, fixed, bulk ? WEDR_STREAM_BULK : WEDR_STREAM_CRITICAL,
               header_flags);
    barrier_var(len);
    len &= REC_BYTES - 1;
    long err;
    if (bulk) {
        err = bpf_ringbuf_output(&ring1, b->s->rec, len, ring_flags(&ring1, seq));
    } else {
        err = bpf_ringbuf_output(&ring0, b->s->rec, len, ring_flags(&ring0, seq));
    }
    if (err) {
        lane_lost(lane, WEDR_LOSS_REASON_RING_FULL);
    }
    scratch_give(b->s);
}

/* Appends the path of (dentry, vfsmount); returns its WEDR_SF_* and WALK_MEMFD bits. The text is
 * b->s->rec[b->at], b->len bytes. */
static __always_inline u32 add_path(struct build *b,
                                    struct wedr_str_ref *ref,
                                    u64 dentry,
                                    u64 vfsmount)
{
    if (!dentry || !vfsmount) {
        return 0;
    }
    u64 found = walk_path(b->slot, dentry, vfsmount);
    u32 flags = (u32)(found >> 32);
    u32 off = (u32)found & (WALK_BYTES - 1);
    u32 len = WALK_BYTES - off;
    u32 pos = b->pos;
    if (pos > STRINGS_MAX - WALK_BYTES) {
        return 0;
    }
    barrier_var(len);
    len &= WALK_BYTES - 1;
    bpf_probe_read_kernel(&b->s->rec[pos], len, &b->s->walk[off]);
    ref_put(ref, pos, len, flags & 0xffff);
    if (flags & (WEDR_SF_CUT | WEDR_SF_HEAD_CUT)) {
        b->cut++;
    }
    b->pos = pos + len;
    b->at = pos;
    b->len = len;
    return flags;
}

/* The reference to the n bytes, terminator included, that a copy put at b->pos. */
static __always_inline u32
added(struct build *b, struct wedr_str_ref *ref, long n, u32 max, bool count_cut)
{
    u32 pos = b->pos;
    if (n <= 1) {
        ref_put(ref, 0, 0, n < 0 ? WEDR_SF_UNREADABLE : 0);
        return 0;
    }
    u32 len = ((u32)n - 1) & (max - 1);
    bool cut = count_cut && len == max - 1;
    ref_put(ref, pos, len, cut ? WEDR_SF_CUT : 0);
    b->cut += cut;
    b->pos = pos + len;
    b->at = pos;
    b->len = len;
    return len;
}

/* Appends a NUL-terminated kernel string of at most max - 1 bytes (max: a constant power of two, at
 * most WALK_BYTES); returns its length. count_cut: a full one counts as cut. */
static __always_inline u32
add_name(struct build *b, struct wedr_str_ref *ref, u64 from, u32 max, bool count_cut)
{
    u32 pos = b->pos;
    if (!from || pos > STRINGS_MAX - WALK_BYTES) {
        return 0;
    }
    long n = bpf_probe_read_kernel_str(&b->s->rec[pos], max, (const void *)from);
    return added(b, ref, n, max, count_cut);
}

/* The same from user memory: never the truth, say so in the record. */
static __always_inline u32
add_user_name(struct build *b, struct wedr_str_ref *ref, u64 from, u32 max, bool count_cut)
{
    u32 pos = b->pos;
    if (!from || pos > STRINGS_MAX - WALK_BYTES) {
        return 0;
    }
    long n = bpf_probe_read_user_str(&b->s->rec[pos], max, (const void *)from);
    return added(b, ref, n, max, count_cut);
}

struct emit {
    struct wedr_sensor_lane *lane;
    u64 seq;
    u32 lane_nr;
};

/* `bytes` (a constant) of the lane's ring, zeroed; NULL is counted. Must end with
 * emit_submit. */
static __always_inline void *emit_reserve(struct emit *e, u32 lane_nr, u32 bytes)
{
    struct wedr_sensor_state *st = state_get();
    if (!st) {
        return NULL;
    }
    e->lane_nr = lane_nr;
    e->lane = &st->lane[lane_nr & 1];
    e->seq = lane_next(e->lane);
    void *r = lane_nr == WEDR_LANE_BULK ? bpf_ringbuf_reserve(&ring1, bytes, 0)
                                        : bpf_ringbuf_reserve(&ring0, bytes, 0);
    if (!r) {
        lane_lost(e->lane, WEDR_LOSS_REASON_RING_FULL);
        return NULL;
    }
    __builtin_memset(r, 0, bytes);
    return r;
}

/* bytes as reserved; fixed: those before the strings. */
static __always_inline void emit_submit(struct emit *e, void *r, u32 type, u32 bytes, u32 fixed)
{
    bool bulk = e->lane_nr == WEDR_LANE_BULK;
    header_put(r, e->lane, e->seq, type, bytes, fixed,
               bulk ? WEDR_STREAM_BULK : WEDR_STREAM_CRITICAL, 0);
    bpf_ringbuf_submit(r, bulk ? ring_flags(&ring1, e->seq) : ring_flags(&ring0, e->seq));
}

/* A program of a pair found that the other one did not run. */
static __always_inline void run_unpaired(void)
{
    struct wedr_sensor_state *st = state_get();
    if (st) {
        __sync_fetch_and_add(&st->unpaired, 1);
    }
}

/* Who does it: current, as every record begins. Process context only. */
struct task_head {
    u64 key;
    u32 pid, uid;
};

static __always_inline void task_head(struct task_head *h)
{
    struct task_struct *t = PLAIN(struct task_struct, bpf_get_current_task_btf());
    const struct cred *c = t->cred;
    h->pid = (u32)t->tgid;
    h->key = task_key(t);
    h->uid = c ? c->uid.val : 0;
}

#define PUT_HEAD(rec, head)                 \
    do {                                    \
        PUT(rec, pid, (head)->pid);         \
        PUT(rec, process_key, (head)->key); \
        PUT(rec, uid, (head)->uid);         \
    } while (0)
