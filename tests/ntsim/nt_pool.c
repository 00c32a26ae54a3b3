/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_pool.c — pool. Every live block is in a hash table by its address, so that freeing
 * what is no block is seen without touching it. */
#include "nt_sim.h"

#define GUARD 16u
#define FILL_BYTES 4096u /* of an allocation that is not zeroed are filled with 0xcd */
#define BUCKETS 256u
#define MAPPED (128u << 10) /* blocks from this length on are mapped */
#define POOL_NX 512         /* NonPagedPoolNx */
#define POOL_SYSTEM 0x26u   /* must succeed, cache aligned, session: types of the system's own */

struct block {
    struct block *next;
    size_t len;
    ULONG tag;
    uint8_t kind;
    bool paged;
    uint8_t guard[GUARD + 10]; /* makes the header a multiple of 16 */
};
_Static_assert(sizeof(struct block) % 16 == 0, "blocks are aligned to 16");

static struct block *buckets[BUCKETS];
static _Atomic uint64_t allocations;
static uint64_t live[3], bytes, peak; /* by kind; under SIM_LOCK_POOL */

static unsigned bucket_of(const struct block *b)
{
    return (unsigned)(((uintptr_t)b >> 4) * 2654435761u >> 7) % BUCKETS;
}

static uint8_t *body_of(struct block *b)
{
    return (uint8_t *)(b + 1);
}

static size_t tail_of(const struct block *b)
{
    return GUARD + ((16u - b->len % 16u) % 16u);
}

void *sim_block_new(enum sim_kind kind, size_t len, ULONG tag, bool zeroed, bool paged)
{
    struct block probe = {.len = len};
    size_t all = sizeof(struct block) + len + tail_of(&probe);
    struct block *b = len >= MAPPED ? sim_map(all) : zeroed ? sim_zalloc(all) : sim_alloc(all);
    struct block **at;

    b->len = len;
    b->tag = tag;
    b->kind = (uint8_t)kind;
    b->paged = paged;
    memset(b->guard, 0xf7, sizeof(b->guard));
    memset(body_of(b) + len, 0xf7, tail_of(b));
    if (!zeroed) {
        memset(body_of(b), 0xcd, len < FILL_BYTES ? len : FILL_BYTES);
    }
    sim_lock(SIM_LOCK_POOL);
    at = &buckets[bucket_of(b)];
    b->next = *at;
    *at = b;
    live[kind]++;
    if (kind == SIM_KIND_POOL) {
        bytes += len;
        peak = bytes > peak ? bytes : peak;
    }
    sim_unlock(SIM_LOCK_POOL);
    sim_poison(b->guard, sizeof(b->guard));
    sim_poison(body_of(b) + len, tail_of(b));
    return body_of(b);
}

/* Takes the block out of the table; NULL when there is none of that kind. */
static struct block *unlink_block(void *p, enum sim_kind kind)
{
    struct block *wanted = (struct block *)p - 1;
    struct block *found = NULL;

    sim_lock(SIM_LOCK_POOL);
    for (struct block **at = &buckets[bucket_of(wanted)]; *at; at = &(*at)->next) {
        if (*at == wanted && (*at)->kind == kind) {
            found = *at;
            *at = found->next;
            live[kind]--;
            if (kind == SIM_KIND_POOL) {
                bytes -= found->len;
            }
            break;
        }
    }
    sim_unlock(SIM_LOCK_POOL);
    return found;
}

static bool is_filled(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] != 0xf7) {
            return false;
        }
    }
    return true;
}

static void destroy(struct block *b)
{
    sim_unpoison(b->guard, sizeof(b->guard));
    sim_unpoison(body_of(b) + b->len, tail_of(b));
    if (!is_filled(b->guard, sizeof(b->guard)) || !is_filled(body_of(b) + b->len, tail_of(b))) {
        sim_violation(SIM_RULE_pool_overrun, "block of %llu bytes, tag %.4s",
                      (unsigned long long)b->len, (const char *)&b->tag);
    }
    if (b->len >= MAPPED) {
        sim_unmap(b, sizeof(*b) + b->len + tail_of(b));
    } else {
        sim_retire(b, sizeof(*b) + b->len, SIM_RULE_pool_used_after_free);
    }
}

void sim_block_free(void *p, enum sim_kind kind, bool check_tag, ULONG tag)
{
    struct block *b = p ? unlink_block(p, kind) : NULL;

    if (!b) {
        sim_violation(kind == SIM_KIND_NAME ? SIM_RULE_name_release : SIM_RULE_pool_double_free,
                      "%p", p);
        return;
    }
    if (check_tag && b->tag != tag) {
        sim_violation(SIM_RULE_pool_wrong_tag, "%.4s instead of %.4s", (const char *)&tag,
                      (const char *)&b->tag);
    }
    if (b->paged && sim_self.irql >= DISPATCH_LEVEL) {
        sim_violation(SIM_RULE_pool_paged_at_dispatch, "freed at IRQL %u", sim_self.irql);
    }
    destroy(b);
}

