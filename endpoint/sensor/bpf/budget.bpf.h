/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/budget.bpf.h — how much of a bulk kind a process may do in a window of time
 * before its events are counted instead of recorded. Nothing disappears: every event that is held
 * back adds one to its process's entry and to suppressed[type] of the state page, and what an entry
 * holds is told by an activity_summary: by the holder's sweep every few seconds, and when the
 * process ends.
 *
 * An entry lives from the process's first bulk event to its end (the exit hook), or until it has
 * held nothing and did nothing for long: the sweep takes it then. A process without an entry,
 * because the table is full or because it has ended already, shares its user's; where there is no
 * room for that, and for what nobody is known to have done, there is the entry of nobody, key 0 of
 * budgets.
 *
 * No count is lost when an entry goes. Its places are closed first: one exchange takes what a place
 * holds and leaves the mark, and whoever adds to it after that sees the mark in what he added to,
 * and adds to nobody's entry, which is never closed. Memory of an entry that went is not cleared
 * before it is another one's: the mark stays as long as somebody can still come to the old one.
 */
#pragma once

#include "record.bpf.h"

#include "wedr/wire/sensor_policy.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct wedr_policy_page);
} policy SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, WEDR_BUDGET_PROCESSES);
    __type(key, u64);
    __type(value, struct wedr_budget);
} budgets SEC(".maps");

/* By user id, for the processes that have no entry of their own. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, WEDR_BUDGET_USERS);
    __type(key, u64);
    __type(value, struct wedr_budget);
} budget_users SEC(".maps");

/* The page, and the index of the bank in force. */
struct policy_now {
    struct wedr_policy_page *page;
    u32 bank;
};

static __always_inline bool policy_get(struct policy_now *p)
{
    u32 zero = 0;
    p->page = bpf_map_lookup_elem(&policy, &zero);
    if (!p->page) {
        return false;
    }
    p->bank = *(volatile u32 *)&p->page->active & 1;
    return true;
}

/* What a new entry is copied from: too large for the stack. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct wedr_budget);
} budget_zero SEC(".maps");

/* Place of a kind in an entry; -1: it has no budget. Folds away when type is a constant. */
static __always_inline int budget_slot(u32 type)
{
    switch (type) {
#define SLOT_OF(ID, slot) \
    case WEDR_EV_##ID:    \
        return slot;
        WEDR_BUDGET_KINDS(SLOT_OF)
#undef SLOT_OF
    default:
        return -1;
    }
}

static __always_inline u32 budget_type(u32 slot)
{
    switch (slot) {
#define TYPE_OF(ID, slot) \
    case slot:            \
        return WEDR_EV_##ID;
        WEDR_BUDGET_KINDS(TYPE_OF)
#undef TYPE_OF
    default:
        return 0;
    }
}

static __always_inline struct wedr_budget *budget_of_nobody(void)
{
    u64 nobody = 0;
    return bpf_map_lookup_elem(&budgets, &nobody);
}

static __always_inline struct wedr_budget *budget_add(void *map, u64 key, u32 pid, u32 uid)
{
    u32 zero = 0;
    const struct wedr_budget *empty = bpf_map_lookup_elem(&budget_zero, &zero);
    if (!empty) {
        return NULL;
    }
    bpf_map_update_elem(map, &key, empty, BPF_NOEXIST);
    struct wedr_budget *b = bpf_map_lookup_elem(map, &key);
    if (b) {
        b->pid = pid;
        b->uid = uid;
        b->since = bpf_ktime_get_boot_ns();
    }
    return b;
}

/* A new entry, unless the process has ended for the exit hook, which takes the entry away; process
 * context. */
static __always_inline struct wedr_budget *budget_make(const struct task_head *h)
{
    struct task_struct *t = PLAIN(struct task_struct, bpf_get_current_task_btf());
    struct signal_struct *sig = t->signal;
    if (!h->key || !sig || sig->live.counter == 0) {
        return NULL;
    }
    return budget_add(&budgets, h->key, h->pid, h->uid);
}

/* Any context. */
static __always_inline struct wedr_budget *budget_of_user(u32 uid)
{
    u64 key = uid;
    struct wedr_budget *b = bpf_map_lookup_elem(&budget_users, &key);
    return b ? b : budget_add(&budget_users, key, 0, uid);
}

/* Adds to what a place holds; false when it is closed, then nobody will tell it. */
static __always_inline bool
budget_put(struct wedr_budget_slot *slot, u64 count, u64 first, u64 last)
{
    u64 before = __sync_fetch_and_add(&slot->over, count);
    if (before & WEDR_BUDGET_CLOSED) {
        return false;
    }
    if (before == 0 || first < slot->first) {
        slot->first = first;
    }
    if (before == 0 || last > slot->last) {
        slot->last = last;
    }
    return true;
}

/* The same, and when the place is closed nobody's has it. */
static __always_inline void
budget_keep(struct wedr_budget *b, u32 at, u64 count, u64 first, u64 last)
{
    if (budget_put(&b->slot[at], count, first, last)) {
        return;
    }
    struct wedr_budget *nobody = budget_of_nobody();
    if (nobody) {
        budget_put(&nobody->slot[at], count, first, last);
    }
}

/* Within the limit? If not, counts. limit > 0; at: a constant. */
static __always_inline bool
budget_use(struct wedr_budget *b, u32 at, u32 type, u32 limit, u64 window_ns)
{
    struct wedr_budget_slot *slot = &b->slot[at];
    u64 now = bpf_ktime_get_boot_ns();
    u64 began = slot->window;
    /* One of those who see that the window is over begins the next. */
    if (now - began >= window_ns &&
        __sync_val_compare_and_swap(&slot->window, began, now) == began) {
        __sync_lock_test_and_set(&slot->used, 0);
    }
    if (slot->used < limit && __sync_fetch_and_add(&slot->used, 1) < limit) {
        return true;
    }
    struct wedr_sensor_state *st = state_get();
    budget_keep(b, at, 1, now, now);
    if (st) {
        __sync_fetch_and_add(&st->suppressed[type & (WEDR_SENSOR_KINDS - 1)], 1);
    }
    return false;
}

