/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/filter.bpf.h — what is asked before a record is made, and before a sequence
 * number is taken: is the kind switched on, who does it, where, how much of it already. What is
 * left out here was never produced; what a budget holds back is counted and told by
 * activity_summary.
 *
 * Exclusions by user, cgroup, path and budgets hold for bulk kinds only: whatever is excluded, a
 * critical record is made. The agent's own processes are left out of bulk kinds.
 */
#pragma once

#include "budget.bpf.h"

#define CGROUP_LEVELS 8

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2 * WEDR_POLICY_SET_MAX);
    __type(key, struct wedr_policy_uid);
    __type(value, u8);
} uids SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2 * WEDR_POLICY_SET_MAX);
    __type(key, struct wedr_policy_cgroup);
    __type(value, u8);
} cgroups SEC(".maps");

/* Paths and names of extended attributes, told apart by the first byte. */
struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 4 * WEDR_POLICY_SET_MAX);
    __type(key, struct wedr_policy_prefix);
    __type(value, u8);
} prefixes SEC(".maps");

/* Types whose default lane is the bulk one. */
#define WEDR_TYPE(ID, lower, code, event, kind, lane, ...) \
    | (WEDR_LANE_##lane == WEDR_LANE_BULK && (code) < 64 ? 1ull << ((code)&63) : 0)
#define WEDR_FIELD(...)
#define WEDR_DERIVED(...)
#define WEDR_TYPE_END(ID, lower)
static const u64 bulk_kinds = 0
#include "wedr/wire/schema.def"
    ;
#undef WEDR_TYPE
#undef WEDR_FIELD
#undef WEDR_DERIVED
#undef WEDR_TYPE_END

/* Is the kind switched on? Any context. */
static __always_inline bool kind_on(u32 type)
{
    struct policy_now p;
    return policy_get(&p) && (p.page->bank[p.bank].kinds >> (type & 63) & 1);
}

static __always_inline bool is_own_process(const struct wedr_policy_page *page, u32 tgid)
{
    for (int i = 0; i < (int)WEDR_POLICY_SELF_MAX; i++) {
        if (page->self[i] == tgid) {
            return true;
        }
    }
    return false;
}

/* The cgroup (v2) of current or one above it is excluded. */
static __noinline bool cgroup_is_out(u32 bank)
{
    struct wedr_policy_cgroup key = {.id = bpf_get_current_cgroup_id(), .bank = bank};
    if (bpf_map_lookup_elem(&cgroups, &key)) {
        return true;
    }
    for (int level = 1; level < CGROUP_LEVELS; level++) {
        key.id = bpf_get_current_ancestor_cgroup_id(level);
        if (!key.id) {
            return false;
        }
        if (bpf_map_lookup_elem(&cgroups, &key)) {
            return true;
        }
    }
    return false;
}

/* Shall current's doing be recorded? type: a constant, WEDR_EV_*. Process context. */
static __always_inline bool wanted(u32 type)
{
    struct policy_now p;
    if (!policy_get(&p)) {
        return false;
    }
    const struct wedr_policy_bank *bank = &p.page->bank[p.bank];
    if (!(bank->kinds >> (type & 63) & 1)) {
        return false;
    }
    if (!(bulk_kinds >> (type & 63) & 1)) {
        return true;
    }
    if (is_own_process(p.page, (u32)(bpf_get_current_pid_tgid() >> 32))) {
        return false;
    }
    if (bank->uid_count) {
        struct wedr_policy_uid key = {p.bank, (u32)bpf_get_current_uid_gid()};
        if (bpf_map_lookup_elem(&uids, &key)) {
            return false;
        }
    }
    return !bank->cgroup_count || !cgroup_is_out(p.bank);
}

/* The longest prefix of rec[at], len bytes, in one of the sets. A global function: verified once,
 * not per call. The caller holds the slot. */
__attribute__((noinline)) u32 prefix_class(u32 slot, u32 set, u32 at, u32 len)
{
    struct scratch *s = bpf_map_lookup_elem(&scratches, &slot);
    if (!s) {
        return WEDR_PREFIX_NONE;
    }
    struct wedr_policy_prefix *key = (void *)s->prefix;
    if (len > WEDR_POLICY_PREFIX_MAX) {
        len = WEDR_POLICY_PREFIX_MAX;
    }
    key->prefix_bits = (len + 1) * 8;
    key->set = (u8)set;
    barrier_var(at);
    at &= REC_BYTES / 2 - 1;
    bpf_probe_read_kernel(key->text, WEDR_POLICY_PREFIX_MAX, &s->rec[at]);
    const u8 *found = bpf_map_lookup_elem(&prefixes, key);
    return found ? *found : WEDR_PREFIX_NONE;
}

/* What the policy says about the path that was added last: enum wedr_policy_prefix_class. */
static __always_inline u32 path_class(const struct build *b)
{
    struct policy_now p;
    if (!policy_get(&p) || !p.page->bank[p.bank].prefix_count) {
        return WEDR_PREFIX_NONE;
    }
    return prefix_class(b->slot, WEDR_POLICY_PATHS + p.bank, b->at, b->len);
}

/* False for the paths that bulk kinds leave out: add_path, ask, then build_end or build_drop. */
static __always_inline bool path_wanted(const struct build *b)
{
    return path_class(b) != WEDR_PREFIX_OUT;
}

/* Does the name that was added last (of an extended attribute) begin with a watched prefix? */
static __always_inline bool xattr_watched(const struct build *b)
{
    struct policy_now p;
    if (!policy_get(&p) || !p.page->bank[p.bank].xattr_count) {
        return false;
    }
    return prefix_class(b->slot, WEDR_POLICY_XATTRS + p.bank, b->at, b->len) == WEDR_PREFIX_WATCH;
}

/* Path and budget in one question: what a watched prefix names is always recorded. */
static __always_inline bool path_take(const struct build *b, u32 type, const struct task_head *h)
{
    u32 class = path_class(b);
    return class == WEDR_PREFIX_WATCH || (class != WEDR_PREFIX_OUT && budget_take(type, h));
}
