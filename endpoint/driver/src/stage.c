/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include "mem.h"
#include "source.h"
#include "tags.h"

/* Places of one size, one behind another in one block. */
struct shelf {
    uint8_t *block;
    volatile LONG *taken; /* of each place: 1 while it is claimed */
    uint32_t size, count; /* bytes of a place; places */
    volatile LONG next;   /* where the next claim begins to look: spreads processors */
};

static struct shelf small_shelf, large_shelf;

static volatile LONG small_taken[WEDR_STAGE_SMALL_COUNT];
static volatile LONG large_taken[WEDR_STAGE_LARGE_COUNT];

static bool shelf_init(struct shelf *s, volatile LONG *taken, uint32_t size, uint32_t count)
{
    s->block = wedr_mem_new(count, size, WEDR_TAG_STAGE);
    s->taken = taken;
    s->size = size;
    s->count = count;
    s->next = 0;
    for (uint32_t i = 0; i < count; i++) {
        taken[i] = 0;
    }
    return s->block != NULL;
}

NTSTATUS wedr_stage_init(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    bool small_ok = shelf_init(&small_shelf, small_taken, WEDR_STAGE_SMALL, WEDR_STAGE_SMALL_COUNT);
    bool large_ok = shelf_init(&large_shelf, large_taken, WEDR_STAGE_LARGE, WEDR_STAGE_LARGE_COUNT);

    if (!small_ok || !large_ok) {
        wedr_stage_fini();
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return STATUS_SUCCESS;
}

void wedr_stage_fini(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    wedr_mem_free(small_shelf.block, WEDR_TAG_STAGE);
    wedr_mem_free(large_shelf.block, WEDR_TAG_STAGE);
    small_shelf.block = NULL;
    large_shelf.block = NULL;
}

static uint8_t *shelf_claim(struct shelf *s)
{
    uint32_t first = (uint32_t)InterlockedIncrement(&s->next);

    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t at = (first + i) % s->count;

        if (InterlockedCompareExchange(&s->taken[at], 1, 0) == 0) {
            return s->block + (size_t)at * s->size;
        }
    }
    return NULL;
}

uint8_t *wedr_stage_claim(size_t len)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    uint8_t *place = NULL;

    if (len <= WEDR_STAGE_SMALL) {
        place = shelf_claim(&small_shelf);
    }
    if (!place && len <= WEDR_STAGE_LARGE) {
        place = shelf_claim(&large_shelf);
    }
    return place;
}

/* False when the place is not on this shelf. */
static bool shelf_release(struct shelf *s, const uint8_t *place)
{
    size_t at = (size_t)((uintptr_t)place - (uintptr_t)s->block);

    if ((uintptr_t)place < (uintptr_t)s->block || at >= (size_t)s->count * s->size) {
        return false;
    }
    InterlockedExchange(&s->taken[at / s->size], 0);
    return true;
}

void wedr_stage_release(uint8_t *place)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    if (!shelf_release(&small_shelf, place) && !shelf_release(&large_shelf, place)) {
        wedr_source_bug();
    }
}