static struct block *any_block(void)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        if (buckets[i]) {
            return buckets[i];
        }
    }
    return NULL;
}

void sim_pool_check_unload(void)
{
    struct block *b;

    while ((b = any_block()) != NULL) {
        if (b->kind == SIM_KIND_NAME) {
            sim_violation(SIM_RULE_name_leak, "%p", (void *)body_of(b));
        } else {
            sim_violation(SIM_RULE_pool_leak, "%llu bytes, tag %.4s", (unsigned long long)b->len,
                          (const char *)&b->tag);
        }
        destroy(unlink_block(body_of(b), b->kind));
    }
    sim_retire_flush();
}

void sim_pool_reset(void)
{
    struct block *b;

    while ((b = any_block()) != NULL) {
        destroy(unlink_block(body_of(b), b->kind));
    }
    sim_retire_flush();
    atomic_store(&allocations, 0);
    peak = 0;
}

/* ---- the driver's side -------------------------------------------------------------------------
 */

static PVOID allocate(size_t len, ULONG tag, bool zeroed, bool paged)
{
    if (len == 0) {
        sim_violation(SIM_RULE_pool_zero_size, "tag %.4s", (const char *)&tag);
        len = 1;
    }
    if (tag == 0) {
        sim_violation(SIM_RULE_pool_no_tag, "%llu bytes", (unsigned long long)len);
    }
    if (paged && sim_self.irql >= DISPATCH_LEVEL) {
        sim_violation(SIM_RULE_pool_paged_at_dispatch, "allocated at IRQL %u", sim_self.irql);
    }
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return sim_block_new(SIM_KIND_POOL, len, tag, zeroed, paged);
}

PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE type, SIZE_T len, ULONG tag)
{
    SIM_ENTER(ExAllocatePoolWithTag);
    bool paged = ((unsigned)type & 1u) != 0;

    if (!paged && ((unsigned)type & POOL_NX) == 0) {
        sim_violation(SIM_RULE_pool_executable, "pool type %u", (unsigned)type);
    } else if (((unsigned)type & POOL_SYSTEM) != 0) {
        sim_violation(SIM_RULE_pool_flags, "pool type %u", (unsigned)type);
    }
    if (SIM_FAULT(ExAllocatePoolWithTag)) {
        return NULL;
    }
    return allocate(len, tag, false, paged);
}

/* Flags: 1 quota, 2 uninitialised, 4 session, 8 cache aligned, 0x20 raise, 0x40 non-paged, 0x80
 * executable, 0x100 paged. Exactly one of the last three. */
PVOID NTAPI ExAllocatePool2(ULONG64 flags, SIZE_T len, ULONG tag)
{
    SIM_ENTER(ExAllocatePool2);
    ULONG64 kind = flags & 0x1c0u;

    if (kind == 0x80u) {
        sim_violation(SIM_RULE_pool_executable, "flags %llx", (unsigned long long)flags);
    } else if ((kind != 0x40u && kind != 0x100u) || (flags & ~0x1efull) != 0 || tag == 0) {
        sim_violation(SIM_RULE_pool_flags, "flags %llx", (unsigned long long)flags);
        return NULL;
    }
    if (SIM_FAULT(ExAllocatePool2)) {
        return NULL;
    }
    return allocate(len, tag, (flags & 2u) == 0, kind == 0x100u);
}

VOID NTAPI ExFreePoolWithTag(PVOID p, ULONG tag)
{
    SIM_ENTER(ExFreePoolWithTag);
    sim_block_free(p, SIM_KIND_POOL, tag != 0, tag);
}

#undef ExFreePool
VOID NTAPI ExFreePool(PVOID p)
{
    SIM_ENTER(ExFreePool);
    sim_block_free(p, SIM_KIND_POOL, false, 0);
}

static uint64_t read_locked(const uint64_t *number)
{
    uint64_t n;

    sim_lock(SIM_LOCK_POOL);
    n = *number;
    sim_unlock(SIM_LOCK_POOL);
    return n;
}

uint64_t ntsim_pool_allocations(void)
{
    return atomic_load(&allocations);
}

uint64_t ntsim_pool_live(void)
{
    return read_locked(&live[SIM_KIND_POOL]);
}

uint64_t ntsim_pool_bytes(void)
{
    return read_locked(&bytes);
}

uint64_t ntsim_pool_peak(void)
{
    return read_locked(&peak);
}
