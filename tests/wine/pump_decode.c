/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/pump_decode.c — records and counters, through the agent's decoders. */
#include "pump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wedr_ioctl_stats stats_get(void)
{
    struct wedr_ioctl_stats s;
    uint8_t raw[2048];
    size_t len = 0;
    int err;

    CHECK_STATUS(control(device(), WEDR_IOCTL_GET_STATS, NULL, 0, raw, sizeof(raw), &len),
                 STATUS_SUCCESS);
    err = wedr_ioctl_stats_decode((struct wedr_span){raw, len}, &s);
    CHECK(err == WEDR_OK, "stats of %u bytes: %d", (unsigned)len, err);
    return s;
}

struct wedr_ioctl_version version_get(void)
{
    struct wedr_ioctl_version v;
    uint8_t raw[512];
    size_t len = 0;
    int err;

    CHECK_STATUS(control(device(), WEDR_IOCTL_GET_VERSION, NULL, 0, raw, sizeof(raw), &len),
                 STATUS_SUCCESS);
    err = wedr_ioctl_version_decode((struct wedr_span){raw, len}, &v);
    CHECK(err == WEDR_OK, "version of %u bytes: %d", (unsigned)len, err);
    return v;
}

uint32_t queued(void)
{
    struct wedr_ioctl_stats s = stats_get();

    return s.lane[0].queued + s.lane[1].queued;
}

void check_accounting(void)
{
    struct wedr_ioctl_stats s = stats_get();

    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        const struct wedr_ioctl_lane *l = &s.lane[i];
        uint64_t lost = 0;

        for (unsigned r = 1; r < WEDR_IOCTL_LOST_REASONS; r++) {
            lost += l->lost[r];
        }
        CHECK(l->produced == l->delivered + l->queued + lost,
              "lane %u: produced %llu, delivered %llu, queued %u, lost %llu", i,
              (unsigned long long)l->produced, (unsigned long long)l->delivered,
              (unsigned)l->queued, (unsigned long long)lost);
    }
    CHECK(s.bugs == 0, "the driver counted %llu bugs", (unsigned long long)s.bugs);
}

struct wedr_event_view event_next(void)
{
    static uint8_t raw[WEDR_RECORD_MAX];
    struct wedr_event_view v = {0};
    size_t len = 0;
    int err;

    CHECK(queued() > 0, "no record waits");
    CHECK_STATUS(control(device(), WEDR_IOCTL_GET_EVENT, NULL, 0, raw, sizeof(raw), &len),
                 STATUS_SUCCESS);
    err = wedr_event_decode((struct wedr_span){raw, len}, &v);
    CHECK(err == WEDR_OK, "record of %u bytes: %d", (unsigned)len, err);
    CHECK(v.h.size == len, "record of %u bytes in %u", (unsigned)v.h.size, (unsigned)len);
    CHECK(v.h.os == WEDR_OS_WINDOWS, "os %u", v.h.os);
    return v;
}

void events_drain(void)
{
    uint8_t *raw = malloc(WEDR_RECORD_MAX);
    size_t len;

    CHECK(raw != NULL, "no memory");
    while (queued() > 0) {
        (void)control(device(), WEDR_IOCTL_GET_EVENTS, NULL, 0, raw, WEDR_RECORD_MAX, &len);
    }
    free(raw);
}

void events_none(void)
{
    struct wedr_event_view v;

    if (queued() > 0) {
        v = event_next();
        CHECK(false, "a %s that should not be there", v.type->event_type);
    }
}

static void narrow(struct wedr_span s, char *ret, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i + 1 < s.len && n < cap - 1; i += 2) {
        ret[n++] = s.p[i + 1] || s.p[i] < 32 || s.p[i] > 126 ? '?' : (char)s.p[i];
    }
    ret[n] = 0;
}

static void string_is(const struct wedr_event_view *v,
                      const struct wedr_field_info *info,
                      const struct field *f)
{
    uint16_t flags, wanted = f ? f->flags : 0;
    struct wedr_span s = wedr_event_str(v, info, &flags);
    const void *bytes = f ? (f->text ? (const void *)f->text : f->bytes) : NULL;
    size_t len = f ? (f->text ? wcslen(f->text) * 2 : f->len) : 0;
    char got[160];

    narrow(s, got, sizeof(got));
    if (f && f->text && len > 0) {
        wanted |= WEDR_SF_UTF16;
    }
    CHECK(s.len == len && (len == 0 || memcmp(s.p, bytes, len) == 0),
          "%s.%s is \"%s\" (%u bytes, wanted %u)", v->type->event_type, info->name, got,
          (unsigned)s.len, (unsigned)len);
    if (len == 0) {
        flags &= (uint16_t)~WEDR_SF_UTF16; /* says nothing about no text */
    }
    CHECK(flags == wanted, "%s.%s has flags %x", v->type->event_type, info->name, flags);
}

void event_is(const struct wedr_event_view *v,
              uint16_t type,
              uint8_t lane,
              const struct field *fields)
{
    CHECK(v->h.type == type, "a %s instead of type %u", v->type->event_type, type);
    CHECK(v->h.stream == lane, "%s in lane %u", v->type->event_type, v->h.stream);
    for (const struct field *f = fields; f->name; f++) {
        CHECK(wedr_event_field(v, f->name), "%s has no %s", v->type->event_type, f->name);
    }
    for (size_t i = 0; i < v->type->field_count; i++) {
        const struct wedr_field_info *info = &v->type->fields[i];
        const struct field *f = fields;
        uint64_t got;

        if (info->derived || !(info->os_mask & WEDR_OSM_WINDOWS)) {
            continue;
        }
        while (f->name && strcmp(f->name, info->name) != 0) {
            f++;
        }
        f = f->name ? f : NULL;
        if (wedr_kind_is_string(info->kind)) {
            string_is(v, info, f);
            continue;
        }
        got = info->kind == WEDR_KIND_I32 ? (uint64_t)wedr_event_int(v, info)
                                          : wedr_event_uint(v, info);
        CHECK(got == (f ? f->number : 0), "%s.%s is %llx, wanted %llx", v->type->event_type,
              info->name, (unsigned long long)got, (unsigned long long)(f ? f->number : 0));
    }
}

void event_next_is(uint16_t type, uint8_t lane, const struct field *fields)
{
    struct wedr_event_view v = event_next();

    event_is(&v, type, lane, fields);
}

uint64_t field_number(const struct wedr_event_view *v, const char *name)
{
    const struct wedr_field_info *info = wedr_event_field(v, name);

    CHECK(info != NULL, "no field %s", name);
    return wedr_event_uint(v, info);
}

const char *field_text(const struct wedr_event_view *v, const char *name)
{
    static char text[1024];
    const struct wedr_field_info *info = wedr_event_field(v, name);
    uint16_t flags;

    CHECK(info != NULL, "no field %s", name);
    narrow(wedr_event_str(v, info, &flags), text, sizeof(text));
    return text;
}
