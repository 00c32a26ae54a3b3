/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/outbox.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include <string.h>

int wedr_outbox_init(struct wedr_outbox *o)
{
    memset(o, 0, sizeof(*o));
    o->memory = wedr_alloc(WEDR_SPOOL_FRAME_ROOM + WEDR_OUTBOX_BYTES, 1);
    return o->memory ? WEDR_OK : WEDR_E_NOMEM;
}

void wedr_outbox_fini(struct wedr_outbox *o)
{
    wedr_free(o->memory);
    o->memory = NULL;
}

size_t wedr_outbox_room(const struct wedr_outbox *o)
{
    return o->count < WEDR_OUTBOX_LINES_MAX ? WEDR_OUTBOX_BYTES - o->len : 0;
}

int wedr_outbox_add(struct wedr_outbox *o,
                    struct wedr_record *r,
                    struct wedr_encoder *encoder,
                    struct wedr_clock_pair clock)
{
    struct wedr_event_view v;
    size_t len = 0;
    size_t size =
        wedr_record_finish(r, o->seq + 1, (int64_t)wedr_time_boot_ns(), WEDR_STREAM_ALERT, 0);
    int err = wedr_outbox_room(o) > 0 ? wedr_event_decode(wedr_span(r->p, size), &v) : WEDR_E_LIMIT;
    if (err == WEDR_OK) {
        err = wedr_encode(encoder, &v, clock, o->memory + WEDR_SPOOL_FRAME_ROOM + o->len,
                          wedr_outbox_room(o), &len);
    }
    if (err != WEDR_OK) {
        return err;
    }
    o->seq++;
    o->first_seq = o->count == 0 ? o->seq : o->first_seq;
    o->count++;
    o->len += len;
    return WEDR_OK;
}

bool wedr_outbox_frame(struct wedr_outbox *o, struct wedr_spool_frame_in *ret)
{
    if (o->count == 0) {
        return false;
    }
    *ret = (struct wedr_spool_frame_in){.lines = o->memory + WEDR_SPOOL_FRAME_ROOM,
                                        .len = o->len,
                                        .count = o->count,
                                        .first_seq = o->first_seq,
                                        .last_seq = o->seq,
                                        .produced = o->seq};
    return true;
}

void wedr_outbox_clear(struct wedr_outbox *o)
{
    o->len = 0;
    o->count = 0;
}
