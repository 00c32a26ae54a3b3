/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/rate.bpf.h — how many records of the critical lane a process makes in a
 * second, of those kinds that anybody can make in a loop: persistence_write, credential_change,
 * namespace_change. What is more goes to the bulk lane as the same record, so that one process
 * cannot fill the critical ring.
 */
#pragma once

#include "lane.bpf.h"

#define CRITICAL_WINDOW_NS 1000000000ull
#define CRITICAL_IN_WINDOW 500u

struct critical_rate {
    u64 window; /* when the current one began */
    u32 used, unused;
};
/* By process key. Forgets the oldest: then that process begins a new window. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, u64);
    __type(value, struct critical_rate);
} critical_rates SEC(".maps");

/* Is there room in the critical lane for one more of that process? A global function: verified
 * once, with a frame of its own. */
__attribute__((noinline)) int is_critical(u64 key)
{
    struct critical_rate fresh = {.window = bpf_ktime_get_boot_ns(), .used = 1};
    struct critical_rate *r = bpf_map_lookup_elem(&critical_rates, &key);
    if (!r) {
        bpf_map_update_elem(&critical_rates, &key, &fresh, BPF_NOEXIST);
        return 1;
    }
    u64 began = r->window;
    if (fresh.window - began >= CRITICAL_WINDOW_NS &&
        __sync_val_compare_and_swap(&r->window, began, fresh.window) == began) {
        __sync_lock_test_and_set(&r->used, 0);
    }
    return r->used < CRITICAL_IN_WINDOW && __sync_fetch_and_add(&r->used, 1) < CRITICAL_IN_WINDOW;
}
