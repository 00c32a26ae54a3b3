/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/events_id.h"
#include "http/route.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool wedr_positive_parse(const char *text, int64_t *ret)
{
    int64_t v = 0;
    if (text[0] == '\0' || text[0] == '0') {
        return false;
    }
    for (; *text; text++) {
        int d = *text - '0';
        if (d < 0 || d > 9 || v > (INT64_MAX - d) / 10) {
            return false;
        }
        v = v * 10 + d;
    }
    *ret = v;
    return true;
}

bool wedr_hex16_valid(const char *text)
{
    return strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16;
}

/* The piece up to the next colon into ret; the place behind the colon, NULL without one. */
static const char *take(const char *s, char *ret, size_t cap)
{
    const char *colon = strchr(s, ':');
    size_t n = colon ? (size_t)(colon - s) : cap;
    if (n >= cap) {
        return NULL;
    }
    memcpy(ret, s, n);
    ret[n] = '\0';
    return colon + 1;
}

bool wedr_event_id_parse(const char *text, struct wedr_event_id *ret)
{
    struct wedr_event_id id;
    const char *s = take(text, id.agent_id, sizeof(id.agent_id));
    s = s ? take(s, id.epoch, sizeof(id.epoch)) : NULL;
    s = s ? take(s, id.stream, sizeof(id.stream)) : NULL;
    if (!s || !wedr_route_is_uuid(id.agent_id, strlen(id.agent_id)) ||
        !wedr_hex16_valid(id.epoch) || !wedr_stream_name_valid(id.stream, strlen(id.stream)) ||
        !wedr_positive_parse(s, &id.seq)) {
        return false;
    }
    *ret = id;
    return true;
}

void wedr_event_id_text(const struct wedr_event_id *id, char ret[WEDR_EVENT_ID_MAX])
{
    (void)snprintf(ret, WEDR_EVENT_ID_MAX, "%s:%s:%s:%" PRId64, id->agent_id, id->epoch, id->stream,
                   id->seq);
}
