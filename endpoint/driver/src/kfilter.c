/* SPDX-License-Identifier: Apache-2.0 */
#include "kfilter.h"

#include "core/base/err.h"
#include "mem.h"
#include "tags.h"

/* A filter that passed the check, with the bytes it came in. */
struct filter {
    volatile LONG refs; /* one for being in force, one for each reader */
    struct wedr_filter counts;
    uint32_t len;
    uint8_t bytes[1]; /* len of them */
};

static struct {
    KSPIN_LOCK lock; /* guards current and the step from 0 readers */
    struct filter *current;
    volatile LONG classes;
    volatile LONG generation;
    volatile LONG paths, keys; /* prefix counts: callbacks that have nothing to compare stop here */
} state;

void wedr_kfilter_init(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    WEDR_MEMSET(&state, 0, sizeof(state));
    KeInitializeSpinLock(&state.lock);
    state.classes = (LONG)WEDR_CLASS_ALL;
}

static void unref(struct filter *f)
{
    if (f && InterlockedDecrement(&f->refs) == 0) {
        wedr_mem_free(f, WEDR_TAG_FILTER);
    }
}

void wedr_kfilter_fini(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    unref(state.current);
    state.current = NULL;
}

static struct filter *acquire(void)
{
    KLOCK_QUEUE_HANDLE held;
    struct filter *f;

    KeAcquireInStackQueuedSpinLock(&state.lock, &held);
    f = state.current;
    if (f) {
        InterlockedIncrement(&f->refs);
    }
    KeReleaseInStackQueuedSpinLock(&held);
    return f;
}

NTSTATUS wedr_kfilter_set(const void *in, size_t len)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    KLOCK_QUEUE_HANDLE held;
    struct wedr_filter counts;
    struct filter *f, *old;

    if (wedr_filter_check(wedr_span(in, len), &counts) != WEDR_OK) {
        return STATUS_INVALID_PARAMETER;
    }
    f = wedr_mem_new(1, offsetof(struct filter, bytes) + len, WEDR_TAG_FILTER);
    if (!f) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    f->refs = 1;
    f->counts = counts;
    f->len = (uint32_t)len;
    WEDR_MEMCPY(f->bytes, in, len);
    KeAcquireInStackQueuedSpinLock(&state.lock, &held);
    old = state.current;
    state.current = f;
    InterlockedExchange(&state.classes, (LONG)counts.classes);
    InterlockedExchange(&state.paths, counts.path_count);
    InterlockedExchange(&state.keys, counts.registry_count);
    InterlockedIncrement(&state.generation);
    KeReleaseInStackQueuedSpinLock(&held);
    unref(old);
    return STATUS_SUCCESS;
}

uint32_t wedr_kfilter_classes(void)
{
    return (uint32_t)WEDR_READ(&state.classes);
}

uint32_t wedr_kfilter_generation(void)
{
    return (uint32_t)WEDR_READ(&state.generation);
}

/* Is one of the prefixes [first, first + count) of f a parent of name, or name itself? */
static bool
any_prefix(const struct filter *f, size_t first, size_t count, const struct wedr_keyname *name)
{
    struct wedr_span all = wedr_span(f->bytes, f->len);

    for (size_t i = first; i < first + count; i++) {
        if (wedr_keypath_below(wedr_filter_prefix_at(all, i), name)) {
            return true;
        }
    }
    return false;
}

bool wedr_kfilter_skips_path(PCUNICODE_STRING path)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    const struct wedr_keyname name = {path, NULL};
    struct filter *f;
    bool found;

    if (WEDR_READ(&state.paths) == 0) {
        return false;
    }
    f = acquire();
    found = f && any_prefix(f, 0, f->counts.path_count, &name);
    unref(f);
    return found;
}

bool wedr_kfilter_watches_key(const struct wedr_keyname *key)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    struct filter *f;
    bool found;

    if (WEDR_READ(&state.keys) == 0) {
        return false;
    }
    f = acquire();
    found = f && any_prefix(f, f->counts.path_count, f->counts.registry_count, key);
    unref(f);
    return found;
}
