/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/dns.h"

#include "core/base/err.h"
#include <string.h>

/* Puts what was read into the copy of the record; false when it does not fit. */
static bool fill(struct wedr_record *r, const struct wedr_dns *d, bool keep_payload)
{
    size_t need = d->name_len + d->answers_len;
    if (r->cap - r->len < need) {
        return false;
    }
    int err = wedr_record_set_str(r, "query_name", d->name, d->name_len, 0);
    if (err == WEDR_OK) {
        err = wedr_record_set_uint(r, "query_type", d->type);
    }
    if (err == WEDR_OK) {
        err = wedr_record_set_uint(r, "query_status", d->rcode);
    }
    if (err == WEDR_OK) {
        err =
            wedr_record_set_str(r, "answers", d->answers, d->answers_len, d->cut ? WEDR_SF_CUT : 0);
    }
    if (err == WEDR_OK && !keep_payload) {
        err = wedr_record_set_str(r, "payload", NULL, 0, 0);
    }
    return err == WEDR_OK;
}

void wedr_dns_unfold(struct wedr_dns_room *room, struct wedr_event_view *v)
{
    uint16_t flags = 0, name_flags = 0;
    const struct wedr_event_header h = v->h;
    if (h.type != WEDR_EV_DNS_QUERY || h.os != WEDR_OS_LINUX) {
        return;
    }
    struct wedr_span payload = wedr_event_str(v, wedr_event_field(v, "payload"), &flags);
    struct wedr_span name = wedr_event_str(v, wedr_event_field(v, "query_name"), &name_flags);
    if (payload.len == 0 || name.len > 0 || v->rec.len > sizeof(room->record)) {
        return;
    }
    bool cut = (flags & WEDR_SF_CUT) != 0;
    if (wedr_dns_parse(payload, cut, &room->dns) != WEDR_OK) {
        return;
    }
    bool answer = wedr_event_uint(v, wedr_event_field(v, "dns_op")) == WEDR_DNS_OP_ANSWER;
    struct wedr_record r = {room->record, sizeof(room->record), v->rec.len};
    memcpy(room->record, v->rec.p, v->rec.len);
    /* Behind the first message of a cut question there can be others. */
    bool keep = room->dns.damaged || room->dns.response != answer || (cut && !answer);
    if (!fill(&r, &room->dns, keep)) {
        return;
    }
    size_t len = wedr_record_finish(&r, h.seq, h.time, h.stream, h.flags);
    struct wedr_event_view made;
    if (wedr_event_decode(wedr_span(room->record, len), &made) == WEDR_OK) {
        *v = made;
    }
}
