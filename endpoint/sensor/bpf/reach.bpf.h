/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/reach.bpf.h — when one process that reaches into another is told. Every first
 * time, then once a minute: the same source, target, way and outcome again says nothing new, and a
 * process that does it in a loop must not fill the critical ring. Threads of the target are not
 * told apart for that. The map that knows forgets the oldest: then something is told again.
 */
#pragma once

#include "lane.bpf.h"

#define AGAIN_NS 60000000000ull

struct reach_key {
    u64 source, target;
    u32 what;    /* way and request, or signal */
    int outcome; /* 0, or the error */
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, struct reach_key);
    __type(value, u64); /* when it was told */
} reached SEC(".maps");

static __always_inline bool tell_reach(const struct reach_key *k)
{
    u64 now = bpf_ktime_get_boot_ns();
    const u64 *then = bpf_map_lookup_elem(&reached, k);
    if (then && now - *then < AGAIN_NS) {
        return false;
    }
    bpf_map_update_elem(&reached, k, &now, BPF_ANY);
    return true;
}
