/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/lane.bpf.h — the two lanes: sequence numbers, loss counters, rings, scratch
 * memory. A sequence number is taken before the record can be lost, so every failure below is a
 * hole that a counter explains.
 */
#pragma once

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "wedr/wire/sensor_state.h"
#include <stdbool.h>
#include <stddef.h>

/* libbpf's own differs between versions. */
#undef barrier_var
#define barrier_var(v) asm volatile("" : "+r"(v))

/* Structures of lib/wire are packed; clang would store them byte by byte. Both targets store
 * unaligned words well. */
#define PUT(rec, member, value) (*(typeof((rec)->member) *)(void *)&(rec)->member = (value))

/* 6.2 and newer; asked with can_cast. */
extern void *bpf_rdonly_cast(void *obj, u32 btf_id) __ksym __weak;

enum bpf_type_flag___trust { PTR_TRUSTED___trust = 1 }; /* came together with the cast */
static __always_inline bool can_cast(void)
{
    return bpf_core_enum_value_exists(enum bpf_type_flag___trust, PTR_TRUSTED___trust);
}

/* The same pointer, of which the verifier does not ask with every pointer that is read through it
 * whether that one can be trusted: it searches all of the kernel's type names for the answer, some
 * milliseconds each time. Costs nothing at run time; the result cannot be passed to a helper. */
#define PLAIN(type, p) \
    (can_cast() ? (type *)bpf_rdonly_cast((void *)(p), bpf_core_type_id_kernel(type)) : (p))

#define REC_BYTES \
    65536u /* largest record: fixed part + four paths + argv + three names, about 50 KiB */
#define WALK_BYTES 4096u /* a path is built from its end backwards */
#define NAME_ROOM 256u   /* what one verified access may reach beyond */
#define PREFIX_BYTES 128u
#define SLOT_ITER 0u /* the inventory's; slot of a CPU = its number + 1 */

struct scratch {
    u8 rec[REC_BYTES];
    u8 walk[WALK_BYTES + NAME_ROOM];
    u8 prefix[PREFIX_BYTES]; /* key of a prefix look-up */
    u64 busy;                /* 1 while a program builds a record here; the last word */
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct wedr_sensor_state);
} state SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, WEDR_RING_BYTES);
} ring0 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, WEDR_RING_BYTES);
} ring1 SEC(".maps");

/* An array with an entry per possible CPU (set before the load): values of per-CPU maps are capped
 * at 32 KiB. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct wedr_sensor_state *state_get(void)
{
    u32 zero = 0;
    return bpf_map_lookup_elem(&state, &zero);
}

static __always_inline void lane_lost(struct wedr_sensor_lane *lane, u32 reason)
{
    __sync_fetch_and_add(&lane->lost[reason], 1);
}

/* No wake-up per record: in a virtual machine it costs more than the record. When the ring fills up
 * the reader is called, at most once in 64 records. */
static __always_inline u64 ring_flags(void *ring, u64 seq)
{
    if ((seq & 63) == 0 && bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >
                               bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 4) {
        return BPF_RB_FORCE_WAKEUP;
    }
    return BPF_RB_NO_WAKEUP;
}

static __always_inline void header_put(struct wedr_event_header *h,
                                       const struct wedr_sensor_lane *lane,
                                       u64 seq,
                                       u32 type,
                                       u32 size,
                                       u32 fixed,
                                       u32 stream,
                                       u32 flags)
{
    PUT(h, version, WEDR_WIRE_VERSION);
    PUT(h, type, (u16)type);
    PUT(h, size, size);
    PUT(h, seq, seq);
    PUT(h, time, (s64)bpf_ktime_get_boot_ns());
    PUT(h, drop_count,
        lane->lost[WEDR_LOSS_REASON_RING_FULL] + lane->lost[WEDR_LOSS_REASON_SCRATCH]);
    PUT(h, trunc_count, (u32)lane->trunc);
    PUT(h, fixed_size, (u16)fixed);
    PUT(h, os, WEDR_OS_LINUX);
    PUT(h, stream, (u8)stream);
    PUT(h, flags, (u16)flags);
    PUT(h, reserved0, 0);
    PUT(h, reserved1, 0);
}

/* A scratch slot for the caller alone, or NULL. Tracepoint programs cannot be preempted on most
 * kernels, but on some they can, and an inventory always can: hence the flag. */
static __always_inline struct scratch *scratch_take(u32 slot)
{
    struct scratch *s = bpf_map_lookup_elem(&scratches, &slot);
    if (!s || __sync_val_compare_and_swap(&s->busy, 0, 1) != 0) {
        return NULL;
    }
    return s;
}

static __always_inline void scratch_give(struct scratch *s)
{
    __sync_lock_test_and_set(&s->busy, 0);
}

/* Reference to a string that was put at pos; cut strings are counted. */
static __always_inline void ref_put(struct wedr_str_ref *ref, u32 pos, u32 len, u32 flags)
{
    PUT(ref, offset, len ? pos : 0);
    PUT(ref, len, (u16)len);
    PUT(ref, flags, (u16)flags);
}
