/* SPDX-License-Identifier: Apache-2.0 */
#include "source/mem_ring.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

#define SLOT_HEADER 8u            /* u32 length, u32 unused: keeps records aligned to 8 */
#define SKIP_TO_START 0xffffffffu /* length of a filler up to the end of the memory */

int wedr_mem_ring_init(struct wedr_mem_ring *r, size_t size)
{
    if (size < 64 || (size & (size - 1)) != 0) {
        return WEDR_E_INVAL;
    }
    memset(r, 0, sizeof(*r));
    r->mem = wedr_alloc(size, 1);
    if (!r->mem) {
        return WEDR_E_NOMEM;
    }
    r->size = size;
    return WEDR_OK;
}

void wedr_mem_ring_fini(struct wedr_mem_ring *r)
{
    wedr_free(r->mem);
    r->mem = NULL;
}

int wedr_mem_ring_push(struct wedr_mem_ring *r, const void *p, size_t n)
{
    size_t need = SLOT_HEADER + ((n + 7u) & ~(size_t)7u);
    if (n > r->size / 4) {
        return WEDR_E_RANGE;
    }
    size_t at = (size_t)(r->head & (r->size - 1));
    size_t filler = r->size - at < need ? r->size - at : 0;
    if (r->head + filler + need - r->tail > r->size) {
        return WEDR_E_FULL;
    }
    if (filler > 0) {
        wedr_put_le32(r->mem + at, SKIP_TO_START);
        r->head += filler;
        at = 0;
    }
    wedr_put_le32(r->mem + at, (uint32_t)n);
    if (n > 0) {
        memcpy(r->mem + at + SLOT_HEADER, p, n);
    }
    r->head += need;
    return WEDR_OK;
}

int wedr_mem_ring_peek(struct wedr_mem_ring *r, struct wedr_span *ret_rec, uint64_t *ret_end)
{
    if (r->cursor == r->head) {
        return WEDR_E_AGAIN;
    }
    size_t at = (size_t)(r->cursor & (r->size - 1));
    uint32_t n = wedr_le32(r->mem + at);
    if (n == SKIP_TO_START) {
        r->cursor += r->size - at;
        at = 0;
        n = wedr_le32(r->mem);
    }
    *ret_rec = wedr_span(r->mem + at + SLOT_HEADER, n);
    r->cursor += SLOT_HEADER + (((size_t)n + 7u) & ~(size_t)7u);
    *ret_end = r->cursor;
    return WEDR_OK;
}

void wedr_mem_ring_release(struct wedr_mem_ring *r, uint64_t end)
{
    if (end > r->tail && end <= r->cursor) {
        r->tail = end;
    }
}
