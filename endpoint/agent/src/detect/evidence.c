/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/evidence.h"

#include "core/util/alloc.h"
#include <string.h>

struct slot {
    uint64_t ref;
    uint64_t at; /* bytes that were written before it, in all */
    size_t len;
    struct wedr_sighting s;
};

struct wedr_evidence {
    uint64_t last_ref;
    uint64_t head;
    size_t bytes;
    uint32_t slots;
    char *ring;
    struct slot *slot;
};

struct wedr_evidence *wedr_evidence_new(uint32_t slots, size_t bytes)
{
    struct wedr_evidence *e = wedr_alloc(1, sizeof(*e));
    if (!e) {
        return NULL;
    }
    e->ring = wedr_alloc(bytes, 1);
    e->slot = wedr_alloc(slots, sizeof(e->slot[0]));
    if (!e->ring || !e->slot) {
        wedr_evidence_free(e);
        return NULL;
    }
    e->slots = slots;
    e->bytes = bytes;
    return e;
}

void wedr_evidence_free(struct wedr_evidence *e)
{
    if (e) {
        wedr_free(e->ring);
        wedr_free(e->slot);
        wedr_free(e);
    }
}

uint64_t wedr_evidence_put(struct wedr_evidence *e,
                           const struct wedr_sighting *s,
                           const char *line,
                           size_t len)
{
    uint64_t ref = ++e->last_ref;
    struct slot *slot = &e->slot[ref % e->slots];
    if (len > WEDR_EVIDENCE_LINE_MAX || len > e->bytes) {
        len = 0;
    }
    size_t left = e->bytes - (size_t)(e->head % e->bytes);
    if (len > left) {
        e->head += left; /* a line lies in one piece */
    }
    memcpy(e->ring + e->head % e->bytes, line, len);
    *slot = (struct slot){ref, e->head, len, *s};
    e->head += len;
    return ref;
}

bool wedr_evidence_get(const struct wedr_evidence *e,
                       uint64_t ref,
                       struct wedr_sighting *ret_sighting,
                       struct wedr_span *ret_line)
{
    const struct slot *slot = &e->slot[ref % e->slots];
    if (ref == 0 || slot->ref != ref) {
        return false;
    }
    *ret_sighting = slot->s;
    bool there = slot->len > 0 && e->head - slot->at <= e->bytes;
    *ret_line = there ? wedr_span(e->ring + slot->at % e->bytes, slot->len) : wedr_span(NULL, 0);
    return true;
}