static __always_inline bool budget_check(u32 type, const struct task_head *h, bool may_make)
{
    u64 key = h->key;
    int at = budget_slot(type);
    struct policy_now p;
    if (at < 0 || !policy_get(&p)) {
        return true;
    }
    const struct wedr_policy_bank *bank = &p.page->bank[p.bank];
    u32 limit = bank->budget[type & (WEDR_POLICY_KINDS - 1)];
    if (!limit) {
        return true;
    }
    struct wedr_budget *b = key ? bpf_map_lookup_elem(&budgets, &key) : NULL;
    if (!b && may_make) {
        b = budget_make(h);
    }
    if (!b && key) {
        b = budget_of_user(h->uid);
    }
    if (!b) {
        b = budget_of_nobody();
    }
    return !b || budget_use(b, (u32)at, type, limit, bank->window_ns);
}

/* May current's event of this kind (a constant) be recorded? False: it was counted and will be
 * told. Ask last, right before the sequence number. Process context. */
static __always_inline bool budget_take(u32 type, const struct task_head *h)
{
    return budget_check(type, h, true);
}

/* The same for an event that belongs to another process than current; any context. */
static __always_inline bool budget_take_for(u32 type, const struct task_head *h)
{
    return budget_check(type, h, false);
}

/* Tells what one place of an entry holds; what cannot be told stays, or when it is closed goes to
 * nobody. */
static __always_inline void
budget_tell_one(struct wedr_budget *b, u32 at, const struct task_head *who, bool close)
{
    struct wedr_budget_slot *slot = &b->slot[at];
    u32 type = budget_type(at);
    u64 first = slot->first, last = slot->last, count = 0;
    struct wedr_sensor_state *st = state_get();
    if (!st) {
        return;
    }
    if (close) {
        count = __sync_lock_test_and_set(&slot->over, WEDR_BUDGET_CLOSED);
    } else if (slot->over) {
        count = __sync_fetch_and_and(&slot->over, WEDR_BUDGET_CLOSED);
    }
    if (!count || count & WEDR_BUDGET_CLOSED) {
        return; /* what was added to a closed place is counted elsewhere */
    }
    struct emit e;
    struct wedr_linux_activity_summary *r = emit_reserve(&e, WEDR_LANE_BULK, sizeof *r);
    if (!r) {
        budget_keep(b, at, count, first, last);
        return;
    }
    PUT_HEAD(r, who);
    PUT(r, activity, (u16)type);
    PUT(r, count, count);
    PUT(r, from_ns, first);
    PUT(r, to_ns, last);
    __sync_fetch_and_add(&st->summarised[type & (WEDR_SENSOR_KINDS - 1)], count);
    emit_submit(&e, r, WEDR_EV_ACTIVITY_SUMMARY, sizeof *r, sizeof *r);
}

static __always_inline void
budget_tell(struct wedr_budget *b, const struct task_head *who, bool close)
{
    for (u32 i = 0; i < WEDR_BUDGET_SLOTS; i++) {
        budget_tell_one(b, i, who, close);
    }
}

/* The process is gone: tells its entry and gives it back. What does not fit into the ring now goes
 * to nobody's entry, which the sweep tells. */
static __always_inline void budget_end(u64 key)
{
    struct wedr_budget *b = bpf_map_lookup_elem(&budgets, &key);
    if (!b || !key) {
        return;
    }
    struct task_head who = {.key = key, .pid = b->pid, .uid = b->uid};
    budget_tell(b, &who, true);
    bpf_map_delete_elem(&budgets, &key);
}

/* Nothing is held and every window is long over, so that a new entry would be the same: then it is
 * the caller's to take away, and nobody else's beside the exit hook, after which the key does not
 * come again. */
static __always_inline bool budget_claim(struct wedr_budget *b)
{
    struct policy_now p;
    u64 since = *(volatile u64 *)&b->since;
    if (!since || !policy_get(&p)) { /* 0: whoever makes it is not ready, or it is claimed */
        return false;
    }
    u64 now = bpf_ktime_get_boot_ns();
    u64 long_ns = p.page->bank[p.bank].window_ns;
    long_ns = long_ns > WEDR_BUDGET_IDLE_NS ? long_ns : WEDR_BUDGET_IDLE_NS;
    if (since + long_ns > now) {
        return false;
    }
    for (u32 i = 0; i < WEDR_BUDGET_SLOTS; i++) {
        if (b->slot[i].over || b->slot[i].window + long_ns > now) {
            return false;
        }
    }
    return __sync_val_compare_and_swap(&b->since, since, 0) == since;
}

/* One entry of budgets or, users, of budget_users: tells what it holds, or takes it away. */
static __always_inline void budget_sweep(u64 key, bool users)
{
    struct wedr_budget *b =
        users ? bpf_map_lookup_elem(&budget_users, &key) : bpf_map_lookup_elem(&budgets, &key);
    if (!b) {
        return;
    }
    struct task_head who = {.uid = (u32)key};
    if (!users) {
        who.key = key;
        who.pid = b->pid;
        who.uid = b->uid;
    }
    bool claimed = (users || key) && budget_claim(b);
    budget_tell(b, &who, claimed);
    if (claimed && users) {
        bpf_map_delete_elem(&budget_users, &key);
    } else if (claimed) {
        bpf_map_delete_elem(&budgets, &key);
    }
}
